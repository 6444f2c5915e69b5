import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { storeContract } from "./contract.ts";

const root = mkdtempSync(join(tmpdir(), "enact-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let n = 0;

storeContract("SQLite", async () => ({ kind: "sqlite", directory: join(root, `${++n}`) }));
