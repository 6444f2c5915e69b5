import { Effect } from "effect";
import type { AnyMachineSnapshot, EventObject } from "xstate";
import type { CatalogEntry, StepAction } from "../machines/catalog.ts";
import type { Alarm, Spawn, Tell } from "../machines/durable.ts";
import type { Address } from "../src/domain/ids.ts";
import type { Cause, Commit, JournalRow, OutboxRow, SnapshotRow, StoreShape, StoreUnavailable } from "../src/ports/store.ts";
import { type Chart, createChart, type HostEvent, type Step } from "./chart.ts";

/**
 * One durable actor: brought back from its rows, and stepped through a run of events into the commits that would make them durable.
 *
 * Owns nothing: it reads rows and computes. What becomes of the commits is the host's to decide (durable-host.ts, I1).
 */
export interface Entry { readonly catalog: CatalogEntry; readonly chart: Chart }

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
  /** Where it stood before (`undefined`: it began) and stands now; they never change. */
  readonly before: AnyMachineSnapshot | undefined;
  readonly state: AnyMachineSnapshot;
}

export interface Envelope { readonly event: HostEvent; readonly cause: Cause | undefined; readonly done: (() => void) | undefined; readonly fail: ((error: unknown) => void) | undefined }

/** Where an actor stands. `touched`: used since eviction last looked at it. */
export interface Resident { readonly entry: Entry; state: AnyMachineSnapshot; seq: number; snapshotSeq: number; view: string; touched: boolean }

/** One actor's part of a batch: what it was given, and where it will stand once that is durable (`entry` undefined: nowhere yet). */
export interface Turn {
  readonly address: Address;
  readonly envelopes: Envelope[];
  readonly resident: Resident | undefined;
  entry: Entry | undefined;
  state: AnyMachineSnapshot | undefined;
  seq: number;
  snapshotSeq: number;
  view: string;
  /** How many of the envelopes went well. */
  done: number;
  poison: { readonly error: unknown } | undefined;
}

export interface Batch { readonly at: number; readonly commits: Commit[]; readonly changes: Change[]; readonly effects: OutboxRow[]; anyMail: boolean }

/** The durable charts by id. */
export type Charts = ReadonlyMap<string, Entry>;

export const chartsOf = (catalog: readonly CatalogEntry[]): Charts =>
  new Map(catalog.filter(({ durable }) => durable).map((entry) => [entry.id, { catalog: entry, chart: createChart(entry.machine) }]));

export const startType = "actor.start";

/** Journal entries between snapshots: replaying 64 costs about ten restores, a third of a millisecond. */
const snapshotEvery = 64;

/** What one step asked of the host; absent lists are empty. */
interface Asked { readonly mail?: Commit["mail"]; readonly effects?: Commit["effects"]; readonly alarms?: readonly Alarm[] }
type Writable<T> = { -readonly [K in keyof T]: T[K] };

const askedNothing: Asked = {};

export const beginTurn = (address: Address, envelopes: Envelope[], resident: Resident | undefined, from: Resident | undefined): Turn => ({
  address, envelopes, resident, entry: from?.entry, state: from?.state, seq: from?.seq ?? 0, snapshotSeq: from?.snapshotSeq ?? 0, view: from?.view ?? "null", done: 0, poison: undefined,
});

export interface RunOptions {
  readonly charts: Charts;
  readonly redact: ((json: string) => string) | undefined;
  /** Somebody watches: changes are collected. */
  readonly watched: boolean;
  /** The actor has an alarm of that name that is still to ring. */
  readonly armed: (address: Address, name: string) => boolean;
}

const jsonOf = (value: unknown, redact: RunOptions["redact"]): string => {
  const text = JSON.stringify(value);
  return redact ? redact(text) : text;
};

/** What the chart hears is what the journal holds: a replay gives the same state, and no secret stays in a snapshot or a view. */
const stamped = (heard: EventObject, at: number, redact: RunOptions["redact"]): { readonly event: EventObject & { readonly at: number }; readonly json: string } => {
  const event = { ...heard, at };
  const text = JSON.stringify(event);
  const json = redact ? redact(text) : text;
  return { event: json === text ? event : JSON.parse(json), json };
};

