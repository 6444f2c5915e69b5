import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { entriesCalling, entriesIn, type HookCli, hookEventsOf, NotUnderstood, withEntries, withoutEntries } from "../../src/adapters/hook-entries.ts";

const caller = { node: "/opt/it's node/bin/node", bin: "/opt/$(touch x)/cli.js" };
const handler = fc.record({ type: fc.constant("command"), command: fc.string(), timeout: fc.nat() }, { requiredKeys: ["type", "command"] }).filter(({ command }) => !command.trimEnd().endsWith("# enact-factory"));
const groups = fc.array(fc.record({ matcher: fc.string(), hooks: fc.array(handler, { minLength: 1 }) }, { requiredKeys: ["hooks"] }), { minLength: 1, maxLength: 3 });
const foreign = fc.record({
  hooks: fc.dictionary(fc.constantFrom("Stop", "SessionStart", "PreToolUse", "Notification"), groups), permissions: fc.jsonValue({ depthSize: "small" }).map((value): unknown => JSON.parse(JSON.stringify(value))), env: fc.dictionary(fc.stringMatching(/^[A-Z]+$/), fc.string()), theme: fc.string(),
}, { requiredKeys: [] });
const cli = fc.constantFrom<HookCli>("claude", "codex");

describe("entries in the settings of agent CLIs", () => {
  test("are added beside whatever is there, twice is as good as once, and go again without a trace", () => {
    fc.assert(fc.property(foreign, cli, fc.constantFrom(2, 4, "\t"), (settings, of, indent) => {
      const text = `${JSON.stringify(settings, null, indent)}\n`;
      const once = withEntries(text, of, caller);
      expect(withEntries(once, of, caller)).toBe(once);
      expect(entriesIn(once).map(({ event }) => event).toSorted()).toEqual(Object.keys(hookEventsOf[of]).toSorted());
      const { hooks = {}, ...rest } = settings;
      expect(JSON.parse(once)).toMatchObject(rest);
      for (const [event, before] of Object.entries(hooks)) expect(JSON.parse(once).hooks[event].slice(0, before.length)).toEqual(before);
      const { hooks: left = {}, ...others } = JSON.parse(withoutEntries(once));
      expect(others).toEqual(JSON.parse(JSON.stringify(rest)));
      expect(left).toEqual(hooks);
      if (settings.hooks === undefined || Object.keys(settings.hooks).length > 0) expect(withoutEntries(once)).toBe(Object.keys(settings).length === 0 ? "{}\n" : `${JSON.stringify(settings, null, indent)}\n`);
    }), { numRuns: 300 });
  });

  test("are brought up to date in their place: what codex trusts by its position stays there", () => {
    const old = withEntries('{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"mine"}]}]}}', "codex", { node: "/old/node", bin: "/old/cli.js" });
    const more = JSON.stringify({ ...JSON.parse(old), hooks: { ...JSON.parse(old).hooks, Stop: [...JSON.parse(old).hooks.Stop, { hooks: [{ type: "command", command: "last" }] }] } });
    expect(entriesIn(withEntries(more, "codex", caller)).map(({ event, group, files }) => [event, group, files])).toEqual([["Stop", 1, [caller.node, caller.bin]], ["SessionStart", 0, [caller.node, caller.bin]], ["SessionEnd", 0, [caller.node, caller.bin]]]);
  });

  test("name their programs as words that no shell takes apart", () => {
    expect(JSON.parse(withEntries("", "codex", caller)).hooks.Stop[0].hooks[0].command).toBe("'/opt/it'\\''s node/bin/node' '/opt/$(touch x)/cli.js' hook stop --cli codex # enact-factory");
  });

  test.each(["{", "[]", '"x"', "// a comment\n{}", '{"hooks":[]}', '{"hooks":{"Stop":{}}}', '{"hooks":{"Stop":[{"hooks":"x"}]}}'])("what is not understood is refused: %s", (text) => {
    expect(() => withEntries(text, "claude", caller)).toThrow(NotUnderstood);
  });

  test("of another program are found by its name", () => {
    const text = JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command: '"/opt/enact-operator" stop' }, { type: "command", command: "enact-operator stop" }] }] } });
    expect(entriesCalling(text, "enact-operator").map(({ files }) => files)).toEqual([["/opt/enact-operator"], []]);
  });
});
