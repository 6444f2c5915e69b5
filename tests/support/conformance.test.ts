import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { conformancePage, rowIds } from "./conformance.ts";

const repository = join(import.meta.dirname, "../..");
let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "enact-conformance-"));
  for (const folder of ["docs", "fixtures", "tests"]) mkdirSync(join(root, folder));
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
  writeFileSync(join(root, "fixtures/seed-rows.json"), JSON.stringify([{ id: "AA-01", what: "one | two" }, { id: "AA-02", what: "b" }, { id: "AA-03", what: "c" }, { id: "AA-04", what: "d" }]));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const tests = (text: string): void => writeFileSync(join(root, "tests/a.test.ts"), `import { test, expect, describe } from "vitest";\n${text}`);
const run = async (mode: "write" | "check") => {
  const done = await execa(process.execPath, [join(repository, "node_modules/vitest/vitest.mjs"), "run", "--root", root, "--reporter=default", `--reporter=${join(repository, "tests/support/conformance.ts")}`], { stdin: "ignore", reject: false, all: true, env: { ENACT_CONFORMANCE: mode } });
  return { code: done.exitCode, said: done.all };
};
const page = (): string => readFileSync(join(root, "docs/conformance.md"), "utf8");

test("a real run writes the page, a stale one fails the check, a failing run leaves it alone", async () => {
  tests('describe("x", () => { test("AA-01 AA-02: both", () => {}); test.skip("AA-02 skipped", () => {}); test.each([1, 2])("AA-03 each %i", () => {}); test("no row AA-04 in it", () => {}); });');
  expect(await run("check")).toMatchObject({ code: 1, said: expect.stringContaining("stale") });
  expect(await run("write")).toMatchObject({ code: 0, said: expect.stringContaining("Conformance: 2 of 4 rows pass") });
  expect(page().split("\n").slice(4)).toEqual([
    "| Row | What | Test | State |", "|---|---|---|---|",
    "| AA-01 | one \\| two | `tests/a.test.ts` both | pass |",
    "| AA-02 | b | `tests/a.test.ts` both<br>`tests/a.test.ts` skipped | not yet |",
    "| AA-03 | c | `tests/a.test.ts` each 1<br>`tests/a.test.ts` each 2 | pass |",
    "| AA-04 | d |  | not yet |", "", "2 of 4 rows pass", "",
  ]);
  expect((await run("check")).code).toBe(0);
  const before = page();
  tests('test("AA-04 broken", () => { expect(1).toBe(2); });');
  expect((await run("write")).code).toBe(1);
  expect(page()).toBe(before);
  tests('test("AA-99 no such row", () => {});');
  expect((await run("write")).code).not.toBe(0);
  expect(page()).toBe(before);
});

test("only the beginning of a name counts, and a row that is none is an error", () => {
  expect(rowIds("CLI-05 EXEC-08, QS-01: runs")).toEqual({ ids: ["CLI-05", "EXEC-08", "QS-01"], rest: "runs" });
  expect(rowIds("SHA-256 and UTF-8 of CLI-05")).toEqual({ ids: [], rest: "SHA-256 and UTF-8 of CLI-05" });
  expect(() => conformancePage([{ id: "AA-01", what: "" }], [{ file: "f", name: "AA-11 x", state: "passed" }])).toThrow("AA-11");
});

test("the rows of the fixture are 405, each once", () => {
  const rows: readonly { readonly id: string; readonly what: string }[] = JSON.parse(readFileSync(join(repository, "fixtures/seed-rows.json"), "utf8"));
  expect(new Set(rows.map((row) => row.id)).size).toBe(405);
  expect(rows.every((row) => row.what.length > 0)).toBe(true);
});
