/**
 * The writer of a log.
 *
 * Owns: the segments `out.NNNNNN` and the link `current` of one directory. Talks to: nobody; readers look at the files.
 *
 * I1 Bytes are appended in order of calls, each once; what is written is never written again, moved or shortened.
 * I2 A segment of ours but the newest holds exactly segmentBytes; `current` always leads to a segment that is there.
 * I3 Nothing about the log lives in memory only: whoever opens the directory next goes on at its last byte.
 * I4 A failed append says how many bytes it wrote, and appends that were waiting behind it fail with none, so that the caller can go on without a hole.
 *
 * Nothing is flushed to the disk: after a power cut the newest bytes may be gone.
 */
import { mkdir, open, rename, rm, symlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { type Appended, type SeatLog, type SeatLogOptions, segmentBytes } from "./contract.ts";
import { currentName, defaultKeep, listSegments, segmentAfter, segmentFile, segmentName, segmentSize, segmentStart, trimSegments } from "./log-segments.ts";

const asError = (cause: unknown): NodeJS.ErrnoException => (cause instanceof Error ? cause : new Error(String(cause)));

/** Where the next byte goes. */
const endOf = async (directory: string): Promise<{ readonly index: number; readonly used: number }> => {
  const index = (await listSegments(directory)).at(-1);
  const used = index === undefined ? undefined : await segmentSize(directory, index);
  if (index === undefined || used === undefined) return { index: 0, used: 0 };
  return used < segmentBytes ? { index, used } : { index: segmentAfter(index, used), used: 0 };
};

export const openSeatLog = async (directory: string, options: SeatLogOptions = {}): Promise<SeatLog> => {
  const keep = Math.max(2, options.keep ?? defaultKeep);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let { index, used } = await endOf(directory);
  let file: FileHandle | undefined;
  let failures = 0;
  let failure: NodeJS.ErrnoException | undefined;
  const size = (): number => segmentStart(index) + used;

  const enter = async (): Promise<FileHandle> => {
    file = await open(segmentFile(directory, index), "a", 0o600);
    const link = join(directory, `.${currentName}`);
    await rm(link, { force: true });
    await symlink(segmentName(index), link);
    await rename(link, join(directory, currentName));
    await trimSegments(directory, keep);
    return file;
  };
  const leave = async (): Promise<void> => {
    const left = file;
    file = undefined;
    await left?.close();
  };

  const write = async (data: Uint8Array): Promise<Appended> => {
    let written = 0;
    try {
      while (written < data.length) {
        if (used === segmentBytes) {
          await leave();
          index += 1;
          used = 0;
        }
        const { bytesWritten } = await (file ?? await enter()).write(data, written, Math.min(segmentBytes - used, data.length - written));
        if (bytesWritten === 0) throw new Error("the file takes no more bytes");
        used += bytesWritten;
        written += bytesWritten;
      }
      return { written, to: size() };
    } catch (cause) {
      failures += 1;
      failure = asError(cause);
      // A segment that was opened but whose link could not be made is entered anew.
      await leave().catch(() => undefined);
      return { written, to: size(), error: failure };
    }
  };

  // A disk that is full already is said by the first append.
  await enter().catch(leave);
  let last: Promise<unknown> = Promise.resolve();
  return {
    directory, size,
    append: (data) => {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const known = failures;
      const mine = last.then((): Appended | Promise<Appended> => (failures !== known && failure ? { written: 0, to: size(), error: failure } : write(bytes)));
      last = mine;
      return mine;
    },
    close: async () => {
      await last;
      await leave();
    },
  };
};
