import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentEvent } from "../../../src/domain/agent.ts";
import { call, ended, init, read, result, says, session, turnRequest, user, working } from "./streams.ts";

const closing = (events: readonly AgentEvent[]): readonly AgentEvent[] => events.filter(({ type }) => type === "result" || type === "failure");
const of = <T extends AgentEvent["type"]>(events: readonly AgentEvent[], type: T): readonly Extract<AgentEvent, { type: T }>[] => events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
const block = '```enact-verdict\n{"decision":"approve"}\n```';

describe("the documented stream gives typed events", () => {
  test("session, words, tools with beginning and end, and the last message as result", () => {
    const events = read(working, ended(), turnRequest({ model: "sonnet-4" }));
    expect(events[0]).toEqual({ type: "session", sessionId: session, model: "sonnet-4" });
    expect(of(events, "tool").map(({ phase, id, kind, name, summary, ok, output }) => [phase, id, kind, name, phase === "start" ? summary : output, ok])).toEqual([
      ["start", "toolu_0", "read", "read", "README.md", undefined], ["end", "toolu_0", "read", "read", "# Project\n", true],
      ["start", "toolu_1", "edit", "write", "made.txt", undefined], ["end", "toolu_1", "edit", "write", '{"path":"/repo/made.txt","linesCreated":1,"fileSize":5}', true],
    ]);
    expect(events.at(-1)).toEqual({ type: "result", text: "It is written." });
    expect(of(events, "usage")).toEqual([]);
    expect(of(events, "cost")).toEqual([]);
  });
  test("a call by its name, a command that failed, and one that was rejected", () => {
    const events = read([
      call("completed", "a", { function: { name: "codebase_search", arguments: '{"query":"x"}' } }),
      call("completed", "b", { shellToolCall: { args: { command: "make\nall" }, result: { error: { message: "exit 2" } } } }),
      call("completed", "c", { shellToolCall: { args: { command: "rm -rf /" }, result: { rejected: { reason: "denied by rule" } } } }),
    ]);
    expect(of(events, "tool").map(({ phase, name, kind, summary, ok, output }) => [name, kind, phase === "start" ? summary : output, ok])).toEqual([
      ["codebase_search", "other", '{"query":"x"}', undefined], ["codebase_search", "other", "", false],
      ["shell", "run", "make", undefined], ["shell", "run", "exit 2", false],
      ["shell", "run", "rm -rf /", undefined], ["shell", "run", "denied by rule", false],
    ]);
    expect(of(events, "permissionDenied")).toEqual([{ type: "permissionDenied", tool: "shell", detail: "denied by rule" }]);
  });
  test("a typed answer is read off the last message, not off all of them run together", () => {
    expect(of(read([init, says("I looked."), says(block), result(`I looked.${block}`)]), "verdict")).toMatchObject([{ verdict: { decision: "approve" } }]);
    expect(of(read([init, says(block), says("That is what the README says."), result(`${block}That is what the README says.`)]), "verdict")).toEqual([]);
  });
});

describe("a stream that ends without a result is a failure", () => {
  const kind = (end: Parameters<typeof ended>, lines: readonly string[] = [init, user, says("partial text")]) => closing(read(lines, ended(...end))).map((event) => event.type === "failure" ? event.failure.kind : event.type);
  test.each([
    ["exit 0", [{}], "noResult"],
    ["a signal", [{ code: null, signal: "SIGTERM" }, "429"], "crashed"],
    ["a lost run", [{ code: null, lost: true }], "crashed"],
    ["a limit", [{ code: 1 }, "Error: [resource_exhausted] You have hit your usage limit"], "rateLimited"],
    ["no login", [{ code: 1 }, "\u001b[31mError: Authentication required. Please run 'agent login' first, or set CURSOR_API_KEY.\u001b[0m"], "auth"],
    ["a model", [{ code: 1 }, "Cannot use this model: foo. Available models: auto"], "model"],
    ["a session", [{ code: 1 }, "Chat 1 not found"], "badSession"],
    ["the network", [{ code: 1 }, "Error: getaddrinfo ENOTFOUND api2.cursor.sh"], "network"],
    ["anything else", [{ code: 1 }, "boom"], "crashed"],
  ] as const)("%s", (_name, [exit, tail], expected) => { expect(kind([exit, tail])).toEqual([expected]); });
  test("a result line with an error is none, and the exit adds nothing to it", () => {
    expect(closing(read([init, result("rate limit exceeded", { is_error: true, subtype: "error" })], ended({ code: 1 }, "boom")))).toEqual([{ type: "failure", failure: { kind: "rateLimited", until: null, message: "rate limit exceeded" } }]);
  });
});

describe("hostile lines", () => {
  test("unknown events are ignored; what is no event is garbage and is kept", () => {
    expect(read(['{"type":"thinking","subtype":"delta"}', '{"type":"system","subtype":"tomorrow"}', '{"type":"constructor"}', user, ""]).slice(0, -1)).toEqual([]);
    const garbage = ["{", "null", "[]", '"x"', "{}", '{"type":1}', '{"type":"system","subtype":"init"}', '{"type":"assistant"}', '{"type":"tool_call","subtype":"x"}', '{"type":"result","subtype":"success"}', "Update available!", "\u0000\u001b[2J"];
    expect(read(garbage).slice(0, -1)).toEqual(garbage.map((text) => ({ type: "garbage", line: text })));
  });
  test("no line throws", () => {
    const text = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.record({ type: fc.constantFrom("system", "assistant", "tool_call", "result", "toString"), subtype: fc.constantFrom("init", "started", "completed", "success"), session_id: fc.jsonValue(), call_id: fc.jsonValue(), message: fc.jsonValue(), is_error: fc.jsonValue(), result: fc.jsonValue(), tool_call: fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), fc.record({ args: fc.jsonValue(), result: fc.jsonValue() }))) }, { requiredKeys: ["type"] }).map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(fc.array(text, { maxLength: 8 }), fc.string(), (lines, errorTail) => {
      expect(closing(read(lines, ended({ code: 1 }, errorTail))).length).toBe(1);
    }), { numRuns: 1_000 });
  });
  test("cut at every byte it never throws, never invents a result, and always closes once", () => {
    const bytes = Buffer.from(`${working.join("\n")}\n`);
    const complete = bytes.lastIndexOf("}") + 1;
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const close = closing(read(bytes.subarray(0, cut).toString("utf8").split("\n"), ended({ code: null, signal: "SIGKILL" })));
      if (close.length !== 1 || (close[0]?.type === "result") !== (cut >= complete)) throw new Error(`${JSON.stringify(close)} when cut at byte ${cut}`);
    }
  });
});
