/** One test's own world: a git repository, a home, a temporary directory, a scripted model, a run directory. Nothing of the user's is read. */
import { join } from "node:path";
import { Effect } from "effect";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import type { TurnRequest } from "../../src/domain/agent.ts";
import type { HostEnvironment } from "../../src/ports/adapter.ts";
import { type ModelServer, type Scenario, startModelServer } from "../support/model-server.ts";
import { drive, type Driving, type Turned } from "./drive.ts";
import { keepCapture } from "./capture.ts";
import { type CliName, cliUnderTest } from "./under-test.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";
import { openWorld } from "./world.ts";

export interface Room extends AsyncDisposable {
  /** Holds everything of the room. */
  readonly base: string;
  readonly repository: string;
  readonly host: HostEnvironment;
  readonly model: ModelServer;
  readonly turn: (prompt: string, more?: Partial<TurnRequest>) => TurnRequest;
  readonly run: (turn: TurnRequest, driving?: Driving, host?: HostEnvironment) => Promise<Turned>;
  /** `git diff` and untracked files against the first commit, as text. */
  readonly changes: () => Promise<string>;
  /** Keeps the stream of a run as a fixture, when captures are asked for. */
  readonly keep: (name: string, turned: Turned) => Promise<void>;
}

let count = 0;

interface RoomOptions {
  readonly cli?: CliName;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly casting?: Parameters<typeof startModelServer>[1];
  /** Where the CLI looks for its model; default: the scripted server. */
  readonly url?: string;
  /** What the CLI would do about silence by itself is far away. */
  readonly patient?: boolean;
}

/** Of claude, where no other CLI is named. */
export const openRoom = async (scenarios: Readonly<Record<string, Scenario>>, more: RoomOptions = {}): Promise<Room> => {
  const { adapter, bin, model: modelName, pointedAt } = cliUnderTest[more.cli ?? "claude"]();
  const world = await openWorld(more.files);
  const { base, repository, home, temporary, git } = world;
  const model = await startModelServer(scenarios, more.casting);
  const host: HostEnvironment = {
    home,
    runDirectory: join(base, "runs"),
    env: {
      PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, LANG: "C.UTF-8", TERM: "xterm-256color", TMPDIR: temporary,
      // Short limits, so that a fault is answered for good within seconds.
      ...await pointedAt(more.url ?? model.url, home, more.patient),
      ...more.env,
    },
  };
  const processes = makeAgentProcess({ root: host.runDirectory });
  // A test that failed half-way leaves a run behind.
  const sweepAll = Effect.scoped(Effect.gen(function* () {
    for (const { runId } of yield* processes.list) yield* Effect.flatMap(processes.adopt(runId), (handle) => handle.sweep).pipe(Effect.catchTag("RunMissing", () => Effect.succeed(0)));
  }));
  return {
    base, repository, host, model,
    turn: (prompt, changed = {}) => {
      count += 1;
      return {
        runId: RunId.parse(`clis.${process.pid}.${count}`), item: WorkItemId.parse("TST-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1,
        adapter: adapter.name, model: modelName, cwd: repository, prompt, sessionId: null, sessionCostUsd: 0, readOnly: false,
        timeoutMs: 90_000, stallMs: 60_000, playbook: null, ...changed,
      };
    },
    run: (turn, driving, own = host) => drive(processes, adapter, turn, own, driving),
    changes: async () => {
      await git("add", "-A", "--intent-to-add");
      return git("diff");
    },
    keep: (name, turned) => keepCapture(adapter.name, name, turned.lines, { [repository]: "/repo", [base]: "/home/user", [model.url]: "http://127.0.0.1:1" }),
    [Symbol.asyncDispose]: async () => {
      await Effect.runPromise(sweepAll);
      await model.close();
      await world[Symbol.asyncDispose]();
    },
  };
};
