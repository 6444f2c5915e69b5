import type { InspectionEvent } from "../src/domain/inspection.ts";

/**
 * One who listens to an inspection: what it is still to be told, and the telling.
 *
 * I1 `offer` does nothing but keep a reference: no actor waits for a listener, and none hears of its faults.
 * I2 The queue is bounded. What does not fit is dropped but for the last step of each actor, and counted: a listener that was too slow
 * is told where every actor stands. I3 An actor is introduced before anything else is told of it; steps that its introduction already
 * shows are left out. I4 One call at a time, in order; between bursts the event loop is everybody else's.
 */
export interface Step {
  readonly session: string;
  /** Steps of one session that count are told in the order of their numbers; null: they do not count. */
  readonly seq: number | null;
  readonly introduction: () => InspectionEvent;
  /** The whole step. */
  readonly messages: () => readonly InspectionEvent[];
  /** Only where it led. */
  readonly outcome: () => InspectionEvent;
  /** Nothing of this session follows. */
  readonly last: boolean;
}

export type OnEvent = (event: InspectionEvent) => void | Promise<void>;

/** Steps that wait for a slow listener, and actors whose last step is kept for it when more come. */
const queueLimit = 1_000;
/** Steps told before others get their turn. */
const burst = 32;

const othersFirst = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

export class Listener {
  readonly #onEvent: OnEvent;
  readonly #queue: Step[] = [];
  /** What did not fit, by session: its last step, and how many there were. */
  readonly #late = new Map<string, { readonly step: Step; readonly count: number }>();
  /** Introduced sessions, and the number that their introduction or last step had. */
  readonly #told = new Map<string, number>();
  #dropped = 0;
  #pumping = false;
  #held = true;
  #stopped = false;

  constructor(onEvent: OnEvent) { this.#onEvent = onEvent; }

  offer(step: Step): void {
    if (this.#stopped) return;
    if (this.#queue.length < queueLimit && this.#late.size === 0) this.#queue.push(step);
    else if (this.#late.size < queueLimit || this.#late.has(step.session)) this.#late.set(step.session, { step, count: (this.#late.get(step.session)?.count ?? 0) + 1 });
    else this.#dropped++;
    this.#pump();
  }

  /** Tells of actors that are there already; steps wait meanwhile, so that they come after. */
  async begin(actors: AsyncIterable<Step>): Promise<void> {
    try {
      for await (const actor of actors) {
        if (this.#stopped) return;
        await this.#introduce(actor);
        await othersFirst();
      }
    } finally {
      this.#held = false;
      this.#pump();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    this.#late.clear();
  }

  #pump(): void {
    if (this.#pumping || this.#held || this.#stopped) return;
    this.#pumping = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped && (this.#queue.length > 0 || this.#late.size > 0)) {
      await othersFirst();
      for (const step of this.#queue.splice(0, burst)) await this.#tell(step, false);
      if (this.#queue.length > 0) continue;
      // What comes while these are told begins a queue of its own, behind them.
      const late = [...this.#late.values()];
      this.#late.clear();
      for (const { step, count } of late) {
        // Its last step is told by its outcome; those before it are not.
        this.#dropped += count;
        await this.#tell(step, true);
      }
    }
    this.#pumping = false;
  }

  async #tell(step: Step, outcomeOnly: boolean): Promise<void> {
    if (this.#stopped) return;
    const before = this.#told.get(step.session);
    if (before !== undefined && step.seq !== null && step.seq <= before) return;
    if (before === undefined) await this.#introduce(step);
    await this.#deliver(() => (outcomeOnly ? [step.outcome()] : step.messages()));
    if (step.last) this.#told.delete(step.session);
    else this.#told.set(step.session, step.seq ?? 0);
  }

  async #introduce(step: Step): Promise<void> {
    await this.#deliver(() => [step.introduction()]);
    this.#told.set(step.session, step.seq ?? 0);
  }

  async #deliver(make: () => readonly InspectionEvent[]): Promise<void> {
    try {
      for (const message of make()) {
        if (this.#stopped) return;
        const dropped = this.#dropped;
        this.#dropped = 0;
        await this.#onEvent(dropped === 0 ? message : { ...message, dropped });
      }
    } catch {
      // The listener's own fault (I1): it is told with the next message that it missed something.
      this.#dropped++;
    }
  }
}
