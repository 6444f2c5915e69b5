/** What there is to tell people, from the views alone: the inbox, what is done, caps of the day, dead letters of the factory itself. Pure. */
import { createHash } from "node:crypto";
import { inbox, type InboxEntry, type InboxFacts, recentMs } from "../client/inbox.ts";
import { shellWord } from "../client/text/safe-text.ts";
import { type CapState, capText, dayCaps, type Ledger, projectCaps } from "../domain/ledger.ts";
import type { Note, NoticeKind, Severity } from "../domain/notice.ts";
import { cut } from "../domain/notice-text.ts";
import { parseAddress } from "../domain/ids.ts";
import { plainLine } from "../domain/plain-text.ts";
import type { Day } from "../domain/spend.ts";
import type { DeadLetter } from "../ports/store.ts";

export interface NoteFacts extends Omit<InboxFacts, "terminals"> {
  readonly ledger: Ledger;
  readonly today: Day;
  readonly deadLetters: readonly DeadLetter[];
  readonly redact: (text: string) => string;
}

const hash = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 12);

/** `…` stands for what the person says. */
const commandLine = (argv: readonly string[]): string => ["enact-factory", ...argv.map((word) => (word === "…" ? '"…"' : shellWord(word)))].join(" ");

export const notesOf = ({ items, teams, ledger, today, deadLetters, redact }: NoteFacts, now: number): readonly Note[] => {
  const states = new Map(items.map((state) => [state.item.id, state]));
  const words = (text: string, most: number): string => cut(plainLine(redact(text)), most);
  const note = (given: Omit<Note, "title" | "text"> & { readonly title: string; readonly text: string }): Note => ({ ...given, title: words(given.title, 160), text: words(given.text, 600) });

  const ofEntry = (entry: InboxEntry): Note => {
    const item = states.get(entry.item)?.item;
    const kind: NoticeKind = entry.kind !== "cap" ? entry.kind : item?.status === "exhausted" ? "exhausted" : "failed";
    const severity: Severity = entry.waits && item?.priority === 1 ? "urgent" : "attention";
    // A member's question becomes its item's within moments: one thing. What has a text that goes on is told by what it is about and since when.
    const subject = entry.kind === "question" ? entry.item : entry.ref;
    const what = entry.kind === "down" ? String(entry.since) : entry.text;
    return note({
      key: `${subject}|${kind}|${item?.attempt ?? 0}|${hash(what)}`, kind, severity, ref: entry.ref, item: entry.item, title: entry.title, text: entry.kind === "cap" ? entry.evidence.reason || entry.text : entry.text,
      commands: entry.commands.map(commandLine), since: entry.since, ended: !entry.waits,
    });
  };
  const done = items.filter(({ item, updatedAt }) => item.status === "done" && now - updatedAt <= recentMs).map(({ item, updatedAt }) => note({
    key: `${item.id}|done|${item.attempt}|`, kind: "done", severity: "info", ref: item.id, item: item.id, title: item.title, text: item.published || item.summary, commands: [commandLine(["task", "show", item.id])], since: updatedAt, ended: true,
  }));
  const projects = ledger.days.find(({ day }) => day === today)?.projects ?? [];
  const capped = [...dayCaps(ledger, today), ...projects.flatMap(({ name }) => projectCaps(ledger, name, today))].filter(({ state }) => state === "reached").map((cap: CapState) => note({
    key: `spend|spend|${today}|${cap.cap} ${cap.of}`, kind: "spend", severity: "attention", ref: "factory", item: null, title: "", text: `${capText(cap)}; nothing more is started until the day ends or the cap is raised`, commands: [commandLine(["spend"])], since: now, ended: false,
  }));
  // One of an item blocks it, which is in the inbox.
  const poisoned = deadLetters.filter(({ actor, at }) => parseAddress(actor) === undefined && now - at <= recentMs).map(({ id, actor, error, at }) => note({
    key: `factory|trouble|${id}|`, kind: "trouble", severity: "urgent", ref: "factory", item: null, title: "an event could not be processed", text: `${actor}: ${error}; it is kept as a dead letter`, commands: [commandLine(["doctor"])], since: at, ended: true,
  }));
  const all = new Map([...inbox({ items, teams, terminals: [] }, now).map(ofEntry), ...done, ...capped, ...poisoned].toReversed().map((each) => [each.key, each]));
  return [...all.values()].toReversed();
};
