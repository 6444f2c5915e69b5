import { Effect, Result } from "effect";
import type { WorkItemId } from "../src/domain/ids.ts";
import type { OperatorLane } from "../src/domain/lane.ts";
import type { WorkItemView } from "../src/domain/view.ts";
import type { Remembered, Standing } from "../src/domain/work-item.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { Absent, Found, Listed, Malformed, Offered, SourceShape, SourceTrouble } from "../src/ports/source.ts";

/**
 * Keeps the factory true to one source: what is new there is taken in, what is moved there is told to its item.
 *
 * Owns: what it has told each item since this process began, and how long a source that does not answer is left alone. Talks to: the source, the intake,
 * the items. What it forgets with its process it tells again, and the charts take it as nothing new.
 *
 * I1 One look at a time. I2 What was known before is never offered; what the source may remember of us is asked before it is. I3 An item that a list lacks is
 * asked for by its id before anything is concluded; a record that cannot be read concludes nothing. I4 A source in trouble stops no look at another, is
 * left alone until it said that it will answer (else ever longer), and its trouble is said once.
 */
export interface SyncOptions {
  readonly source: SourceShape;
  readonly clock: ClockShape;
  readonly everyMs: number;
  /** The source's own ids of all that was ever taken in. */
  readonly known: () => Promise<ReadonlySet<string>>;
  /** Items that have not ended. */
  readonly living: () => readonly WorkItemView[];
  readonly offer: (item: Offered, remembered: Remembered | undefined) => Promise<void>;
  readonly tell: (item: WorkItemView, event: SourceWord) => Promise<void>;
  readonly notice: (level: "info" | "warning", text: string) => void;
}

export type SourceWord =
  | { readonly type: "source.lane"; readonly lane: OperatorLane }
  | { readonly type: "source.state"; readonly standing: Standing; readonly says: string };

/** What one look came to. `trouble`: why it is not whole. */
export interface Synced { readonly source: string; readonly taken: number; readonly changed: number; readonly malformed: readonly Malformed[]; readonly trouble: string | null }

const longestWaitMs = 300_000;
/** Memories asked for at the same time. */
const asking = 4;
/** Offers at the same time. */
const together = 200;

