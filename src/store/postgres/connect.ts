// Owns: how our schema in a PostgreSQL database comes to be, is checked and is reached.
// I1 An open that fails has changed nothing: checks and migration are one transaction.
// I2 Everything of ours is in the schema `enact_factory`; the rest of the database is not looked at.
import { Kysely, PostgresDialect, sql } from "kysely";
import { Client, type ClientConfig, Pool, types } from "pg";
import { Refusal } from "../failure.ts";
import { migrate, schemaVersion } from "../migrations.ts";
import type { Schema } from "../schema.ts";

export const schemaName = "enact_factory";

/** Connecting, milliseconds. */
const connectTimeoutMs = 10_000;
/** A single statement, milliseconds; every statement of ours is done in far less, unless the server hangs. */
const queryTimeoutMs = 30_000;
/** First keep-alive probe on an idle connection, milliseconds. */
const keepAliveMs = 10_000;
const int8 = 20;

export interface Place {
  readonly config: ClientConfig;
  /** `host:port/database`; no user, no password. */
  readonly name: string;
}

/** Reads a URL; throws without ever repeating it, for it may hold a password. */
export const placeOf = (url: string): Place => {
  const config: ClientConfig = {
    connectionString: url,
    application_name: "enact-factory",
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    // Positions, ids and times stay far below 2^53; the driver would give them as text.
    types: { getTypeParser: ((oid: number, format?: "text" | "binary") => (oid === int8 && format !== "binary" ? Number : types.getTypeParser(oid, format === "binary" ? "binary" : "text"))) },
  };
  try {
    const { protocol } = new URL(url);
    if (protocol !== "postgres:" && protocol !== "postgresql:") throw new TypeError("protocol");
    const { host, port, database } = new Client(config);
    return { config, name: `${host}:${port}/${database ?? ""}` };
  } catch {
    throw new Refusal({ _tag: "StoreUnavailable", message: "store.url is no PostgreSQL URL: write postgres://user:password@host:port/database" });
  }
};

export interface Reading { readonly db: Kysely<Schema>; readonly pool: Pool }

/** A few connections for everything but the owner's commits. */
export const openPool = (place: Place): Reading => {
  const pool = new Pool({ ...place.config, max: 3 });
  // An idle connection that breaks is replaced by the next query; that query reports what is wrong, if anything is.
  pool.on("error", () => undefined);
  return { db: new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) }).withSchema(schemaName), pool };
};

const hasTable = async (db: Kysely<Schema>, table: string): Promise<boolean> =>
  (await sql<{ found: boolean }>`select to_regclass(${`${schemaName}.${table}`}) is not null as found`.execute(db)).rows[0]?.found === true;

/** The version of what is there: undefined when nothing is. Throws when it is not ours or too new. */
export const inspect = async (db: Kysely<Schema>, place: Place): Promise<number | undefined> => {
  const schema = await sql<{ found: boolean }>`select to_regnamespace(${schemaName}) is not null as found`.execute(db);
  if (schema.rows[0]?.found !== true) return undefined;
  const corrupt = (what: string): Refusal => new Refusal({ _tag: "StoreCorrupt", path: place.name, message: `the schema ${schemaName} at ${place.name} ${what}. It was left as it is. Rename it, or put a backup in its place: enact-factory store restore FILE --force keeps it aside` });
  if (!(await hasTable(db, "meta")) || !(await hasTable(db, "journal"))) throw corrupt("is not the factory's, or has lost its tables");
  const meta = await db.selectFrom("meta").select("schema_version").where("id", "=", 1).executeTakeFirst();
  if (meta === undefined) throw corrupt("has lost its version");
  if (meta.schema_version > schemaVersion) {
    throw new Refusal({ _tag: "StoreNewer", found: meta.schema_version, known: schemaVersion, message: `the store at ${place.name} was written by a newer version of the factory (schema ${meta.schema_version}; this one knows ${schemaVersion}). Nothing was changed. Update enact-factory` });
  }
  return meta.schema_version;
};

/** Brings the schema to our version and counts a new owner. The caller holds the lock. */
export const prepare = (db: Kysely<Schema>, place: Place): Promise<number> => db.transaction().execute(async (transaction) => {
  const ours = transaction.withSchema(schemaName);
  const version = await inspect(ours, place);
  if (version === undefined) await transaction.schema.createSchema(schemaName).execute();
  await migrate(ours, "postgres", version ?? 0);
  const { generation } = await ours.updateTable("meta").set((eb) => ({ generation: eb("generation", "+", 1) })).where("id", "=", 1).returning("generation").executeTakeFirstOrThrow();
  return generation;
});
