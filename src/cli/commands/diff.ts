import { harmless, oneLine } from "../../client/text/safe-text.ts";
import type { FileChange } from "../../domain/change.ts";
import { type Command, itemId, itemState, printJson, reading } from "../context.ts";
import { exitCode } from "../problem.ts";
import { paint, type Screen } from "../screen.ts";
import { table } from "../table.ts";

export interface DiffOptions { readonly id: string; readonly stat?: boolean }

/** The change of an item. On a terminal it is coloured and cannot do anything to it; elsewhere it is the patch as git writes it. There is no pager. */
export const diff: Command<DiffOptions> = (context, options) => {
  const id = itemId(options.id);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    const { patch, ...change } = await client.diff(item.id);
    if (context.json) {
      printJson(context, { id: item.id, ...change, ...totals(change.files), ...(options.stat === true ? {} : { patch }) });
      return exitCode.ok;
    }
    const { out, err } = context.terminal;
    const where = change.head === null ? `${change.base.slice(0, 12)} to ${change.worktree ?? "its worktree"}, as it stands` : `${change.base.slice(0, 12)}..${change.head.slice(0, 12)} on ${change.branch}`;
    err.write(`${paint(err, "dim", oneLine(`${item.id}: ${where}`))}\n`);
    if (options.stat === true) out.write(statText(out, change.files));
    else if (change.files.length === 0) err.write("Nothing is changed.\n");
    else out.write(out.isTty ? shown(out, patch) : patch);
    if (change.cut && options.stat !== true) err.write(`${paint(err, "yellow", "The patch is longer; its end is left out.")} See the rest with: git diff ${change.base.slice(0, 12)} ${(change.head ?? change.branch).slice(0, 40)}\n`);
    return exitCode.ok;
  });
};

const totals = (files: readonly FileChange[]): { readonly added: number; readonly removed: number } => ({ added: files.reduce((sum, { added }) => sum + (added ?? 0), 0), removed: files.reduce((sum, { removed }) => sum + (removed ?? 0), 0) });

const statText = (screen: Screen, files: readonly FileChange[]): string => {
  const { added, removed } = totals(files);
  const name = ({ path, from }: FileChange): string => oneLine(from === undefined ? path : `${from} → ${path}`);
  const rows = files.map((file) => [name(file), file.added === null ? "no text" : `+${file.added}`, file.removed === null ? "" : `-${file.removed}`]);
  return `${files.length === 0 ? "" : table(screen, ["FILE", "ADDED", "REMOVED"], rows)}${files.length} file${files.length === 1 ? "" : "s"} changed, ${added} line${added === 1 ? "" : "s"} added, ${removed} removed\n`;
};

/** Tabs stay, what could move the cursor becomes visible. */
const safeLine = (line: string): string => line.replaceAll(/[^\t]+/gu, (part) => harmless(part));

const shown = (screen: Screen, patch: string): string => patch.split("\n").map((line) => {
  const text = safeLine(line);
  if (/^(diff |index |--- |\+\+\+ |new file|deleted file|similarity|rename |old mode|new mode)/.test(line)) return paint(screen, "bold", text);
  if (line.startsWith("@@")) return paint(screen, "cyan", text);
  return line.startsWith("+") ? paint(screen, "green", text) : line.startsWith("-") ? paint(screen, "red", text) : text;
}).join("\n");
