/** What ended long ago is taken away; nothing else is. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeOldRuns } from "../../src/process/old-runs.ts";

let root: string;
beforeEach(() => { root = mkdtempSync(join(tmpdir(), "enact-old-runs-")); });
afterEach(() => rmSync(root, { recursive: true, force: true }));

const day = 86_400_000, now = 1_800_000_000_000;
const age = (path: string, days: number): void => utimesSync(path, new Date(now - days * day), new Date(now - days * day));
const run = (name: string, files: Readonly<Record<string, number>>, days: number): string => {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  for (const [file, old] of Object.entries(files)) {
    writeFileSync(join(directory, file), "x");
    age(join(directory, file), old);
  }
  age(directory, days);
  return directory;
};

test("a run goes when nothing of it was written for so long; one that lives, or was written to, stays; so do files of others", async () => {
  const old = run("f.run-1.1.coder.1.1.0", { out: 20, exit: 20 }, 20), living = run("f.run-2.1.coder.1.1.0", { out: 20, alive: 0 }, 20), young = run("f.run-3.1.coder.1.1.0", { exit: 3 }, 3), strange = run("not a run", { file: 90 }, 90);
  const sessions = run(".responses-sessions", { "old.jsonl": 20, "young.jsonl": 1 }, 0), outputs = run(".responses-sessions/old.outputs", { "1": 20 }, 20);
  const elsewhere = mkdtempSync(join(tmpdir(), "enact-elsewhere-"));
  symlinkSync(elsewhere, join(root, "f.run-4.1.coder.1.1.0"));
  age(elsewhere, 90);
  expect(await removeOldRuns(root, now - 14 * day)).toBe(3);
  expect([old, outputs, join(sessions, "old.jsonl")].filter(existsSync)).toEqual([]);
  expect([living, young, strange, join(sessions, "young.jsonl"), elsewhere].every(existsSync)).toBe(true);
  expect(await removeOldRuns(root, now - 14 * day)).toBe(0);
  expect(await removeOldRuns(join(root, "nothing"), now)).toBe(0);
  rmSync(elsewhere, { recursive: true });
});
