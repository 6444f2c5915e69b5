import type { ClockShape } from "../src/ports/clock.ts";
import { openScreen, readSeatLog, type Screen, type SeatLogReader } from "../tmux/index.ts";
import { readSeat, type SeatFile } from "./seat-file.ts";
import type { TerminalFrame } from "../src/domain/terminal-frame.ts";

/**
 * Terminals as they are watched: the bytes of a seat's log to any number of viewers, each at its own pace.
 *
 * Owns: one feed a watched log (a reader, a short memory of recent bytes, a screen once somebody needs one). Talks to: the files of the log only, so it
 * needs no owner.
 *
 * I1 A viewer gets every byte once and in order, or is told: by a gap (rotated away) or by a keyframe (it was too slow, or came late).
 * I2 A viewer that takes nothing costs no memory: nothing is queued for it, what it missed is drawn as one keyframe.
 * I3 Memory is bounded a feed, whatever the number of viewers; nothing is held for a log that nobody watches.
 * I4 Frames of a viewer come at most once in `frameMs`, as many bytes at once as there are, up to `frameBytes`.
 */
export interface StreamOptions { readonly from?: number; readonly ready?: () => boolean }

const frameMs = 40;
const frameBytes = 128 * 1024;
/** Recent bytes that viewers share. */
const memoryBytes = 256 * 1024;
/** A viewer that is behind by more, and takes nothing, gets a keyframe instead. */
const slackBytes = 256 * 1024;
/** Of the log, from which a screen is drawn anew. */
const redrawBytes = 512 * 1024;
const keyframeLines = 200;
/** How often a seat is asked whether it has ended or changed its size, and a viewer that is not ready whether it is. */
const lookMs = 500;

interface Viewer {
  readonly ready: () => boolean;
  readonly onFrame: (frame: TerminalFrame) => void;
  /** The next byte it gets; undefined: it begins with a keyframe. */
  at: number | undefined;
  /** It reads old bytes from the files; those wait for it, however long. */
  catchingUp: boolean;
  busy: boolean;
  gone: boolean;
  columns: number;
  rows: number;
}

export class TerminalStreams {
  readonly #clock: ClockShape;
  readonly #feeds = new Map<string, Feed>();

  constructor(clock: ClockShape) {
    this.#clock = clock;
  }

  /** Follows the log in that directory. Returns how to stop. */
  watch(directory: string, options: StreamOptions, onFrame: (frame: TerminalFrame) => void): () => void {
    const feed = this.#feeds.get(directory) ?? new Feed(directory, this.#clock, () => { this.#feeds.delete(directory); });
    this.#feeds.set(directory, feed);
    const viewer: Viewer = { ready: options.ready ?? (() => true), onFrame, at: options.from, catchingUp: options.from !== undefined, busy: false, gone: false, columns: 0, rows: 0 };
    feed.add(viewer);
    return () => {
      if (viewer.gone) return;
      viewer.gone = true;
      feed.remove(viewer);
    };
  }

