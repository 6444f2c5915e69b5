// Owns: the exchange of our schema for a backup, under the owner's lock and in one transaction.
// I1 The old schema is renamed, never dropped.
import { sql } from "kysely";
import { Client } from "pg";
import { copyTables } from "../copy.ts";
import { messageOf, type OpenFailure, Refusal } from "../failure.ts";
import { migrate } from "../migrations.ts";
import type { RestoreOutcome } from "../restored.ts";
import { kyselyOver } from "../sqlite/connect.ts";
import { openFailure as backupFailure } from "../sqlite/errors.ts";
import { openBackup } from "../sqlite/restore.ts";
import { openPool, type Place, placeOf, schemaName } from "./connect.ts";
import { openFailure } from "./errors.ts";
import { acquireLock } from "./lock.ts";

const exchange = async (source: ReturnType<typeof openBackup>, place: Place, force: boolean): Promise<RestoreOutcome> => {
  const { db, pool } = openPool(place);
  try {
    return await db.transaction().execute(async (transaction): Promise<RestoreOutcome> => {
      const ours = transaction.withSchema(schemaName);
      const schemas = await sql<{ name: string }>`select nspname::text as name from pg_namespace where starts_with(nspname::text, ${schemaName})`.execute(transaction);
      const names = new Set(schemas.rows.map((row) => row.name));
      const there = names.has(schemaName);
      if (there && !force) return { refused: `${place.name} holds a store already (schema ${schemaName}). With --force it is kept aside under another name` };
      let kept: string | undefined;
      let atLeast = 0;
      if (there) {
        const meta = await sql<{ found: boolean }>`select to_regclass(${`${schemaName}.meta`}) is not null as found`.execute(transaction);
        if (meta.rows[0]?.found === true) atLeast = (await ours.selectFrom("meta").select("generation").executeTakeFirst())?.generation ?? 0;
        let n = 1;
        while (names.has(`${schemaName}_before_restore_${n}`)) n++;
        kept = `${schemaName}_before_restore_${n}`;
        await sql`alter schema ${sql.id(schemaName)} rename to ${sql.id(kept)}`.execute(transaction);
      }
      await transaction.schema.createSchema(schemaName).execute();
      await migrate(ours, "postgres", 0);
      await copyTables(kyselyOver(source), ours);
      await ours.updateTable("meta").set((eb) => ({ generation: sql<number>`greatest(${eb.ref("generation")}, ${atLeast})` })).execute();
      // Rows came with their numbers; new ones go on after them.
      for (const [table, column] of [["journal", "position"], ["mail", "id"], ["outbox", "id"], ["dead_letters", "id"]] as const) {
        await sql`select setval(pg_get_serial_sequence(${`${schemaName}.${table}`}, ${column}), (select coalesce(max(${sql.id(column)}), 0) + 1 from ${sql.id(schemaName, table)}), false)`.execute(transaction);
      }
      return { kept };
    });
  } finally {
    await pool.end();
  }
};

export const restorePostgres = async (file: string, url: string, force: boolean): Promise<{ readonly done: RestoreOutcome } | { readonly failure: OpenFailure }> => {
  let source: ReturnType<typeof openBackup>;
  try {
    source = openBackup(file);
  } catch (error) {
    const failure = backupFailure(error, file);
    return { failure: failure._tag === "StoreUnavailable" ? { _tag: "StoreUnavailable", message: `the backup cannot be used: ${messageOf(error)}` } : failure };
  }
  let name = "store.url";
  try {
    const place = placeOf(url);
    name = place.name;
    const client = new Client({ ...place.config, application_name: "enact-factory restore" });
    let lost: string | undefined;
    client.on("error", (error) => {
      lost = messageOf(error);
    });
    await client.connect();
    try {
      await acquireLock(client, place.name, false);
      const done = await exchange(source, place, force);
      if (lost !== undefined) throw new Refusal({ _tag: "StoreUnavailable", message: `the session with PostgreSQL was lost during the restore (${lost}); look whether it was done before trying again` });
      return { done };
    } finally {
      await client.end().catch(() => {
        // Gone already; `lost` has said so.
      });
    }
  } catch (error) {
    return { failure: openFailure(error, name) };
  } finally {
    source.close();
  }
};
