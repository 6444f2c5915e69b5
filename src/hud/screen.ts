/**
 * A frame on a real terminal, through blessed, which sends only what changed.
 *
 * Owns the terminal between `openHudScreen` and `close`: alternate screen, raw mode, mouse reports, bracketed paste.
 *
 * I1 However it ends (quit, signal, crash), the terminal is as it was. I2 At most one frame every `frameMs`; a burst of changes costs two.
 * I3 Only rows that differ from what is shown are touched. I4 While suspended nothing is written and nothing is read.
 */
import { StringDecoder } from "node:string_decoder";
import type { ReadStream, WriteStream } from "node:tty";
import { graphemes, graphemeWidth } from "../client/text/width.ts";
import { cellFor, openScreen, type Row, type Screen } from "./blessed.ts";
import type { Frame, Size } from "./frame.ts";
import { type Input, inputReader } from "./input.ts";
import type { Line, Style } from "./line.ts";

export interface HudScreen {
  readonly size: () => Size;
  /** Something to show may have changed. */
  readonly invalidate: () => void;
  /** Leaves the screen to somebody else until the promise is settled. */
  readonly suspend: <T>(during: () => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

export interface HudScreenOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly colour: boolean;
  readonly draw: (size: Size) => Frame;
  readonly onInput: (input: Input) => void;
}

/** 20 frames a second. */
const frameMs = 50;
/** A lone escape is a key when nothing follows it for so long. */
const escapeMs = 40;

const modesOn = "\u001b[?1000h\u001b[?1006h\u001b[?2004h";
const modesOff = "\u001b[?2004l\u001b[?1006l\u001b[?1000l";

export const openHudScreen = async (options: HudScreenOptions): Promise<HudScreen> => {
  const { input, output } = options;
  const screen = await openScreen({ input, output });
  // blessed leaves the screen on its own ways too: at the end of the process, after a crash (I1).
  const blessedLeave = screen.leave.bind(screen);
  screen.leave = () => {
    screen.program._write(modesOff);
    blessedLeave();
  };

  let shown: readonly Line[] = [];
  /** Rows with a pinned character on the screen. */
  let pinnedRows: ReadonlySet<number> = new Set();
  let drawnAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let resting = false;
  let closed = false;

  const size = (): Size => ({ columns: screen.program.cols, rows: screen.program.rows });
  const draw = (): void => {
    timer = undefined;
    if (resting || closed) return;
    drawnAt = performance.now();
    const frame = options.draw(size());
    pinnedRows = paint(screen, shown, frame.lines, pinnedRows, options.colour);
    shown = frame.lines;
    screen.render();
    const { program } = screen;
    if (frame.cursor === null) {
      if (!program.cursorHidden) program.hideCursor();
    } else {
      program.cup(frame.cursor.y, frame.cursor.x);
      if (program.cursorHidden) program.showCursor();
    }
  };
  const invalidate = (): void => {
    if (timer === undefined && !resting && !closed) timer = setTimeout(draw, Math.max(0, drawnAt + frameMs - performance.now()));
  };

  const reader = inputReader();
  const decoder = new StringDecoder("utf8");
  let escape: NodeJS.Timeout | undefined;
  const tell = (inputs: readonly Input[]): void => inputs.forEach(options.onInput);
  const onData = (chunk: Buffer | string): void => {
    if (resting) return;
    clearTimeout(escape);
    tell(reader.read(typeof chunk === "string" ? chunk : decoder.write(chunk)));
    if (reader.pending()) escape = setTimeout(() => tell(reader.flush()), escapeMs);
  };
  const listen = (): void => {
    input.setRawMode(true);
    input.on("data", onData);
    input.resume();
    screen.program._write(modesOn);
  };
  const deaf = (): void => {
    clearTimeout(escape);
    input.off("data", onData);
    input.setRawMode(false);
    input.pause();
  };
  screen.program.on("resize", () => {
    // blessed has forgotten what it showed.
    shown = [];
    clearTimeout(timer);
    draw();
  });
  listen();
  draw();

  return {
    size,
    invalidate,
    suspend: async (during) => {
      resting = true;
      clearTimeout(timer);
      timer = undefined;
      deaf();
      screen.leave();
      try {
        return await during();
      } finally {
        screen.enter();
        resting = false;
        shown = [];
        listen();
        draw();
      }
    },
    close: () => {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      deaf();
      screen.destroy();
    },
  };
};

const same = (a: Line | undefined, b: Line): boolean =>
  a === b || (a !== undefined && a.length === b.length && a.every((each, index) => {
    const other = b[index];
    return other !== undefined && each.text === other.text && (each.style === other.style || attributeOf(each.style, true) === attributeOf(other.style, true));
  }));

/** The rows that have a pinned character now. */
const paint = (screen: Screen, before: readonly Line[], now: readonly Line[], pinnedBefore: ReadonlySet<number>, colour: boolean): ReadonlySet<number> => {
  const pinnedNow = new Set<number>();
  for (const [y, row] of screen.lines.entries()) {
    const next = now[y] ?? [];
    const last = before[y];
    if (last !== undefined && same(last, next)) {
      if (pinnedBefore.has(y)) pinnedNow.add(y);
      continue;
    }
    if (fill(row, next, colour)) pinnedNow.add(y);
    row.dirty = true;
    // A terminal that draws such a character wider may have overwritten what is behind it: all of the row is sent again.
    const old = screen.olines[y];
    if (old !== undefined && (pinnedNow.has(y) || pinnedBefore.has(y))) for (const cell of old) cell[0] = -1;
  }
  return pinnedNow;
};

/** Puts a line into the cells of a row. True when one of them is pinned. */
const fill = (row: Row, spans: Line, colour: boolean): boolean => {
  let x = 0;
  let pinned = false;
  const put = (attribute: number, character: string): void => {
    const cell = row[x++];
    if (cell === undefined) return;
    cell[0] = attribute;
    cell[1] = character;
  };
  for (const { text, style } of spans) {
    const attribute = attributeOf(style, colour);
    for (const grapheme of graphemes(text)) {
      const width = graphemeWidth(grapheme);
      if (width === 0) continue;
      if (x + width > row.length) break;
      const cell = cellFor(grapheme, width, x);
      pinned ||= cell.length > grapheme.length;
      put(attribute, cell);
      // blessed passes over the cell behind a wide character.
      if (width === 2) put(attribute, "\u0000");
    }
  }
  while (x < row.length) put(plain, " ");
  return pinned;
};

const own = 0x1ff;
const plain = (own << 9) | own;
const attributeOf = ({ fg, bg, bold, underline, inverse }: Style, colour: boolean): number =>
  (((bold === true ? 1 : 0) | (underline === true ? 2 : 0) | (inverse === true ? 8 : 0)) << 18) | ((colour && fg !== undefined ? fg : own) << 9) | (colour && bg !== undefined ? bg : own);
