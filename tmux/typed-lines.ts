/** What people typed into viewers (viewer-script.ts appends it). */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "./log-segments.ts";
import { printable } from "./sanitise.ts";

export const typedName = "typed";
const chunkBytes = 64 * 1024;

export const readTyped = async (directory: string, from: number): Promise<{ readonly lines: readonly string[]; readonly to: number }> => {
  try {
    await using file = await open(join(directory, typedName), "r");
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, from);
    // A line of a terminal is shorter than a chunk, so every chunk that is full holds the end of one.
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1;
    const lines = buffer.toString("utf8", 0, end).split("\n").slice(0, -1).map(printable).filter((line) => line.trim() !== "");
    return { lines, to: from + end };
  } catch (error) {
    if (isMissing(error)) return { lines: [], to: from };
    throw error;
  }
};
