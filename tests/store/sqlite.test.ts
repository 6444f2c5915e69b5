import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { StoreLocation } from "../../src/store/open.ts";
import { storeContract } from "./contract.ts";
import { durableContract } from "./durable.ts";

const root = mkdtempSync(join(tmpdir(), "enact-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let n = 0;

const place = async (): Promise<StoreLocation> => ({ kind: "sqlite", directory: join(root, `${++n}`) });

storeContract("SQLite", place);
durableContract("SQLite", place, async () => [await place()]);
