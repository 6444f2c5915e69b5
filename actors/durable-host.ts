import { Effect } from "effect";
import type { AnyMachineSnapshot, EventObject } from "xstate";
import type { CatalogEntry, StepAction } from "../machines/catalog.ts";
import type { Alarm, Spawn, Tell } from "../machines/durable.ts";
import { type Address, itemAddress, parseAddress, type WorkItemId } from "../src/domain/ids.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { Cause, Commit, CommitError, OutboxRow, StoreShape, StoreUnavailable } from "../src/ports/store.ts";
import { AlarmClock } from "./alarm-clock.ts";
import { type Chart, createChart, type HostEvent, type Step } from "./chart.ts";

/**
 * Runs every durable chart of one state directory.
 *
 * Owns: the mailboxes, the resident states, the single commit in flight, the alarm clock. Talks to: the Store (its only memory),
 * the charts (pure), the effect runner (told of outbox rows after they are durable).
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

/** One journaled step, as watchers (CLI, inspector, tests) see it. */
export interface Change {
  readonly actor: Address;
  readonly chart: string;
  readonly seq: number;
  readonly at: number;
  readonly event: EventObject;
  readonly from: unknown;
  readonly to: unknown;
  readonly final: boolean;
  readonly view: unknown;
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

interface Envelope { readonly event: HostEvent; readonly cause: Cause | undefined; readonly done: (() => void) | undefined; readonly fail: ((error: unknown) => void) | undefined }
/** Where an actor stands. `touched`: used since eviction last looked at it. */
interface Resident { readonly entry: Entry; state: AnyMachineSnapshot; seq: number; snapshotSeq: number; view: string; touched: boolean }
/** One actor's part of a batch: what it was given, and where it will stand once that is durable (`entry` undefined: nowhere yet). */
interface Turn { readonly address: Address; readonly envelopes: Envelope[]; readonly resident: Resident | undefined; entry: Entry | undefined; state: AnyMachineSnapshot | undefined; seq: number; snapshotSeq: number; view: string; done: number; poison: { readonly error: unknown } | undefined }
interface Entry { readonly catalog: CatalogEntry; readonly chart: Chart }

/** What one step asked of the host; absent lists are empty. */
interface Asked { readonly mail?: Commit["mail"]; readonly effects?: Commit["effects"]; readonly alarms?: readonly Alarm[] }
interface Batch { readonly at: number; readonly commits: Commit[]; readonly changes: Change[]; readonly effects: OutboxRow[]; anyMail: boolean }
type Writable<T> = { -readonly [K in keyof T]: T[K] };

const askedNothing: Asked = {};

/** Journal entries between snapshots: replaying 64 costs about ten restores, and a restore is a third of a millisecond. */
const snapshotEvery = 64;
const batchLimit = 512;
const startType = "actor.start";
const firstRetryMs = 100;
const lastRetryMs = 10_000;

/** The host was stopped or fenced; what was sent is not known to be durable. */
export class HostStopped extends Error { override readonly name = "HostStopped"; }

export class DurableHost {
  readonly #options: HostOptions;
  readonly #charts = new Map<string, Entry>();
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
    for (const catalog of options.catalog) if (catalog.durable) this.#charts.set(catalog.id, { catalog, chart: createChart(catalog.machine) });
    this.#alarms = new AlarmClock(options.clock, (actor, name) => this.#enqueue(actor, { type: `alarm.${name}` }, { row: "alarm", name }));
  }

  /** Takes up what the last owner left: alarms, mail, and outbox rows that were never answered. Call once, before anything else. */
  async recover(): Promise<{ readonly effects: number; readonly mail: number; readonly alarms: number }> {
    const { store } = this.#options;
    const alarms = await Effect.runPromise(store.alarms);
    for (const alarm of alarms) this.#alarms.set(alarm.actor, alarm.name, alarm.at);
    const mail = await this.takeMail();
    const outbox = await Effect.runPromise(store.outbox);
    for (const row of outbox) this.#openEffects.add(row.key);
    for (const row of outbox) this.#options.onEffect(row);
    return { effects: outbox.length, mail, alarms: alarms.length };
  }

