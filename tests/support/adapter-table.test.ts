import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cell, tablePage } from "./adapter-table.ts";

const repository = join(import.meta.dirname, "../..");
const cell = (more: Partial<Cell>): Cell => ({ adapter: "a", version: "1", fault: "f", what: "a fault", passes: false, ...more });
const cells = [cell({ ends: "network", tokens: "unknown" }), cell({ fault: "g", what: "silence", ends: "stalled", tokens: "unknown" }), cell({ adapter: "b", version: "stand-in", absent: "not documented" }), cell({ fault: "f-once", passes: true, ends: "completed", tokens: "told" })];

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "enact-table-"));
  mkdirSync(join(root, "docs", "adapters"), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("what was played is the page: rows of faults, columns of adapters, what is missing with its reason", () => {
  const lines = tablePage(cells).split("\n");
  expect(lines.slice(lines.indexOf("| | a (1) | b (stand-in) |"))).toEqual([
    "| | a (1) | b (stand-in) |", "|---|---|---|", "| a fault | network ¹ | *not documented* |", "| silence | stalled |  |", "",
    "The same faults when they pass after the first time:", "", "| | a (1) |", "|---|---|", "| a fault | completed |", "",
    "3 cells, 3 of them with the real program", "",
  ]);
});

test("a whole run writes it, a stale one fails the check, a part of it or a failure leaves it alone", async () => {
  const run = async (mode: "write" | "check", ...more: readonly string[]) => {
    const done = await execa(process.execPath, [join(repository, "node_modules/vitest/vitest.mjs"), "run", "--root", root, "--reporter=default", `--reporter=${join(repository, "tests/support/adapter-table.ts")}`, ...more], { stdin: "ignore", reject: false, all: true, env: { ENACT_ADAPTER_TABLE: mode } });
    return { code: done.exitCode, said: done.all };
  };
  const tests = (ends: string, more = ""): void => writeFileSync(join(root, "a.test.ts"), `import { test, expect, describe } from "vitest";\ndescribe("an adapter, and what goes wrong around it", () => { for (const fault of ["one", "two"]) test(fault, ({ task }) => { task.meta.cell = { adapter: "a", version: "1", fault, what: fault, passes: false, ends: ${JSON.stringify(ends)}, tokens: "told" }; ${more} }); });`);
  const page = (): string => readFileSync(join(root, "docs/adapters/conformance.md"), "utf8");
  tests("network");
  expect(await run("check")).toMatchObject({ code: 1, said: expect.stringContaining("stale") });
  expect((await run("write")).code).toBe(0);
  expect(page()).toContain("| one | network |\n| two | network |");
  expect((await run("check")).code).toBe(0);
  const before = page();
  tests("auth");
  expect(await run("write", "-t", "one")).toMatchObject({ code: 0, said: expect.stringContaining("left as it is") });
  tests("auth", "expect(fault).toBe('one');");
  expect((await run("write")).code).toBe(1);
  expect(page()).toBe(before);
  tests("auth");
  expect((await run("check")).code).toBe(1);
});
