import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linesOf, numbered, openShelf } from "../../src/agent/shelf.ts";

let directory: string;
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "enact-shelf-")); });
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const plain = (text: string): string => text;
const long = Array.from({ length: 5_000 }, (_, n) => `line ${n + 1} of a long output`).join("\n");

test("a short output is shown as it is; of a long one beginning and end, and the name under which the rest stands", () => {
  const shelf = openShelf(directory, plain);
  expect(shelf.shown("short")).toBe("short");
  const shown = shelf.shown(long);
  expect(shown.length).toBeLessThan(17_000);
  expect(shown.startsWith("line 1 of")).toBe(true);
  expect(shown.endsWith("line 5000 of a long output")).toBe(true);
  const [, name = "", offset = ""] = /more\(output="(o\d+)", offset=(\d+)\)/.exec(shown) ?? [];
  expect(shelf.more(name, Number(offset), 3)).toContain(`${offset}\tline ${offset} of`);
});

test("all of it can be read on, part by part, also by the next run of the session", () => {
  const [, name = ""] = /output="(o\d+)"/.exec(openShelf(directory, plain).shown(long)) ?? [];
  const shelf = openShelf(directory, plain);
  const seen: string[] = [];
  for (let at: number | undefined = 1; at !== undefined;) {
    const part: string = shelf.more(name, at, 10_000) ?? "";
    const on: string | undefined = /go on at offset (\d+)\]$/.exec(part)?.[1];
    seen.push(...part.split("\n").filter((line) => /^\d+\t/.test(line)).map((line) => line.replace(/^\d+\t/, "")));
    at = on === undefined ? undefined : Number(on);
  }
  expect(seen.join("\n")).toBe(long);
  expect(shelf.shown(long)).toContain('output="o2"');
});

test("a name is a name: no path leads out", () => {
  const shelf = openShelf(directory, plain);
  for (const name of ["../x", "o1/../../x", "o", "", "o99"]) expect(shelf.more(name, 1, 1)).toBeUndefined();
});

test("lines have numbers, an end, and a cut when they are endless", () => {
  expect(numbered(linesOf("a\nb\n"), 1, 10, "on")).toBe("1\ta\n2\tb");
  expect(numbered(linesOf("a\nb\nc\n"), 2, 1, "go on at offset")).toBe("2\tb\n[lines 2–2 of 3; go on at offset 3]");
  expect(numbered([], 1, 10, "on")).toBe("(empty)");
  expect(numbered(["a"], 5, 10, "on")).toContain("no line 5");
  expect(numbered(["x".repeat(5_000)], 1, 10, "on").length).toBeLessThan(2_100);
});
