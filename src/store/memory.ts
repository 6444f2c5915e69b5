// Owns: a store's contents in this process's memory: for simulations, tests and benchmarks.
// I1 A batch is checked whole before anything changes, so a refused one leaves no trace.
// I2 Reads and refusals are those of the databases; one contract suite runs on all three.
import { Effect, type Scope } from "effect";
import type { Address } from "../domain/ids.ts";
import { type AlarmRow, type Cause, type Commit, type CommitError, type DeadLetter, type JournalRow, type MailRow, type OutboxRow, type SnapshotRow, StoreFenced, StoreOwned, type StoreReaderShape, type StoreShape, StoreUnavailable, type ViewRow } from "../ports/store.ts";
import { storable } from "./text.ts";

interface Actor {
  seq: number;
  snapshot?: SnapshotRow;
  /** Events after the snapshot. */
  tail: JournalRow[];
  view?: ViewRow;
  alarms?: Map<string, AlarmRow>;
}

/** What survives an owner, as a disk would. Made by `memoryState`. */
export interface MemoryState {
  generation: number;
  owned: boolean;
  readonly actors: Map<Address, Actor>;
  readonly journal: JournalRow[];
  readonly mail: Map<number, MailRow>;
  readonly mailHints: Set<() => void>;
  lastMail: number;
  readonly outbox: Map<string, OutboxRow>;
  readonly deadLetters: DeadLetter[];
}

export const memoryState = (): MemoryState => ({ generation: 0, owned: false, actors: new Map(), journal: [], mail: new Map(), mailHints: new Set(), lastMail: 0, outbox: new Map(), deadLetters: [] });

