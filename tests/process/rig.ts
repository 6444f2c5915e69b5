/** A directory of runs of its own, and the promise that no process of it outlives the test. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Exit, Scope, Stream } from "effect";
import { RunId } from "../../src/domain/ids.ts";
import type { AgentProcessShape, OutputLine, RunExit, RunHandle, RunSpec } from "../../src/ports/agent-process.ts";
import { scan } from "../../tmux/process-table.ts";
import { makeAgentProcess, type AgentProcessOptions } from "../../src/process/agent-process.ts";

export const node = process.execPath;

export interface Rig {
  readonly root: string;
  readonly directory: string;
  readonly processes: AgentProcessShape;
  /** A spec that runs JavaScript under node in an empty environment. */
  readonly js: (id: string, code: string, more?: Partial<RunSpec>) => RunSpec;
  readonly start: (spec: RunSpec, by?: AgentProcessShape) => Promise<RunHandle>;
  readonly adopt: (id: string) => Promise<RunHandle>;
  readonly dispose: () => Promise<void>;
}

export const runId = (id: string): RunId => RunId.parse(id);
export const lines = (handle: RunHandle, from = 0): Promise<readonly OutputLine[]> => Effect.runPromise(Stream.runCollect(handle.lines(from)));
export const texts = async (handle: RunHandle, from = 0): Promise<readonly string[]> => (await lines(handle, from)).map((line) => line.text);
export const exitOf = (handle: RunHandle): Promise<RunExit> => Effect.runPromise(handle.exit);
/** The first line that matches; the stream is left right after it. */
export const until = async (handle: RunHandle, text: string): Promise<OutputLine> => {
  const found = await Effect.runPromise(Stream.runCollect(Stream.take(Stream.filter(handle.lines(0), (line) => line.text.includes(text)), 1)));
  const [line] = found;
  if (!line) throw new Error(`the run ended without saying ${text}`);
  return line;
};
/** False for zombies too: who reaps an orphan, and when, is the init system's affair. */
export const isAlive = async (pid: number): Promise<boolean> => (await scan()).some((row) => row.pid === pid);

export const rig = (options: Partial<AgentProcessOptions> = {}): Rig => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-process-")));
  const root = options.root ?? join(directory, "runs");
  const processes = makeAgentProcess({ ...options, root });
  const scope = Scope.makeUnsafe();
  const inScope = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Scope.provide(effect, scope));
  const adopt = (id: string): Promise<RunHandle> => inScope(processes.adopt(runId(id)));
  return {
    root, directory, processes, adopt,
    js: (id, code, more = {}) => ({ runId: runId(id), argv: [node, "-e", code], cwd: directory, env: {}, stdinMode: "close", labels: {}, ...more }),
    start: (spec, by = processes) => inScope(by.start(spec)),
    dispose: async () => {
      for (const { runId: id, alive } of await Effect.runPromise(processes.list)) {
        const handle = await adopt(id).catch(() => undefined);
        if (handle && alive) await Effect.runPromise(handle.signal("SIGKILL"));
        if (handle) await Effect.runPromise(handle.sweep);
      }
      await Effect.runPromise(Scope.close(scope, Exit.void));
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
