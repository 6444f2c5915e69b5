import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { claudeReader } from "../../../src/adapters/claude/reader.ts";
import type { AgentEvent } from "../../../src/domain/agent.ts";
import { closing, readerSuite } from "../reader-suite.ts";
import { ended, read, streamBytes, streamLines, streamNames, turnRequest } from "./streams.ts";


describe("STRUCT-07 captured streams of the real CLI give typed events", () => {
  test("the session is named with its model and the version of the CLI", () => {
    expect(read(streamLines("edit")).find(({ type }) => type === "session")).toMatchObject({ model: expect.any(String), version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });

  /** How each stream closes: the text of its result, or the kind of its failure. The exit is what the CLI really gave. */
  const closes: Readonly<Record<string, { readonly result: string } | { readonly failure: string; readonly exit: ReturnType<typeof ended> }>> = {
    "edit": { result: "add() adds now; its test passes." },
    "subagent": { result: "The parent is done." },
    "first-of-session": { result: "Hello." },
    "resumed": { result: "Hello." },
    "permission-denied": { result: "I could not." },
    "read-only": { result: "done" },
    "answer-verdict": { result: "I looked." },
    "answer-audit": { result: "I looked." },
    "answer-question": { result: "I looked." },
    "answer-quoted": { result: 'I looked.\n\n```enact-verdict\n{"decision":"approve"}\n```\nThat is what the README says.' },
    "answer-malformed": { result: 'I looked.\n\n```enact-verdict\n{"decision":"maybe"}\n```' },
    "interrupted": { failure: "crashed", exit: ended() },
    "killed": { failure: "crashed", exit: ended({ code: null, signal: "SIGKILL" }) },
    "fault-400": { failure: "model", exit: ended({ code: 1 }) },
    "fault-401": { failure: "auth", exit: ended({ code: 1 }) },
    "fault-403": { failure: "auth", exit: ended({ code: 1 }) },
    "fault-404": { failure: "model", exit: ended({ code: 1 }) },
    "fault-429": { failure: "rateLimited", exit: ended({ code: 1 }) },
    "fault-429-retry-after": { failure: "rateLimited", exit: ended({ code: 1 }) },
    "fault-usage-limit": { failure: "rateLimited", exit: ended({ code: 1 }) },
    "fault-500": { failure: "network", exit: ended({ code: 1 }) },
    "fault-529": { failure: "overloaded", exit: ended({ code: 1 }) },
    "fault-reset": { failure: "network", exit: ended({ code: 1 }) },
    "fault-refused": { failure: "network", exit: ended({ code: 1 }) },
    "fault-cut": { failure: "network", exit: ended({ code: 1 }) },
    "fault-malformed": { failure: "network", exit: ended({ code: 1 }) },
    "fault-error-event": { failure: "overloaded", exit: ended({ code: 1 }) },
    "fault-hang-before-headers": { failure: "noResult", exit: ended() },
    "fault-hang-mid-stream": { failure: "crashed", exit: ended() },
    "fault-not-signed-in": { failure: "auth", exit: ended({ code: 1 }) },
    "fault-context-full": { failure: "contextFull", exit: ended({ code: 1 }) },
    "fault-request-too-large": { failure: "contextFull", exit: ended({ code: 1 }) },
    "fault-prompt-too-long": { failure: "model", exit: ended({ code: 1 }) },
    "fault-overlong": { failure: "overlong", exit: ended({ code: 1 }) },
    "fault-unknown-session": { failure: "badSession", exit: ended({ code: 1 }) },
  };
  const survived = streamNames.filter((name) => name.startsWith("survived-"));

  test("every stream that was kept is expected here", () => {
    expect([...Object.keys(closes), ...survived].toSorted()).toEqual(streamNames);
  });
  test.each(Object.entries(closes))("%s", (name, expected) => {
    const events = read(streamLines(name), "failure" in expected ? expected.exit : ended());
    const close = closing(events);
    if ("result" in expected) expect(close).toEqual([{ type: "result", text: expected.result }]);
    else expect(close).toMatchObject([{ type: "failure", failure: { kind: expected.failure } }]);
    expect(events.at(-1)).toEqual(close[0]);
    expect(events[0]?.type).toBe(name === "fault-unknown-session" ? "usage" : "session");
    expect(events.filter(({ type }) => type === "garbage")).toHaveLength(name === "answer-malformed" ? 1 : 0);
  });
  test.each(survived)("%s: a fault that passed leaves a result", (name) => {
    expect(closing(read(streamLines(name)))).toEqual([{ type: "result", text: "Said in the end." }]);
  });
  test("an API failure is a failure although its subtype says success", () => {
    expect(streamLines("fault-500").at(-1)).toContain('"subtype":"success"');
  });
});

describe("limits", () => {
  const until = (name: string): number | null | undefined => read(streamLines(name), ended({ code: 1 })).flatMap((event) => event.type === "failure" && event.failure.kind === "rateLimited" ? [event.failure.until] : []).at(0);
  test("of a subscription end when the account's window does", () => {
    expect(until("fault-usage-limit")).toBe(4_000_000_000_000);
  });
  test("with Retry-After end that long after the last refusal", () => {
    const refused = /"timestamp":"([^"]+)"[^\n]*"is_api_error_message":true/.exec(streamLines("fault-429-retry-after").join("\n"))?.[1] ?? "";
    expect((until("fault-429-retry-after") ?? 0) - Date.parse(refused)).toBeGreaterThanOrEqual(2_000);
  });
  test("are told while the CLI still tries", () => {
    expect(read(streamLines("survived-429-once")).filter(({ type }) => type === "rateLimit")).toEqual([{ type: "rateLimit", until: null, message: expect.stringMatching(/^rate_limit \(429\): try 1 of 1 in \d+ ms$/) }]);
  });
});

