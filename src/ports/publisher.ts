import { Context, Data, type Effect } from "effect";
import type { WorkItemId } from "../domain/ids.ts";

export class PublishFailed extends Data.TaggedError("PublishFailed")<{ readonly message: string; readonly retry: boolean }> {}

export interface Publication { readonly item: WorkItemId; readonly attempt: number; readonly repository: string; readonly branch: string; readonly base: string; readonly head: string; readonly summary: string }

/** Makes the result visible outside the factory. Called again after a crash with the same `key`; the second call changes nothing. */
export interface PublisherShape {
  readonly publish: (key: string, publication: Publication) => Effect.Effect<{ readonly where: string }, PublishFailed>;
}
export class Publisher extends Context.Service<Publisher, PublisherShape>()("enact-factory/ports/Publisher") {}
