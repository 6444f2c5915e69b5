import type { ClockShape } from "../src/ports/clock.ts";
import type { Child } from "./child.ts";

/**
 * A live child that does something again and again. The next round starts only after the last one ended, so a slow round never overlaps.
 * A round that fails crashes the child; its supervisor decides when it is tried again.
 */
export const poller = (id: string, everyMs: number, clock: ClockShape, round: () => Promise<void>): Child => ({
  id,
  start: (onExit) => {
    let stopped = false;
    let cancel: (() => void) | undefined;
    const turn = (): Promise<void> =>
      round().then(
        () => { if (!stopped) cancel = clock.at(clock.now() + everyMs, () => { underWay = turn(); }); },
        (error: unknown) => { if (!stopped) onExit({ kind: "crashed", error }); },
      );
    let underWay = turn();
    return {
      stop: async () => {
        stopped = true;
        cancel?.();
        await underWay;
      },
    };
  },
});
