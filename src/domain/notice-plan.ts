/**
 * When one channel is told what. Pure: what waits, what was sent, and the time in; the next message, or when to look again, out.
 *
 * I1 What is not held back by quiet hours is told `windowMs` after it was first seen, unless the rate cap is used up. I2 In quiet hours only what is
 * urgent is told; the rest in one message at their end. I3 At most `burst` messages at once, and one more each `everyMs`: what comes meanwhile is in the
 * next one. I4 One message is under way at a time.
 */
import type { Note } from "./notice.ts";
import { type QuietHours, quietUntil } from "./quiet-hours.ts";

export interface Pace {
  /** Milliseconds that a message waits for more of its kind. */
  readonly windowMs: number;
  readonly burst: number;
  readonly everyMs: number;
  readonly quiet: QuietHours | null;
}

export interface Waiting { readonly note: Note; readonly seenAt: number }

export type Plan =
  | { readonly do: "nothing" }
  | { readonly do: "look"; readonly at: number }
  | { readonly do: "tell"; readonly notes: readonly Note[]; readonly digest: boolean };

/** When the rate cap lets the next message go. `times`: when the last ones went, oldest first. */
export const freeAt = (times: readonly number[], { burst, everyMs }: Pick<Pace, "burst" | "everyMs">): number =>
  times.reduce((full, at) => Math.max(full, at) + everyMs, 0) - (burst - 1) * everyMs;

/** Notes of one message; the rest is in the next. Keys of all of them are kept. */
const mostNotes = 1_000;

export const planOf = (waiting: readonly Waiting[], pace: Pace, { times, underWay, now }: { readonly times: readonly number[]; readonly underWay: boolean; readonly now: number }): Plan => {
  if (underWay || waiting.length === 0) return { do: "nothing" };
  const until = pace.quiet && quietUntil(pace.quiet, now);
  const free = until === null ? waiting : waiting.filter(({ note }) => note.severity === "urgent");
  const at = free.length === 0 ? Infinity : Math.max(Math.min(...free.map(({ seenAt }) => seenAt)) + pace.windowMs, freeAt(times, pace));
  if (at > now) return { do: "look", at: until === null ? at : Math.min(at, until) };
  const held = pace.quiet !== null && until === null && free.some(({ seenAt }) => pace.quiet !== null && quietUntil(pace.quiet, seenAt) !== null);
  return { do: "tell", notes: free.slice(0, mostNotes).map(({ note }) => note), digest: held };
};