/** A store that can be told to fail. */
export interface MemoryStore extends StoreShape {
  /** The next write fails with this error and changes nothing. */
  readonly failNext: (error: CommitError) => void;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const noBackup = Effect.fail(new StoreUnavailable({ message: "a store in memory has nothing to back up: it is gone with its process" }));

const addMail = (state: MemoryState, to: Address, event: string, at: number): void => {
  const id = ++state.lastMail;
  state.mail.set(id, { id, to, event, at });
  for (const hint of state.mailHints) hint();
};

const take = (state: MemoryState, actor: Address, cause: Cause): void => {
  switch (cause.row) {
    case "mail": return void state.mail.delete(cause.id);
    case "outbox": return void state.outbox.delete(cause.key);
    case "alarm": return void state.actors.get(actor)?.alarms?.delete(cause.name);
  }
};

const apply = (state: MemoryState, c: Commit, generation: number, actor: Actor): void => {
  const row: JournalRow = { position: state.journal.length + 1, actor: c.actor, seq: c.seq, generation, event: c.event, at: c.at };
  state.journal.push(row);
  if (c.cause !== undefined) take(state, c.actor, c.cause);
  if (c.mail !== undefined) for (const m of c.mail) addMail(state, m.to, m.event, c.at);
  c.effects?.forEach((effect, n) => {
    const key = `${c.actor}:${c.seq}:effect:${n}`;
    state.outbox.set(key, { key, actor: c.actor, kind: effect.kind, payload: effect.payload, at: c.at, attempts: 0 });
  });
  if (c.alarms !== undefined) {
    const alarms = (actor.alarms ??= new Map());
    for (const { name, at } of c.alarms) {
      if (at === null) alarms.delete(name);
      else alarms.set(name, { actor: c.actor, name, at });
    }
  }
  if (c.snapshot === undefined) actor.tail.push(row);
  else {
    actor.snapshot = { ...c.snapshot, seq: c.seq };
    actor.tail = [];
  }
  if (c.view !== undefined) actor.view = { actor: c.actor, seq: c.seq, view: c.view, updatedAt: c.at };
  if (c.final === true) delete actor.alarms;
};

/** Moves every actor's sequence on, or none: the first that does not fit is returned (I1). */
const advance = (state: MemoryState, commits: readonly Commit[]): Commit | undefined => {
  for (const [i, c] of commits.entries()) {
    const actor = state.actors.get(c.actor);
    if ((actor?.seq ?? 0) + 1 !== c.seq) {
      for (const done of commits.slice(0, i).reverse()) {
        if (done.seq === 1) state.actors.delete(done.actor);
        else (state.actors.get(done.actor) ?? { seq: 0 }).seq = done.seq - 1;
      }
      return c;
    }
    if (actor === undefined) state.actors.set(c.actor, { seq: 1, tail: [] });
    else actor.seq = c.seq;
  }
  return undefined;
};

const readerOf = (state: MemoryState, refuse: () => CommitError | undefined): StoreReaderShape => ({
  description: "memory",
  enqueue: (to, event, at) => Effect.suspend(() => {
    const error = refuse();
    if (error !== undefined) return Effect.fail(error);
    addMail(state, to, event, at);
    return Effect.void;
  }),
  mailTo: (prefix) => Effect.sync(() => [...state.mail.values()].filter(({ to }) => to.startsWith(prefix))),
  views: (chart) => Effect.sync(() => {
    const rows: ViewRow[] = [];
    for (const [address, { view }] of state.actors) if (view !== undefined && (chart === undefined || address.startsWith(`${chart}/`))) rows.push(view);
    return rows.sort((a, b) => order(a.actor, b.actor));
  }),
  journal: ({ actorPrefix, after = 0, limit = Number.POSITIVE_INFINITY }) => Effect.sync(() => {
    const rows: JournalRow[] = [];
    for (let i = after; i < state.journal.length && rows.length < limit; i++) {
      const row = state.journal[i];
      if (row !== undefined && (actorPrefix === undefined || row.actor.startsWith(actorPrefix))) rows.push(row);
    }
    return rows;
  }),
  outbox: Effect.sync(() => [...state.outbox.values()]),
  alarms: Effect.sync(() => [...state.actors.values()].flatMap((actor) => [...(actor.alarms?.values() ?? [])]).sort((a, b) => a.at - b.at || order(a.actor, b.actor) || order(a.name, b.name))),
  deadLetters: Effect.sync(() => [...state.deadLetters]),
  lastGeneration: Effect.sync(() => state.generation),
  load: (address) => Effect.sync(() => {
    const actor = state.actors.get(address);
    const events = actor === undefined ? [] : [...actor.tail];
    return actor?.snapshot === undefined ? { events } : { snapshot: actor.snapshot, events };
  }),
  backup: () => noBackup,
});

/** Owns `state` until the Scope ends, as the databases' owners do. `takeOver` as in `OpenOptions`. */
export const openMemoryOwner = (state: MemoryState, takeOver = false): Effect.Effect<MemoryStore, StoreOwned, Scope.Scope> => Effect.acquireRelease(
  Effect.suspend(() => {
    if (state.owned && !takeOver) return Effect.fail(new StoreOwned({ message: "another owner has this store in memory; close it first" }));
    state.owned = true;
    const generation = ++state.generation;
    return Effect.succeed(ownerOf(state, generation));
  }),
  (store) => Effect.sync(() => {
    if (state.generation === store.generation) state.owned = false;
  }),
);

const ownerOf = (state: MemoryState, generation: number): MemoryStore => {
  let failing: CommitError | undefined;
  const injected = (): CommitError | undefined => {
    const error = failing;
    failing = undefined;
    return error;
  };
  const fence = (): CommitError | undefined => (state.generation === generation && state.owned ? undefined : new StoreFenced({ generation, message: `owner ${state.generation} has taken over from owner ${generation}, or the store is closed` }));
  const write = (change: () => CommitError | undefined): Effect.Effect<void, CommitError> => Effect.suspend(() => {
    const error = (failing === undefined ? undefined : injected()) ?? fence() ?? change();
    return error === undefined ? Effect.void : Effect.fail(error);
  });
  return {
    ...readerOf(state, injected),
    generation,
    failNext: (error) => {
      failing = error;
    },
    commit: (commits) => write(() => {
      const wrong = advance(state, commits);
      if (wrong !== undefined) return new StoreFenced({ generation, message: `the journal of ${wrong.actor} does not end just before ${wrong.seq}: another writer was here, or an event was committed twice` });
      for (const c of commits) {
        const actor = state.actors.get(c.actor);
        if (actor !== undefined) apply(state, c, generation, actor);
      }
      return undefined;
    }),
    mail: (after) => Effect.sync(() => [...state.mail.values()].filter((row) => row.id > after)),
    onMail: (hint) => {
      state.mailHints.add(hint);
      return () => { state.mailHints.delete(hint); };
    },
    attempt: (key) => write(() => {
      const row = state.outbox.get(key);
      if (row !== undefined) state.outbox.set(key, { ...row, attempts: row.attempts + 1 });
      return undefined;
    }),
    deadLetter: (letter, cause) => write(() => {
      state.deadLetters.push({ ...letter, error: storable(letter.error), stack: storable(letter.stack), id: state.deadLetters.length + 1 });
      if (cause !== undefined) take(state, letter.actor, cause);
      return undefined;
    }),
    stillOwner: Effect.suspend(() => {
      const error = fence();
      return error === undefined ? Effect.void : Effect.fail(error);
    }),
  };
};

/** Reads, and leaves mail in, a state that another may own. */
export const openMemoryReader = (state: MemoryState): StoreReaderShape => readerOf(state, () => undefined);
