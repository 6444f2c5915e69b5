/** `npm run tools`: writes the table of tools into docs/mcp.md. `--check` writes nothing and fails when the page is stale. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withTable } from "./render.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false }, page: { type: "string" } } });
const file = values.page ?? fileURLToPath(new URL("../../docs/mcp.md", import.meta.url));
const old = await readFile(file, "utf8");
const text = withTable(old);
if (text === old) console.log("docs/mcp.md is up to date");
else if (values.check || text === undefined) {
  console.error(text === undefined ? "docs/mcp.md has no place for the table of tools" : "docs/mcp.md is stale. Run: npm run tools");
  process.exitCode = 1;
} else {
  await writeFile(file, text);
  console.log("docs/mcp.md is written");
}
