import { Context, Data, type Effect } from "effect";
import type { Address } from "../domain/ids.ts";

/** JSON text of an event: `{"type": …, "at": …, …}`. The store never looks inside. */
export type EventJson = string;

/** The row that caused an event; deleted in the same transaction, which makes its processing exactly-once. */
export type Cause =
  | { readonly row: "mail"; readonly id: number }
  | { readonly row: "outbox"; readonly key: string }
  | { readonly row: "alarm"; readonly name: string };

/** Everything that one processed event changes. A batch of these is one transaction: all or nothing. */
export interface Commit {
  readonly actor: Address;
  /** Journal sequence of this actor, from 1 without gaps; the primary key (actor, seq) refuses a second writer. */
  readonly seq: number;
  readonly at: number;
  readonly event: EventJson;
  readonly cause?: Cause;
  /** Messages to other durable actors, in order. */
  readonly mail?: readonly { readonly to: Address; readonly event: EventJson }[];
  /** Outward effects; their keys are `actor:seq:effect:n`, n counting from 0 within this commit. */
  readonly effects?: readonly { readonly kind: string; readonly payload: string }[];
  /** Set (`at` a number, replacing one of the same name) or cleared (`at` null) alarms of this actor. */
  readonly alarms?: readonly { readonly name: string; readonly at: number | null }[];
  /** State of the actor after this event. */
  readonly snapshot?: { readonly machine: string; readonly version: number; readonly state: string };
  /** What clients see of this actor, when it changed. JSON. */
  readonly view?: string;
  /** True when the actor reached a final state: its alarms are dropped. */
  readonly final?: boolean;
}

export interface JournalRow { readonly position: number; readonly actor: Address; readonly seq: number; readonly generation: number; readonly event: EventJson; readonly at: number }
export interface MailRow { readonly id: number; readonly to: Address; readonly event: EventJson; readonly at: number }
export interface OutboxRow { readonly key: string; readonly actor: Address; readonly kind: string; readonly payload: string; readonly at: number; readonly attempts: number }
export interface AlarmRow { readonly actor: Address; readonly name: string; readonly at: number }
export interface DeadLetter { readonly id: number; readonly actor: Address; readonly event: EventJson; readonly error: string; readonly stack: string; readonly at: number }
export interface SnapshotRow { readonly machine: string; readonly version: number; readonly seq: number; readonly state: string }
export interface ViewRow { readonly actor: Address; readonly seq: number; readonly view: string; readonly updatedAt: number }

/** Another owner has taken over (or the lock was lost): this process must stop writing. */
export class StoreFenced extends Data.TaggedError("StoreFenced")<{ readonly generation: number; readonly message: string }> {}
/** No room on the disk, or an I/O error: nothing was written; try again later. */
export class StoreFull extends Data.TaggedError("StoreFull")<{ readonly message: string }> {}
/** The database cannot be reached or answered with an error: nothing is known to be written. */
export class StoreUnavailable extends Data.TaggedError("StoreUnavailable")<{ readonly message: string }> {}
/** Not a database of ours, or damaged. Nothing was overwritten. */
export class StoreCorrupt extends Data.TaggedError("StoreCorrupt")<{ readonly path: string; readonly message: string }> {}
/** Written by a newer version of the factory. Nothing was overwritten. */
export class StoreNewer extends Data.TaggedError("StoreNewer")<{ readonly found: number; readonly known: number; readonly message: string }> {}
/** Another process owns this store. */
export class StoreOwned extends Data.TaggedError("StoreOwned")<{ readonly message: string }> {}
/** The state directory cannot be written. */
export class StoreReadOnly extends Data.TaggedError("StoreReadOnly")<{ readonly path: string; readonly message: string }> {}

export type CommitError = StoreFenced | StoreFull | StoreUnavailable;
export type OpenError = StoreCorrupt | StoreNewer | StoreOwned | StoreReadOnly | StoreUnavailable | StoreFull;

/** Reads, and the one write that any process may make. */
export interface StoreReaderShape {
  /** `sqlite /path/to/factory.db` or `postgresql host:port/database`: for status and doctor. No secrets. */
  readonly description: string;
  /** Leaves a message for a durable actor; the owner picks it up. The only write of a non-owner. */
  readonly enqueue: (to: Address, event: EventJson, at: number) => Effect.Effect<void, CommitError>;
  /** Mail that no owner has taken yet, for actors whose address begins so, oldest first. */
  readonly mailTo: (recipientPrefix: string) => Effect.Effect<readonly MailRow[], StoreUnavailable>;
  readonly views: (chart?: string) => Effect.Effect<readonly ViewRow[], StoreUnavailable>;
  /** Rows in commit order (`position` rises with it), oldest first. `after` is a position. */
  readonly journal: (query: { readonly actorPrefix?: string; readonly after?: number; readonly limit?: number }) => Effect.Effect<readonly JournalRow[], StoreUnavailable>;
  readonly outbox: Effect.Effect<readonly OutboxRow[], StoreUnavailable>;
  readonly alarms: Effect.Effect<readonly AlarmRow[], StoreUnavailable>;
  readonly deadLetters: Effect.Effect<readonly DeadLetter[], StoreUnavailable>;
  /** The newest snapshot of an actor and the events after it. Both empty: no such actor. */
  readonly load: (actor: Address) => Effect.Effect<{ readonly snapshot?: SnapshotRow; readonly events: readonly JournalRow[] }, StoreUnavailable>;
  /** The highest generation that ever owned the store; 0 when none did. */
  readonly lastGeneration: Effect.Effect<number, StoreUnavailable>;
  /** A consistent copy of the whole store in one file, taken while it runs. */
  readonly backup: (file: string) => Effect.Effect<void, StoreUnavailable | StoreFull>;
}

/** What the one owner may do. */
export interface StoreShape extends StoreReaderShape {
  /** This owner's number; higher than that of every earlier owner. */
  readonly generation: number;
  /** All of these in one transaction, in order, after the generation is checked. Durable when it returns. */
  readonly commit: (commits: readonly Commit[]) => Effect.Effect<void, CommitError>;
  /** Unprocessed mail with an id above `after`, oldest first. */
  readonly mail: (after: number) => Effect.Effect<readonly MailRow[], StoreUnavailable>;
  /**
   * Calls back when there may be new mail; bursts may become one call, and other writes may cause some. A hint, not a promise: a file system
   * may keep silent, so look now and then anyway. Returns how to stop.
   */
  readonly onMail: (hint: () => void) => () => void;
  /** Counts one more attempt of an outbox row (made before the effect is sent), after checking the generation. */
  readonly attempt: (key: string) => Effect.Effect<void, CommitError>;
  /** Stores a poisoned event with its stack and deletes the row that caused it. */
  readonly deadLetter: (letter: Omit<DeadLetter, "id">, cause: Cause | undefined) => Effect.Effect<void, CommitError>;
  /** Fails with `StoreFenced` unless this process still owns the store. */
  readonly stillOwner: Effect.Effect<void, CommitError>;
}

export class StoreReader extends Context.Service<StoreReader, StoreReaderShape>()("enact-factory/ports/StoreReader") {}
export class Store extends Context.Service<Store, StoreShape>()("enact-factory/ports/Store") {}