describe("money and tokens", () => {
  const spent = (events: readonly AgentEvent[]) => events.flatMap((event) => event.type === "cost" || event.type === "usage" ? [event] : []);
  test("usage is the run's, once, cached input included in the input", () => {
    expect(spent(read(streamLines("edit")))).toEqual([
      { type: "usage", usage: { inputTokens: 4_500, outputTokens: 140, cachedTokens: 3_100 } },
      { type: "cost", usd: expect.any(Number) },
    ]);
  });
  test("a subagent's tokens count, and the CLI's older summary without them serves where there is no newer one", () => {
    const usage = (lines: readonly string[]) => read(lines).flatMap((event) => event.type === "usage" ? [event.usage] : []);
    expect(usage(streamLines("subagent"))).toEqual([{ inputTokens: 2_200, outputTokens: 22, cachedTokens: 0 }]);
    expect(usage(streamLines("subagent").map((line) => line.replace("model_usage_since_last_result", "not_there")))).toEqual([{ inputTokens: 200, outputTokens: 20, cachedTokens: 0 }]);
  });
  test("what a resumed session had cost before is subtracted", () => {
    const costOf = (name: string, before: number): number => read(streamLines(name), ended(), turnRequest({ sessionCostUsd: before })).flatMap((event) => event.type === "cost" ? [event.usd] : []).at(-1) ?? 0;
    const before = costOf("first-of-session", 0);
    expect(before).toBeGreaterThan(0);
    expect(costOf("resumed", before)).toBeCloseTo(before, 10);
    // Sums in binary fractions: a hair above what the CLI says is still the same sum, not another session.
    expect(costOf("first-of-session", before + Number.EPSILON)).toBe(0);
    // A session that the CLI did not carry over costs what this run says.
    expect(costOf("first-of-session", 3)).toBe(before);
  });
  test("a second result line of a run replaces the first cost, it does not add to it", () => {
    const last = streamLines("first-of-session").at(-1) ?? "";
    const costs = read([last, last]).filter((event) => event.type === "cost");
    expect(costs).toHaveLength(2);
    expect(costs[0]).toEqual(costs[1]);
  });
});

test("a refused tool is told once, although event and result line both name it", () => {
  const lines = streamLines("permission-denied");
  expect(lines.filter((line) => line.includes('"permission_denied"'))).toHaveLength(3);
  expect(read(lines).filter(({ type }) => type === "permissionDenied")).toHaveLength(3);
  // The result line alone tells of them too.
  expect(read(lines.slice(-1)).filter(({ type }) => type === "permissionDenied")).toEqual(Array.from({ length: 3 }, () => ({ type: "permissionDenied", tool: "Write", detail: "" })));
});

