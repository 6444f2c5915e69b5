/** `npm run charts`: writes docs/charts/<id>.md for every chart. `--check` writes nothing and fails when a page is stale. `--only ID`: that chart alone. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { catalog } from "../../machines/index.ts";
import { renderChart } from "./render.ts";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false }, into: { type: "string" }, only: { type: "string" } } });
const folder = values.into ?? fileURLToPath(new URL("../../docs/charts/", import.meta.url));

await mkdir(folder, { recursive: true });
const wanted = catalog.filter(({ id }) => values.only === undefined || id === values.only);
const pages = new Map(wanted.map((entry) => [`${entry.id}.md`, renderChart(entry)]));
const present = (await readdir(folder)).filter((name) => name.endsWith(".md"));
const stale: string[] = present.filter((name) => !catalog.some(({ id }) => name === `${id}.md`));
for (const [name, text] of pages) {
  const old = present.includes(name) ? await readFile(join(folder, name), "utf8") : undefined;
  if (old !== text) stale.push(name);
}
stale.sort();

if (!values.check) {
  for (const name of stale) {
    const text = pages.get(name);
    if (text === undefined) await rm(join(folder, name));
    else await writeFile(join(folder, name), text);
  }
  console.log(stale.length === 0 ? `${pages.size} charts, all pages were up to date` : `${pages.size} charts, written: ${stale.join(", ")}`);
} else if (stale.length > 0) {
  console.error(`docs/charts is stale: ${stale.join(", ")}. Run: npm run charts`);
  process.exitCode = 1;
} else console.log(`${pages.size} charts, docs/charts is up to date`);
