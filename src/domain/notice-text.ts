/** Messages in words, for every channel alike. Titles and texts are strangers': one line each, cut, without control characters. */
import type { ChannelView, Note, NoticeKind, NoticeMessage } from "./notice.ts";
import { NoticeKind as Kinds } from "./notice.ts";
import { plainLine } from "./plain-text.ts";

const happened: Readonly<Record<NoticeKind, string>> = {
  question: "asks a question", approval: "waits for your approval to begin", review: "waits for your review", closing: "waits to be closed by a person", conflict: "has a conflict that nobody can settle",
  down: "has a worker that is not started any more", reconcile: "needs a look: an event could not be processed", blocked: "is blocked", undelivered: "has a message that was not delivered",
  failed: "failed", exhausted: "reached a cap", done: "is done", spend: "spend cap reached", trouble: "trouble",
};
const counted: Readonly<Record<NoticeKind, readonly [one: string, many: string]>> = {
  question: ["question", "questions"], approval: ["approval", "approvals"], review: ["review", "reviews"], closing: ["to close", "to close"], conflict: ["conflict", "conflicts"], down: ["worker down", "workers down"],
  reconcile: ["to reconcile", "to reconcile"], blocked: ["blocked", "blocked"], undelivered: ["undelivered message", "undelivered messages"], failed: ["failed", "failed"], exhausted: ["at a cap", "at a cap"], done: ["done", "done"],
  spend: ["spend cap", "spend caps"], trouble: ["trouble of the factory", "troubles of the factory"],
};

/** Whole characters only, however long. */
export const cut = (text: string, most: number): string => {
  if (text.length <= most) return text;
  const kept = text.slice(0, most - 1);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
};

export const titleOf = (note: Note): string => cut(plainLine(`${note.ref} ${happened[note.kind]}${note.title === "" ? "" : `: ${note.title}`}`), 200);

/** `3 questions, 1 review` */
export const countsText = ({ counts }: NoticeMessage): string => Kinds.options.flatMap((kind) => (counts[kind] === undefined ? [] : [`${counts[kind]} ${counted[kind][counts[kind] === 1 ? 0 : 1]}`])).join(", ");

export const subjectText = (message: NoticeMessage): string => {
  const [only] = message.notes, away = message.digest ? "While it was quiet: " : "";
  if (message.total === 1 && only) return `${away}${titleOf(only)}`;
  return cut(`${away}${countsText(message)} (${message.notes.map(({ ref }) => plainLine(ref)).join(", ")}${message.total > message.notes.length ? ", …" : ""})`, 250);
};

/** What happened and what to do, a note. */
export const noteLines = (note: Note): readonly string[] => [titleOf(note), ...(note.text === "" ? [] : [`  ${cut(plainLine(note.text), 500)}`]), ...note.commands.map((command) => `  $ ${plainLine(command)}`)];

export const bodyText = (message: NoticeMessage): string =>
  [...message.notes.flatMap((note) => [...noteLines(note), ""]), ...(message.total > message.notes.length ? [`and ${message.total - message.notes.length} more: enact-factory inbox`, ""] : [])].join("\n");

/** What is wrong with a channel; empty: nothing. */
export const channelText = ({ open, lost }: ChannelView): string => (open !== null && open.trouble !== "" ? `does not take a message since ${new Date(open.since).toISOString()}: ${open.trouble}` : lost === null ? "" : `never took ${lost.notes} note(s), given up on ${new Date(lost.at).toISOString()}: ${lost.why}`);
