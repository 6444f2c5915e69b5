import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { codeOf, Refusal } from "../failure.ts";
import { syncDirectory } from "./connect.ts";
import { touchPrivate } from "./lock.ts";

/**
 * Lets `write` fill a private file beside `file`, then gives it the name, never replacing one that is there.
 * The result is one file (no log beside it), 0600, on the disk.
 */
export const writeBackupFile = async (file: string, write: (path: string) => Promise<void>): Promise<void> => {
  const taken = (): Refusal => new Refusal({ _tag: "StoreUnavailable", message: `${file} exists already and was left as it is: name another file for the backup` });
  if (existsSync(file)) throw taken();
  const part = `${file}.part-${process.pid}`;
  try {
    rmSync(part, { force: true });
    touchPrivate(part);
    await write(part);
    const copy = new Database(part);
    try {
      copy.pragma("journal_mode = DELETE");
    } finally {
      copy.close();
    }
    const fd = openSync(part, "r+");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    try {
      linkSync(part, file);
    } catch (error) {
      throw codeOf(error) === "EEXIST" ? taken() : error;
    }
    syncDirectory(dirname(file));
  } finally {
    for (const suffix of ["", "-journal", "-wal", "-shm"]) rmSync(`${part}${suffix}`, { force: true });
  }
};

/** An online copy of the database behind `db`. `pagesPerStep`: how much is copied before other work on this thread goes on. */
export const backup = (db: Database.Database, file: string, pagesPerStep: number): Promise<void> =>
  writeBackupFile(file, async (path) => {
    await db.backup(path, { progress: () => pagesPerStep });
  });
