/** The texts of prompts: the same in both languages, rendered strictly, their answer forms read by the reader of answers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerBlock } from "../../src/adapters/answer-block.ts";
import { Language } from "../../src/domain/language.ts";
import { sayAny, texts, variablesIn, wordsIn } from "../../src/prompts/words.ts";

const languages = Language.options;
const every = languages.flatMap((language) => Object.entries(texts[language]).flatMap(([set, keys]) => Object.entries(keys).map(([key, text]) => ({ language, set, key, text }))));
const keysOf = (language: Language): readonly string[] => every.filter((each) => each.language === language).map(({ set, key }) => `${set}.${key}`).toSorted();
const hostile = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("{{mark}}", "{{- name}}", "{{n}} {{id}}", "$t(coder.duty)", "$t(material:data, {\"mark\": \"x\"})", "$& $1 $` $'", "<b>&amp;</b>", "%s", "__proto__", "{{constructor}}", "}}{{", ""));

describe("STRUCT-18 English and Korean texts of prompts", () => {
  test("have the same keys, each with a text of its own and the same variables", () => {
    expect(keysOf("ko")).toEqual(keysOf("en"));
    const english = new Map(every.filter(({ language }) => language === "en").map((each) => [`${each.set}.${each.key}`, each.text]));
    for (const { language, set, key, text } of every) {
      expect(text.trim(), `${language} ${set}.${key}`).toBe(text);
      expect(variablesIn(text), `${language} ${set}.${key}`).toEqual(variablesIn(english.get(`${set}.${key}`) ?? ""));
      // Plain variables only: formats, unescaped ones and nested keys are i18next's own language.
      for (const name of variablesIn(text)) expect(name).toMatch(/^[a-z]+$/i);
      expect(text).not.toContain("$t(");
      if (language === "ko") expect(text, `${set}.${key}`).toMatch(/[가-힣]/);
      else expect(text).not.toMatch(/[가-힣]/);
    }
  });

  test("render in both; what is put in stays as it is, whatever it looks like", () => {
    fc.assert(fc.property(fc.constantFrom(...every), fc.array(hostile, { minLength: 8, maxLength: 8 }), ({ language, set, key, text }, given) => {
      const values = Object.fromEntries(variablesIn(text).map((name, n) => [name, given[n] ?? ""]));
      expect(sayAny(language, set, key, values)).toBe(text.split(/\{\{(.+?)\}\}/).map((piece, n) => (n % 2 === 0 ? piece : values[piece])).join(""));
    }), { numRuns: 2_000 });
  });

  test("keep names of blocks, keys and words of the protocol, and the same names of commands", () => {
    const protocol = (text: string): readonly string[] => [...new Set([...text.matchAll(/```[a-z-]*|(?<!`)`[^`\n]+`(?!`)|"[a-zA-Z]+"(?=:| \||,)|<\/?[A-Za-z-]+|quoted-enact|AGENTS\.md|\/project/g)].map(([found]) => found))].toSorted();
    for (const { set, key, text } of every.filter(({ language }) => language === "en")) expect(protocol(every.find((each) => each.language === "ko" && each.set === set && each.key === key)?.text ?? ""), `${set}.${key}`).toEqual(protocol(text));
  });

  const forms = languages.flatMap((language) => (["question", "verdict", "audit", "plan", "criteria"] as const).map((kind) => ({ language, kind })));
  test.each(forms)("the form of a $kind in $language is read as one when it is filled in", ({ language, kind }) => {
    const form = wordsIn(language).say("answers", kind), block = /```enact-[^]*?\n```/.exec(form)?.[0] ?? "";
    // One of the words that may stand there.
    const filled = block.replaceAll(/("[a-z]+")(?: \| "[a-z]+")+/g, "$1");
    expect(answerBlock(`…\n\n${filled}`)).toMatchObject({ found: "answer", answer: { kind } });
  });
});

describe("strictly", () => {
  test.each<{ readonly what: string; readonly set: string; readonly key: string; readonly values: Readonly<Record<string, string | number>>; readonly says: string }>([
    { what: "a set that is not there", set: "nobody", key: "duty", values: {}, says: "there is no text nobody.duty in ko" },
    { what: "a key that is not there", set: "coder", key: "toString", values: {}, says: "there is no text coder.toString in ko" },
    { what: "a variable that is missing", set: "material", key: "attempt", values: {}, says: "lacks a value for n" },
    { what: "a variable that the text does not name", set: "material", key: "attempt", values: { n: 1, count: 2 }, says: "names no variable count" },
    { what: "a variable where there is none", set: "coder", key: "duty", values: { constructor: "x" }, says: "names no variable constructor" },
  ])("$what is a fault", ({ set, key, values, says }) => {
    expect(() => sayAny("ko", set, key, values)).toThrow(says);
    expect(() => sayAny("ko", set, key, values)).toThrow(expect.objectContaining({ _tag: "PromptFault" }));
  });

  test("mistakes do not compile", () => {
    const { say } = wordsIn("en");
    // @ts-expect-error no such key
    expect(() => say("coder", "task")).toThrow("there is no text");
    // @ts-expect-error the variable is missing
    expect(() => say("material", "attempt")).toThrow("lacks a value");
    // @ts-expect-error the variable has another name
    expect(() => say("material", "attempt", { m: 1 })).toThrow("lacks a value");
    expect(say("material", "attempt", { n: 2 })).toBe("This is attempt 2. Your earlier change is in the worktree; build on it.");
  });

  test("a version names set, language and the hash of the texts: no two are the same", () => {
    const versions = languages.flatMap((language) => (["coder", "critic", "tester", "documenter", "auditor", "stage-documenter", "planner", "team"] as const).map((set) => wordsIn(language).version(set)));
    for (const version of versions) expect(version).toMatch(/^[a-z-]+\/(en|ko)\/[0-9a-f]{12}$/);
    expect(new Set(versions.map((version) => version.split("/")[2])).size).toBe(versions.length);
  });
});
