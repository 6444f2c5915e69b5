import type { ClockShape } from "../../src/ports/clock.ts";

/**
 * Time that moves only by hand.
 *
 * Owns: `now` and the pending calls. I1 Time never goes back. I2 Calls run in order of their time, those of equal time in the order
 * in which they were asked for, each seeing `now` at its own time. I3 A call asked for in the past runs at the next advance, not at once.
 */
export class SimulatedClock implements ClockShape {
  #now: number;
  #calls: { readonly at: number; readonly fn: () => void }[] = [];

  constructor(start = 0) { this.#now = start; }

  now(): number { return this.#now; }

  at(at: number, fn: () => void): () => void {
    const call = { at, fn };
    const before = this.#calls.findIndex((each) => each.at > at);
    this.#calls.splice(before < 0 ? this.#calls.length : before, 0, call);
    return () => { this.#calls = this.#calls.filter((each) => each !== call); };
  }

  /** How many calls wait. */
  get pending(): number { return this.#calls.length; }

  /** When the next call is due; undefined when none waits. */
  get next(): number | undefined { return this.#calls[0]?.at; }

  /** Moves time by `ms` and runs what becomes due, synchronously. */
  advance(ms: number): void { this.advanceTo(this.#now + ms); }

  advanceTo(time: number): void {
    for (let call = this.#calls[0]; call && call.at <= time; call = this.#calls[0]) {
      this.#calls.shift();
      this.#now = Math.max(this.#now, call.at);
      call.fn();
    }
    this.#now = Math.max(this.#now, time);
  }

  /** As `advanceTo`, but lets promises settle after every call and once before, so that asynchronous code keeps up with time. */
  async settleTo(time: number): Promise<void> {
    await settled();
    for (let call = this.#calls[0]; call && call.at <= time; call = this.#calls[0]) {
      this.advanceTo(call.at);
      await settled();
    }
    this.advanceTo(time);
  }
}

/** Every promise that can settle without time or I/O has settled. */
export const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
