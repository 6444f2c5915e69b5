// What can be wrong with a PostgreSQL store, and what the store does about it; and the test server's own promises.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StoreLocation } from "../../src/store/open.ts";
import { type PostgresServer, postgresOrSkip, startPostgres } from "../support/postgres.ts";
import { outcome, owner, reader, run } from "./opened.ts";
import { twin } from "./twin.ts";

const bin = postgresOrSkip();

describe.skipIf(bin === undefined)("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    if (bin !== undefined) server = await startPostgres(bin);
  });
  afterAll(() => server?.stop());

  const at = (url: string): StoreLocation => ({ kind: "postgres", url });
  const sqlIn = async <Row extends object>(url: string, text: string): Promise<Row[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  };
  const refusal = (opened: Promise<{ readonly close: () => Promise<void> }>): Promise<unknown> => opened.then(({ close }) => close().then(() => "opened"), (error: unknown) => error);
  const tables = (url: string) => sqlIn(url, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2");

  test("no server, no database, a wrong password, no URL: each is named, and no secret is repeated", async () => {
    const secret = "hunter2-secret";
    const cases = [
      [`postgres://enact:${secret}@127.0.0.1:1/x`, /no PostgreSQL server answers at 127\.0\.0\.1:1\/x/],
      [server.url("absent").replace("postgres@", `postgres:${secret}@`), /createdb/],
      [`mysql://enact:${secret}@localhost/x`, /postgres:\/\/user:password@host/],
      [`enact ${secret}`, /postgres:\/\/user:password@host/],
    ] as const;
    for (const [url, message] of cases) {
      for (const open of [owner, reader]) {
        const error = await refusal(open(at(url)));
        expect(error).toMatchObject({ _tag: "StoreUnavailable", message: expect.stringMatching(message) });
        expect(JSON.stringify(error) + String(error)).not.toContain(secret);
      }
    }
  });

  test("the description names the place without user or password", async () => {
    const url = (await server.createDatabase()).replace("postgres@", "postgres:hunter2@");
    const { store, close } = await owner(at(url));
    expect(store.description).toMatch(/^postgresql 127\.0\.0\.1:\d+\/test_\d+$/);
    await close();
  });

  test("a newer version and a schema that is not ours are refused, and nothing changes", async () => {
    const newer = await server.createDatabase();
    await owner(at(newer)).then(({ close }) => close());
    await sqlIn(newer, "UPDATE enact_factory.meta SET schema_version = 99");
    const foreign = await server.createDatabase();
    await sqlIn(foreign, "CREATE SCHEMA enact_factory; CREATE TABLE enact_factory.users (id int)");
    for (const [url, tag] of [[newer, "StoreNewer"], [foreign, "StoreCorrupt"]] as const) {
      const before = await tables(url);
      for (const open of [owner, reader]) expect(await refusal(open(at(url)))).toMatchObject({ _tag: tag });
      expect(await tables(url)).toEqual(before);
    }
    expect(await sqlIn(newer, "SELECT generation FROM enact_factory.meta")).toEqual([{ generation: 1 }]);
  });

  test("an empty database is no store for a reader, and stays empty; tables of others are left alone", async () => {
    const url = await server.createDatabase();
    await sqlIn(url, "CREATE TABLE journal (mine int); INSERT INTO journal VALUES (1)");
    expect(await refusal(reader(at(url)))).toMatchObject({ _tag: "StoreUnavailable", message: expect.stringContaining("start the factory once") });
    expect(await tables(url)).toHaveLength(1);
    const { store, close } = await owner(at(url));
    await run(store.commit(twin(1)));
    await close();
    expect(await sqlIn(url, "SELECT * FROM journal")).toEqual([{ mine: 1 }]);
  });

  test("a user who may not write is told so", async () => {
    const url = await server.createDatabase();
    await server.query("CREATE ROLE guest LOGIN");
    expect(await refusal(owner(at(url.replace("postgres@", "guest@"))))).toMatchObject({ _tag: "StoreReadOnly" });
    expect(await tables(url)).toEqual([]);
  });

  test("an owner whose session the server ended is fenced, and the store is free for the next", async () => {
    const url = await server.createDatabase();
    const { store, close } = await owner(at(url));
    await run(store.commit(twin(1)));
    await sqlIn(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'enact-factory owner' AND datname = current_database()");
    // Whether the news or the next write comes first: the first answer may be "unknown", every later one is "fenced".
    expect(["StoreUnavailable", "StoreFenced"]).toContain(await outcome(store.commit(twin(2))));
    expect(await outcome(store.commit(twin(2)))).toBe("StoreFenced");
    expect(await outcome(store.stillOwner)).toBe("StoreFenced");
    const next = await owner(at(url));
    expect(next.store.generation).toBe(2);
    expect(await run(next.store.journal({}))).toHaveLength(2);
    await next.close();
    await close();
  });

  test("a commit that waits while a successor takes over changes nothing", async () => {
    const url = await server.createDatabase();
    const { store, close } = await owner(at(url));
    await run(store.commit(twin(1)));
    // A successor's step, held open: the commit has to wait for it at the fence.
    const successor = new Client({ connectionString: url });
    await successor.connect();
    await successor.query("BEGIN");
    await successor.query("UPDATE enact_factory.meta SET generation = generation + 1");
    const waiting = outcome(store.commit(twin(2)));
    await expect.poll(async () => (await sqlIn<{ n: number }>(url, "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"))[0]?.n, { timeout: 20_000 }).toBe(1);
    await successor.query("COMMIT");
    await successor.end();
    expect(await waiting).toBe("StoreFenced");
    expect(await run(store.journal({}))).toHaveLength(2);
    expect(await run(store.mail(0))).toHaveLength(1);
    await close();
  });

  test("a stopped client never holds a transaction open: a write is one statement", async () => {
    const url = await server.createDatabase();
    const { store, close } = await owner(at(url));
    await run(store.commit(twin(1)));
    await run(store.enqueue("item/LOC-1/1", "{}", 1));
    expect(await sqlIn(url, "SELECT state FROM pg_stat_activity WHERE application_name LIKE 'enact-factory%' AND datname = current_database() AND state LIKE 'idle in transaction%'")).toEqual([]);
    await close();
  });

  test("the test server goes with a test run that is killed", async () => {
    const script = `
      import { startPostgres, findPostgres } from ${JSON.stringify(fileURLToPath(new URL("../support/postgres.ts", import.meta.url)))};
      const server = await startPostgres(findPostgres() ?? "");
      console.log(JSON.stringify({ port: server.port, socket: server.socket }));
    `;
    const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
    const line = await new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
    const { socket } = JSON.parse(line);
    expect(existsSync(socket)).toBe(true);
    child.kill("SIGKILL");
    await expect.poll(() => existsSync(socket), { timeout: 30_000 }).toBe(false);
    expect(spawnSync("pgrep", ["-f", `${socket}/data`]).stdout.toString()).toBe("");
  });
});
