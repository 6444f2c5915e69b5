/** `npm run policy`: writes the table of rules into docs/stop-policy.md. `--check` writes nothing and fails when it is stale. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withTable } from "./table.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false }, into: { type: "string" } } });
const file = values.into ?? fileURLToPath(new URL("../../docs/stop-policy.md", import.meta.url));
const old = await readFile(file, "utf8");
const text = withTable(old);
if (old === text) console.log("docs/stop-policy.md is up to date");
else if (values.check) {
  console.error("docs/stop-policy.md is stale. Run: npm run policy");
  process.exitCode = 1;
} else {
  await writeFile(file, text);
  console.log("docs/stop-policy.md is written");
}
