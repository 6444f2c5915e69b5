import { createHash } from "node:crypto";
import { Effect } from "effect";
import type { Observation } from "../machines/progress-rules.ts";
import type { AgentEvent } from "../src/domain/agent.ts";
import type { RunHandle } from "../src/ports/agent-process.ts";
import type { ClockShape } from "../src/ports/clock.ts";

/** What shows that a turn lives. */
export interface SignOfLife { readonly shown: () => void; readonly burnt: (cpuMs: number) => void }

/** Says that the turn lives, at most every so often: output counts, and so does CPU time. */
export const signOfLife = (everyMs: number | undefined, clock: ClockShape, say: () => void): SignOfLife => {
  let saidAt = -Infinity;
  let cpu = 0;
  const shown = (): void => {
    if (everyMs === undefined || clock.now() - saidAt < everyMs) return;
    saidAt = clock.now();
    say();
  };
  return {
    shown,
    burnt: (cpuMs) => {
      if (cpuMs > cpu) shown();
      cpu = Math.max(cpu, cpuMs);
    },
  };
};

const slowestTickMs = 5_000;
const fastestTickMs = 200;

/** Looks at the processes often enough for the shortest of the run's clocks, at the same moments as other runs do: one look serves them all. */
export const ticking = (handle: RunHandle, clock: ClockShape, shortestMs: number, onTick: (cpuMs: number) => void, alive: SignOfLife): Effect.Effect<never> => {
  const every = Math.max(fastestTickMs, Math.min(slowestTickMs, shortestMs / 4));
  const wait = Effect.callback<void>((resume) => {
    const cancel = clock.at((Math.floor(clock.now() / every) + 1) * every, () => resume(Effect.void));
    return Effect.sync(cancel);
  });
  return wait.pipe(Effect.andThen(handle.activity), Effect.tap(({ cpuMs }) => Effect.sync(() => {
    onTick(cpuMs);
    alive.burnt(cpuMs);
  })), Effect.forever);
};

/** Repetitions are reported at every fourth, so that a loop of thousands of calls costs the journal little. */
const reportEvery = 4;

/** Turns a run's events into observations for the progress watcher. */
export const observer = (send: (seen: Observation) => void): ((event: AgentEvent) => void) => {
  let last = "";
  let repeats = 0;
  let messages = 0;
  let reported = false;
  return (event) => {
    if (event.type === "tool" && event.phase === "start") {
      const fingerprint = createHash("sha1").update(`${event.name}\0${event.summary}`).digest("hex");
      repeats = fingerprint === last ? repeats + 1 : 1;
      last = fingerprint;
      messages = 0;
      if (repeats % reportEvery === 0 || (repeats === 1 && reported)) {
        send({ kind: "tool", repeats, call: `${event.name} ${event.summary}`.trim().slice(0, 200) });
        reported = repeats > 1;
      }
    } else if (event.type === "text") {
      messages++;
      if (messages % reportEvery === 0) {
        send({ kind: "monologue", messages });
        reported = true;
      }
    }
  };
};
