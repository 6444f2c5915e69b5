/**
 * The files of a log. Segment n is `out.` and n in six digits, as `split -d -a 6` names them, and holds the bytes from n × segmentBytes on. A segment may end early when another
 * program took the log over: the bytes up to the next one were then never written. `current` links to the segment that the writer is at.
 */
import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { segmentBytes } from "./contract.ts";

export const currentName = "current";
export const segmentName = (index: number): string => `out.${String(index).padStart(6, "0")}`;
export const segmentFile = (directory: string, index: number): string => join(directory, segmentName(index));
export const segmentStart = (index: number): number => index * segmentBytes;
export const defaultKeep = 8;

export const errorCode = (error: unknown): string | undefined => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined);
export const isMissing = (error: unknown): boolean => errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR";

/** Numbers of the segments that are there, rising; none when the directory is not there. */
export const listSegments = async (directory: string): Promise<readonly number[]> => {
  try {
    return (await readdir(directory)).flatMap((name) => (/^out\.\d{6}$/.test(name) ? [Number(name.slice(4))] : [])).sort((a, b) => a - b);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
};

/** Undefined when the segment is not there. */
export const segmentSize = async (directory: string, index: number): Promise<number | undefined> => {
  try {
    return (await stat(segmentFile(directory, index))).size;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

/** The first segment that may begin after everything in segment `index`, which is of that size. */
export const segmentAfter = (index: number, size: number): number => index + Math.max(1, Math.ceil(size / segmentBytes));

/** Removes all but the newest `keep` segments of a log; returns how many went. */
export const trimSegments = async (directory: string, keep: number): Promise<number> => {
  const segments = await listSegments(directory);
  const newest = segments.at(-1) ?? 0;
  const old = segments.filter((index) => index <= newest - keep);
  for (const index of old) {
    try {
      await unlink(segmentFile(directory, index));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return old.length;
};
