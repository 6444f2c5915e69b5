import type { Address } from "../src/domain/ids.ts";
import type { ClockShape } from "../src/ports/clock.ts";

/**
 * All alarms of the durable actors on one timer.
 *
 * Owns: the times in memory; the rows are the store's. I1 An alarm fires at or after its time, never before.
 * I2 A fired alarm is gone from here at once, and from the store with the event it caused: after a crash in between it fires again.
 */
export class AlarmClock {
  readonly #clock: ClockShape;
  readonly #fire: (actor: Address, name: string) => void;
  readonly #due = new Map<Address, Map<string, number>>();
  #next: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(clock: ClockShape, fire: (actor: Address, name: string) => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Sets, moves or (with null) clears one alarm. */
  set(actor: Address, name: string, at: number | null): void {
    const mine = this.#due.get(actor);
    if (at === null) {
      if (mine?.delete(name) && mine.size === 0) this.#due.delete(actor);
      return;
    }
    if (mine) mine.set(name, at);
    else this.#due.set(actor, new Map([[name, at]]));
    if (!this.#next || at < this.#next.at) this.#arm(at);
  }

  /** Whether the actor has an alarm of that name that has not fired. */
  has(actor: Address, name: string): boolean {
    return this.#due.get(actor)?.has(name) ?? false;
  }

  drop(actor: Address): void {
    this.#due.delete(actor);
  }

  stop(): void {
    this.#next?.cancel();
    this.#next = undefined;
    this.#due.clear();
  }

  #arm(at: number): void {
    this.#next?.cancel();
    this.#next = { at, cancel: this.#clock.at(at, () => this.#ring()) };
  }

  #ring(): void {
    this.#next = undefined;
    const now = this.#clock.now();
    let earliest = Infinity;
    const ringing: [Address, string][] = [];
    for (const [actor, names] of this.#due) {
      for (const [name, at] of names) {
        if (at <= now) ringing.push([actor, name]);
        else earliest = Math.min(earliest, at);
      }
    }
    for (const [actor, name] of ringing) this.set(actor, name, null);
    if (earliest < Infinity) this.#arm(earliest);
    for (const [actor, name] of ringing) this.#fire(actor, name);
  }
}
