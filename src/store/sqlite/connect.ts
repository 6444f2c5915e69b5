// Owns: how `factory.db` comes to be, is checked and is opened.
// I1 An open that fails has changed nothing in the file: it is first looked at through a read-only connection.
// I2 `factory.db` appears by rename, complete and migrated; so an empty or headless file is always damage, never a new store.
import { accessSync, chmodSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";
import { Refusal } from "../failure.ts";
import { migrate, schemaVersion } from "../migrations.ts";
import type { Schema } from "../schema.ts";
import { touchPrivate } from "./lock.ts";

export const databasePath = (directory: string): string => join(directory, "factory.db");

/** How long a write waits for another process's write, milliseconds. Others only ever insert one row of mail. */
export const busyTimeoutMs = 5_000;
/** Up to this size the whole file is checked at open (about 0.1 s); above it, the header, the length and the tables. */
const fullCheckBytes = 64 * 1024 * 1024;

export const kyselyOver = (db: Database.Database): Kysely<Schema> => new Kysely<Schema>({ dialect: new SqliteDialect({ database: db }) });

export const syncDirectory = (directory: string): void => {
  const fd = openSync(directory, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

const corrupt = (path: string, what: string): Refusal => new Refusal({
  _tag: "StoreCorrupt", path,
  message: `${path} ${what}. It was left as it is. Put a backup in its place: enact-factory store restore FILE --force keeps the damaged file aside`,
});

export interface Inspection { readonly version: number; readonly generation: number }

/** Is this a sound database of ours, of a version we know? Throws what it is instead. Changes nothing (I1). */
export const inspect = (path: string): Inspection => {
  const { size } = statSync(path);
  if (size === 0) throw corrupt(path, "is empty, so its contents are lost");
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
  try {
    const tables = db.prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").all().map((row) => row.name);
    if (!tables.includes("meta") || !tables.includes("journal")) throw corrupt(path, "is an SQLite database, but not the factory's");
    const meta = db.prepare<[], { schema_version: number; generation: number }>("SELECT schema_version, generation FROM meta WHERE id = 1").get();
    if (meta === undefined) throw corrupt(path, "has lost its version");
    if (meta.schema_version > schemaVersion) {
      throw new Refusal({ _tag: "StoreNewer", found: meta.schema_version, known: schemaVersion, message: `${path} was written by a newer version of the factory (schema ${meta.schema_version}; this one knows ${schemaVersion}). Nothing was changed. Update enact-factory` });
    }
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
    const pages = Number(db.pragma("page_count", { simple: true })) * Number(db.pragma("page_size", { simple: true }));
    if ((log === undefined || log.size === 0) && pages > size) throw corrupt(path, `is cut short (${size} of ${pages} bytes)`);
    if (size <= fullCheckBytes) {
      const verdict = String(db.pragma("quick_check(1)", { simple: true }));
      if (verdict !== "ok") throw corrupt(path, `is damaged (${verdict.replaceAll(/\s+/g, " ").trim()})`);
    }
    return { version: meta.schema_version, generation: meta.generation };
  } finally {
    db.close();
  }
};

/** Makes the state directory ours (0700) and sure that it can be written. */
export const prepareDirectory = (directory: string): void => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  if ((statSync(directory).mode & 0o777) !== 0o700) chmodSync(directory, 0o700);
};

interface Creation {
  /** Adds rows before the file appears. */
  readonly fill?: (db: Database.Database) => Promise<void>;
  /** The file is complete and about to get its name. */
  readonly beforeRename?: () => void;
}

/** A new, complete store of ours at `path` by way of a file beside it (I2). */
export const createDatabase = async (directory: string, path: string, creation: Creation = {}): Promise<void> => {
  const fresh = `${path}.new`;
  for (const leftover of [fresh, `${fresh}-journal`, `${fresh}-wal`, `${fresh}-shm`]) rmSync(leftover, { force: true });
  touchPrivate(fresh);
  const db = new Database(fresh);
  try {
    db.pragma("synchronous = FULL");
    db.exec("BEGIN IMMEDIATE");
    await migrate(kyselyOver(db), "sqlite", 0);
    await creation.fill?.(db);
    db.exec("COMMIT");
    db.pragma("journal_mode = WAL");
  } finally {
    db.close();
  }
  creation.beforeRename?.();
  renameSync(fresh, path);
  syncDirectory(directory);
};

/** A connection that may write, set up for durable commits. */
export const connect = (path: string): Database.Database => {
  const db = new Database(path, { fileMustExist: true, timeout: busyTimeoutMs });
  db.pragma("journal_mode = WAL");
  // A commit is on the disk when it returns: survives loss of power.
  db.pragma("synchronous = FULL");
  // After a burst the log shrinks back to this.
  db.pragma("journal_size_limit = 16777216");
  return db;
};

/** The owner's connection and its generation. The caller holds the directory's lock. */
export const openForOwner = async (directory: string): Promise<{ readonly db: Database.Database; readonly generation: number }> => {
  const path = databasePath(directory);
  if (existsSync(path)) {
    accessSync(path, constants.R_OK | constants.W_OK);
    inspect(path);
  } else if (existsSync(`${path}-wal`)) {
    throw corrupt(path, `is gone, but its log ${path}-wal is still there`);
  } else {
    await createDatabase(directory, path);
  }
  const db = connect(path);
  try {
    db.exec("BEGIN IMMEDIATE");
    const { schema_version } = db.prepare<[], { schema_version: number }>("SELECT schema_version FROM meta WHERE id = 1").get() ?? { schema_version: 0 };
    await migrate(kyselyOver(db), "sqlite", schema_version);
    const row = db.prepare<[], { generation: number }>("UPDATE meta SET generation = generation + 1 WHERE id = 1 RETURNING generation").get();
    db.exec("COMMIT");
    if (row === undefined) throw corrupt(path, "has lost its version");
    return { db, generation: row.generation };
  } catch (error) {
    db.close();
    throw error;
  }
};
