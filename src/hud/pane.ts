/**
 * An agent's terminal as lines of styled text. Its bytes go into a headless terminal and come out as characters and colours, so that no
 * escape sequence of an agent ever reaches the user's terminal.
 *
 * Owns one headless terminal. I1 Frames are taken in order. I2 What it would answer to its agent (device reports) goes nowhere.
 * I3 Characters are harmless, and as wide as their cells. I4 More than `mostPending` bytes not yet read: not ready.
 */
import type { IBuffer, IBufferCell, IBufferLine } from "@xterm/headless";
import { harmless } from "../client/text/safe-text.ts";
import { widthOf } from "../client/text/width.ts";
import type { TerminalFrame } from "../client/contract.ts";
import type { Line, Span, Style } from "./line.ts";

/** A look at the terminal; `line` reads it as it is now. */
export interface PaneScreen { readonly columns: number; readonly rows: number; /** Lines with scrollback. */ readonly length: number; readonly line: (index: number) => Line; readonly ended: boolean }

export interface Pane {
  readonly feed: (frame: TerminalFrame) => void;
  readonly ready: () => boolean;
  readonly screen: () => PaneScreen;
  readonly dispose: () => void;
}

const scrollback = 2_000;
const mostPending = 1 << 20;
const gapText = (bytes: number): string => `\u001b[0m\r\n\u001b[2m[… ${bytes} bytes are no longer kept …]\u001b[0m\r\n`;

export const openPane = async (size: { readonly columns: number; readonly rows: number }, onChange: () => void): Promise<Pane> => {
  const [{ default: headless }, { default: unicode11 }] = await Promise.all([import("@xterm/headless"), import("@xterm/addon-unicode11")]);
  const terminal = new headless.Terminal({ cols: size.columns, rows: size.rows, scrollback, allowProposedApi: true });
  terminal.loadAddon(new unicode11.Unicode11Addon());
  terminal.unicode.activeVersion = "11";
  let pending = 0;
  let ended = false;
  const write = (data: Uint8Array | string): void => {
    pending += data.length;
    terminal.write(data, () => {
      pending -= data.length;
      onChange();
    });
  };
  // Sizes change between writes only when those before them are through: an empty write's callback is in order.
  const inOrder = (change: () => void): void => terminal.write("", () => {
    change();
    onChange();
  });
  const resize = (columns: number, rows: number): void => terminal.resize(Math.max(2, columns), Math.max(1, rows));
  const scratch = terminal.buffer.active.getNullCell();
  return {
    feed: (frame) => {
      switch (frame.type) {
        case "keyframe":
          inOrder(() => {
            terminal.reset();
            resize(frame.columns, frame.rows);
          });
          write(frame.data);
          break;
        case "bytes": write(frame.data); break;
        case "gap": write(gapText(frame.to - frame.from)); break;
        case "resize": inOrder(() => resize(frame.columns, frame.rows)); break;
        case "ended": inOrder(() => { ended = true; }); break;
      }
    },
    ready: () => pending < mostPending,
    screen: () => ({
      columns: terminal.cols, rows: terminal.rows, length: lengthOf(terminal.buffer.active), ended,
      line: (index) => {
        const row = terminal.buffer.active.getLine(index);
        return row === undefined ? [] : lineOf(row, terminal.cols, scratch);
      },
    }),
    dispose: () => terminal.dispose(),
  };
};

/** Without the empty rows below the last thing written. */
const lengthOf = (buffer: IBuffer): number => {
  let length = buffer.length;
  while (length > buffer.baseY + buffer.cursorY + 1 && (buffer.getLine(length - 1)?.translateToString(true) ?? "") === "") length--;
  return length;
};

const lineOf = (row: IBufferLine, columns: number, scratch: IBufferCell): Line => {
  const spans: Span[] = [];
  let text = "";
  let style: Style = {};
  let key = "";
  for (let x = 0; x < columns; x++) {
    const cell = row.getCell(x, scratch);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const next = `${cell.getFgColorMode()} ${cell.getFgColor()} ${cell.getBgColorMode()} ${cell.getBgColor()} ${cell.isBold()} ${cell.isDim()} ${cell.isUnderline()} ${cell.isInverse()}`;
    if (next !== key && text !== "") {
      spans.push({ text, style });
      text = "";
    }
    if (next !== key) style = styleOf(cell);
    key = next;
    text += cell.isInvisible() ? " ".repeat(cell.getWidth()) : characterOf(cell.getChars(), cell.getWidth());
  }
  return text === "" ? spans : [...spans, { text, style }];
};

const characterOf = (characters: string, columns: number): string => {
  const safe = harmless(characters);
  if (safe === "") return " ".repeat(columns);
  if (widthOf(safe) === columns) return safe;
  const bare = safe.replaceAll("\ufe0f", "");
  const width = widthOf(bare);
  return width === columns ? bare : width < columns ? bare + " ".repeat(columns - width) : "·".repeat(columns);
};

const styleOf = (cell: IBufferCell): Style => {
  const fg = cell.isFgPalette() ? cell.getFgColor() : cell.isFgRGB() ? paletteOf(cell.getFgColor()) : cell.isDim() ? 244 : undefined;
  const bg = cell.isBgPalette() ? cell.getBgColor() : cell.isBgRGB() ? paletteOf(cell.getBgColor()) : undefined;
  return {
    ...(fg === undefined ? {} : { fg }), ...(bg === undefined ? {} : { bg }), ...(cell.isBold() ? { bold: true } : {}), ...(cell.isUnderline() ? { underline: true } : {}), ...(cell.isInverse() ? { inverse: true } : {}),
  };
};

const steps: readonly number[] = [0, 95, 135, 175, 215, 255];
const nearest = (value: number): number => steps.reduce((best, step, index) => (Math.abs(step - value) < Math.abs((steps[best] ?? 0) - value) ? index : best), 0);

/** The colour of the 256 that is nearest to a 24-bit one: the cube, or the greys where all three are alike. */
const paletteOf = (rgb: number): number => {
  const [red, green, blue] = [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255];
  if (Math.max(red, green, blue) - Math.min(red, green, blue) < 8 && red > 8 && red < 238) return 232 + Math.round((red - 8) / 10);
  return 16 + 36 * nearest(red) + 6 * nearest(green) + nearest(blue);
};