export class SourceSync {
  readonly #options: SyncOptions;
  #known: Set<string> | undefined;
  readonly #told = new Map<WorkItemId, { readonly state: string; readonly lane: string }>();
  readonly #saidMalformed = new Set<string>();
  #saidTrouble = "";
  #notBefore = 0;
  #waitMs = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: SyncOptions) {
    this.#options = options;
  }

  get name(): string { return this.#options.source.name; }

  /** A look of the poller's: none while the source is left alone (I4). */
  async round(): Promise<void> {
    if (this.#options.clock.now() >= this.#notBefore) await this.once();
  }

  /** A look now. */
  once(): Promise<Synced> {
    const look = this.#last.then(() => this.#look());
    // Who asked hears of it; the next look does not.
    this.#last = look.catch(() => undefined);
    return look;
  }

  async #look(): Promise<Synced> {
    const { source } = this.#options;
    const listed = await Effect.runPromise(Effect.result(source.byStates(["open"])));
    if (Result.isFailure(listed)) return this.#report({ taken: 0, changed: 0, malformed: [], trouble: listed.failure });
    const { found, malformed } = listed.success;
    this.#sayMalformed(malformed);
    // A page that came twice brings its items twice; the later one is as true.
    const byId = new Map(found.map((each) => [each.item.sourceId, each]));
    const taken = await this.#take([...byId.values()]);
    const followed = source.followed ? await this.#follow(byId, listed.success) : { changed: 0, trouble: undefined };
    return this.#report({ taken: taken.count, changed: followed.changed, malformed, trouble: taken.trouble ?? followed.trouble });
  }

  /** I2. What is remembered comes first: it keeps its number. */
  async #take(found: readonly Found[]): Promise<{ readonly count: number; readonly trouble: SourceTrouble | undefined }> {
    const { source, offer, known: taken } = this.#options;
    const known = this.#known ??= new Set(await taken());
    const unseen = found.filter(({ item }) => !known.has(item.sourceId));
    const recalled = await Effect.runPromise(Effect.forEach(unseen.filter(({ spoken }) => spoken), (each) => Effect.map(Effect.result(source.recall(each.item.sourceId)), (memory) => ({ each, memory })), { concurrency: asking }));
    let count = 0, trouble: SourceTrouble | undefined;
    const take = async (item: Offered, remembered: Remembered | undefined): Promise<void> => {
      await offer(item, remembered);
      known.add(item.sourceId);
      count++;
    };
    const taking: (readonly [Offered, Remembered | undefined])[] = [];
    for (const { each, memory } of recalled) {
      if (Result.isFailure(memory)) trouble = memory.failure;
      else if (memory.success !== undefined) taking.push([each.item, memory.success]);
    }
    const strangers = new Set(recalled.flatMap(({ each, memory }) => (Result.isSuccess(memory) && memory.success === undefined ? [each] : [])));
    for (const each of unseen) if (!each.spoken || strangers.has(each)) taking.push([each.item, undefined]);
    // In this order; together they are few commits.
    for (let from = 0; from < taking.length; from += together) await Promise.all(taking.slice(from, from + together).map(([item, remembered]) => take(item, remembered)));
    return { count, trouble };
  }

  /** I3. */
  async #follow(byId: ReadonlyMap<string, Found>, { malformed }: Listed): Promise<{ readonly changed: number; readonly trouble: SourceTrouble | undefined }> {
    const { source, living } = this.#options;
    const items = living().filter((view) => view.source === source.kind), unread = new Set(malformed.map(({ sourceId }) => sourceId));
    const alive = new Set(items.map(({ id }) => id));
    for (const id of this.#told.keys()) if (!alive.has(id)) this.#told.delete(id);
    const asked = await this.#ask(items.map(({ sourceId }) => sourceId).filter((id) => !byId.has(id) && !unread.has(id)));
    let changed = 0;
    for (const view of items) {
      const now = byId.get(view.sourceId) ?? asked.answers.get(view.sourceId);
      if (now !== undefined) changed += await this.#tell(view, now);
    }
    return { changed, trouble: asked.trouble };
  }

  /** One record that cannot be read keeps nothing from the others. */
  async #ask(ids: readonly string[]): Promise<{ readonly answers: ReadonlyMap<string, Found | Absent>; readonly trouble: SourceTrouble | undefined }> {
    if (ids.length === 0) return { answers: new Map(), trouble: undefined };
    const result = await Effect.runPromise(Effect.result(this.#options.source.byIds(ids)));
    if (Result.isSuccess(result)) return { answers: result.success, trouble: undefined };
    if (result.failure._tag !== "SourceMisread" || ids.length === 1) return { answers: new Map(), trouble: result.failure };
    const half = Math.ceil(ids.length / 2), one = await this.#ask(ids.slice(0, half)), other = await this.#ask(ids.slice(half));
    return { answers: new Map([...one.answers, ...other.answers]), trouble: one.trouble ?? other.trouble };
  }

  async #tell(view: WorkItemView, now: Found | Absent): Promise<number> {
    const { tell } = this.#options, before = this.#told.get(view.id);
    const standing: Standing = "absent" in now ? "held" : now.standing, says = "absent" in now ? `it is not there any more (${now.absent})` : now.says;
    const state = `${standing} ${says}`, lane = "absent" in now || !now.laneNamed ? (before?.lane ?? "") : now.item.operatorLane;
    let told = 0;
    if (!("absent" in now) && now.laneNamed && lane !== (before?.lane ?? view.operatorLane)) {
      await tell(view, { type: "source.lane", lane: now.item.operatorLane });
      told++;
    }
    // Open is news only to what was held; after a restart that may be what is paused. What is held begins nothing, also after what ran when it was told so has ended.
    const begins = standing === "held" && (view.status === "ready" || view.status === "retryAt");
    if (begins || (before === undefined ? standing !== "open" || view.status === "paused" : before.state !== state && !(standing === "open" && before.state.startsWith("open ")))) {
      await tell(view, { type: "source.state", standing, says });
      told++;
    }
    this.#told.set(view.id, { state, lane });
    return told === 0 ? 0 : 1;
  }

  #sayMalformed(malformed: readonly Malformed[]): void {
    for (const { sourceId, problem } of malformed) {
      const text = `${this.name}: ${sourceId} is no work item: ${problem}`;
      if (this.#saidMalformed.has(text)) continue;
      this.#saidMalformed.add(text);
      this.#options.notice("warning", text);
    }
  }

  /** I4. */
  #report({ trouble, ...counts }: Omit<Synced, "source" | "trouble"> & { readonly trouble: SourceTrouble | undefined }): Synced {
    const { clock, everyMs, notice } = this.#options, kind = trouble?._tag ?? "";
    if (trouble === undefined) {
      this.#notBefore = 0;
      this.#waitMs = 0;
    } else {
      this.#waitMs = Math.min(longestWaitMs, Math.max(everyMs, this.#waitMs * 2));
      this.#notBefore = trouble._tag === "SourceLimited" ? trouble.until : Math.max(clock.now() + this.#waitMs, trouble._tag === "SourceUnavailable" ? (trouble.retryAt ?? 0) : 0);
    }
    if (kind !== this.#saidTrouble) notice(trouble === undefined ? "info" : "warning", trouble === undefined ? `${this.name} answers again` : `${this.name}: ${said(trouble)}`);
    this.#saidTrouble = kind;
    return { ...counts, source: this.name, trouble: trouble === undefined ? null : said(trouble) };
  }
}

const said = (trouble: SourceTrouble): string => (trouble._tag === "SourceDenied" ? `${trouble.message}; ${trouble.mend}` : trouble.message);
