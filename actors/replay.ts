import { Effect } from "effect";
import type { Address } from "../src/domain/ids.ts";
import type { JournalRow, StoreReaderShape, StoreUnavailable } from "../src/ports/store.ts";
import { type Change, type Charts, parseEvent, replayRow, type Resident, restoreActor, startType } from "./durable-actor.ts";

/**
 * What durable actors did, recomputed from their rows: charts are pure, so a replay shows what happened, states and all.
 *
 * I1 A replay from the first event is made only with the version of the chart that took that event; otherwise history begins at the newest
 * snapshot. I2 At most `longest` events are replayed for a look back.
 */
export type Rows = Pick<StoreReaderShape, "load" | "journal">;

export interface History { readonly actor: Resident; /** Oldest first. */ readonly changes: readonly Change[] }

/** A look back over more events than these begins at the newest snapshot: about 25 ms. */
const longest = 5_000;

/** Where an actor stands and its last `count` steps; `undefined` when there is no such actor. */
export const historyOf = (rows: Rows, charts: Charts, address: Address, count: number): Effect.Effect<History | undefined, StoreUnavailable> => Effect.gen(function* () {
  const { snapshot, events } = yield* rows.load(address);
  const last = events.at(-1)?.seq ?? snapshot?.seq;
  if (last === undefined) return undefined;
  const since = snapshot?.seq ?? 0;
  if (last - since < Math.min(count, last) && last <= longest) {
    // Another commit may have come in between: what is shown ends with the row that ends this read.
    const all = yield* rowsOf(rows, address);
    if (isOfThisVersion(charts, all)) return replay(charts, undefined, all, count);
  }
  return replay(charts, snapshot && restoreActor(charts, address, snapshot), events, count);
});

/** The actor as it stood after its event `seq`; `undefined` when that cannot be told (I1, I2), or `seq` is 0. */
export const actorAt = (rows: Rows, charts: Charts, address: Address, seq: number): Effect.Effect<Resident | undefined, StoreUnavailable> => Effect.gen(function* () {
  if (seq === 0) return undefined;
  const { snapshot, events } = yield* rows.load(address);
  const upTo = (list: readonly JournalRow[]): readonly JournalRow[] => list.filter((row) => row.seq <= seq);
  if ((snapshot?.seq ?? 0) <= seq) return upTo(events).reduce<Resident | undefined>((at, row) => replayRow(charts, at, row), snapshot && restoreActor(charts, address, snapshot));
  if (seq > longest) return undefined;
  const all = yield* rowsOf(rows, address);
  return isOfThisVersion(charts, all) ? upTo(all).reduce<Resident | undefined>((at, row) => replayRow(charts, at, row), undefined) : undefined;
});

/** One more event, as the host would have told of it. */
export const changeOf = (charts: Charts, before: Resident | undefined, row: JournalRow): { readonly actor: Resident; readonly change: Change } => {
  const actor = replayRow(charts, before, row);
  const { state, entry } = actor;
  return {
    actor,
    change: {
      actor: row.actor, chart: entry.catalog.id, seq: row.seq, at: row.at, event: parseEvent(row.event),
      from: before?.state.value, to: state.value, final: state.status !== "active", view: undefined, before: before?.state, state,
    },
  };
};

/** All of one actor's rows; a prefix alone also finds `coder.10` for `coder.1`. */
const rowsOf = (rows: Rows, address: Address): Effect.Effect<readonly JournalRow[], StoreUnavailable> =>
  Effect.map(rows.journal({ actorPrefix: address }), (found) => found.filter(({ actor }) => actor === address));

const isOfThisVersion = (charts: Charts, rows: readonly JournalRow[]): boolean => {
  const [first] = rows;
  if (first?.seq !== 1) return false;
  const event = parseEvent(first.event);
  return event.type === startType && typeof event["chart"] === "string" && charts.get(event["chart"])?.catalog.version === event["version"];
};

const replay = (charts: Charts, from: Resident | undefined, rows: readonly JournalRow[], count: number): History | undefined => {
  const changes: Change[] = [];
  let actor = from;
  for (const row of rows) {
    const step = changeOf(charts, actor, row);
    actor = step.actor;
    changes.push(step.change);
  }
  return actor && { actor, changes: changes.slice(-count) };
};
