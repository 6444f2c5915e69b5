import { createHmac } from "node:crypto";
import { Effect } from "effect";
import type { NoticeMessage } from "../domain/notice.ts";
import { bodyText, subjectText, titleOf } from "../domain/notice-text.ts";
import { type NoticeChannel, NotifyFailed } from "../ports/notifier.ts";
import { postJson, refusal } from "./post.ts";

/** Signed JSON; docs/notifications.md says how a receiver verifies it. */
export interface WebhookOptions { readonly name: string; readonly url: string; readonly secret: string; readonly now: () => number }

export const signature = (secret: string, timestamp: string, body: string): string => `v1=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;

export const payload = (message: NoticeMessage): string => JSON.stringify({
  version: 1, id: message.id, at: new Date(message.at).toISOString(), severity: message.severity, digest: message.digest, subject: subjectText(message), text: bodyText(message), total: message.total, counts: message.counts,
  notes: message.notes.map((note) => ({ key: note.key, kind: note.kind, severity: note.severity, ref: note.ref, item: note.item, title: titleOf(note), text: note.text, commands: note.commands, since: new Date(note.since).toISOString() })),
});

export const webhook = ({ name, url, secret, now }: WebhookOptions): NoticeChannel => ({
  name,
  probe: async () => ({ ok: true, detail: `a signed webhook at ${new URL(url).host}` }),
  send: (message) => Effect.suspend(() => {
    const body = payload(message), timestamp = String(Math.floor(now() / 1_000));
    return postJson(url, body, { "x-enact-delivery": message.id, "x-enact-timestamp": timestamp, "x-enact-signature": signature(secret, timestamp, body) }, now);
  }).pipe(Effect.flatMap((answer) => (answer.status >= 200 && answer.status < 300 ? Effect.void : Effect.fail(new NotifyFailed({ message: refusal(answer), retryAfterMs: answer.retryAfterMs }))))),
});