/** Steps one actor through its events, adding to the batch. A throw poisons the event at `turn.done` and adds nothing for it. */
export const runActor = (turn: Turn, batch: Batch, options: RunOptions): void => {
  const { at } = batch;
  const { address } = turn;
  const { charts, redact, watched } = options;
  const unchanged = { commits: batch.commits.length, changes: batch.changes.length, effects: batch.effects.length };
  let { entry, state } = turn;
  let last: Writable<Commit> | undefined;
  let moved: Set<string> | undefined;
  for (const envelope of turn.envelopes) {
    // It rang, and before its event was taken the alarm was set anew or cleared: the ring is of the past.
    if (envelope.cause?.row === "alarm" && (moved?.has(envelope.cause.name) || options.armed(address, envelope.cause.name))) {
      turn.done++;
      continue;
    }
    let step: Step;
    let asked: Asked;
    let snapshot: Commit["snapshot"];
    const { event, json } = stamped(envelope.event, at, redact);
    const seq = turn.seq + 1;
    try {
      if (!entry || !state) {
        if (event.type !== startType) throw new Error(`there is no actor at ${address}`);
        entry = entryFor(event, charts);
        step = entry.chart.start(startInput(event));
      } else step = event.type === startType ? { state, actions: [] } : entry.chart.step(state, event);
      if (step.state.status === "error") throw step.state.error;
      asked = step.actions.length === 0 ? askedNothing : read(step.actions, charts, redact);
      if (step.state.status !== "active" || seq - turn.snapshotSeq >= snapshotEvery) snapshot = { machine: entry.catalog.id, version: entry.catalog.version, state: entry.chart.save(step.state) };
    } catch (error) {
      if (!state) entry = undefined;
      turn.poison = { error };
      break;
    }
    const before = state;
    state = step.state;
    turn.seq = seq;
    turn.done++;
    const final = state.status !== "active";
    const commit: Writable<Commit> = { actor: address, seq, at, event: json };
    if (envelope.cause) commit.cause = envelope.cause;
    if (asked.mail) { commit.mail = asked.mail; batch.anyMail = true; }
    if (asked.effects) {
      commit.effects = asked.effects;
      asked.effects.forEach(({ kind, payload }, n) => batch.effects.push({ key: `${address}:${seq}:effect:${n}`, actor: address, kind, payload, at, attempts: 0 }));
    }
    if (asked.alarms) {
      commit.alarms = asked.alarms;
      moved ??= new Set();
      for (const { name } of asked.alarms) moved.add(name);
    }
    if (final) commit.final = true;
    if (snapshot) {
      commit.snapshot = snapshot;
      turn.snapshotSeq = seq;
    }
    batch.commits.push(commit);
    last = commit;
    if (watched) batch.changes.push({ actor: address, chart: entry.catalog.id, seq, at, event, from: before?.value, to: state.value, final, view: undefined, before, state });
  }
  if (last && entry && state) {
    try {
      show(turn, batch, last, entry, state, watched);
    } catch (error) {
      // A state that cannot be shown is not taken: nothing of this run counts.
      batch.commits.length = unchanged.commits;
      batch.changes.length = unchanged.changes;
      batch.effects.length = unchanged.effects;
      turn.done = 0;
      turn.poison = { error };
      return;
    }
  }
  turn.entry = entry;
  turn.state = state;
};

/** The batch is one transaction, so only what its last event leaves can ever be seen. */
const show = (turn: Turn, batch: Batch, last: Writable<Commit>, entry: Entry, state: AnyMachineSnapshot, watched: boolean): void => {
  const seen = entry.catalog.view(state);
  const view = seen === null || seen === undefined ? "null" : JSON.stringify(seen);
  if (view === turn.view) return;
  turn.view = last.view = view;
  const change = batch.changes.at(-1);
  if (watched && change) batch.changes[batch.changes.length - 1] = { ...change, view: seen };
};

/** The actor that a snapshot holds. */
export const restoreActor = (charts: Charts, address: Address, snapshot: SnapshotRow): Resident => {
  const entry = charts.get(snapshot.machine);
  if (!entry) throw new Error(`${address} was saved by a chart this version does not have: ${snapshot.machine}`);
  const saved: unknown = JSON.parse(snapshot.state);
  const state = entry.chart.load(snapshot.version === entry.catalog.version ? saved : entry.catalog.migrate(saved, snapshot.version));
  return { entry, state, seq: snapshot.seq, snapshotSeq: snapshot.seq, view: "", touched: false };
};

/** The actor after one more of its journaled events, whose actions were committed then and are ignored now. */
export const replayRow = (charts: Charts, actor: Resident | undefined, row: JournalRow): Resident => {
  const event = parseEvent(row.event);
  const entry: Entry = actor?.entry ?? entryFor(event, charts);
  const state: AnyMachineSnapshot = actor ? (event.type === startType ? actor.state : entry.chart.step(actor.state, event).state) : entry.chart.start(startInput(event)).state;
  return { entry, state, seq: row.seq, snapshotSeq: actor?.snapshotSeq ?? 0, view: "", touched: false };
};

/** Snapshot, then the events after it. */
export const loadActor = (store: Pick<StoreShape, "load">, charts: Charts, address: Address): Effect.Effect<Resident | undefined, StoreUnavailable> =>
  Effect.map(store.load(address), ({ snapshot, events }) => {
    const actor = events.reduce<Resident | undefined>((at, row) => replayRow(charts, at, row), snapshot && restoreActor(charts, address, snapshot));
    return actor && { ...actor, view: JSON.stringify(actor.entry.catalog.view(actor.state) ?? null) };
  });

const read = (actions: readonly StepAction[], charts: Charts, redact: RunOptions["redact"]): Asked => {
  const asked: { mail?: { readonly to: Address; readonly event: string }[]; effects?: { readonly kind: string; readonly payload: string }[]; alarms?: Alarm[] } = {};
  for (const action of actions) {
    switch (action.type) {
      case "tell": {
        const { to, event } = action.params as Tell;
        (asked.mail ??= []).push({ to, event: jsonOf(event, redact) });
        break;
      }
      case "spawn": {
        const { address, chart, input } = action.params as Spawn;
        (asked.mail ??= []).push({ to: address, event: jsonOf({ type: startType, chart, version: charts.get(chart)?.catalog.version ?? 0, input }, redact) });
        break;
      }
      case "effect": {
        const request = action.params as { readonly kind: string };
        (asked.effects ??= []).push({ kind: request.kind, payload: jsonOf(request, redact) });
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
};

const entryFor = (event: EventObject, charts: Charts): Entry => {
  const chart = "chart" in event && typeof event.chart === "string" ? event.chart : "";
  const entry = charts.get(chart);
  if (!entry) throw new Error(`there is no durable chart ${JSON.stringify(chart)}`);
  return entry;
};

export const parseEvent = (json: string): HostEvent => {
  const value: unknown = JSON.parse(json);
  if (typeof value === "object" && value !== null && "type" in value && typeof value.type === "string") return { ...value, type: value.type };
  throw new Error("a journaled event has no type");
};

const startInput = (event: EventObject): unknown => ("input" in event ? event.input : undefined);
