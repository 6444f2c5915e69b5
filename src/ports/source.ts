import { Context, Data, type Effect } from "effect";
import type { SourceUpdate } from "../domain/effects.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { Remembered, Standing, WorkItem, WorkItemSource } from "../domain/work-item.ts";

interface Trouble { readonly source: string; readonly message: string }
/** It does not answer, or says that it cannot just now. `retryAt`: when it said that it will; milliseconds since the epoch. */
export class SourceUnavailable extends Data.TaggedError("SourceUnavailable")<Trouble & { readonly retryAt?: number }> {}
/** It was asked too often. */
export class SourceLimited extends Data.TaggedError("SourceLimited")<Trouble & { readonly until: number }> {}
/** It does not know us, or not any more: a token that is wrong, has expired, or may not do this. */
export class SourceDenied extends Data.TaggedError("SourceDenied")<Trouble & { readonly mend: string }> {}
/** What it needs is not set. */
export class SourceNotSet extends Data.TaggedError("SourceNotSet")<Trouble & { readonly missing: readonly string[] }> {}
/** It answered, and not what it answers. */
export class SourceMisread extends Data.TaggedError("SourceMisread")<Trouble> {}
/** Others changed the item each time that we tried to. */
export class SourceConflict extends Data.TaggedError("SourceConflict")<Trouble> {}
export type SourceTrouble = SourceUnavailable | SourceLimited | SourceDenied | SourceNotSet | SourceMisread | SourceConflict;

/** What a source offers; it has no id of ours yet. */
export type Offered = Omit<WorkItem, "id">;
/** Something in the source that is no usable work item: shown, never guessed at. */
export interface Malformed { readonly sourceId: string; readonly problem: string }

export interface Found {
  readonly item: Offered;
  readonly standing: Standing;
  /** The same in the source's own words. */
  readonly says: string;
  /** The source itself names its lane; else it is the project's. */
  readonly laneNamed: boolean;
  /** Somebody has written something beside it: this factory may have, before it lost its state. */
  readonly spoken: boolean;
}
export interface Listed { readonly found: readonly Found[]; readonly malformed: readonly Malformed[] }
/** The source says itself that it shows no such item. */
export interface Absent { readonly absent: string }

/**
 * One place where work items come from.
 *
 * I1 A read is whole or fails: of a page that could not be read nothing is taken, nor of those before it. I2 What is missing from an answer says nothing
 * about it: only `byIds` says `Absent`, and only when the source does. I3 A malformed record hides no other in `byStates`, and fails `byIds`: who asks for
 * it must not take it for gone. I4 Nothing that others wrote there is written over by a `push`, and the same push again changes nothing.
 */
export interface SourceShape {
  /** For people. */
  readonly name: string;
  readonly kind: WorkItemSource;
  /** What becomes of an item there counts here; false: the source only hands work in. */
  readonly followed: boolean;
  /** All that stand so, the same item once. */
  readonly byStates: (wanted: readonly Standing[]) => Effect.Effect<Listed, SourceTrouble>;
  /** Each of these as it is now. */
  readonly byIds: (ids: readonly string[]) => Effect.Effect<ReadonlyMap<string, Found | Absent>, SourceTrouble>;
  /** Calls whenever something may have changed there. Returns how to stop. */
  readonly watch: (hint: () => void) => () => void;
  /** What this factory has told it of an item before; `undefined`: nothing that can be trusted. */
  readonly recall: (sourceId: string) => Effect.Effect<Remembered | undefined, SourceTrouble>;
  readonly push: (push: SourcePush) => Effect.Effect<void, SourceTrouble | PushRefused>;
}

/** What is told, of which item; `sourceId` is the source's own id. */
export interface SourcePush { readonly item: WorkItemId; readonly source: WorkItemSource; readonly sourceId: string; readonly set: SourceUpdate }

/** The source will never take this. */
export class PushRefused extends Data.TaggedError("PushRefused")<{ readonly message: string }> {}

/** Tells sources what has become of their items. The same push again changes nothing. */
export interface SourcePushesShape {
  readonly push: (push: SourcePush) => Effect.Effect<void, SourceTrouble | PushRefused>;
  /** Of sources that are in use, and could be told nothing whatever it is. */
  readonly unusable: readonly string[];
}
export class SourcePushes extends Context.Service<SourcePushes, SourcePushesShape>()("enact-factory/ports/SourcePushes") {}
