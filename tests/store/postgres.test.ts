import { afterAll, beforeAll, describe } from "vitest";
import { type PostgresServer, postgresOrSkip, startPostgres } from "../support/postgres.ts";
import { storeContract } from "./contract.ts";

const bin = postgresOrSkip();

describe.skipIf(bin === undefined)("PostgreSQL", () => {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    if (bin !== undefined) server = await startPostgres(bin);
  });
  afterAll(() => server?.stop());
  const place = async () => ({ kind: "postgres" as const, url: (await server?.createDatabase()) ?? "" });

  storeContract("PostgreSQL", place);
});
