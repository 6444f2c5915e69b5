import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { and, not } from "xstate";
import { guardName } from "../../machines/definition.ts";
import { catalog } from "../../machines/index.ts";
import { renderChart } from "./render.ts";
import { sound } from "./sample.ts";

const script = fileURLToPath(new URL("write.ts", import.meta.url));
let folder = "";
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "charts-")); });
afterEach(async () => { await rm(folder, { recursive: true, force: true }); });

const write = (...args: readonly string[]) => execa(process.execPath, [script, "--into", folder, ...args], { stdin: "ignore", reject: false });

test("a page has the diagram, every transition, the invariants and the size of the explored space", () => {
  const page = renderChart(sound);
  expect(page).toBe(renderChart(sound));
  expect(page).toContain("stateDiagram-v2\n  [*] --> ready");
  expect(page).toContain("judging --> exhausted: always [spent]");
  expect(page).toContain("done --> [*]");
  expect(page).toContain("| working | fail |  | judging | count |");
  expect(page).toContain("| working | (entry) |  |  | work |");
  expect(page).toContain("- failures stay within the cap");
  expect(page).toMatch(/Explored: \d+ abstract states, \d+ edges/);
  expect(guardName(and(["a", not("b")]))).toBe("and(a, not(b))");
});

test("every chart gets a page; --check passes on fresh pages, and says what to run on a stale or surplus one", async () => {
  expect(await write()).toMatchObject({ exitCode: 0 });
  expect((await readdir(folder)).sort()).toEqual(catalog.map(({ id }) => `${id}.md`).sort());
  expect(await write("--check")).toMatchObject({ exitCode: 0 });

  await writeFile(join(folder, "gone.md"), "of a chart that no longer exists");
  const [first] = catalog;
  if (first) await writeFile(join(folder, `${first.id}.md`), "old");
  const checked = await write("--check");
  expect(checked).toMatchObject({ exitCode: 1 });
  expect(checked.stderr).toContain("gone.md");
  expect(checked.stderr).toContain("Run: npm run charts");
  if (first) {
    expect(checked.stderr).toContain(`${first.id}.md`);
    expect(await readFile(join(folder, `${first.id}.md`), "utf8")).toBe("old");
  }
  await write();
  expect(await readdir(folder)).not.toContain("gone.md");
}, 300_000);
