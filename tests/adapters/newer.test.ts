/** A CLI that is newer than the one we know: events and fields that nobody has named yet, a higher version. What we do know is read as before. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { claude } from "../../src/adapters/claude/adapter.ts";
import { codex } from "../../src/adapters/codex/adapter.ts";
import { opencode } from "../../src/adapters/opencode/adapter.ts";
import { responses } from "../../src/adapters/responses/adapter.ts";
import { scriptedAdapter } from "../../src/adapters/scripted/adapter.ts";
import type { AgentEvent } from "../../src/domain/agent.ts";
import type { Adapter, StreamEnd } from "../../src/ports/adapter.ts";
import { read as readCursor, working } from "./cursor/streams.ts";
import { ended, streamsOf } from "./streams.ts";

interface Known {
  readonly name: string;
  readonly streams: readonly (readonly string[])[];
  readonly read: (lines: readonly string[], end?: StreamEnd) => readonly AgentEvent[];
  /** Where this CLI may say something new. */
  readonly tomorrow: readonly object[];
}

const ofItsOwn = (adapter: Adapter, lines: readonly object[]): Known => ({
  name: adapter.name, streams: [lines.map((line) => JSON.stringify(line))], tomorrow: [],
  read: (all, end = ended()) => {
    const reader = adapter.reader({ ...streamsOf(claude).turnRequest(), adapter: adapter.name });
    return [...all.flatMap((line) => reader.line(line)), ...reader.end(end)];
  },
});
const recorded = (adapter: Adapter, tomorrow: readonly object[]): Known => {
  const { streamNames, streamLines, read } = streamsOf(adapter);
  return { name: adapter.name, streams: streamNames.map(streamLines), read, tomorrow };
};

const usage = { type: "usage", usage: { inputTokens: 3, outputTokens: 2, cachedTokens: 1 } };
const clis: readonly Known[] = [
  recorded(claude, [{ type: "system", subtype: "of_tomorrow" }, { type: "assistant", parent_tool_use_id: "toolu_x", message: { content: [{ type: "of_tomorrow", text: 1 }] } }, { type: "user", message: { content: [{ type: "of_tomorrow" }] } }]),
  recorded(codex, [{ type: "item.completed", item: { id: "item_99", type: "of_tomorrow" } }, { type: "item.updated", item: { id: "item_98", type: "agent_message", text: "half a" } }, { type: "turn.of_tomorrow" }]),
  recorded(opencode, [{ type: "step_of_tomorrow", sessionID: "ses_x" }]),
  { name: "cursor", streams: [working], read: (lines, end) => readCursor(lines, end), tomorrow: [{ type: "system", subtype: "of_tomorrow" }, { type: "thinking", subtype: "delta", text: "hm" }] },
  ofItsOwn(responses, [{ type: "session", sessionId: "s1", model: "m" }, { type: "text", text: "I look." }, usage, { type: "result", text: "Done." }]),
  ofItsOwn(scriptedAdapter, [{ type: "session", sessionId: "s1", carried: { inputTokens: 0, outputTokens: 0, cachedTokens: 0 } }, { type: "text", text: "I look." }, { type: "result", text: "Done." }]),
];

/** What the model gave to a tool is its own, not the CLI's. */
const theModels = new Set(["input", "args", "arguments", "tool_call"]);

/** A field that nobody knows in every object, and a higher version. */
const grown = (value: unknown, more: unknown): unknown => {
  if (Array.isArray(value)) return value.map((each) => grown(each, more));
  if (typeof value !== "object" || value === null) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([name, each]) => [name, theModels.has(name) ? each : /version/i.test(name) && typeof each === "string" ? "99.0.0" : grown(each, more)])), field_of_tomorrow: more };
};

/** But for the version itself, which is noted as it is said. */
const known = (events: readonly AgentEvent[]): readonly AgentEvent[] => events.flatMap((event): AgentEvent[] => {
  if (event.type !== "session") return event.type === "garbage" ? [] : [event];
  const { version: _, ...session } = event;
  return [session];
});

test.each(clis)("$name: unknown events and fields and a higher version change nothing that is known", ({ streams, read, tomorrow }) => {
  const stranger = fc.oneof(
    fc.record({ type: fc.constantFrom("event.of_tomorrow", "of_tomorrow", "Result", "toString"), data: fc.jsonValue() }),
    ...tomorrow.map((event) => fc.constant(event)),
  ).map((event) => JSON.stringify(event));
  const end = fc.constantFrom(ended(), ended({ code: 1 }, "Error: something that it never said before"), ended({ code: null, signal: "SIGTERM" }));
  fc.assert(fc.property(fc.constantFrom(...streams), fc.jsonValue(), fc.array(fc.tuple(fc.nat(60), stranger), { maxLength: 6 }), end, (lines, value, strangers, how) => {
    const later = lines.map((line) => { try { return JSON.stringify(grown(JSON.parse(line), value)); } catch { return line; } });
    for (const [at, line] of strangers) later.splice(at % (later.length + 1), 0, line);
    expect(known(read(later, how))).toEqual(known(read(lines, how)));
  }), { numRuns: 300 });
});
