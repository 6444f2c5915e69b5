import { Effect } from "effect";
import type { AnyMachineSnapshot, EventObject } from "xstate";
import type { CatalogEntry } from "../machines/catalog.ts";
import { type Address, itemAddress, parseAddress, type WorkItemId } from "../src/domain/ids.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { Cause, CommitError, OutboxRow, StoreShape, StoreUnavailable } from "../src/ports/store.ts";
import { AlarmClock } from "./alarm-clock.ts";
import type { HostEvent } from "./chart.ts";
import { type Batch, beginTurn, type Change, type Charts, chartsOf, type Envelope, loadActor, parseEvent, type Resident, runActor, type RunOptions, type Turn } from "./durable-actor.ts";

/**
 * Runs every durable chart of one state directory.
 *
 * Owns: the mailboxes, the resident states, the single commit in flight, the alarm clock. Talks to: the Store (its only memory),
 * the actors (durable-actor.ts, which compute), the effect runner (told of outbox rows after they are durable).
 *
 * I1 Nothing changes a durable chart that is not in the journal: a state is adopted after its commit, never before.
 * I2 One commit at a time; a batch is what arrived during the one before (group commit without a timer).
 * I3 An event and the row that caused it (mail, outbox, alarm) go in one transaction, so it is processed once.
 * I4 A transition that throws commits nothing: its event goes to the dead letters and the item is blocked.
 * I5 After `StoreFenced` nothing is written and nothing is sent, ever again.
 * I6 An outbox row is answered once: a second result for it is dropped, even when it comes late.
 */
export interface HostObserver {
  /** After each durable batch, in journal order. */
  readonly committed?: (change: Change) => void;
  readonly deadLettered?: (actor: Address, event: EventObject, error: unknown) => void;
  /** The store refused a batch; `retryInMs` null means the host has stopped for good. */
  readonly storeTrouble?: (error: CommitError | StoreUnavailable, retryInMs: number | null) => void;
}

export interface HostOptions {
  readonly store: StoreShape;
  readonly clock: ClockShape;
  readonly catalog: readonly CatalogEntry[];
  /** Called with each outbox row once it is durable, and at recovery with all that were pending. */
  readonly onEffect: (row: OutboxRow) => void;
  readonly observer?: HostObserver;
  /** Secrets out of what is stored; applied to the JSON text of events and effects. */
  readonly redact?: (json: string) => string;
  /** Resident states kept for actors at rest; the rest live in their snapshot rows. */
  readonly residents?: number;
}

const batchLimit = 512;
const firstRetryMs = 100;
const lastRetryMs = 10_000;

/** The host was stopped or fenced; what was sent is not known to be durable. */
export class HostStopped extends Error { override readonly name = "HostStopped"; }

