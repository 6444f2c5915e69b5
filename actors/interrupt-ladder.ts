import { Effect } from "effect";
import type { RunExit, RunHandle, RunIo } from "../src/ports/agent-process.ts";
import type { ClockShape } from "../src/ports/clock.ts";

export interface LadderSteps {
  /** Written to the agent's standard input first; skipped when absent. */
  readonly polite?: { readonly message: string; readonly graceMs: number };
  /** Milliseconds between SIGINT and SIGTERM. */
  readonly sigintMs: number;
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly sigtermMs: number;
}

/** The rung on which the run ended, its exit, and how many processes outlived it and were killed by the sweep. */
export interface LadderEnd { readonly by: "itself" | "message" | "SIGINT" | "SIGTERM" | "SIGKILL"; readonly exit: RunExit; readonly swept: number }

/** Ends a run: message, SIGINT, SIGTERM, SIGKILL of its process group, each after the grace of the one before; then sweeps what left the group. */
export const interruptLadder = (handle: RunHandle, clock: ClockShape, steps: LadderSteps): Effect.Effect<LadderEnd, RunIo> => Effect.gen(function* () {
  const grace = (ms: number): Effect.Effect<undefined> => Effect.callback<undefined>((resume) => {
    const cancel = clock.at(clock.now() + ms, () => resume(Effect.succeed(undefined)));
    return Effect.sync(cancel);
  });
  const within = (ms: number): Effect.Effect<RunExit | undefined, RunIo> => Effect.raceFirst(handle.exit, grace(ms));
  const finish = (by: LadderEnd["by"], exit: RunExit): Effect.Effect<LadderEnd> => Effect.map(handle.sweep, (swept) => ({ by, exit, swept }));

  // An ended run answers at once, before the rival of this race starts.
  const before = yield* Effect.raceFirst(handle.exit, Effect.succeed(undefined));
  if (before) return yield* finish("itself", before);
  if (steps.polite) {
    // The grace bounds the writing too: an agent that reads nothing must not hold up the ladder. A closed input goes on with signals at once.
    const { message, graceMs } = steps.polite;
    const told = handle.write(message).pipe(Effect.andThen(handle.exit), Effect.catchTag("RunIo", () => Effect.succeed(undefined)));
    const exit = yield* Effect.raceFirst(told, grace(graceMs));
    if (exit) return yield* finish("message", exit);
  }
  for (const [signal, ms] of [["SIGINT", steps.sigintMs], ["SIGTERM", steps.sigtermMs]] as const) {
    yield* handle.signal(signal);
    const exit = yield* within(ms);
    if (exit) return yield* finish(signal, exit);
  }
  yield* handle.signal("SIGKILL");
  const exit = yield* handle.exit;
  return yield* finish("SIGKILL", exit);
});
