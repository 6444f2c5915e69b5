/** What people are told without looking, as data. Which of it is told when is decided in src/domain/notice-plan.ts and machines/notices.ts. */
import { z } from "zod";
import { WorkItemId } from "./ids.ts";

/** From the one that can wait longest. `urgent` is told in quiet hours too. */
export const Severity = z.enum(["info", "attention", "urgent"]);
export type Severity = z.infer<typeof Severity>;
export const isAtLeast = (severity: Severity, least: Severity): boolean => Severity.options.indexOf(severity) >= Severity.options.indexOf(least);

/** The first ten are those of the inbox, of which `cap` is told as what it was. */
export const NoticeKind = z.enum(["question", "approval", "review", "closing", "conflict", "down", "reconcile", "blocked", "undelivered", "failed", "exhausted", "done", "spend", "trouble"]);
export type NoticeKind = z.infer<typeof NoticeKind>;

/** One thing to tell. Texts are plain, redacted and cut. */
export const Note = z.object({
  /** Equal keys are one thing, told once while it lasts: `OF|kind|…`. */
  key: z.string(),
  kind: NoticeKind,
  severity: Severity,
  /** `LOC-3`, `alpha/worker-1`, `factory`. */
  ref: z.string(),
  item: WorkItemId.nullable(),
  title: z.string(),
  text: z.string(),
  /** Command lines that settle it, ready to be copied. */
  commands: z.array(z.string()),
  /** Milliseconds since the epoch. */
  since: z.number(),
  /** It waits for nobody: told only when it happened after the channel was set up. */
  ended: z.boolean(),
});
export type Note = z.infer<typeof Note>;

/** The part of a key that says whom it is about. */
export const subjectOf = (key: string): string => key.slice(0, key.indexOf("|"));

/** What a channel carries: one note, or a group with its counts and the first few. */
export const NoticeMessage = z.object({
  /** The same at every try, also of another owner: who has seen it already may drop it. */
  id: z.string(),
  at: z.number(),
  severity: Severity,
  /** It was held back in quiet hours. */
  digest: z.boolean(),
  counts: z.partialRecord(NoticeKind, z.number()),
  total: z.number(),
  notes: z.array(Note),
});
export type NoticeMessage = z.infer<typeof NoticeMessage>;

/** Notes of a group that are told whole; of the others, counts. */
export const namedNotes = 5;

export const messageOf = (id: string, notes: readonly Note[], at: number, digest: boolean): NoticeMessage => {
  const counts: Partial<Record<NoticeKind, number>> = {};
  for (const { kind } of notes) counts[kind] = (counts[kind] ?? 0) + 1;
  const first = notes.toSorted((a, b) => Severity.options.indexOf(b.severity) - Severity.options.indexOf(a.severity) || NoticeKind.options.indexOf(a.kind) - NoticeKind.options.indexOf(b.kind) || a.since - b.since || (a.key < b.key ? -1 : 1));
  return { id, at, severity: first[0]?.severity ?? "info", digest, counts, total: notes.length, notes: first.slice(0, namedNotes) };
};

/** A channel as people see it. */
export const ChannelView = z.object({
  channel: z.string(),
  /** When it last took a message. */
  lastAt: z.number().nullable(),
  /** The message under way: how many notes, since when, and what is wrong, if anything. */
  open: z.object({ notes: z.number(), since: z.number(), trouble: z.string() }).nullable(),
  /** What it never took, the last time that happened. */
  lost: z.object({ at: z.number(), notes: z.number(), why: z.string() }).nullable(),
});
export type ChannelView = z.infer<typeof ChannelView>;
