// Owns: `owner.lock`, an SQLite file whose exclusive lock says who owns the state directory, and `owner.json` beside it.
// Talks to: the kernel, through SQLite's file locks.
// I1 The lock is the kernel's: it is gone the moment the process is, however it ends. No pid decides anything.
// I2 `owner.json` is information for messages; nothing reads it to decide.
// I3 Files that SQLite has locked are never opened by other means in this process: closing such a descriptor would drop the lock.
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { codeOf, Refusal } from "../failure.ts";

const lockFile = (directory: string): string => join(directory, "owner.lock");
const infoFile = (directory: string): string => join(directory, "owner.json");

/** Makes an empty file (0600) unless there is one. Never opens a file that exists (I3). */
export const touchPrivate = (path: string): void => {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
};

/** `process 123 on host since 2026-…`, as far as the owner said so (I2). */
const describeOwner = (directory: string): { readonly who: string; readonly pid?: number } => {
  try {
    const info: unknown = JSON.parse(readFileSync(infoFile(directory), "utf8"));
    if (typeof info === "object" && info !== null && "pid" in info && typeof info.pid === "number" && "host" in info && "startedAt" in info) {
      return { who: `process ${info.pid} on ${String(info.host)}, started ${String(info.startedAt)}`, pid: info.pid };
    }
  } catch {
    // The message is poorer without it; the lock alone decides (I2).
  }
  return { who: "another process" };
};

export interface Lock { readonly release: () => void }

/** Takes the directory's lock or throws `StoreOwned`. `takeOver` puts a new lock file in the place of one that a hanging process holds. */
export const acquireLock = (directory: string, takeOver: boolean): Lock => {
  const path = lockFile(directory);
  // The hanging owner keeps its lock on the removed file; the generation in the database refuses its writes.
  if (takeOver) rmSync(path, { force: true });
  touchPrivate(path);
  const db = new Database(path, { timeout: 0 });
  try {
    // The file never holds anything, so it needs no journal beside it.
    db.pragma("journal_mode = MEMORY");
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (!codeOf(error).startsWith("SQLITE_BUSY")) throw error;
    const { who, pid } = describeOwner(directory);
    throw new Refusal({
      _tag: "StoreOwned",
      message: `a factory already runs on ${directory} (${who}). Use it as a client, or stop it first${pid === undefined ? "" : `; if it does not answer, end it with kill -9 ${pid}: nothing is lost`}`,
    });
  }
  return { release: () => db.close() };
};

/** Says who owns the directory, for people (I2). */
export const announceOwner = (directory: string, generation: number): void => {
  const path = infoFile(directory);
  // When this process began, not a time that decides anything.
  const startedAt = new Date(Math.round(performance.timeOrigin)).toISOString();
  writeFileSync(`${path}.new`, `${JSON.stringify({ pid: process.pid, host: hostname(), startedAt, generation })}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
};
