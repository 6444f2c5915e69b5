/**
 * Runs one turn of an adapter through the real launcher, as the factory's agent chart does: a wall-clock timer, a no-progress timer, and the
 * interrupt ladder SIGINT → SIGTERM → SIGKILL followed by a sweep.
 */
import { join } from "node:path";
import { Effect, Fiber, Stream } from "effect";
import type { AgentEvent, TurnOutcome, TurnRequest } from "../../src/domain/agent.ts";
import { begin, finish, push } from "../../src/domain/turn-outcome.ts";
import type { Adapter, HostEnvironment } from "../../src/ports/adapter.ts";
import type { AgentProcessShape, RunExit, RunHandle } from "../../src/ports/agent-process.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { interruptLadder, type LadderEnd } from "../../actors/interrupt-ladder.ts";

export interface Turned {
  readonly events: readonly AgentEvent[];
  /** Standard output, line by line. */
  readonly lines: readonly string[];
  readonly exit: RunExit;
  readonly errorTail: string;
  readonly swept: number;
  /** The rung of the ladder that ended it. */
  readonly by: LadderEnd["by"];
  /** The launch, to look at argv and environment. */
  readonly argv: readonly string[];
  /** What the stage hears of the turn. */
  readonly outcome: TurnOutcome;
}

export interface Driving {
  /** Called beside the run; may signal it. */
  readonly meanwhile?: (handle: RunHandle) => Promise<void>;
}

export const drive = (processes: AgentProcessShape, adapter: Adapter, turn: TurnRequest, host: HostEnvironment, driving: Driving = {}): Promise<Turned> => Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const plan = adapter.plan(turn, { ...host, runDirectory: join(host.runDirectory, turn.runId) });
  if ("kind" in plan) return yield* Effect.die(new Error(`the adapter refuses the turn: ${JSON.stringify(plan)}`));
  const handle = yield* processes.start({ runId: turn.runId, argv: plan.argv, cwd: turn.cwd, env: plan.env, stdin: plan.stdin, stdinMode: plan.stdinMode, ...(plan.files === undefined ? {} : { files: plan.files }), labels: { adapter: adapter.name } });
  const reader = adapter.reader(turn);
  const events: AgentEvent[] = [];
  const lines: string[] = [];
  const reading = yield* Effect.forkScoped(Stream.runForEach(handle.lines(0), (line) => Effect.sync(() => { lines.push(line.text); events.push(...reader.line(line.text)); })));

  const wallClock = Effect.as(Effect.sleep(turn.timeoutMs), { kind: "timeout", afterMs: turn.timeoutMs } as const);
  // Progress is a line of output, or work done by the run's processes (more than a tenth of a core).
  const noProgress = Effect.gen(function* () {
    for (;;) {
      const before = { lines: lines.length, cpu: (yield* handle.activity).cpuMs };
      yield* Effect.sleep(turn.stallMs);
      const cpu = (yield* handle.activity).cpuMs - before.cpu;
      if (lines.length === before.lines && cpu < turn.stallMs / 10) return { kind: "stalled", afterMs: turn.stallMs } as const;
    }
  });
  const meanwhile = Effect.andThen(Effect.promise(() => driving.meanwhile?.(handle) ?? Promise.resolve()), Effect.never);
  const ended = yield* Effect.raceFirst(handle.exit, Effect.raceFirst(Effect.raceFirst(wallClock, noProgress), meanwhile));
  const stopped = "kind" in ended ? ended : undefined;
  const { exit, swept, by } = yield* interruptLadder(handle, systemClock, { sigintMs: 5_000, sigtermMs: 5_000 });
  yield* Fiber.join(reading);
  const errorTail = yield* handle.errorTail;
  events.push(...reader.end({ exit, errorTail }));
  // As in the factory: what an agent says of being interrupted by us is no failure of its own.
  const heard = stopped === undefined ? events : events.filter(({ type }) => type !== "failure");
  const outcome = finish(heard.reduce(push, begin(turn)), { exit, swept, ...(stopped === undefined ? {} : { stopped }) });
  return { events, lines, exit, errorTail, swept, by, argv: plan.argv, outcome };
})));
