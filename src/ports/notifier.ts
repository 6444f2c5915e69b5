import { Context, Data, type Effect } from "effect";
import type { NoticeMessage } from "../domain/notice.ts";

/** The message was not taken, or nobody knows whether it was: it is sent again with the same id. Never holds an address or a secret. */
export class NotifyFailed extends Data.TaggedError("NotifyFailed")<{ readonly message: string; /** The channel asked for it. */ readonly retryAfterMs: number | null }> {}

/** One way to reach a person. One try; whoever calls decides about the next. */
export interface NoticeChannel {
  readonly name: string;
  readonly send: (message: NoticeMessage) => Effect.Effect<void, NotifyFailed>;
  /** Whether it could work here, without telling anybody anything. */
  readonly probe: () => Promise<{ readonly ok: boolean; readonly detail: string; readonly mend?: string }>;
}

export interface NotifierShape { readonly send: (channel: string, message: NoticeMessage) => Effect.Effect<void, NotifyFailed> }
export class Notifier extends Context.Service<Notifier, NotifierShape>()("enact-factory/ports/Notifier") {}