  /** Sends an event; resolves when its processing is durable (also when the chart ignored it), rejects with `HostStopped`. */
  send(to: Address, event: HostEvent, cause?: Cause): Promise<void> {
    return new Promise((done, fail) => this.#enqueue(to, event, cause, done, fail));
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
    const actor = this.#resident.get(address) ?? (await this.#load(address));
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
        const turn = begin(address, envelopes, resident, "actor" in found ? found.actor : undefined);
        if ("actor" in found) this.#run(turn, batch);
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

  /** Steps one actor through its events, adding to the batch. `turn.done` counts the events that went well. */
  #run(turn: Turn, batch: Batch): void {
    const { at } = batch;
    const { address } = turn;
    const watched = this.#options.observer?.committed !== undefined;
    let { entry, state } = turn;
    let last: Writable<Commit> | undefined;
    for (const envelope of turn.envelopes) {
      let step: Step;
      let asked: Asked;
      const { event, json } = this.#stamped(envelope.event, at);
      try {
        if (!entry || !state) {
          if (event.type !== startType) throw new Error(`there is no actor at ${address}`);
          entry = this.#entryFor(event);
          step = entry.chart.start(startInput(event));
        } else step = event.type === startType ? { state, actions: [] } : entry.chart.step(state, event);
        if (step.state.status === "error") throw step.state.error;
        asked = step.actions.length === 0 ? askedNothing : this.#read(step.actions);
      } catch (error) {
        if (!state) entry = undefined;
        turn.poison = { error };
        break;
      }
      const from: unknown = state?.value;
      state = step.state;
      const seq = ++turn.seq;
      turn.done++;
      const final = state.status !== "active";
      const commit: Writable<Commit> = { actor: address, seq, at, event: json };
      if (envelope.cause) commit.cause = envelope.cause;
      if (asked.mail) { commit.mail = asked.mail; batch.anyMail = true; }
      if (asked.effects) {
        commit.effects = asked.effects;
        asked.effects.forEach(({ kind, payload }, n) => batch.effects.push({ key: `${address}:${seq}:effect:${n}`, actor: address, kind, payload, at, attempts: 0 }));
      }
      if (asked.alarms) commit.alarms = asked.alarms;
      if (final) commit.final = true;
      if (final || seq - turn.snapshotSeq >= snapshotEvery) {
        commit.snapshot = { machine: entry.catalog.id, version: entry.catalog.version, state: entry.chart.save(state) };
        turn.snapshotSeq = seq;
      }
      batch.commits.push(commit);
      last = commit;
      if (watched) batch.changes.push({ actor: address, chart: entry.catalog.id, seq, at, event, from, to: state.value, final, view: undefined });
    }
    turn.entry = entry;
    turn.state = state;
    if (!last || !entry || !state) return;
    // The batch is one transaction, so only what its last event leaves can ever be seen.
    const seen = entry.catalog.view(state);
    const view = seen === null || seen === undefined ? "null" : JSON.stringify(seen);
    if (view === turn.view) return;
    turn.view = last.view = view;
    const change = batch.changes.at(-1);
    if (watched && change) batch.changes[batch.changes.length - 1] = { ...change, view: seen };
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

  #read(actions: readonly StepAction[]): Asked {
    const asked: { mail?: { readonly to: Address; readonly event: string }[]; effects?: { readonly kind: string; readonly payload: string }[]; alarms?: Alarm[] } = {};
    for (const action of actions) {
      switch (action.type) {
        case "tell": {
          const { to, event } = action.params as Tell;
          (asked.mail ??= []).push({ to, event: this.#json(event) });
          break;
        }
        case "spawn": {
          const { address, chart, input } = action.params as Spawn;
          (asked.mail ??= []).push({ to: address, event: this.#json({ type: startType, chart, version: this.#charts.get(chart)?.catalog.version ?? 0, input }) });
          break;
        }
        case "effect": {
          const request = action.params as { readonly kind: string };
          (asked.effects ??= []).push({ kind: request.kind, payload: this.#json(request) });
          break;
        }
        case "alarm":
          (asked.alarms ??= []).push(action.params as Alarm);
          break;
        default:
          throw new Error(`a durable chart cannot do ${action.type}: only effect, tell, spawn and alarm`);
      }
    }
    return asked;
  }

  /** What the chart hears is what the journal holds: a replay gives the same state, and no secret stays in a snapshot or a view. */
  #stamped(heard: EventObject, at: number): { readonly event: EventObject & { readonly at: number }; readonly json: string } {
    const event = { ...heard, at };
    const text = JSON.stringify(event);
    const json = this.#options.redact ? this.#options.redact(text) : text;
    return { event: json === text ? event : JSON.parse(json), json };
  }

  #json(value: unknown): string {
    const text = JSON.stringify(value);
    return this.#options.redact ? this.#options.redact(text) : text;
  }

  #entryFor(event: EventObject): Entry {
    const chart = "chart" in event && typeof event.chart === "string" ? event.chart : "";
    const entry = this.#charts.get(chart);
    if (!entry) throw new Error(`there is no durable chart ${JSON.stringify(chart)}`);
    return entry;
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
      return { actor: this.#resident.get(address) ?? (await this.#load(address)) };
    } catch (error) {
      if (asStoreError(error)) throw error;
      return { poison: error };
    }
  }

  /** Snapshot, then the events after it, as they were journaled; their actions were committed then and are ignored now. */
  async #load(address: Address): Promise<Resident | undefined> {
    const { snapshot, events } = await Effect.runPromise(this.#options.store.load(address));
    let actor: Resident | undefined;
    if (snapshot) {
      const entry = this.#charts.get(snapshot.machine);
      if (!entry) throw new Error(`${address} was saved by a chart this version does not have: ${snapshot.machine}`);
      const saved: unknown = JSON.parse(snapshot.state);
      const state = entry.chart.load(snapshot.version === entry.catalog.version ? saved : entry.catalog.migrate(saved, snapshot.version));
      actor = { entry, state, seq: snapshot.seq, snapshotSeq: snapshot.seq, view: "", touched: false };
    }
    for (const row of events) {
      const event = parseEvent(row.event);
      const entry: Entry = actor?.entry ?? this.#entryFor(event);
      const state: AnyMachineSnapshot = actor ? (event.type === startType ? actor.state : entry.chart.step(actor.state, event).state) : entry.chart.start(startInput(event)).state;
      actor = { entry, state, seq: row.seq, snapshotSeq: actor?.snapshotSeq ?? 0, view: "", touched: false };
    }
    return actor && { ...actor, view: JSON.stringify(actor.entry.catalog.view(actor.state) ?? null) };
  }

  /** I4. The item hears of it as an event of its own, so that `why` can say so. */
  async #bury(address: Address, envelope: Envelope, error: unknown, at: number): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    await Effect.runPromise(this.#options.store.deadLetter({ actor: address, event: this.#json(envelope.event), error: message, stack: error instanceof Error ? (error.stack ?? "") : "", at }, envelope.cause));
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

const begin = (address: Address, envelopes: Envelope[], resident: Resident | undefined, from: Resident | undefined): Turn => ({
  address, envelopes, resident, entry: from?.entry, state: from?.state, seq: from?.seq ?? 0, snapshotSeq: from?.snapshotSeq ?? 0, view: from?.view ?? "null", done: 0, poison: undefined,
});

const parseEvent = (json: string): HostEvent => {
  const value: unknown = JSON.parse(json);
  if (typeof value === "object" && value !== null && "type" in value && typeof value.type === "string") return { ...value, type: value.type };
  throw new Error("a journaled event has no type");
};

const startInput = (event: EventObject): unknown => ("input" in event ? event.input : undefined);

const asStoreError = (error: unknown): CommitError | StoreUnavailable | undefined =>
  typeof error === "object" && error !== null && "_tag" in error && (error._tag === "StoreFenced" || error._tag === "StoreFull" || error._tag === "StoreUnavailable") ? (error as CommitError) : undefined;
