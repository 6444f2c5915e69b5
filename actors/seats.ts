import { mkdirSync } from "node:fs";
import type { RunId, WorkItemId } from "../src/domain/ids.ts";
import { noteText } from "../src/domain/agent-text.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import { openSeatLog, readSeatLog, type SeatLog } from "../tmux/index.ts";
import { directoryOf, readSeat, readSeats, type SeatFile, type SeatPlace, writeSeat } from "./seat-file.ts";

/**
 * Where agents can be watched: one seat an address, with a log of everything its agents' turns looked like.
 *
 * Owns: the seat directories and, while a run is open, the writer of its log. Talks to: the terminal fabric (logs), turns (text).
 *
 * I1 The log is the text of its runs, one after the other, byte for byte, whatever killed the owner in between: where a run's text begins is noted
 * before its first byte, a run that is taken up again gives its whole text again, and only what lies beyond the end of the log is appended.
 * I2 What is not in a run's output (remarks) is noted with its place before it is written, so the text is the same every time.
 * I3 Nothing here ends or holds up a turn for good: a full disk costs text of the log, which is completed when there is room.
 * I4 What waits in memory is bounded.
 */
export interface SeatsOptions {
  /** Holds one directory a seat. */
  readonly root: string;
  readonly clock: ClockShape;
  /** Said once for each kind of trouble. */
  readonly onTrouble: (text: string) => void;
  readonly open?: (directory: string) => Promise<SeatLog>;
}

export interface SeatRequest extends SeatPlace {
  readonly address: string;
  readonly adapter: string;
  readonly runId: RunId;
  /** The run draws its own screen: nothing is written here. */
  readonly screen?: boolean;
}

/** The text of one run. Calls come in the order of the run's output. */
export interface SeatRun {
  /** So many lines of output were read: remarks that belong here are written. */
  readonly advance: (lines: number) => void;
  readonly write: (text: string) => void;
  /** A remark of the factory, once a run. */
  readonly note: (text: string) => void;
  /** Waits while more text waits than is good for memory. */
  readonly room: () => Promise<void> | undefined;
  /** The text is over, or what follows is left to the next owner. False: the log lacks some of it; beginning the run again and giving its text once more completes it. */
  readonly settle: (how: "over" | "left") => Promise<boolean>;
}

export const defaultSize = { columns: 120, rows: 40 } as const;

