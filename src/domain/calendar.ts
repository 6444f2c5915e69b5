/**
 * Calendar days where the user lives. Pure: the instant and the zone in, the day out.
 *
 * A day is a name, not a number of hours: at a change of clocks it has 23 or 25, and both still belong to it.
 */
import { Day } from "./spend.ts";

const formats = new Map<string, Intl.DateTimeFormat>();
const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone) ?? new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  formats.set(zone, known);
  return known;
};

/** The zone of this machine. */
export const localZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

export const isZone = (zone: string): boolean => {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
};

export const dayOf = (at: number, zone: string): Day => {
  const parts = new Map(formatOf(zone).formatToParts(at).map(({ type, value }) => [type, value]));
  return Day.parse(`${parts.get("year")?.padStart(4, "0")}-${parts.get("month")}-${parts.get("day")}`);
};

const hour = 3_600_000;

/** The first instant of another day. */
export const dayEnd = (at: number, zone: string): number => {
  const today = dayOf(at, zone);
  // No day is longer than this, also where one is left out.
  let inside = at, outside = at + 26 * hour;
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (dayOf(middle, zone) === today) inside = middle;
    else outside = middle;
  }
  return outside;
};

/** So many days before it, by the calendar. */
export const daysBefore = (day: Day, count: number): Day => new Date(Date.parse(`${day}T00:00:00Z`) - count * 24 * hour).toISOString().slice(0, 10);

/** `2026-11-30`, `today`, `7d` (today and the six days before it); undefined: none of these. */
export const daySince = (text: string, today: Day): Day | undefined => {
  if (text === "today") return today;
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  if (days !== undefined) return daysBefore(today, Math.max(0, Number(days) - 1));
  return Day.safeParse(text).success && !Number.isNaN(Date.parse(`${text}T00:00:00Z`)) ? text : undefined;
};

/** `2026-12-01 00:00 (Europe/Berlin)` */
export const zonedText = (at: number, zone: string): string =>
  `${dayOf(at, zone)} ${new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(at)} (${zone})`;
