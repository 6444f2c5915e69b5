import type { ClockShape } from "../ports/clock.ts";

/** Node's timers overflow above 2^31 ms; a long wait is cut into these. */
const longestTimerMs = 60_000;

/**
 * Time for one life of the process: the wall clock when it started plus monotonic time since. A step of the wall clock therefore
 * neither fires nor delays alarms and timeouts; the next process starts from the new wall clock. Time that the machine slept is not counted.
 */
export const systemClock: ClockShape = {
  now: () => Math.round(performance.timeOrigin + performance.now()),
  at: (at, fn) => {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const wait = at - systemClock.now();
      timer = wait <= 0 ? setTimeout(fn, 0) : setTimeout(arm, Math.min(wait, longestTimerMs));
    };
    arm();
    return () => clearTimeout(timer);
  },
};

/**
 * What the clock on the wall says now. For calendar days only: a day begins when people's clocks say so, also after the machine slept or its clock
 * was set.
 */
export const wallClock = (): number => Date.now();
