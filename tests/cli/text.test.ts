import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { block, oneLine, shellWord } from "../../src/client/text/safe-text.ts";
import type { Screen } from "../../src/cli/screen.ts";
import { table } from "../../src/cli/table.ts";
import { cut, pad, widthOf } from "../../src/client/text/width.ts";
import { execaSync } from "execa";

const screen = (columns: number): Screen => ({ write: () => {}, isTty: true, colour: false, columns: () => columns, rows: () => 24 });
/** Hostile: escape sequences, C1 controls, bidirectional overrides, lone surrogates, wide and combining characters. */
const hostile = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\u001b[2J", "\u001b]0;t\u0007", "\u009b31m", "\u202e", "\u200b", "\ud800", "漢字", "👩‍👩‍👧", "🇳🇱", "e\u0301", "\r\n", "\t")), { maxLength: 12 }).map((parts) => parts.join(""));
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u; // oxlint-disable-line no-control-regex

describe("text of strangers", () => {
  test("I1 of safe-text: no control character survives, whatever the text", () => {
    fc.assert(fc.property(hostile, (text) => {
      expect(oneLine(text)).not.toMatch(controls);
      expect(block(text).replaceAll("\n", "")).not.toMatch(controls);
      expect(oneLine(text).isWellFormed()).toBe(true);
    }), { numRuns: 500 });
  });

  test("what was there stays visible", () => {
    expect(oneLine("a\u001b[31mb")).toBe("a␛[31mb");
    expect(block("one\ttwo\r\nthree")).toBe("one  two\nthree");
  });

  test("a shell reads a quoted word as it was", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\u0000")), (text) => {
      expect(execaSync("/bin/sh", ["-c", `printf %s ${shellWord(text)}`], { stripFinalNewline: false }).stdout).toBe(text);
    }), { numRuns: 30, examples: [["it's"], ["$(id)"], ["a b"], [""], ["-n"]] });
  });
});

describe("columns", () => {
  test("CJK and emoji are two wide, marks none", () => {
    expect(["abc", "漢字", "👩‍👩‍👧", "🇳🇱", "e\u0301", "ｱ", "한", "✔"].map(widthOf)).toEqual([3, 4, 2, 2, 1, 1, 2, 1]);
  });

  test("cut never exceeds its columns and pad reaches them", () => {
    fc.assert(fc.property(hostile.map(oneLine), fc.integer({ min: 1, max: 40 }), (text, columns) => {
      expect(widthOf(cut(text, columns))).toBeLessThanOrEqual(columns);
      expect(widthOf(pad(cut(text, columns), columns))).toBe(columns);
    }));
  });

  test("a table's columns stand under each other and its lines fit the terminal", () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom("LOC-1", "LOC-22"), hostile, hostile), { minLength: 1, maxLength: 5 }), fc.integer({ min: 60, max: 120 }), (rows, columns) => {
      const short = rows.map(([id, a, b]) => [id, cut(oneLine(a), 20), b]);
      const lines = table(screen(columns), ["ID", "A", "B"], short).trimEnd().split("\n");
      expect(lines).toHaveLength(rows.length + 1);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    }));
  });
});
