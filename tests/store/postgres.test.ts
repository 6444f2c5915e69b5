import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import type { StoreLocation } from "../../src/store/open.ts";
import { type PostgresServer, postgresOrSkip, startPostgres } from "../support/postgres.ts";
import { storeContract } from "./contract.ts";
import { durableContract } from "./durable.ts";

const bin = postgresOrSkip();

describe.skipIf(bin === undefined)("PostgreSQL", () => {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (bin !== undefined) server = await startPostgres(bin);
  });
  const root = mkdtempSync(join(tmpdir(), "enact-store-"));
  let n = 0;
  afterAll(async () => {
    await server?.stop();
    rmSync(root, { recursive: true, force: true });
  });
  const place = async (): Promise<StoreLocation> => ({ kind: "postgres", url: (await server?.createDatabase()) ?? "" });
  const sqlite = (): StoreLocation => ({ kind: "sqlite", directory: join(root, `${++n}`) });

  storeContract("PostgreSQL", place);
  durableContract("PostgreSQL", place, async () => [await place(), sqlite()]);
});
