import { type ColumnDefinitionBuilder, type Kysely, sql } from "kysely";
import type { Schema } from "./schema.ts";

export type Dialect = "sqlite" | "postgres";

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly up: (db: Kysely<Schema>, dialect: Dialect) => Promise<void>;
}

/** Text compared byte by byte in both dialects, so that ranges and orders agree whatever the server's locale is. */
const key = (dialect: Dialect) => (dialect === "postgres" ? sql`text collate "C"` : sql`text`);
const big = (dialect: Dialect) => (dialect === "postgres" ? sql`bigint` : sql`integer`);
const required = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.notNull();
const primary = (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder => column.primaryKey();
/** Numbers that rise and are never handed out twice, not even after the newest row was deleted. */
const rising = (dialect: Dialect) => (column: ColumnDefinitionBuilder): ColumnDefinitionBuilder =>
  dialect === "postgres" ? column.notNull().generatedByDefaultAsIdentity() : column.primaryKey().autoIncrement();

/** Forward only. A released entry is never edited; a change of the schema is a new entry at the end. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: "the durable runtime",
    up: async (db, d) => {
      await db.schema.createTable("meta").addColumn("id", "integer", primary).addColumn("schema_version", "integer", required).addColumn("generation", "integer", required).execute();
      await db.insertInto("meta").values({ id: 1, schema_version: 0, generation: 0 }).execute();

      const journal = db.schema.createTable("journal")
        .addColumn("position", big(d), d === "postgres" ? rising(d) : primary)
        .addColumn("actor", key(d), required).addColumn("seq", "integer", required).addColumn("generation", "integer", required)
        .addColumn("event", "text", required).addColumn("at", big(d), required);
      // SQLite's primary key is the rowid that carries the position; (actor, seq) is as unique there.
      await (d === "postgres"
        ? journal.addPrimaryKeyConstraint("journal_actor_seq", ["actor", "seq"]).addUniqueConstraint("journal_position", ["position"])
        : journal.addUniqueConstraint("journal_actor_seq", ["actor", "seq"])).execute();

      await db.schema.createTable("mail")
        .addColumn("id", big(d), d === "postgres" ? (column) => rising(d)(column).primaryKey() : rising(d))
        .addColumn("recipient", "text", required).addColumn("event", "text", required).addColumn("at", big(d), required).execute();
      await db.schema.createTable("outbox")
        .addColumn("id", big(d), d === "postgres" ? (column) => rising(d)(column).primaryKey() : rising(d))
        .addColumn("key", key(d), (column) => column.notNull().unique())
        .addColumn("actor", key(d), required).addColumn("kind", "text", required).addColumn("payload", "text", required)
        .addColumn("at", big(d), required).addColumn("attempts", "integer", (column) => column.notNull().defaultTo(0)).execute();
      await db.schema.createTable("alarms")
        .addColumn("actor", key(d), required).addColumn("name", key(d), required).addColumn("at", big(d), required)
        .addPrimaryKeyConstraint("alarms_actor_name", ["actor", "name"]).execute();
      await db.schema.createTable("snapshots")
        .addColumn("actor", key(d), primary).addColumn("machine", "text", required).addColumn("version", "integer", required)
        .addColumn("seq", "integer", required).addColumn("state", "text", required).execute();
      await db.schema.createTable("views")
        .addColumn("actor", key(d), primary).addColumn("seq", "integer", required).addColumn("view", "text", required).addColumn("updated_at", big(d), required).execute();
      await db.schema.createTable("dead_letters")
        .addColumn("id", big(d), d === "postgres" ? (column) => rising(d)(column).primaryKey() : rising(d))
        .addColumn("actor", "text", required).addColumn("event", "text", required).addColumn("error", "text", required)
        .addColumn("stack", "text", required).addColumn("at", big(d), required).execute();
    },
  },
];

/** The schema version this program writes. */
export const schemaVersion = migrations.length;

/**
 * Brings a store at version `from` (0: empty) to ours. The caller has begun a transaction on the one connection behind `db`
 * and has made sure that `from` is not newer than `schemaVersion`.
 */
export const migrate = async (db: Kysely<Schema>, dialect: Dialect, from: number): Promise<void> => {
  for (const migration of migrations) {
    if (migration.version <= from) continue;
    await migration.up(db, dialect);
    await db.updateTable("meta").set({ schema_version: migration.version }).execute();
  }
};
