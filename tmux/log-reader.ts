/**
 * Readers of a log. They look at the files only, so the writer may be `SeatLog`, `split`, or a process that is gone.
 *
 * I1 Every byte position is told once and in order: as bytes, or within a gap (rotated away, or never written because the log was taken over).
 * I2 A follower holds one chunk: nothing is read while its consumer is busy.
 * I3 fs.watch only makes it quick; without it (no inotify instance left, a file system that tells nothing) the slow look finds everything.
 */
import { readSync, watch, type FSWatcher } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { type LogWindow, type SeatLogReader, segmentBytes } from "./contract.ts";
import { isMissing, listSegments, segmentFile, segmentName, segmentSize, segmentStart } from "./log-segments.ts";

const chunkBytes = 64 * 1024;
/** Changes that come this close together are one wake. */
const gatherMs = 8;
/** How often a log is looked at that tells of nothing by itself, and one that does. */
const lookMs = 500, watchedLookMs = 2_000;

/**
 * Chunks are read into borrowed memory and copied out in their true size: most are far smaller. Read at once: what was just written is in the system's cache, and handing each small read
 * to another thread cost a fifth of the whole CPU of a client of 200 panes.
 */
const borrowed = Buffer.allocUnsafeSlow(chunkBytes);
const readChunk = (file: FileHandle, position: number, max: number): Buffer => {
  const bytesRead = readSync(file.fd, borrowed, 0, Math.min(max, chunkBytes), position);
  return Buffer.from(borrowed.subarray(0, bytesRead));
};

const openSegment = async (directory: string, index: number): Promise<FileHandle | undefined> => {
  try {
    return await open(segmentFile(directory, index), "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

const windowOf = async (directory: string): Promise<LogWindow> => {
  for (;;) {
    const segments = await listSegments(directory);
    const first = segments[0], last = segments.at(-1);
    if (first === undefined || last === undefined) return { from: 0, to: 0 };
    const size = await segmentSize(directory, last);
    // Rotated away meanwhile.
    if (size !== undefined) return { from: segmentStart(first), to: segmentStart(last) + size };
  }
};

/** Walks through a log chunk by chunk, from one position on. */
const walk = (directory: string, from: number) => {
  let position = from;
  let at: { readonly index: number; readonly file: FileHandle } | undefined;

  const enter = async (index: number): Promise<boolean> => {
    const file = await openSegment(directory, index);
    if (file) at = { index, file };
    return file !== undefined;
  };
  const leave = async (): Promise<void> => {
    const left = at;
    at = undefined;
    await left?.file.close();
  };
  const gapTo = (to: number): { readonly gap: LogWindow } => {
    const gap = { from: position, to };
    position = to;
    return { gap };
  };

  /** The next bytes or the next gap; undefined: nothing is there now. `thorough`: looks for a later segment although this one has room left. */
  const next = async (max: number, thorough: boolean): Promise<{ readonly data: Buffer; readonly offset: number } | { readonly gap: LogWindow } | undefined> => {
    for (;;) {
      if (!at) {
        const segments = await listSegments(directory);
        const index = segments.findLast((each) => segmentStart(each) <= position) ?? segments[0];
        if (index === undefined) return undefined;
        if (!await enter(index)) continue;
        if (segmentStart(index) > position) return gapTo(segmentStart(index));
      }
      const here = at;
      if (!here) continue;
      const readHere = () => {
        const data = readChunk(here.file, position - segmentStart(here.index), max);
        position += data.length;
        return data.length > 0 ? { data, offset: position - data.length } : undefined;
      };
      const found = readHere();
      if (found) return found;
      if (!thorough && position < segmentStart(here.index) + segmentBytes) return undefined;
      const later = (await listSegments(directory)).find((index) => index > here.index);
      if (later === undefined) return undefined;
      // Nothing is written to a segment once there is a later one; what came before that is read first.
      const rest = readHere();
      if (rest) return rest;
      await leave();
      if (!await enter(later)) continue;
      if (segmentStart(later) > position) return gapTo(segmentStart(later));
    }
  };
  return { next, leave, here: (): string | undefined => at && segmentName(at.index) };
};

export const readSeatLog = (directory: string): SeatLogReader => ({
  directory,
  window: () => windowOf(directory),

  read: async (from, max) => {
    const { next, leave } = walk(directory, from);
    try {
      let position = from;
      for (;;) {
        const found = await next(max, true);
        if (!found) return { from: position, data: Buffer.alloc(0) };
        if ("data" in found) return { from: found.offset, data: found.data };
        position = found.gap.to;
      }
    } finally {
      await leave();
    }
  },

  follow: (from, onBytes, onGap) => {
    const { next, leave, here } = walk(directory, from);
    let stopped = false, running = false, changed = true, thorough = true;
    let gathering: NodeJS.Timeout | undefined;
    let watcher: FSWatcher | undefined;

    const run = async (): Promise<void> => {
      running = true;
      try {
        while (changed && !stopped) {
          const all = thorough;
          changed = thorough = false;
          for (;;) {
            const found = await next(chunkBytes, all).catch(() => undefined); // Tried again at the next look.
            if (!found || stopped) break;
            if ("gap" in found) onGap(found.gap.from, found.gap.to);
            else await onBytes(found.data, found.offset);
            if (stopped) break;
            // A read that gave less than was asked for reached the end: what comes later changes the file and wakes again.
            if (!all && "data" in found && found.data.length < chunkBytes && (found.offset + found.data.length) % segmentBytes !== 0) break;
          }
        }
      } finally {
        running = false;
        if (stopped) await leave();
      }
    };
    const wake = (): void => {
      changed = true;
      if (!running && !stopped) void run();
    };
    const gather = (name: string | null): void => {
      // Another file than the one that grows: perhaps a later segment.
      if (name !== here()) thorough = true;
      gathering ??= setTimeout(() => {
        gathering = undefined;
        wake();
      }, gatherMs);
    };
    const listen = (): void => {
      try {
        watcher = watch(directory, { persistent: false }, (_event, name) => gather(name));
        watcher.on("error", () => {
          watcher?.close();
          watcher = undefined;
        });
      } catch {
        // Not there yet, or no watch to be had: the slow look tries again.
      }
    };
    let looking: NodeJS.Timeout | undefined;
    const look = (): void => {
      looking = setTimeout(() => {
        if (!watcher) listen();
        thorough = true;
        wake();
        look();
      }, watcher ? watchedLookMs : lookMs);
      looking.unref();
    };
    listen();
    look();
    wake();

    return () => {
      if (stopped) return;
      stopped = true;
      clearTimeout(gathering);
      clearTimeout(looking);
      watcher?.close();
      if (!running) void leave();
    };
  },
});
