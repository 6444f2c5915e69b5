/**
 * Hours of the day, by the clock on the wall of a zone. Pure.
 *
 * A day of 23 or 25 hours changes nothing in what is quiet: an hour that is left out is not there, one that comes twice is quiet twice.
 */
export interface QuietHours {
  /** `22:00`; equal to `to`: never. */
  readonly from: string;
  readonly to: string;
  readonly zone: string;
}

const minuteMs = 60_000, dayMinutes = 24 * 60;
const formats = new Map<string, Intl.DateTimeFormat>();
const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone) ?? new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  formats.set(zone, known);
  return known;
};

const minutesOf = (clock: string): number => {
  const [hours = "0", minutes = "0"] = clock.split(":");
  return Number(hours) * 60 + Number(minutes);
};

const isQuiet = ({ from, to, zone }: QuietHours, at: number): boolean => {
  const now = minutesOf(formatOf(zone).format(at)), begins = minutesOf(from), ends = minutesOf(to);
  return begins <= ends ? begins <= now && now < ends : now >= begins || now < ends;
};

/** The first instant that is quiet no more; null: it is not quiet now. */
export const quietUntil = (hours: QuietHours, at: number): number | null => {
  if (!isQuiet(hours, at)) return null;
  // Zones change by whole minutes; a look at each is a few milliseconds, once a round in quiet hours.
  let next = Math.floor(at / minuteMs) * minuteMs + minuteMs;
  for (let looked = 0; looked < 2 * dayMinutes && isQuiet(hours, next); looked++) next += minuteMs;
  return next;
};
