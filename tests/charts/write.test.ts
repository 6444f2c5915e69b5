import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { and, not } from "xstate";
import { guardName } from "../../machines/definition.ts";
import { renderChart } from "./render.ts";
import { sound } from "./sample.ts";

const script = fileURLToPath(new URL("write.ts", import.meta.url));
/** A small one. */
const only = "agent-process";
let folder = "";
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "charts-")); });
afterEach(async () => { await rm(folder, { recursive: true, force: true }); });

const write = (...args: readonly string[]) => execa(process.execPath, [script, "--into", folder, "--only", only, ...args], { stdin: "ignore", reject: false });

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

// That every chart has its page, and a fresh one, is what `npm run charts -- --check` asks (.ci/run).
test("a chart gets a page; --check passes on a fresh page, and says what to run on a stale or surplus one", async () => {
  const page = join(folder, `${only}.md`);
  expect(await write()).toMatchObject({ exitCode: 0 });
  expect(await readdir(folder)).toEqual([`${only}.md`]);
  expect(await write("--check")).toMatchObject({ exitCode: 0 });

  await writeFile(join(folder, "gone.md"), "of a chart that no longer exists");
  await writeFile(page, "old");
  const checked = await write("--check");
  expect(checked).toMatchObject({ exitCode: 1 });
  expect(checked.stderr).toContain("gone.md");
  expect(checked.stderr).toContain(`${only}.md`);
  expect(checked.stderr).toContain("Run: npm run charts");
  expect(await readFile(page, "utf8")).toBe("old");
  await write();
  expect(await readdir(folder)).toEqual([`${only}.md`]);
}, 120_000);
