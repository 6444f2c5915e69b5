/** Wakes whoever follows a run when something in its directory changed: fs.watch, and a slow poll for what it misses (lost events, no inotify watch left, a killed launcher). */
import { watch, type FSWatcher } from "node:fs";
import { Effect } from "effect";

/** Milliseconds between two looks when no event came. Bounds how late a SIGKILLed launcher is noticed. */
const pollMs = 500;

export interface RunWatch {
  /** Number of changes so far. Read it, look at the files, then `changed(it)`: no change in between is lost. */
  readonly changes: () => number;
  /** Completes once there are more than `seen` changes. */
  readonly changed: (seen: number) => Effect.Effect<void>;
  readonly close: () => void;
}

export const watchRun = (directory: string): RunWatch => {
  let count = 0;
  const waiting = new Set<() => void>();
  const ring = (): void => {
    count++;
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(directory, { persistent: false }, ring);
    watcher.on("error", () => watcher?.close());
  } catch {
    // The poll is enough.
  }
  const timer = setInterval(ring, pollMs);
  return {
    changes: () => count,
    changed: (seen) => Effect.callback<void>((resume) => {
      const wake = (): void => resume(Effect.void);
      if (count > seen) return wake();
      waiting.add(wake);
      return Effect.sync(() => void waiting.delete(wake));
    }),
    close: () => {
      watcher?.close();
      clearInterval(timer);
    },
  };
};
