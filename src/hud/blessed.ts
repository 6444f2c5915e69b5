/**
 * blessed with what it lacks: line characters as UTF-8 instead of the alternate character set, and the widths of today's characters.
 * The only file that names it; loaded when an interactive screen is made.
 *
 * I1 `NCURSES_NO_UTF8_ACS` is set before blessed is read: it looks once.
 * I2 One opinion of widths: a cell is as wide as `text/width.ts` says, so that the pure frame and the screen agree.
 * I3 Where terminals disagree on a character's width, the cell pins the column behind it: nothing to its right can be displaced.
 */
import type { ReadStream, WriteStream } from "node:tty";
import type { Widgets } from "blessed";
import { graphemeWidth } from "../client/text/width.ts";

/** `[attribute, character]`; a wide character is followed by a cell that blessed passes over. */
export type Cell = [attribute: number, character: string];
export type Row = Cell[] & { dirty?: boolean };

/** The parts of blessed that its types leave out. */
declare module "blessed" {
  export const unicode: { charWidth: (cell: string | number) => number };
  interface BlessedProgram {
    readonly cursorHidden: boolean;
    _write(text: string): void;
  }
}

/** blessed's screen with the parts of it that its types leave out. */
export interface Screen extends Widgets.Screen {
  lines: Row[];
  /** What blessed thinks the terminal shows. */
  olines: Row[];
  leave(): void;
  enter(): void;
}

/** Looked at, not believed: another version of blessed may be another thing inside. */
const isWhole = (screen: Widgets.Screen): screen is Screen => ["leave", "enter"].every((name) => typeof Reflect.get(screen, name) === "function") && ["lines", "olines"].every((name) => Array.isArray(Reflect.get(screen, name)));

/** The terminfo that comes with blessed and knows 256 colours; it cannot read every system's own. */
const terminal = "xterm-256color";

export const openScreen = async (streams: { readonly input: ReadStream; readonly output: WriteStream }): Promise<Screen> => {
  process.env["NCURSES_NO_UTF8_ACS"] = "1";
  const { default: blessed } = await import("blessed");
  const { unicode } = blessed;
  // blessed asks for the width of whole cells only, when it draws.
  unicode.charWidth = (cell) => (typeof cell === "number" ? graphemeWidth(String.fromCodePoint(cell)) : cellWidth(cell));
  const screen = blessed.screen({ ...streams, smartCSR: true, fullUnicode: true, forceUnicode: true, terminal, warnings: false });
  if (!isWhole(screen)) throw new Error("this version of blessed has another screen than the HUD draws on");
  return screen;
};

const cellWidth = (cell: string): number => {
  const code = cell.charCodeAt(0);
  if (cell.length === 1) return code < 0x1100 ? 1 : graphemeWidth(cell);
  return isPinned(cell) ? (cell.startsWith("  ") ? 2 : 1) : graphemeWidth(cell);
};

/** One code point of these is drawn alike everywhere; all else may be wider or narrower than we think. */
const settled = /^[\p{Cc}\u0020-\u02ff\u2010-\u203f\u2190-\u21ff\u2500-\u25ff\u3041-\u30ff\u3131-\u318e\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff60]$/u;

/**
 * Blanks where it stands, then the character, then the column behind it by number: a terminal that draws it narrower leaves a blank, one
 * that draws it wider is overwritten.
 */
export const cellFor = (grapheme: string, width: number, x: number): string => ((grapheme.length === 1 && grapheme < "\u007f") || settled.test(grapheme) ? grapheme : `${" ".repeat(width)}\u001b[${x + 1}G${grapheme}\u001b[${x + 1 + width}G`);
const isPinned = (cell: string): boolean => cell.includes("\u001b[");
