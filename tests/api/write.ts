/** `npm run api`: writes docs/api.md. `--check` writes nothing and fails when the page is stale. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renderApi } from "./render.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false }, into: { type: "string" } } });
const file = values.into ?? fileURLToPath(new URL("../../docs/api.md", import.meta.url));
const text = renderApi();
const old = await readFile(file, "utf8").catch(() => "");
if (old === text) console.log("docs/api.md is up to date");
else if (values.check) {
  console.error("docs/api.md is stale. Run: npm run api");
  process.exitCode = 1;
} else {
  await writeFile(file, text);
  console.log("docs/api.md is written");
}
