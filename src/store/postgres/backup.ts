import Database from "better-sqlite3";
import type { Kysely } from "kysely";
import { copyTables } from "../copy.ts";
import { migrate } from "../migrations.ts";
import type { Schema } from "../schema.ts";
import { writeBackupFile } from "../sqlite/backup.ts";
import { kyselyOver } from "../sqlite/connect.ts";
import { schemaName } from "./connect.ts";

/** A consistent copy as an SQLite file: the same form that an embedded store's backup has, so either store can be restored from either. */
export const backup = (db: Kysely<Schema>, file: string): Promise<void> => writeBackupFile(file, async (path) => {
  const copy = new Database(path);
  try {
    // Written once and flushed at the end; a crash leaves only the unnamed part.
    copy.pragma("synchronous = OFF");
    const target = kyselyOver(copy);
    copy.exec("BEGIN IMMEDIATE");
    await migrate(target, "sqlite", 0);
    await db.transaction().setIsolationLevel("repeatable read").setAccessMode("read only").execute((snapshot) => copyTables(snapshot.withSchema(schemaName), target));
    copy.exec("COMMIT");
  } finally {
    copy.close();
  }
});
