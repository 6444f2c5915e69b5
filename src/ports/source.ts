import { Context, Data, type Effect } from "effect";
import type { WorkItem } from "../domain/work-item.ts";

export class SourceUnavailable extends Data.TaggedError("SourceUnavailable")<{ readonly source: string; readonly message: string }> {}

/** What a source offers; it has no id of ours yet. */
export type Offered = Omit<WorkItem, "id">;
/** Something in the source that is no usable work item: shown, never guessed at. */
export interface Malformed { readonly sourceId: string; readonly problem: string }

export interface SourceShape {
  readonly name: string;
  readonly poll: Effect.Effect<{ readonly items: readonly Offered[]; readonly malformed: readonly Malformed[] }, SourceUnavailable>;
}
export class Sources extends Context.Service<Sources, { readonly all: readonly SourceShape[] }>()("enact-factory/ports/Sources") {}
