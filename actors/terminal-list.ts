import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { plainText } from "../src/domain/plain-text.ts";
import { readSeatLog } from "../tmux/index.ts";
import { paneOf, readSeats, type SeatFile, type SeatRow, sessionOf } from "./seat-file.ts";

/** A seat as it can be told from its files alone, by any process. */
export interface SeatState {
  readonly directory: string;
  readonly session: string;
  readonly pane: string;
  readonly file: SeatFile;
  readonly size: number;
  readonly from: number;
  readonly lastLine: string;
  readonly updatedAt: number;
}

/** Bytes in which the last line is looked for. */
const tailBytes = 4 * 1024;
const lineCap = 200;

const lastLineOf = (bytes: Buffer): string => {
  const line = plainText(bytes.toString("utf8")).split("\n").findLast((each) => each.trim() !== "")?.trim() ?? "";
  return line.length > lineCap ? `${line.slice(0, lineCap - 1).toWellFormed()}…` : line;
};

/** Tells what seats there are; remembers their last lines, so that asking again costs little. */
export const seatLister = (root: string): (() => Promise<readonly SeatState[]>) => {
  const lines = new Map<string, { readonly to: number; readonly line: string }>();
  const state = async ({ directory, file }: SeatRow): Promise<SeatState> => {
    const log = readSeatLog(directory), { from, to } = await log.window();
    const known = lines.get(directory);
    const line = known?.to === to ? known.line : lastLineOf((await log.read(Math.max(from, to - tailBytes), tailBytes)).data);
    lines.set(directory, { to, line });
    const current = join(directory, "current");
    const written = existsSync(current) ? (statSync(current, { throwIfNoEntry: false })?.mtimeMs ?? 0) : 0;
    return { directory, session: sessionOf(file), pane: paneOf(file), file, size: to, from, lastLine: line, updatedAt: Math.max(file.updatedAt, Math.round(written)) };
  };
  return async () => {
    const rows = readSeats(root);
    const present = new Set(rows.map(({ directory }) => directory));
    for (const directory of lines.keys()) if (!present.has(directory)) lines.delete(directory);
    // A seat that is removed while it is looked at is none.
    return (await Promise.all(rows.map((row) => state(row).catch(() => undefined)))).filter((each) => each !== undefined);
  };
};

/** For messages about a seat. */
export const nameOf = (directory: string): string => basename(directory);
