/**
 * Port AgentProcess over detached processes: an agent outlives the process that started it, and whoever comes next adopts it.
 *
 * Owns: the directory of runs, one subdirectory a run (run-directory.ts). Talks to: the launcher (launcher.ts) through files only.
 * Invariants I1 to I4 in launcher.ts, I5 in run-directory.ts, and
 *
 * I6 `start` may be called any number of times, by any owner, after a crash at any point: one child comes of it. Only a launcher that was
 *    itself killed between `started` and its child leaves a run without child, and that run reads as lost.
 * I7 No signal is sent to a pid that is not proven to be the run's at that moment.
 *
 * After a power cut the newest files may be gone: a run started just before may be started again or read as lost.
 */
import { existsSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { Effect, Layer, type Scope } from "effect";
import { checkLaunch } from "../../tmux/launch-check.ts";
import { RunId } from "../domain/ids.ts";
import { AgentProcess, type AgentProcessShape, type RunHandle, RunIo, RunMissing, type RunScreen, type RunSpec, SpawnFailed } from "../ports/agent-process.ts";
import { defaultShell, launch, launchOnScreen, launcherCommand } from "./launcher.ts";
import { lineCap } from "./output-lines.ts";
import { launcherPid, prepare, readExit, readSpec, runPaths, type RunPaths } from "./run-directory.ts";
import { runHandle } from "./run-handle.ts";
import { runMark } from "./run-mark.ts";
import { watchRun } from "./run-watch.ts";

export interface AgentProcessOptions {
  /** Holds one directory a run. Made (0700) when missing. */
  readonly root: string;
  /** Longest output line in bytes; default 10 MiB. */
  readonly lineCap?: number;
  /** The shell that plays the launcher; default /bin/sh. */
  readonly shell?: string;
}

/** Milliseconds from a terminal's start of the launcher to its sign of life; a loaded machine takes seconds. */
const screenStartMs = 20_000;

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

export const makeAgentProcess = (options: AgentProcessOptions): AgentProcessShape => {
  mkdirSync(options.root, { recursive: true, mode: 0o700 });
  const root = realpathSync(options.root);
  const shell = options.shell ?? defaultShell;

  const handle = (runId: RunId, paths: RunPaths, adopted: boolean): Effect.Effect<RunHandle, never, Scope.Scope> =>
    Effect.acquireRelease(Effect.sync(() => watchRun(paths.directory)), (watch) => Effect.sync(watch.close)).pipe(
      Effect.map((watch) => runHandle({ runId, paths, mark: runMark(root, runId), watch, adopted, lineCap: options.lineCap ?? lineCap })),
    );

  /** `started` appears, or nothing has for too long. */
  const startedOnScreen = async (paths: RunPaths): Promise<boolean> => {
    const watch = watchRun(paths.directory);
    const late = AbortSignal.timeout(screenStartMs);
    try {
      for (;;) {
        const seen = watch.changes();
        if (launcherPid(paths) !== undefined) return true;
        if (late.aborted) return false;
        await Effect.runPromise(watch.changed(seen));
      }
    } finally {
      watch.close();
    }
  };

  const start = (spec: RunSpec, screen?: RunScreen): Effect.Effect<RunHandle, SpawnFailed | RunIo, Scope.Scope> => Effect.gen(function* () {
    const { runId } = spec;
    const paths = runPaths(root, runId);
    if (existsSync(paths.started)) return yield* handle(runId, paths, true);
    const checked = checkLaunch(spec);
    if (checked.problem !== undefined) return yield* new SpawnFailed({ runId, message: checked.problem });
    const { program } = checked;
    yield* Effect.tryPromise({ try: () => prepare(paths, spec, screen?.files), catch: (cause) => new RunIo({ runId, message: reason(cause) }) });
    const mark = runMark(root, runId);
    const launched = yield* Effect.promise(() => screen
      ? launchOnScreen(() => screen.start({ argv: launcherCommand(paths, "screen", program, spec.argv.slice(1), shell), env: spec.env, cwd: spec.cwd, mark }), () => startedOnScreen(paths))
      : launch(paths, spec, program, { ...spec.env, ENACT_RUN_ID: mark }, shell));
    if (launched.outcome === "failed") return yield* new SpawnFailed({ runId, message: launched.message });
    return yield* handle(runId, paths, launched.outcome === "lostRace");
  });

  const adopt = (runId: RunId): Effect.Effect<RunHandle, RunMissing | RunIo, Scope.Scope> => Effect.suspend(() => {
    const paths = runPaths(root, runId);
    return existsSync(paths.started) ? handle(runId, paths, true) : Effect.fail(new RunMissing({ runId }));
  });

  const list: AgentProcessShape["list"] = Effect.sync(() => {
    const ids = readdirSync(root).flatMap((name) => RunId.safeParse(name).data ?? []);
    return ids.map((runId) => {
      const paths = runPaths(root, runId);
      const { labels } = readSpec(paths);
      if (launcherPid(paths) === undefined) return { runId, alive: false, labels };
      const exit = readExit(paths);
      return exit ? { runId, alive: false, exit, labels } : { runId, alive: true, labels };
    });
  });

  return { start, adopt, list };
};

export const agentProcessLayer = (options: AgentProcessOptions): Layer.Layer<AgentProcess> => Layer.sync(AgentProcess, () => makeAgentProcess(options));