  /** Logs that are read just now; for tests and budgets. */
  get watched(): number { return this.#feeds.size; }
  get screens(): number { return [...this.#feeds.values()].filter((feed) => feed.hasScreen).length; }
}

class Feed {
  readonly #directory: string;
  readonly #clock: ClockShape;
  readonly #onClose: () => void;
  readonly #log: SeatLogReader;
  readonly #viewers = new Set<Viewer>();
  #screen: Screen | undefined;
  /** Where the screen stands. */
  #drawn = 0;
  /** Recent bytes, in order, up to `#position`. */
  #recent: { readonly offset: number; readonly data: Buffer }[] = [];
  #recentBytes = 0;
  #position = 0;
  #seat: SeatFile | undefined;
  #stopFollowing: (() => void) | undefined;
  #cancelFrame: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #closed = false;
  /** One after the other: opening, drawing. */
  #work: Promise<void>;

  constructor(directory: string, clock: ClockShape, onClose: () => void) {
    this.#directory = directory;
    this.#clock = clock;
    this.#onClose = onClose;
    this.#log = readSeatLog(directory);
    this.#seat = readSeat(directory);
    this.#work = this.#open();
    this.#armLook();
  }

  get hasScreen(): boolean { return this.#screen !== undefined; }

  add(viewer: Viewer): void {
    this.#viewers.add(viewer);
    viewer.columns = this.#columns;
    viewer.rows = this.#rows;
    // A viewer is never called before its `watch` has returned.
    void this.#work.then(() => this.#serve(viewer));
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0 && !this.#closed) this.#close();
  }

  get #columns(): number { return this.#seat?.columns ?? 120; }
  get #rows(): number { return this.#seat?.rows ?? 40; }

  #close(): void {
    this.#closed = true;
    this.#onClose();
    this.#stopFollowing?.();
    this.#cancelFrame?.();
    this.#cancelLook?.();
    this.#recent = [];
    void this.#work.then(() => this.#screen?.dispose());
  }

  async #open(): Promise<void> {
    const { to } = await this.#log.window().catch(() => ({ to: 0 }));
    this.#position = to;
    if (this.#closed) return;
    this.#stopFollowing = this.#log.follow(to, (data, offset) => this.#take(data, offset), (_, end) => { this.#position = end; });
  }

  #take(data: Buffer, offset: number): Promise<void> {
    this.#recent.push({ offset, data });
    this.#recentBytes += data.length;
    while (this.#recentBytes > memoryBytes && this.#recent.length > 1) this.#recentBytes -= this.#recent.shift()?.data.length ?? 0;
    this.#position = offset + data.length;
    this.#armFrame();
    return this.#inTurn(async () => {
      if (!this.#screen || offset < this.#drawn) return;
      await this.#screen.write(data);
      this.#drawn = offset + data.length;
    });
  }

  /** A step that fails ends by itself alone: the next change of the log reads and draws again. */
  #inTurn(what: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(() => (this.#closed ? undefined : what())).catch(() => undefined);
    return this.#work;
  }

  #armFrame(): void {
    this.#cancelFrame ??= this.#clock.at(this.#clock.now() + frameMs, () => {
      this.#cancelFrame = undefined;
      for (const viewer of this.#viewers) void this.#serve(viewer);
    });
  }

  #armLook(): void {
    this.#cancelLook = this.#clock.at(this.#clock.now() + lookMs, () => {
      this.#seat = readSeat(this.#directory) ?? this.#seat;
      if (this.#screen && (this.#screen.columns !== this.#columns || this.#screen.rows !== this.#rows)) this.#screen.resize(this.#columns, this.#rows);
      for (const viewer of this.#viewers) void this.#serve(viewer);
      if (!this.#closed) this.#armLook();
    });
  }

  /** Everything this viewer can take now. */
  async #serve(viewer: Viewer): Promise<void> {
    if (viewer.busy || viewer.gone || this.#closed) return;
    viewer.busy = true;
    try {
      await this.#give(viewer);
    } finally {
      viewer.busy = false;
    }
  }

  async #give(viewer: Viewer): Promise<void> {
    const isOver = (): boolean => viewer.gone || this.#closed;
    if (viewer.columns !== this.#columns || viewer.rows !== this.#rows) {
      viewer.columns = this.#columns;
      viewer.rows = this.#rows;
      viewer.onFrame({ type: "resize", columns: viewer.columns, rows: viewer.rows });
    }
    while (!isOver()) {
      if (!viewer.ready()) {
        // I2: a viewer that follows and falls behind is redrawn; one that reads old bytes is waited for.
        if (viewer.at !== undefined && !viewer.catchingUp && this.#position - viewer.at > slackBytes) viewer.at = undefined;
        return;
      }
      if (viewer.at === undefined) {
        await this.#redraw(viewer);
        continue;
      }
      if (viewer.at >= this.#position) {
        viewer.catchingUp = false;
        if (this.#seat?.state === "ended" && await this.#isAtEnd()) this.#end(viewer);
        return;
      }
      // A log that cannot be read now is read again at its next change; a viewer waits until then.
      const found = this.#remembered(viewer.at) ?? await this.#log.read(viewer.at, frameBytes).then(({ from, data }) => ({ offset: from, data })).catch(() => undefined);
      if (isOver() || !found || found.data.length === 0) return;
      if (found.offset > viewer.at) viewer.onFrame({ type: "gap", from: viewer.at, to: found.offset });
      viewer.at = found.offset + found.data.length;
      viewer.onFrame({ type: "bytes", offset: found.offset, data: found.data });
    }
  }

  /** Nothing was written since it was read last; a log that is gone gets no more. */
  async #isAtEnd(): Promise<boolean> {
    const window = await this.#log.window().catch(() => undefined);
    return window === undefined || window.to <= this.#position;
  }

  #end(viewer: Viewer): void {
    if (viewer.gone) return;
    viewer.gone = true;
    this.remove(viewer);
    viewer.onFrame({ type: "ended" });
  }

  /** Recent bytes from there on, as one piece. */
  #remembered(at: number): { readonly offset: number; readonly data: Buffer } | undefined {
    const first = this.#recent.findIndex(({ offset, data }) => offset <= at && at < offset + data.length);
    if (first < 0) return undefined;
    const parts: Buffer[] = [];
    let bytes = 0, next = at;
    for (const { offset, data } of this.#recent.slice(first)) {
      if (offset > next || bytes >= frameBytes) break;
      const part = data.subarray(next - offset);
      parts.push(part);
      bytes += part.length;
      next += part.length;
    }
    return { offset: at, data: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts) };
  }

  async #redraw(viewer: Viewer): Promise<void> {
    await this.#inTurn(async () => {
      const screen = this.#screen ?? await this.#draw();
      if (viewer.gone) return;
      viewer.at = this.#drawn;
      viewer.onFrame({ type: "keyframe", offset: this.#drawn, columns: screen.columns, rows: screen.rows, data: Buffer.from(screen.keyframe(keyframeLines), "utf8") });
    });
    // The feed closed, or the screen could not be made: its bytes are better than nothing.
    if (viewer.at === undefined && !viewer.gone && !this.#closed) viewer.at = this.#position;
  }

  /** A screen that shows the end of the log. It begins at the beginning of a line: our texts leave no colour on there. */
  async #draw(): Promise<Screen> {
    const screen = await openScreen({ columns: this.#columns, rows: this.#rows, scrollback: 1_000 });
    const { from } = await this.#log.window();
    const to = this.#position;
    let at = Math.max(from, to - redrawBytes), skips = at > from;
    while (at < to) {
      const { from: offset, data } = await this.#log.read(at, Math.min(frameBytes, to - at));
      if (data.length === 0) break;
      at = offset + data.length;
      const line = skips ? data.indexOf(10) + 1 : 0;
      skips = false;
      await screen.write(data.subarray(line));
    }
    this.#drawn = Math.max(at, to);
    this.#screen = screen;
    return screen;
  }
}
