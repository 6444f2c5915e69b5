import fc from "fast-check";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { type KeyPath, locateKeys } from "../../src/config/toml-positions.ts";

interface Expected { readonly path: KeyPath; readonly line: number; readonly column: number }

const bare = fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/);
const name = fc.oneof({ weight: 3, arbitrary: bare }, fc.string({ minLength: 1, maxLength: 5 }).filter((text) => !/[\ud800-\udfff]/.test(text)));
const spelled = (key: string, quote: number): string => (/^[A-Za-z0-9_-]+$/.test(key) && quote !== 1 ? key : quote === 2 && !/['\n\r]/.test(key) && !hasControl(key) ? `'${key}'` : tomlText(key));
const hasControl = (text: string): boolean => [...text].some((letter) => letter < " " || letter === "\u007f");
const tomlText = (text: string): string => `"${[...text].map((letter) => (letter === '"' || letter === "\\" ? `\\${letter}` : hasControl(letter) ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}` : letter)).join("")}"`;

/** Values that try to look like structure. */
const scalar = fc.constantFrom("1", "true", '"a # no comment"', "'[no.table]'", '"""\n[no]\nx = 1 \\"""\n"""', "'''\n# no\n''''", "1979-05-27T07:32:00Z", '""', "[]", "{}", "[ 1, # one\n 2 ]", '[["a"], ["]"]]', '{ a.b = 1, "c d" = [1, 2] }');

interface Writer { text: string; readonly expected: Expected[] }
const place = (writer: Writer): { line: number; column: number } => {
  const before = writer.text.split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
};

type Pairs = readonly (readonly [key: string, quote: number, value: string])[];
const pairs: fc.Arbitrary<Pairs> = fc.uniqueArray(fc.tuple(name, fc.nat(2), scalar), { selector: ([key]) => key, maxLength: 4 });
const tables = fc.uniqueArray(fc.tuple(name, fc.nat(2), fc.constantFrom("table", "dotted", "array"), pairs, pairs), { selector: ([key]) => key, maxLength: 5 });

test("every key of a generated document is found where it was written", () => {
  fc.assert(fc.property(pairs, tables, fc.constantFrom("", "\n", "# [[comment]]\n", "  \t"), (top, below, gap) => {
    const writer: Writer = { text: "", expected: [] };
    const put = (path: KeyPath, entries: Pairs, prefix = ""): void => {
      for (const [key, quote, value] of entries) {
        writer.text += prefix === "" ? gap : "";
        if (gap === "" || gap.endsWith("\n")) writer.text += "  ";
        if (prefix !== "") writer.text += prefix;
        writer.expected.push({ path: [...path, key], ...place(writer) });
        writer.text += `${spelled(key, quote)} = ${value} # end\n`;
      }
    };
    const taken = new Set(below.map(([key]) => key));
    put([], top.filter(([key]) => !taken.has(key)));
    // Dotted pairs of the top must stand before the first header.
    for (const [key, quote, kind, entries] of below) if (kind === "dotted") put([key], entries, `${spelled(key, quote)} . `);
    for (const [key, quote, kind, entries, more] of below) {
      if (kind === "table") {
        writer.text += "[ ";
        writer.expected.push({ path: [key], ...place(writer) });
        writer.text += `${spelled(key, quote)} ] # header\n`;
        put([key], entries);
      } else if (kind === "array") {
        for (const [index, each] of [entries, more].entries()) {
          writer.expected.push({ path: [key, index], ...place(writer) });
          writer.text += `[[${spelled(key, quote)}]]\n`;
          put([key, index], each);
          const inner = `inner${key}`;
          writer.text += `[${spelled(key, quote)}.`;
          writer.expected.push({ path: [key, index, inner], ...place(writer) });
          writer.text += `${spelled(inner, quote)}]\n`;
          put([key, index, inner], each);
        }
      }
    }
    try {
      parse(writer.text);
    } catch {
      // A generated text with clashing keys is no TOML; nothing is claimed about it.
      fc.pre(false);
    }
    const locate = locateKeys(writer.text);
    for (const { path, line, column } of writer.expected) expect({ path, at: locate(path) }).toEqual({ path, at: { line, column } });
  }), { numRuns: 300 });
});

test("inline tables and array items are found; an absent key is placed at its parent", () => {
  const locate = locateKeys('a = { b = 1, "c d" = [ 10,\n  20 ] }\n[t]\n  x.y = 2\n');
  expect(locate(["a", "b"])).toEqual({ line: 1, column: 7 });
  expect(locate(["a", "c d", 1])).toEqual({ line: 2, column: 3 });
  expect(locate(["t", "x", "y"])).toEqual({ line: 4, column: 5 });
  expect(locate(["t", "absent", "deeper"])).toEqual({ line: 3, column: 2 });
  expect(locate(["nowhere"])).toBeUndefined();
});

test("any text at all is scanned to its end", () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), fc.string({ unit: fc.constantFrom("[", "]", "{", "}", '"', "'", "=", ".", "#", "\n", ",", "a", " ", "\\"), maxLength: 60 })), (text) => {
    locateKeys(text)(["a", 0, "b"]);
  }), { numRuns: 500 });
});
