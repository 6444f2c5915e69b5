// Owns: the exchange of `factory.db` for a backup, under the directory's lock.
// I1 The old database is renamed, never deleted or written; its log goes with it.
// I2 The new one is complete before it gets the name; a crash in between leaves no `factory.db`, and the old one aside.
import { existsSync, readdirSync, renameSync } from "node:fs";
import { basename } from "node:path";
import Database from "better-sqlite3";
import { copyTables } from "../copy.ts";
import { messageOf, type OpenFailure } from "../failure.ts";
import type { RestoreOutcome } from "../restored.ts";
import { createDatabase, databasePath, inspect, kyselyOver, prepareDirectory } from "./connect.ts";
import { openFailure } from "./errors.ts";
import { acquireLock } from "./lock.ts";

/** A backup file, checked and opened for reading. */
export const openBackup = (file: string): Database.Database => {
  if (!existsSync(file)) throw new Error(`there is no file ${file}`);
  inspect(file);
  return new Database(file, { readonly: true, fileMustExist: true });
};

/** `factory.db.before-restore-N`, N the first that is free. */
const aside = (directory: string, path: string): string => {
  const names = new Set(readdirSync(directory));
  for (let n = 1; ; n++) {
    const name = `${path}.before-restore-${n}`;
    if (!names.has(basename(name))) return name;
  }
};

/** The old store's generation, when it can still be read. */
const oldGeneration = (path: string): number => {
  try {
    return inspect(path).generation;
  } catch {
    // Damaged: that is why it is being replaced.
    return 0;
  }
};

export const restoreSqlite = async (file: string, directory: string, force: boolean): Promise<{ readonly done: RestoreOutcome } | { readonly failure: OpenFailure }> => {
  const path = databasePath(directory);
  let subject = file;
  try {
    const source = openBackup(file);
    subject = path;
    try {
      prepareDirectory(directory);
      const lock = acquireLock(directory, false);
      try {
        const there = existsSync(path) || existsSync(`${path}-wal`);
        if (there && !force) return { done: { refused: `${path} holds a store already. With --force it is kept aside under another name` } };
        const atLeast = there && existsSync(path) ? oldGeneration(path) : 0;
        const kept = there ? aside(directory, path) : undefined;
        await createDatabase(directory, path, {
          fill: async (db) => {
            await copyTables(kyselyOver(source), kyselyOver(db));
            db.prepare("UPDATE meta SET generation = max(generation, ?)").run(atLeast);
          },
          beforeRename: () => {
            if (kept === undefined) return;
            for (const suffix of ["", "-wal", "-shm"]) if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${kept}${suffix}`);
          },
        });
        return { done: { kept } };
      } finally {
        lock.release();
      }
    } finally {
      source.close();
    }
  } catch (error) {
    const failure = openFailure(error, subject);
    return { failure: failure._tag === "StoreUnavailable" && subject === file ? { _tag: "StoreUnavailable", message: `the backup cannot be used: ${messageOf(error)}` } : failure };
  }
};