/** Bytes that may wait before a reader is asked to wait. */
const roomBytes = 256 * 1024;
/** Bytes that wait while the log does not take them; beyond that they are left to a second pass. */
const patienceBytes = 1024 * 1024;
const retryMs = 1_000;
/** Remarks of one run. */
const noteCap = 100;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Seats {
  readonly #options: SeatsOptions;
  readonly #open = new Map<string, OpenRun>();
  readonly #told = new Set<string>();
  readonly #watchers = new Set<() => void>();

  constructor(options: SeatsOptions) {
    this.#options = options;
  }

  get root(): string { return this.#options.root; }

  /** Called after a seat came to be, or changed its state. Returns how to stop. */
  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => { this.#watchers.delete(onChange); };
  }

  /** Opens the seat for a run, which may be one that was begun before. Never rejects (I3). */
  async begin(request: SeatRequest): Promise<SeatRun> {
    const directory = directoryOf(this.#options.root, request);
    await this.#open.get(directory)?.settle("left");
    const run = new OpenRun({
      directory, request, clock: this.#options.clock, open: request.screen === true ? drawnByItself : (this.#options.open ?? openSeatLog),
      trouble: (error) => this.#trouble(request.address, error),
      closed: () => {
        if (this.#open.get(directory) === run) this.#open.delete(directory);
        this.#changed();
      },
    });
    this.#open.set(directory, run);
    await run.begin();
    this.#changed();
    return run;
  }

  /** Notes that lines typed into the viewer were taken, up to this byte. */
  noteTyped(directory: string, to: number): void {
    this.#change(directory, (file) => ({ ...file, typed: to }));
  }

  /** Notes that nobody will work there any more. */
  end(directory: string): void {
    if (!this.#open.has(directory)) this.#change(directory, (file) => ({ ...file, state: "ended" }));
  }

  /** A run is open there. */
  isOpen(directory: string): boolean { return this.#open.has(directory); }

  /** Notes that an item has ended, with all its seats. */
  endItem(item: WorkItemId): void {
    for (const { directory, file } of readSeats(this.#options.root)) if (file.item === item && file.state !== "ended") this.end(directory);
  }

  /** Lets what waits reach the logs. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((run) => run.settle("left")));
  }

  #change(directory: string, change: (file: SeatFile) => SeatFile): void {
    const file = readSeat(directory);
    if (!file) return;
    try {
      writeSeat(directory, change(file));
    } catch (error) {
      this.#trouble(file.address, error);
    }
    this.#changed();
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #trouble(address: string, error: unknown): void {
    const text = messageOf(error), kind = typeof error === "object" && error !== null && "code" in error ? String(error.code) : text;
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#options.onTrouble(`the terminal of ${address} cannot be written: ${text}; its agent works on, and the text is completed when that is mended`);
  }
}

/** A log that the terminal fabric writes: text of ours would only be in its way. */
const drawnByItself = async (directory: string): Promise<SeatLog> => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { to } = await readSeatLog(directory).window();
  return { directory, size: () => to, append: async (data) => ({ written: data.length, to }), close: async () => {} };
};

interface RunParts {
  readonly directory: string;
  readonly request: SeatRequest;
  readonly clock: ClockShape;
  readonly open: (directory: string) => Promise<SeatLog>;
  readonly trouble: (error: unknown) => void;
  readonly closed: () => void;
}

class OpenRun implements SeatRun {
  readonly #parts: RunParts;
  #log: SeatLog | undefined;
  #file: SeatFile | undefined;
  /** Offset of the next byte of the run's text. */
  #at = 0;
  /** Offset that the next byte gets which is handed to the log. */
  #end = 0;
  #lines = 0;
  /** Remarks of an earlier owner that were not come to yet. */
  #earlier: readonly { readonly at: number; readonly text: string }[] = [];
  /** Remarks that must not be put where the log has text already (I2). */
  #late: string[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #pumping: Promise<void> | undefined;
  #draining = false;
  #failing = false;
  /** Text was dropped, or never begun. */
  #behind = false;
  #settled: Promise<boolean> | undefined;
  #wakes: (() => void)[] = [];
  #cancelRetry: (() => void) | undefined;

  constructor(parts: RunParts) {
    this.#parts = parts;
  }

  async begin(): Promise<void> {
    const { directory, request, clock } = this.#parts;
    try {
      const log = await this.#parts.open(directory);
      const known = readSeat(directory);
      const { item, team, seat, adapter, address, runId, screen = false } = request;
      const run = known?.run.id === runId ? known.run : { id: runId, begin: log.size(), notes: [] };
      const file: SeatFile = { address, item, team, seat, adapter, state: "running", columns: known?.columns ?? defaultSize.columns, rows: known?.rows ?? defaultSize.rows, screen, run, typed: known?.typed ?? 0, updatedAt: clock.now() };
      // I1: before the first byte.
      writeSeat(directory, file);
      this.#log = log;
      this.#file = file;
      this.#earlier = run.notes;
      this.#at = run.begin;
      this.#end = log.size();
    } catch (error) {
      this.#behind = true;
      this.#parts.trouble(error);
    }
  }

  advance(lines: number): void {
    this.#lines = lines;
    const due = this.#earlier.filter(({ at }) => at <= lines);
    this.#earlier = this.#earlier.slice(due.length);
    for (const { text } of due) this.write(noteText(text));
    if (this.#late.length === 0 || this.#at < this.#end) return;
    for (const text of this.#late.splice(0)) this.note(text);
  }

  note(text: string): void {
    const file = this.#file;
    if (!file || file.run.notes.some((note) => note.text === text) || this.#late.includes(text)) return;
    if (file.run.notes.length >= noteCap) return;
    if (this.#at < this.#end) {
      this.#late.push(text);
      return;
    }
    const next: SeatFile = { ...(readSeat(this.#parts.directory) ?? file), run: { ...file.run, notes: [...file.run.notes, { at: this.#lines, text }].toSorted((a, b) => a.at - b.at) } };
    try {
      writeSeat(this.#parts.directory, next);
    } catch (error) {
      // A remark is not worth a text that could not be given again.
      this.#parts.trouble(error);
      return;
    }
    this.#file = next;
    this.write(noteText(text));
  }

  write(text: string): void {
    if (text === "" || this.#behind || this.#settled) return;
    const bytes = Buffer.from(text, "utf8");
    const known = Math.min(bytes.length, Math.max(0, this.#end - this.#at));
    this.#at += bytes.length;
    if (known === bytes.length) return;
    if (this.#failing && this.#pendingBytes > patienceBytes) {
      this.#drop();
      return;
    }
    const fresh = bytes.subarray(known);
    this.#pending.push(fresh);
    this.#pendingBytes += fresh.length;
    this.#end += fresh.length;
    if (!this.#failing) this.#pump();
  }

  room(): Promise<void> | undefined {
    if (this.#pendingBytes <= roomBytes || this.#failing) return undefined;
    return new Promise((wake) => { this.#wakes.push(wake); });
  }

  settle(how: "over" | "left"): Promise<boolean> {
    this.#settled ??= this.#settle(how);
    return this.#settled;
  }

  async #settle(how: "over" | "left"): Promise<boolean> {
    this.#cancelRetry?.();
    await this.#pumping;
    if (this.#failing) {
      this.#failing = false;
      this.#cancelRetry?.();
      this.#pump();
      await this.#pumping;
    }
    if (this.#pendingBytes > 0) this.#drop();
    this.#cancelRetry?.();
    await this.#log?.close();
    const { directory, clock } = this.#parts;
    try {
      const file = readSeat(directory);
      if (how === "over" && file && file.run.id === this.#parts.request.runId) writeSeat(directory, { ...file, state: "idle", updatedAt: clock.now() });
    } catch (error) {
      this.#parts.trouble(error);
    }
    this.#parts.closed();
    return !this.#behind;
  }

  /** I4: the rest of the text is left to a second pass. */
  #drop(): void {
    this.#behind = true;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#wakes.splice(0)) wake();
  }

  #pump(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#pumping = this.#drain();
  }

  async #drain(): Promise<void> {
    // What is written in this turn of the event loop goes in one piece.
    await Promise.resolve();
    while (this.#pendingBytes > 0 && !this.#behind) {
      const chunk = this.#pending.length === 1 && this.#pending[0] ? this.#pending[0] : Buffer.concat(this.#pending);
      this.#pending = [];
      const { written, error } = (await this.#log?.append(chunk)) ?? { written: 0, error: new Error("the log is not open") };
      if (this.#behind) break;
      this.#pendingBytes -= written;
      if (written < chunk.length) this.#pending.unshift(chunk.subarray(written));
      if (error) this.#wait(error);
      if (error || this.#pendingBytes <= roomBytes) this.#wake();
      if (error) return;
    }
    this.#draining = false;
  }

  /** The log takes nothing now. */
  #wait(error: unknown): void {
    this.#failing = true;
    this.#draining = false;
    this.#parts.trouble(error);
    const { clock } = this.#parts;
    this.#cancelRetry = clock.at(clock.now() + retryMs, () => {
      this.#failing = false;
      this.#pump();
    });
  }
}
