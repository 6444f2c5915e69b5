import { expect, test } from "vitest";
import { readYaml } from "../../src/config/yaml.ts";

test("mappings, lists, scalars, flow values and block texts", () => {
  expect(readYaml(`---
# a comment
adapter: codex   # trailing
"quoted key": 'it''s'
url: "a: b # c"
none: ~
yes: true
count: -12
ratio: 0.8
version: 007
projects:
- name: app
  projectPath: ~/src/app
  checks:
    - name: test
      argv: [npm, "run, it", {a: 1, b: [x]}]
  nested:
    -
      deep: 1
    - - a
      - b
- other
text: |
  one
    # kept

  three
folded: >-
  one
  two
empty:
`)).toEqual({ ok: true, value: {
    adapter: "codex", "quoted key": "it's", url: "a: b # c", none: null, yes: true, count: -12, ratio: 0.8, version: "007",
    projects: [{ name: "app", projectPath: "~/src/app", checks: [{ name: "test", argv: ["npm", "run, it", { a: 1, b: ["x"] }] }], nested: [{ deep: 1 }, ["a", "b"]] }, "other"],
    text: "one\n  # kept\n\nthree\n", folded: "one two", empty: null,
  } });
});

test.each([
  ["a: &anchor b", 1], ["a:\n  b: 1\n c: 2", 3], ["a: 1\na: 2", 2], ["a: [1, 2", 1], ["a: x\n  y", 2], ["a:\n\tb: 1", 2], ["a: 1\n---\nb: 2", 2], ["just text", 1],
])("what it cannot read is said with its line: %j", (text, line) => {
  expect(readYaml(text)).toMatchObject({ ok: false, line });
});
