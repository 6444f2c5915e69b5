/**
 * The last events, numbered, so that a client that was away can go on where it was.
 *
 * Owns: the numbers. I1 Numbers rise by one. I2 Bounded in count and in bytes, the oldest go first. I3 Events are held as JSON, made once for all clients.
 */
import type { LiveChange } from "../client/contract.ts";

export interface RingLimits { readonly events: number; readonly bytes: number }

export class EventRing {
  readonly #limits: RingLimits;
  #kept: string[] = [];
  /** Where in `#kept` the oldest one is; the part before it is cut off now and then. */
  #head = 0;
  #bytes = 0;
  #last = 0;

  constructor(limits: RingLimits) {
    this.#limits = limits;
  }

  /** The number of the newest event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  push(change: LiveChange): void {
    const json = JSON.stringify(change);
    this.#kept.push(json);
    this.#bytes += json.length;
    this.#last++;
    while (this.#kept.length - this.#head > 1 && (this.#kept.length - this.#head > this.#limits.events || this.#bytes > this.#limits.bytes)) {
      this.#bytes -= this.#kept[this.#head]?.length ?? 0;
      this.#head++;
    }
    if (this.#head > this.#limits.events) {
      this.#kept = this.#kept.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The events after number `seq`, at most about `bytes` of them; `undefined` when some of them are gone, or never were. */
  after(seq: number, bytes: number): { readonly first: number; readonly json: readonly string[] } | undefined {
    const oldest = this.#last - (this.#kept.length - this.#head) + 1;
    if (seq > this.#last || seq + 1 < oldest) return undefined;
    const found: string[] = [];
    let size = 0;
    for (let n = seq + 1; n <= this.#last && size < bytes; n++) {
      const json = this.#kept[this.#head + n - oldest] ?? "";
      size += json.length;
      found.push(json);
    }
    return { first: seq + 1, json: found };
  }
}
