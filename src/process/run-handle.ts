/** One run as its owner holds it: reads its files, signals its group, sweeps what is left. Holds nothing that another owner would need (I5). */
import { closeSync, constants, openSync, statSync, writeSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Effect, Option, Stream } from "effect";
import { groupIsOurs, isDying, isSame, lives, type MarkedGroup, membersOf, type ProcessRow, scan, scanTogether, sendSignal } from "../../tmux/process-table.ts";
import type { RunId } from "../domain/ids.ts";
import { type OutputLine, type RunExit, type RunHandle, RunIo } from "../ports/agent-process.ts";
import { lineCutter } from "./output-lines.ts";
import { claimInput, firstInputFed, launcherLives, launcherPid, readExit, readIfThere, readSpec, type RunPaths } from "./run-directory.ts";
import type { RunWatch } from "./run-watch.ts";

/** Bytes read from `out` at once: also the most that waits in memory for a slow reader, one long line aside. */
const readBytes = 128 * 1024;
/** Bytes of `err` that an error message may quote. */
const errorTailBytes = 8 * 1024;
/** A write of at most this size to a FIFO happens whole or not at all (POSIX's least PIPE_BUF is 512, Linux and macOS have 4096 and 512). */
const atomicWrite = 512;
/** An agent that reads nothing for this long will not get the message. */
const writePatienceMs = 10_000;
const writePauseMs = 20;
/** A process in uninterruptible sleep outlives SIGKILL; after this many fruitless rounds the sweep reports and leaves it. */
const sweepRounds = 100;
const sweepPauseMs = 20;

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
const codeOf = (cause: unknown): string | undefined => (cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined);

const openIfThere = async (file: string): Promise<FileHandle | undefined> => {
  try {
    return await open(file, "r");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw cause;
  }
};

export interface HandleParts { readonly runId: RunId; readonly paths: RunPaths; readonly mark: string; readonly watch: RunWatch; readonly adopted: boolean; readonly lineCap: number }