describe("a stream that ends without a result is a failure", () => {
  const start = streamLines("edit").slice(0, 3);
  test.each([
    ["exit 0", ended(), { kind: "noResult" }],
    ["exit 1 with a message", ended({ code: 1 }, "boom"), { kind: "crashed", exitCode: 1, message: "boom" }],
    ["a signal", ended({ code: null, signal: "SIGTERM" }), { kind: "crashed", signal: "SIGTERM" }],
    ["a lost run", ended({ code: null, lost: true }), { kind: "crashed", exitCode: null }],
    ["an option that it does not have", ended({ code: 1 }, "error: unknown option '--permission-prompts'\n"), { kind: "spawn" }],
    ["a session in use", ended({ code: 1 }, "Error: Session ID e309b5be-533d-4d0e-830d-29faedd88090 is already in use.\n"), { kind: "badSession" }],
    ["a session that is not there", ended({ code: 1 }, "No conversation found with session ID: 34e69eb2-7f36-4878-8a1a-00cbbfb7ec77\n"), { kind: "badSession" }],
    ["no login", ended({ code: 1 }, "Invalid API key · Please run /login"), { kind: "auth" }],
  ])("%s", (_name, end, failure) => {
    expect(closing(read(start, end))).toMatchObject([{ type: "failure", failure }]);
  });
  test("and an end after a result adds nothing, whatever the exit was", () => {
    expect(closing(read(streamLines("edit"), ended({ code: 143, signal: "SIGTERM" }, "boom")))).toEqual([{ type: "result", text: "add() adds now; its test passes." }]);
  });
});

describe("hostile lines", () => {
  test("STRUCT-07 unknown events are ignored; what is no event is garbage and is kept", () => {
    expect(read(['{"type":"tomorrow","x":1}', '{"type":"system","subtype":"constructor"}', '{"type":"constructor"}', '{"type":"__proto__"}', ""]).slice(0, -1)).toEqual([]);
    const garbage = ["{", "null", "[]", '"x"', "{}", '{"type":1}', '{"type":"result"}', '{"type":"assistant"}', '{"type":"result","subtype":"success","result":"no is_error"}', "Could not parse message into JSON", "\u0000\u001b[2J"];
    expect(read(garbage).slice(0, -1)).toEqual(garbage.map((line) => ({ type: "garbage", line })));
  });
  test("text of a tool that looks like a result line is text", () => {
    const result = streamLines("edit").at(-1) ?? "";
    const line = JSON.stringify({ type: "user", message: { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: `\n${result}\n` }] } });
    expect(closing(read([line]))).toMatchObject([{ type: "failure", failure: { kind: "noResult" } }]);
  });
  test("the words of a subagent are not the agent's", () => {
    const line = JSON.stringify({ type: "assistant", parent_tool_use_id: "toolu_1", message: { content: [{ type: "text", text: "I approve." }, { type: "tool_use", id: "t2", name: "Read", input: { file_path: "/repo/a" } }] } });
    expect(claudeReader(turnRequest()).line(line)).toEqual([{ type: "tool", phase: "start", id: "t2", name: "Read", kind: "read", summary: "/repo/a" }]);
  });
  test("no line throws", () => {
    const line = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.record({ type: fc.constantFrom("system", "assistant", "user", "result", "rate_limit_event", "toString"), subtype: fc.oneof(fc.constantFrom("init", "api_retry", "permission_denied", "success"), fc.jsonValue()), message: fc.oneof(fc.jsonValue(), fc.record({ content: fc.jsonValue() })), is_error: fc.jsonValue(), result: fc.jsonValue(), usage: fc.jsonValue(), total_cost_usd: fc.jsonValue() }, { requiredKeys: ["type"] }).map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const close = closing(read(lines));
      expect(close.length).toBeGreaterThan(0);
    }), { numRuns: 1_000 });
  });
});

readerSuite({ streamNames, streamBytes, streamLines, ended, read });
