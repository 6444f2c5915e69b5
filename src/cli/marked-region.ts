/**
 * A region of our own in a text that belongs to somebody else. Pure.
 *
 * I1 Nothing outside of the markers and the one blank line before them is ever changed. I2 Writing twice is writing once.
 * I3 A text whose markers do not make exactly one region, or none, is left alone. I4 Line ends are those of the text.
 */
export interface Markers { readonly begin: string; readonly end: string }

export type Region =
  | { readonly state: "none" }
  /** Offsets of the whole region, its last line end included. */
  | { readonly state: "one"; readonly from: number; readonly to: number }
  | { readonly state: "broken"; readonly why: string };

/** Markers count where they stand alone on a line. `begin` may be followed by words. */
export const regionIn = (text: string, { begin, end }: Markers): Region => {
  const lines = [...text.matchAll(/^[^\n]*(?:\n|$)/gm)].filter(({ 0: line }) => line !== "");
  const begins = lines.filter(({ 0: line }) => line.trim().startsWith(begin));
  const ends = lines.filter(({ 0: line }) => line.trim() === end);
  const [first] = begins, [last] = ends;
  if (first === undefined && last === undefined) return { state: "none" };
  if (begins.length > 1 || ends.length > 1) return { state: "broken", why: `it has ${begins.length} lines that begin a region and ${ends.length} that end one` };
  if (first === undefined || last === undefined) return { state: "broken", why: first === undefined ? "its region has an end and no begin" : "its region has a begin and no end" };
  if (last.index < first.index) return { state: "broken", why: "its region ends before it begins" };
  return { state: "one", from: first.index, to: last.index + last[0].length };
};

/** The text with the region as it should be: in its place, or at the end. `body` has `\n` for its line ends. */
export const withRegion = (text: string, region: Exclude<Region, { readonly state: "broken" }>, body: string): string => {
  const eol = /\r\n/.test(text) ? "\r\n" : "\n";
  const own = body.replaceAll("\n", eol);
  if (region.state === "one") return text.slice(0, region.from) + own + text.slice(region.to);
  if (text === "") return own;
  return `${text}${text.endsWith("\n") ? "" : eol}${eol}${own}`;
};

/** The text without the region, and without the blank line that was put before it. */
export const withoutRegion = (text: string, { from, to }: { readonly from: number; readonly to: number }): string => {
  const before = text.slice(0, from), after = text.slice(to);
  return after === "" ? before.replace(/(^|\n)\r?\n$/, "$1") : before + after;
};