export const runHandle = ({ runId, paths, mark, watch, adopted, lineCap }: HandleParts): RunHandle => {
  const io = <A>(what: () => Promise<A>): Effect.Effect<A, RunIo> =>
    Effect.tryPromise({ try: what, catch: (cause) => new RunIo({ runId, message: reason(cause) }) });
  const identity = (): MarkedGroup => ({ mark, leader: launcherPid(paths), leaderLives: launcherLives(paths) });
  const members = async (): Promise<readonly ProcessRow[]> => membersOf(await scan(), identity());

  let ended: RunExit | undefined;
  const look = Effect.try({ try: () => (ended ??= readExit(paths)), catch: (cause) => new RunIo({ runId, message: reason(cause) }) });

  const exit: Effect.Effect<RunExit, RunIo> = Effect.gen(function* () {
    for (;;) {
      const seen = watch.changes();
      const found = yield* look;
      if (found) return found;
      yield* watch.changed(seen);
    }
  });

  const lines = (from: number): Stream.Stream<OutputLine, RunIo> => Stream.unwrap(Effect.gen(function* () {
    let file: Promise<FileHandle | undefined> = Promise.resolve(undefined);
    // Waits for an opening under way: a reader may be interrupted in the middle of it.
    // A file that could not be opened was said by the read, and has nothing to close.
    yield* Effect.addFinalizer(() => Effect.promise(async () => (await file.catch(() => undefined))?.close()));
    const cutter = lineCutter(from, lineCap);
    const buffer = Buffer.allocUnsafe(readBytes);
    let position = from;
    const read = io(async () => {
      if (!(await file)) file = openIfThere(paths.out);
      const { bytesRead } = (await (await file)?.read(buffer, 0, readBytes, position)) ?? { bytesRead: 0 };
      position += bytesRead;
      return bytesRead;
    });
    return Stream.paginate(undefined, () => Effect.gen(function* () {
      for (;;) {
        // The end is looked at before the bytes: what was written before it is then read for certain.
        const seen = watch.changes();
        const over = ended ?? (yield* look);
        const bytes = yield* read;
        if (bytes > 0) return [cutter.push(buffer.subarray(0, bytes)), Option.some(undefined)] as const;
        if (over) return [cutter.flush(), Option.none<undefined>()] as const;
        yield* watch.changed(seen);
      }
    }));
  }));

  const size = Effect.try({
    try: () => statSync(paths.out, { throwIfNoEntry: false })?.size ?? 0,
    catch: (cause) => new RunIo({ runId, message: reason(cause) }),
  });

  const errorTail = io(async () => {
    const file = await openIfThere(paths.err);
    if (!file) return readIfThere(paths.launcherLog)?.slice(-errorTailBytes) ?? "";
    try {
      const { size } = await file.stat();
      const start = Math.max(0, size - errorTailBytes);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(errorTailBytes), 0, errorTailBytes, start);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  });

  const signal = (name: "SIGINT" | "SIGTERM" | "SIGKILL"): Effect.Effect<void> => Effect.promise(async () => {
    const run = identity();
    if (run.leader === undefined) return;
    // A living launcher proves its group by itself; else a marked member must.
    if (run.leaderLives || groupIsOurs(await scan(), run)) sendSignal(-run.leader, name);
  });

  let writing: Promise<void> = Promise.resolve();
  const send = async (text: string, once: string | undefined, signal: AbortSignal): Promise<void> => {
    if (readSpec(paths).stdinMode !== "open") throw new Error("the run's standard input is closed");
    if (once !== undefined && !claimInput(paths, once)) return;
    const bytes = Buffer.from(text, "utf8");
    let sent = 0;
    let patience = writePatienceMs;
    let fd: number | undefined;
    try {
      while (sent < bytes.length) {
        if (signal.aborted) return;
        if (readExit(paths)) throw new Error("the run has ended");
        if (firstInputFed(paths)) fd ??= openSync(paths.in, constants.O_WRONLY | constants.O_NONBLOCK);
        const before = sent;
        if (fd !== undefined) {
          try {
            sent += writeSync(fd, bytes, sent, Math.min(atomicWrite, bytes.length - sent));
          } catch (cause) {
            if (codeOf(cause) !== "EAGAIN") throw cause;
          }
        }
        if (sent > before) {
          patience = writePatienceMs;
          continue;
        }
        if ((patience -= writePauseMs) < 0) throw new Error("the agent does not read its input");
        await new Promise<void>((resume) => setTimeout(resume, writePauseMs));
      }
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  };
  // One message after the other: longer ones are several writes.
  const write = (text: string, once?: string): Effect.Effect<void, RunIo> => Effect.tryPromise({
    try: (abort) => {
      const mine = writing.then(() => send(text, once, abort));
      // Its sender hears of a failure; the next message is tried for itself.
      writing = mine.catch(() => undefined);
      return mine;
    },
    catch: (cause) => new RunIo({ runId, message: reason(cause) }),
  });

  const activity = Effect.promise(async () => {
    const rows = membersOf(await scanTogether(), identity());
    return { cpuMs: rows.reduce((sum, row) => sum + row.cpuMs, 0), processes: rows.length };
  });

  const sweep = Effect.promise(async () => {
    const found = new Set<number>();
    // A process that is dying has no environment any more, so nothing but its pid says that it was ours: held until it is gone.
    const killed = new Map<number, ProcessRow>();
    const rest = (): Promise<void> => new Promise<void>((resume) => setTimeout(resume, sweepPauseMs));
    // A launcher that has written its exit is on its way out by itself, with the tool that wrote it; neither is a survivor.
    for (let round = 0; round < sweepRounds && readIfThere(paths.exit) !== undefined && launcherLives(paths); round++) await rest();
    for (let round = 0; round < sweepRounds; round++) {
      const run = identity();
      const rows = await members();
      if (run.leader !== undefined && run.leaderLives) sendSignal(run.leader, "SIGKILL");
      else if (rows.length === 0 && [...killed.values()].every((row) => !lives(row.pid, row.startedAt ?? null))) break;
      for (const row of rows) {
        if (!isSame(row)) continue;
        killed.set(row.pid, row);
        if (!isDying(row)) found.add(row.pid);
        sendSignal(row.pid, "SIGKILL");
      }
      if (round > 0) await rest();
    }
    return found.size;
  });

  return { runId, directory: paths.directory, adopted, startedAt: Math.round(statSync(paths.started).mtimeMs), labels: Effect.sync(() => readSpec(paths).labels), lines, size, errorTail, exit, signal, write, activity, sweep };
};