export class DurableHost {
  readonly #options: HostOptions;
  readonly #charts: Charts;
  readonly #run: RunOptions;
  readonly #mailboxes = new Map<Address, Envelope[]>();
  /** Insertion order is least recently used first. */
  readonly #resident = new Map<Address, Resident>();
  readonly #alarms: AlarmClock;
  readonly #mailInHand = new Set<number>();
  /** Keys of durable outbox rows without an answer yet (I6). */
  readonly #openEffects = new Set<string>();
  readonly #mailDone = new Set<number>();
  #mailReads = 0;
  #lastMail = 0;
  #working: Promise<void> | undefined;
  #stopped: unknown;
  #retryMs = firstRetryMs;
  /** Ends the wait after a refused commit, for a stop that must not take as long. */
  #wake: (() => void) | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#charts = chartsOf(options.catalog);
    this.#run = { charts: this.#charts, redact: options.redact, watched: options.observer?.committed !== undefined, armed: (address, name) => this.#alarms.has(address, name) };
    this.#alarms = new AlarmClock(options.clock, (actor, name) => this.#enqueue(actor, { type: `alarm.${name}` }, { row: "alarm", name }));
  }

  /** Takes up what the last owner left: alarms, mail, and outbox rows that were never answered. Call once, before anything but the start of actors that mail may be for. */
  async recover(): Promise<{ readonly effects: number; readonly mail: number; readonly alarms: number }> {
    const { store } = this.#options;
    const alarms = await Effect.runPromise(store.alarms);
    for (const alarm of alarms) this.#alarms.set(alarm.actor, alarm.name, alarm.at);
    const outbox = await Effect.runPromise(store.outbox);
    for (const row of outbox) this.#openEffects.add(row.key);
    // Before the mail: what it makes actors ask for may be for an effect that is under way.
    for (const row of outbox) this.#options.onEffect(row);
    const mail = await this.takeMail();
    return { effects: outbox.length, mail, alarms: alarms.length };
  }

  /** Sends an event; resolves when its processing is durable (also when the chart ignored it), rejects with `HostStopped`. */
  send(to: Address, event: HostEvent, cause?: Cause): Promise<void> {
    return new Promise((done, fail) => this.#enqueue(to, event, cause, done, fail));
  }

  /** As `send`, for who wants to see the outcome: behind the mail that others left before, and resolves when what followed from it is done too. */
  async sendInTurn(to: Address, event: HostEvent): Promise<void> {
    await this.takeMail();
    await this.send(to, event);
    await this.idle();
  }

  /** Picks up mail left in the store by other processes. Returns how many messages were new. */
  async takeMail(): Promise<number> {
    this.#mailReads++;
    try {
      return this.#takeMailRows(await Effect.runPromise(this.#options.store.mail(0)));
    } finally {
      if (--this.#mailReads === 0) this.#mailDone.clear();
    }
  }

  /** The state of an actor as of its last durable event; `undefined` when there is none. */
  async state(address: Address): Promise<{ readonly chart: string; readonly state: AnyMachineSnapshot; readonly seq: number } | undefined> {
    const actor = this.#resident.get(address) ?? (await Effect.runPromise(loadActor(this.#options.store, this.#charts, address)));
    return actor ? { chart: actor.entry.catalog.id, state: actor.state, seq: actor.seq } : undefined;
  }

  /** How many states are in memory, for budgets and tests. */
  get residents(): number { return this.#resident.size; }

  /** Resolves when no mailbox holds anything and no commit is in flight. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  /** Lets the commit in flight finish, then refuses everything. What is unprocessed stays in the store. */
  async stop(): Promise<void> {
    this.#halt(new HostStopped("the host was stopped"));
    await this.idle();
  }

  #halt(reason: unknown): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    this.#alarms.stop();
    this.#wake?.();
    for (const box of this.#mailboxes.values()) for (const envelope of box) envelope.fail?.(reason);
    this.#mailboxes.clear();
  }

  #enqueue(to: Address, event: HostEvent, cause: Cause | undefined, done?: () => void, fail?: (error: unknown) => void): void {
    if (this.#stopped) {
      fail?.(this.#stopped);
      return;
    }
    if (cause?.row === "outbox" && !this.#openEffects.delete(cause.key)) {
      done?.();
      return;
    }
    const box = this.#mailboxes.get(to);
    const envelope: Envelope = { event, cause, done, fail };
    if (box) box.push(envelope);
    else this.#mailboxes.set(to, [envelope]);
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    try {
      // Everything sent in this turn of the event loop joins the first batch.
      await Promise.resolve();
      while (this.#mailboxes.size > 0 && !this.#stopped) await this.#batch();
    } finally {
      // In the same breath as the look into the mailboxes: what arrives a microtask later must start the work again.
      this.#working = undefined;
    }
  }

  async #batch(): Promise<void> {
    const at = this.#options.clock.now();
    const batch: Batch = { at, commits: [], changes: [], effects: [], anyMail: false };
    const turns: Turn[] = [];
    try {
      // What arrives from here on waits for the next batch: an actor must not be stepped twice from the same state.
      let left = this.#mailboxes.size;
      for (const [address, box] of this.#mailboxes) {
        if (left-- === 0 || batch.commits.length >= batchLimit) break;
        const resident = this.#resident.get(address);
        const found = resident ? { actor: resident } : await this.#find(address);
        const envelopes = box.length <= batchLimit ? box : box.splice(0, batchLimit);
        if (envelopes === box) this.#mailboxes.delete(address);
        if (envelopes.length === 0) continue;
        const turn = beginTurn(address, envelopes, resident, "actor" in found ? found.actor : undefined);
        if ("actor" in found) runActor(turn, batch, this.#run);
        else turn.poison = { error: found.poison };
        if (turn.poison) {
          // What this actor did before in the batch must be durable first: then the poisoned event waits for the next batch.
          const [poisoned, ...rest] = envelopes.splice(turn.done);
          if (turn.done > 0 || !poisoned) this.#putBack(address, poisoned ? [poisoned, ...rest] : rest);
          else {
            this.#putBack(address, [poisoned, ...rest]);
            await this.#bury(address, poisoned, turn.poison.error, at);
            this.#takeBack(address, poisoned);
          }
        }
        turns.push(turn);
      }
      if (batch.commits.length > 0) await Effect.runPromise(this.#options.store.commit(batch.commits));
    } catch (error) {
      await this.#refused(error, turns);
      return;
    }
    this.#retryMs = firstRetryMs;
    for (const turn of turns) {
      this.#adopt(turn);
      for (const envelope of turn.envelopes) {
        if (envelope.cause?.row === "mail") this.#forgetMail(envelope.cause.id);
        envelope.done?.();
      }
    }
    this.#evict();
    for (const commit of batch.commits) {
      if (commit.final) this.#alarms.drop(commit.actor);
      else if (commit.alarms) for (const alarm of commit.alarms) this.#alarms.set(commit.actor, alarm.name, alarm.at);
    }
    for (const change of batch.changes) this.#options.observer?.committed?.(change);
    for (const effect of batch.effects) {
      this.#openEffects.add(effect.key);
      this.#options.onEffect(effect);
    }
    if (!batch.anyMail) return;
    try {
      this.#takeMailRows(await Effect.runPromise(this.#options.store.mail(this.#lastMail)));
    } catch (error) {
      // The mail is durable: the next `takeMail` finds it.
      const trouble = asStoreError(error);
      if (!trouble) throw error;
      this.#options.observer?.storeTrouble?.(trouble, this.#retryMs);
    }
  }

  /** A read that began before this row was processed may still show it. */
  #forgetMail(id: number): void {
    this.#mailInHand.delete(id);
    if (this.#mailReads > 0) this.#mailDone.add(id);
  }

  #takeMailRows(rows: readonly { readonly id: number; readonly to: Address; readonly event: string }[]): number {
    let fresh = 0;
    for (const row of rows) {
      if (this.#mailInHand.has(row.id) || this.#mailDone.has(row.id)) continue;
      this.#mailInHand.add(row.id);
      this.#lastMail = Math.max(this.#lastMail, row.id);
      fresh++;
      this.#enqueue(row.to, parseEvent(row.event), { row: "mail", id: row.id });
    }
    return fresh;
  }

  /** The turn is durable (I1). */
  #adopt({ address, resident, entry, state, seq, snapshotSeq, view, done }: Turn): void {
    if (done === 0 || !entry || !state) return;
    if (state.status !== "active") {
      this.#resident.delete(address);
      return;
    }
    if (!resident) {
      this.#resident.set(address, { entry, state, seq, snapshotSeq, view, touched: true });
      return;
    }
    resident.state = state;
    resident.seq = seq;
    resident.snapshotSeq = snapshotSeq;
    resident.view = view;
    resident.touched = true;
  }

  /** Second chance: goes round the residents, passing once over those that were used since the last time round. */
  #evict(): void {
    const limit = this.#options.residents ?? 1_000;
    if (this.#resident.size <= limit) return;
    for (const [address, actor] of this.#resident) {
      if (actor.touched) {
        actor.touched = false;
        this.#resident.delete(address);
        this.#resident.set(address, actor);
      } else if (!this.#mailboxes.has(address)) {
        this.#resident.delete(address);
        if (this.#resident.size <= limit) return;
      }
    }
  }

  /** A saved state that cannot be brought back poisons the events of this actor alone; a store that does not answer is not its fault. */
  async #find(address: Address): Promise<{ readonly actor: Resident | undefined } | { readonly poison: unknown }> {
    try {
      return { actor: this.#resident.get(address) ?? (await Effect.runPromise(loadActor(this.#options.store, this.#charts, address))) };
    } catch (error) {
      if (asStoreError(error)) throw error;
      return { poison: error };
    }
  }

  /** I4. The item hears of it as an event of its own, so that `why` can say so. */
  async #bury(address: Address, envelope: Envelope, error: unknown, at: number): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    await Effect.runPromise(this.#options.store.deadLetter({ actor: address, event: this.#redacted(envelope.event), ...this.#redactedTexts({ error: message, stack: error instanceof Error ? (error.stack ?? "") : "" }), at }, envelope.cause));
    if (envelope.cause?.row === "mail") this.#forgetMail(envelope.cause.id);
    envelope.done?.();
    this.#options.observer?.deadLettered?.(address, envelope.event, error);
    const parts = parseAddress(address);
    if (!parts || envelope.event.type === "reconcile") return;
    const item = parts.chart === "item" ? address : await this.#itemOf(parts.item, parts.attempt);
    if (item) this.#enqueue(item, { type: "reconcile", reason: `${address} could not process ${envelope.event.type}: ${message}` }, undefined);
  }

  /** The item whose lineage a pipeline attempt belongs to: lineages are numbered by their first attempt. */
  async #itemOf(item: WorkItemId, attempt: number): Promise<Address | undefined> {
    for (let lineage = attempt; lineage >= 1; lineage--) {
      const address = itemAddress(item, lineage);
      const found = await this.#find(address);
      if ("poison" in found || found.actor) return address;
    }
    return undefined;
  }

  /** An error may quote what it was given. */
  #redactedTexts(texts: { readonly error: string; readonly stack: string }): { readonly error: string; readonly stack: string } {
    return this.#options.redact ? JSON.parse(this.#options.redact(JSON.stringify(texts))) : texts;
  }

  #redacted(event: HostEvent): string {
    const text = JSON.stringify(event);
    return this.#options.redact ? this.#options.redact(text) : text;
  }

  #putBack(address: Address, envelopes: readonly Envelope[]): void {
    if (envelopes.length === 0) return;
    this.#mailboxes.set(address, [...envelopes, ...(this.#mailboxes.get(address) ?? [])]);
  }

  #takeBack(address: Address, envelope: Envelope): void {
    const box = this.#mailboxes.get(address);
    if (box?.[0] === envelope) box.shift();
    if (box?.length === 0) this.#mailboxes.delete(address);
  }

  async #refused(error: unknown, taken: readonly { readonly address: Address; readonly envelopes: Envelope[] }[]): Promise<void> {
    // Nothing of the batch is durable and nothing was adopted: the events go back in front of their mailboxes (I1).
    for (const { address, envelopes } of taken) this.#putBack(address, envelopes);
    const trouble = asStoreError(error);
    if (!trouble || trouble._tag === "StoreFenced") {
      if (trouble) this.#options.observer?.storeTrouble?.(trouble, null);
      this.#halt(trouble ?? error);
      return;
    }
    if (this.#stopped) return;
    const wait = this.#retryMs;
    this.#retryMs = Math.min(wait * 2, lastRetryMs);
    this.#options.observer?.storeTrouble?.(trouble, wait);
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.at(this.#options.clock.now() + wait, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

const asStoreError = (error: unknown): CommitError | StoreUnavailable | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && (error._tag === "StoreFenced" || error._tag === "StoreFull" || error._tag === "StoreUnavailable") ? (error as CommitError) : undefined;
