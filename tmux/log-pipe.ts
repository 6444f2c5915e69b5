/**
 * The program that tmux pipes a pane's output into. GNU split cuts segments without any process of ours, writes what it reads at once, and begins at the segment we name. Without it
 * `cat` appends to one segment until whoever keeps the caps (terminals.ts) gives the pane a new pipe.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { segmentBytes } from "./contract.ts";
import { listSegments, segmentAfter, segmentName, segmentSize } from "./log-segments.ts";
import { shellPath } from "./quoting.ts";

export type LogPipe = "split" | "cat";

const splitFrom = (size: number, first: number): string => `split -b ${size} --numeric-suffixes=${first} -a 6`;

/** Finds out by running it. */
export const findLogPipe = async (directory: string, env: Readonly<Record<string, string>>): Promise<LogPipe> => {
  const scratch = await mkdtemp(join(directory, "probe-"));
  try {
    await execa("/bin/sh", ["-c", `exec ${splitFrom(2, 7)} - out.`], { input: "abc", cwd: scratch, env, extendEnv: false, reject: false, timeout: 5_000 });
    return (await readdir(scratch)).sort().join() === `${segmentName(7)},${segmentName(8)}` ? "split" : "cat";
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};

/** The segment that a new writer of the log begins with. */
const nextSegment = async (directory: string): Promise<number> => {
  const last = (await listSegments(directory)).at(-1);
  if (last === undefined) return 0;
  const size = await segmentSize(directory, last) ?? 0;
  return size === 0 ? last : segmentAfter(last, size);
};

/** The shell command for `pipe-pane`, inert in tmux's formats. */
export const logPipeCommand = async (pipe: LogPipe, directory: string): Promise<string> => {
  const first = await nextSegment(directory);
  return pipe === "split"
    ? `umask 077; exec ${splitFrom(segmentBytes, first)} - ${shellPath(join(directory, "out."))}`
    : `umask 077; exec cat >>${shellPath(join(directory, segmentName(first)))}`;
};
