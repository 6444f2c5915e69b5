import { Effect } from "effect";
import { z } from "zod";
import type { Note, NoticeMessage, Severity } from "../domain/notice.ts";
import { cut, subjectText, titleOf } from "../domain/notice-text.ts";
import { plainLine } from "../domain/plain-text.ts";
import { type NoticeChannel, NotifyFailed } from "../ports/notifier.ts";
import { postJson, refusal } from "./post.ts";

/**
 * A webhook of a Discord channel: one embed a note.
 *
 * I1 Nothing in it mentions anybody. I2 A stranger's text is no markdown: no link, no heading, no code. I3 Discord's limits hold whatever the texts:
 * content 2 000, a title 256, a description 4 096, all embeds 6 000.
 */
export interface DiscordOptions { readonly name: string; readonly url: string; readonly now: () => number }

const colours: Readonly<Record<Severity, number>> = { info: 0x2e7d32, attention: 0xf9a825, urgent: 0xc62828 };
const limits = { content: 2_000, title: 256, description: 850 };

/** Cut before it is escaped, and again after, but never behind a lone backslash. */
const literal = (text: string, most: number): string => {
  const escaped = cut(plainLine(text), most).replaceAll(/[\\*_~`|>[\]()#<@:-]/g, "\\$&");
  return escaped.length <= most ? escaped : `${escaped.slice(0, most - 2).replace(/\\$/, "").toWellFormed()}…`;
};

const embedOf = (note: Note): object => {
  const commands = note.commands.slice(0, 3).map((command) => cut(plainLine(command).replaceAll("`", "'"), 120));
  return {
    title: literal(titleOf(note), limits.title), color: colours[note.severity], timestamp: new Date(note.since).toISOString(),
    description: `${literal(note.text, limits.description - 400)}${commands.length === 0 ? "" : `\n\`\`\`\n${commands.join("\n")}\n\`\`\``}`,
  };
};

export const discordBody = (message: NoticeMessage): string => JSON.stringify({
  content: literal(`${subjectText(message)}${message.total > message.notes.length ? ` · all of it: enact-factory inbox` : ""}`, limits.content),
  embeds: message.notes.map(embedOf), allowed_mentions: { parse: [] },
});

const Limited = z.object({ retry_after: z.number() });
const retryIn = (body: string): number | null => {
  try {
    const parsed = Limited.safeParse(JSON.parse(body));
    return parsed.success ? Math.ceil(parsed.data.retry_after * 1_000) : null;
  } catch {
    return null;
  }
};

export const discord = ({ name, url, now }: DiscordOptions): NoticeChannel => ({
  name,
  probe: async () => ({ ok: true, detail: `a Discord webhook at ${new URL(url).host}` }),
  send: (message) => {
    const at = new URL(url);
    // It answers only when the message is there.
    at.searchParams.set("wait", "true");
    return postJson(at.href, discordBody(message), {}, now).pipe(Effect.flatMap((answer) => {
      if (answer.status >= 200 && answer.status < 300) return Effect.void;
      if (answer.status === 429) return Effect.fail(new NotifyFailed({ message: "Discord asks to wait", retryAfterMs: retryIn(answer.body) ?? answer.retryAfterMs }));
      return Effect.fail(new NotifyFailed({ message: answer.status === 404 || answer.status === 401 ? "Discord does not know this webhook (any more)" : refusal(answer), retryAfterMs: answer.retryAfterMs }));
    }));
  },
});
