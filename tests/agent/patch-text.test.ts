import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyHunks, parsePatch, PatchWrong } from "../../src/agent/tools/patch-text.ts";

const patch = (...lines: readonly string[]): string => ["*** Begin Patch", ...lines, "*** End Patch"].join("\n");
const applied = (text: string, ...lines: readonly string[]): string => {
  const [change] = parsePatch(patch("*** Update File: f", ...lines));
  if (change?.what !== "update") throw new Error("no update");
  return applyHunks("f", text, change.hunks);
};

describe("a patch is read", () => {
  test("new, gone, changed and moved files", () => {
    expect(parsePatch(patch("*** Add File: a b.txt", "+one", "+", "*** Delete File: b", "*** Update File: c", "*** Move to: d", "@@ class X", " stays", "-goes", "+comes"))).toEqual([
      { what: "add", path: "a b.txt", text: "one\n\n" }, { what: "delete", path: "b" },
      { what: "update", path: "c", moveTo: "d", hunks: [{ anchors: ["class X"], before: ["stays", "goes"], after: ["stays", "comes"], atEnd: false }] },
    ]);
  });
  test.each([
    ["no frame", "*** Update File: f\n-a\n+b"], ["nothing", patch()], ["an unknown header", patch("*** Rename File: f")], ["a line of no kind", patch("*** Update File: f", "a")],
    ["a new file without plus signs", patch("*** Add File: f", "one")], ["an update of nothing", patch("*** Update File: f")],
  ])("%s is refused", (_, text) => { expect(() => parsePatch(text)).toThrow(PatchWrong); });
});

describe("a patch is applied", () => {
  const text = "one\ntwo\nthree\ntwo\n";
  test("at its one place", () => { expect(applied(text, " one", "-two", "+2")).toBe("one\n2\nthree\ntwo\n"); });
  test("after an anchor", () => { expect(applied(text, "@@ three", "-two", "+2")).toBe("one\ntwo\nthree\n2\n"); });
  test("hunk after hunk, in order", () => { expect(applied(text, " one", "-two", "+2", "@@", " three", "-two", "+zwei")).toBe("one\n2\nthree\nzwei\n"); });
  test("at the end of the file", () => { expect(applied(text, "-two", "+2", "*** End of File")).toBe("one\ntwo\nthree\n2\n"); });
  test("lines alone come at the end, or after their anchor", () => {
    expect(applied(text, "+four")).toBe(`${text}four\n`);
    expect(applied(text, "@@ one", "+1½")).toBe("one\n1½\ntwo\nthree\ntwo\n");
  });
  test("a file without a last newline keeps that, one with CRLF too", () => {
    expect(applied("a\nb", "-b", "+c")).toBe("a\nc");
    expect(applied("a\r\nb\r\n", "-b", "+c")).toBe("a\r\nc\r\n");
  });
  test("not where it could be meant twice, nor where it does not fit letter for letter", () => {
    expect(() => applied(text, "-two", "+2")).toThrow("several places");
    expect(() => applied(text, "-two ", "+2")).toThrow("does not fit");
    expect(() => applied(text, "@@ four", "-two", "+2")).toThrow("no line");
  });
  test("what it takes away and puts there is all that changes", () => {
    const line = fc.string({ unit: fc.constantFrom("a", "b", " ", "-", "+", "@"), maxLength: 5 });
    fc.assert(fc.property(fc.array(line, { maxLength: 6 }), fc.array(line, { maxLength: 6 }), fc.array(line, { minLength: 1, maxLength: 4 }), (before, after, fresh) => {
      const body = [...before, "the only one of its kind", ...after];
      expect(applied(`${body.join("\n")}\n`, "-the only one of its kind", ...fresh.map((each) => `+${each}`))).toBe(`${[...before, ...fresh, ...after].join("\n")}\n`);
    }));
  });
});
