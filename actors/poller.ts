import type { ClockShape } from "../src/ports/clock.ts";
import type { Child } from "./child.ts";

/**
 * A live child that does something again and again. The next round starts only after the last one ended, so a slow round never overlaps.
 * A round that fails crashes the child; its supervisor decides when it is tried again.
 *
 * `early` brings the next round forward: hints come at any rate, rounds at most one in `early.withinMs`. A hint during a round is not lost.
 */
export const poller = (id: string, everyMs: number, clock: ClockShape, round: () => Promise<void>, early?: Early): Child => ({
  id,
  start: (onExit) => {
    let stopped = false;
    let running = false;
    let hinted = false;
    let underWay: Promise<void> = Promise.resolve();
    let cancel: (() => void) | undefined;
    const next = (inMs: number): void => {
      cancel?.();
      cancel = clock.at(clock.now() + inMs, () => { underWay = turn(); });
    };
    const turn = async (): Promise<void> => {
      running = true;
      hinted = false;
      try {
        await round();
        if (!stopped) next(early && hinted ? early.withinMs : everyMs);
      } catch (error) {
        if (!stopped) onExit({ kind: "crashed", error });
      } finally {
        running = false;
      }
    };
    const quiet = early?.subscribe(() => {
      if (!running && !hinted && !stopped) next(early.withinMs);
      hinted = true;
    });
    underWay = turn();
    return {
      stop: async () => {
        stopped = true;
        quiet?.();
        cancel?.();
        await underWay;
      },
    };
  },
});

/** What brings a poller's next round forward. */
export interface Early {
  readonly subscribe: (hint: () => void) => () => void;
  /** Milliseconds from a hint to the round. */
  readonly withinMs: number;
}
