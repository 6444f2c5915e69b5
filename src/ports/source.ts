import { Context, Data, type Effect } from "effect";
import type { SourceUpdate } from "../domain/effects.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { WorkItem, WorkItemSource } from "../domain/work-item.ts";

export class SourceUnavailable extends Data.TaggedError("SourceUnavailable")<{ readonly source: string; readonly message: string }> {}

/** What a source offers; it has no id of ours yet. */
export type Offered = Omit<WorkItem, "id">;
/** Something in the source that is no usable work item: shown, never guessed at. */
export interface Malformed { readonly sourceId: string; readonly problem: string }

export interface SourceShape {
  readonly name: string;
  readonly poll: Effect.Effect<{ readonly items: readonly Offered[]; readonly malformed: readonly Malformed[] }, SourceUnavailable>;
}

/** What is told, of which item; `sourceId` is the source's own id. */
export interface SourcePush { readonly item: WorkItemId; readonly source: WorkItemSource; readonly sourceId: string; readonly set: SourceUpdate }

/** The source will never take this. */
export class PushRefused extends Data.TaggedError("PushRefused")<{ readonly message: string }> {}

/** Tells sources what has become of their items. The same push again changes nothing. */
export interface SourcePushesShape { readonly push: (push: SourcePush) => Effect.Effect<void, SourceUnavailable | PushRefused> }
export class SourcePushes extends Context.Service<SourcePushes, SourcePushesShape>()("enact-factory/ports/SourcePushes") {}
