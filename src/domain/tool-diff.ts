import type { ToolDiff } from "./agent.ts";

/** Lines kept of each side, and characters of a line. */
const lineCap = 40;
const columnCap = 300;

const linesOf = (text: string): readonly string[] => {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
};

const sharedAtStart = (one: readonly string[], two: readonly string[]): number => {
  const differs = one.findIndex((line, n) => line !== two[n]);
  return differs < 0 ? one.length : differs;
};

/** What an edit does to one place of a file: what both sides share at their ends is left out, long sides are cut. */
export const toolDiff = (path: string, before: string, after: string): ToolDiff => {
  let [removed, added] = [linesOf(before), linesOf(after)];
  const start = sharedAtStart(removed, added);
  [removed, added] = [removed.slice(start), added.slice(start)];
  const end = sharedAtStart(removed.toReversed(), added.toReversed());
  if (end > 0) [removed, added] = [removed.slice(0, -end), added.slice(0, -end)];
  const cut = Math.max(0, removed.length - lineCap) + Math.max(0, added.length - lineCap);
  const kept = (lines: readonly string[]): string[] => lines.slice(0, lineCap).map((line) => (line.length > columnCap ? `${line.slice(0, columnCap - 1).toWellFormed()}…` : line));
  return { path, removed: kept(removed), added: kept(added), cut };
};

/** Several places of one file as one: an edit tool may take a list. */
export const joinDiffs = (diffs: readonly ToolDiff[]): ToolDiff | undefined => {
  const [first] = diffs;
  if (!first) return undefined;
  const [removed, added] = [diffs.flatMap((diff) => diff.removed), diffs.flatMap((diff) => diff.added)];
  return { path: first.path, removed: removed.slice(0, lineCap), added: added.slice(0, lineCap), cut: diffs.reduce((sum, { cut }) => sum + cut, 0) + Math.max(0, removed.length - lineCap) + Math.max(0, added.length - lineCap) };
};
