import type { NoticesContext } from "../machines/notices.ts";
import { noticesAddress } from "../machines/notices.ts";
import type { Address } from "../src/domain/ids.ts";
import { messageOf, type Note, subjectOf } from "../src/domain/notice.ts";
import { type Pace, planOf, type Waiting } from "../src/domain/notice-plan.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { HostEvent } from "./chart.ts";

/**
 * Compares what there is to tell with what each channel has told, and hands the rest over when its time has come.
 *
 * Owns: when each note was first seen, and the next look. Talks to: `wanted` (all that holds now), the channels' durable actors (what was told).
 *
 * I1 What holds and was not told is told: nothing has to be remembered for it, so no crash loses it. I2 What holds no more is forgotten by the channels, so
 * that it is told again when it comes again. I3 One round at a time; whoever hints during a round gets another one.
 */
export interface HeraldChannel {
  readonly name: string;
  readonly takes: (note: Note) => boolean;
  readonly pace: Pace;
}

export interface HeraldOptions {
  readonly channels: readonly HeraldChannel[];
  readonly clock: ClockShape;
  /** Makes ids unique among factories. */
  readonly factory: string;
  /** All that holds now. */
  readonly wanted: () => Promise<readonly Note[]>;
  readonly memory: (channel: Address) => Promise<NoticesContext | undefined>;
  readonly send: (to: Address, event: HostEvent) => Promise<void>;
}

export class Herald {
  readonly #options: HeraldOptions;
  readonly #seen = new Map<string, Map<string, number>>();
  readonly #hints = new Set<() => void>();
  /** Whoever has left a state that was told, since the last look. */
  #left = new Set<string>();
  #holds: ReadonlySet<string> = new Set();
  readonly #underWay = new Map<Address, ReadonlySet<string>>();
  #cancel: (() => void) | undefined;

  constructor(options: HeraldOptions) { this.#options = options; }

  /** For the poller that makes the rounds. */
  readonly subscribe = (hint: () => void): (() => void) => {
    this.#hints.add(hint);
    return () => {
      this.#hints.delete(hint);
      this.#cancel?.();
    };
  };

  /** Something may have changed. */
  changed(): void { for (const hint of this.#hints) hint(); }

  /** What was told of it is over, whatever it looks like at the next round. */
  left(subject: string): void {
    this.#left.add(subject);
    this.changed();
  }

  /** Some of what a channel has under way holds still; of a message of an earlier owner nobody knows, so yes. */
  readonly isWanted = (actor: Address): boolean => {
    const keys = this.#underWay.get(actor);
    return keys === undefined || [...keys].some((key) => this.#holds.has(key));
  };

  /** Before the first round. */
  async begin(): Promise<void> {
    const { channels, memory, send, clock } = this.#options;
    for (const { name } of channels) {
      const address = noticesAddress(name);
      if (await memory(address) === undefined) await send(address, { type: "actor.start", chart: "notices", version: 1, input: { channel: name, since: clock.now() } });
    }
  }

  readonly round = async (): Promise<void> => {
    const { channels, clock, wanted } = this.#options;
    const notes = await wanted();
    const left = this.#left;
    this.#left = new Set();
    this.#holds = new Set(notes.map(({ key }) => key));
    let next = Infinity;
    for (const channel of channels) next = Math.min(next, await this.#tell(channel, notes, left));
    this.#cancel?.();
    this.#cancel = next === Infinity ? undefined : clock.at(next, () => this.changed());
  };

  /** When to look again. */
  async #tell({ name, takes, pace }: HeraldChannel, notes: readonly Note[], left: ReadonlySet<string>): Promise<number> {
    const { clock, memory, send, factory } = this.#options, address = noticesAddress(name);
    const known = await memory(address);
    if (known === undefined) return Infinity;
    const gone = new Set(known.told.filter((key) => !this.#holds.has(key) || left.has(subjectOf(key))));
    if (gone.size > 0) await send(address, { type: "forgot", keys: [...gone] });
    const told = new Set(known.told.filter((key) => !gone.has(key)));
    const now = clock.now(), before = this.#seen.get(name) ?? new Map<string, number>(), seen = new Map<string, number>();
    const waiting = notes.flatMap((note): Waiting[] => {
      if (told.has(note.key) || !takes(note) || (note.ended && note.since < known.since)) return [];
      const seenAt = before.get(note.key) ?? now;
      seen.set(note.key, seenAt);
      return [{ note, seenAt }];
    });
    this.#seen.set(name, seen);
    const plan = planOf(waiting, pace, { times: known.times, underWay: known.open !== null, now });
    if (plan.do === "nothing") return Infinity;
    if (plan.do === "look") return plan.at;
    const keys = plan.notes.map(({ key }) => key);
    this.#underWay.set(address, new Set(keys));
    await send(address, { type: "batch", keys, message: messageOf(`${factory}-${name}-${known.since.toString(36)}-${known.count + 1}`, plan.notes, now, plan.digest) });
    return waiting.length > keys.length ? now + pace.windowMs : Infinity;
  }
}
