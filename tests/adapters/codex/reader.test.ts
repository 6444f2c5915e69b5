import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentEvent } from "../../../src/domain/agent.ts";
import { closing, readerSuite } from "../reader-suite.ts";
import { ended, read, streamBytes, streamLines, streamNames, turnRequest } from "./streams.ts";

const of = <T extends AgentEvent["type"]>(events: readonly AgentEvent[], type: T): readonly Extract<AgentEvent, { type: T }>[] => events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
const item = (type: "item.started" | "item.completed", body: Readonly<Record<string, unknown>>): string => JSON.stringify({ type, item: body });

describe("STRUCT-07 captured streams of the real codex CLI give typed events", () => {
  const failed = ended({ code: 1 });
  /** How each stream closes: the text of its result, or the kind of its failure. The exit is what the CLI really gave. */
  const closes: Readonly<Record<string, { readonly result: string } | { readonly failure: string; readonly exit: ReturnType<typeof ended> }>> = {
    "edit": { result: "add() adds now; its test passes." },
    "unknown-model": { result: "Hello." },
    "first-of-session": { result: "Hello." },
    "resumed": { result: "Hello." },
    "permission-denied": { result: "I could not." },
    "read-only": { result: "done" },
    "answer-verdict": { result: "I looked." },
    "answer-audit": { result: "I looked." },
    "answer-question": { result: "I looked." },
    "answer-quoted": { result: 'I looked.\n\n```enact-verdict\n{"decision":"approve"}\n```\nThat is what the README says.' },
    "answer-malformed": { result: 'I looked.\n\n```enact-verdict\n{"decision":"maybe"}\n```' },
    "interrupted": { failure: "crashed", exit: failed },
    "killed": { failure: "crashed", exit: ended({ code: null, signal: "SIGKILL" }) },
    "fault-400": { failure: "model", exit: failed },
    "fault-400-context": { failure: "model", exit: failed },
    "fault-401": { failure: "auth", exit: failed },
    "fault-402": { failure: "auth", exit: failed },
    "fault-403": { failure: "auth", exit: failed },
    "fault-404": { failure: "model", exit: failed },
    "fault-413": { failure: "model", exit: failed },
    "fault-429": { failure: "rateLimited", exit: failed },
    "fault-429-retry-after": { failure: "rateLimited", exit: failed },
    "fault-usage-limit": { failure: "rateLimited", exit: failed },
    "fault-500": { failure: "overloaded", exit: failed },
    "fault-502": { failure: "network", exit: failed },
    "fault-503": { failure: "overloaded", exit: failed },
    "fault-529": { failure: "overloaded", exit: failed },
    "fault-reset": { failure: "network", exit: failed },
    "fault-refused": { failure: "network", exit: failed },
    "fault-cut": { failure: "network", exit: failed },
    "fault-malformed": { failure: "network", exit: failed },
    "fault-error-event": { failure: "overloaded", exit: failed },
    "fault-error-event-server": { failure: "network", exit: failed },
    "fault-error-event-rate": { failure: "rateLimited", exit: failed },
    "fault-error-event-quota": { failure: "auth", exit: failed },
    "fault-error-event-prompt": { failure: "model", exit: failed },
    "fault-error-event-context": { failure: "model", exit: failed },
    "fault-no-key": { failure: "auth", exit: failed },
    "fault-hang-before-headers": { failure: "crashed", exit: ended({ code: null, signal: "SIGTERM" }) },
    "fault-hang-mid-stream": { failure: "crashed", exit: failed },
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
    expect(events[0]?.type).toBe("session");
    expect(of(events, "garbage")).toHaveLength(["answer-malformed", "unknown-model"].includes(name) ? 1 : 0);
  });
  test.each(survived)("%s: a fault that passed leaves a result", (name) => {
    expect(closing(read(streamLines(name)))).toEqual([{ type: "result", text: "Said in the end." }]);
  });
});

describe("tools", () => {
  test("a command, an edit and the test, each with its beginning and its end", () => {
    expect(of(read(streamLines("edit")), "tool").map(({ phase, kind, name, summary, ok }) => [phase, kind, name, summary, ok])).toEqual([
      ["start", "run", "shell", "cat -- 'add.mjs'", undefined], ["end", "run", "shell", "", true],
      ["start", "edit", "apply_patch", "add.mjs", undefined], ["end", "edit", "apply_patch", "", true],
      ["start", "run", "shell", "node --test", undefined], ["end", "run", "shell", "", true],
    ]);
  });
  test("a command that fails says so; one whose quoting is in pieces is shown as it is", () => {
    const command = (command_: string, more: object = {}) => item("item.completed", { id: "i1", type: "command_execution", command: command_, aggregated_output: "no\n", exit_code: 2, status: "failed", ...more });
    expect(of(read([command("/bin/zsh -lc 'make'")]), "tool")).toMatchObject([{ phase: "start", summary: "make" }, { phase: "end", ok: false, output: "no\n" }]);
    expect(of(read([command("/bin/bash -c \"echo \\\"\\$HOME\\\"\"")]), "tool")[0]).toMatchObject({ summary: 'echo "$HOME"' });
    expect(of(read([command("/bin/bash -c 'a'\"'\"'b'")]), "tool")[0]).toMatchObject({ summary: "'a'\"'\"'b'" });
    expect(of(read([command("make all", { exit_code: null, status: "declined" })]), "tool")).toMatchObject([{ summary: "make all" }, { ok: false }]);
  });
  test("what is told only when it is done begins then; a list of things to do, a search, a server's tool and an agent of the agent are tools too", () => {
    const lines = [
      item("item.completed", { id: "i1", type: "file_change", changes: [{ path: "/repo/a", kind: "add" }, { path: "/elsewhere/b", kind: "delete" }], status: "failed" }),
      item("item.started", { id: "i2", type: "todo_list", items: [{ text: "one", completed: true }, { text: "two", completed: false }] }),
      JSON.stringify({ type: "item.updated", item: { id: "i2", type: "todo_list", items: [] } }),
      item("item.completed", { id: "i2", type: "todo_list", items: [{ text: "one", completed: true }, { text: "two", completed: true }] }),
      item("item.completed", { id: "i3", type: "web_search", query: "how" }),
      item("item.started", { id: "i4", type: "mcp_tool_call", server: "files", tool: "read", arguments: { path: "x" }, status: "in_progress" }),
      item("item.completed", { id: "i4", type: "mcp_tool_call", server: "files", tool: "read", arguments: { path: "x" }, result: { content: [{ type: "text", text: "hello" }, { type: "image" }] }, status: "completed" }),
      item("item.completed", { id: "i5", type: "mcp_tool_call", server: "files", tool: "read", arguments: null, error: { message: "gone" }, status: "failed" }),
      item("item.completed", { id: "i6", type: "collab_tool_call", tool: "spawn_agent", prompt: "Look.\nWell.", status: "completed", sender_thread_id: "x", receiver_thread_ids: [], agents_states: {} }),
    ];
    expect(of(read(lines), "tool").map(({ id, phase, kind, name, summary, ok, output }) => [id, phase, kind, name, phase === "start" ? summary : output, ok])).toEqual([
      ["i1", "start", "edit", "apply_patch", "a, /elsewhere/b", undefined], ["i1", "end", "edit", "apply_patch", "add /repo/a\ndelete /elsewhere/b", false],
      ["i2", "start", "other", "todo_list", "two", undefined], ["i2", "end", "other", "todo_list", "[x] one\n[x] two", true],
      ["i3", "start", "read", "web_search", "how", undefined], ["i3", "end", "read", "web_search", "", true],
      ["i4", "start", "other", "files.read", '{"path":"x"}', undefined], ["i4", "end", "other", "files.read", "hello\n", true],
      ["i5", "start", "other", "files.read", "{}", undefined], ["i5", "end", "other", "files.read", "gone", false],
      ["i6", "start", "other", "spawn_agent", "Look.", undefined], ["i6", "end", "other", "spawn_agent", "", true],
    ]);
  });
  test("a patch that the sandbox forbids is in the CLI's log only, and is a denial all the same", () => {
    const log = "2026-11-30T21:55:04.703987Z ERROR codex_core::tools::router: error=patch rejected: writing is blocked by read-only sandbox; rejected by user approval settings\n";
    const events = read(streamLines("read-only"), ended({}, `warning: x\n${log}${log}`));
    expect(of(events, "permissionDenied")).toEqual(Array.from({ length: 2 }, () => ({ type: "permissionDenied", tool: "apply_patch", detail: "writing is blocked by read-only sandbox; rejected by user approval settings" })));
    expect(closing(events)).toEqual([{ type: "result", text: "done" }]);
  });
});

describe("tokens", () => {
  const total = { inputTokens: 2_000, outputTokens: 200, cachedTokens: 800 };
  const session = "01a22e74-4f12-7f00-a3c8-c674e4696d58";
  const lines = [JSON.stringify({ type: "thread.started", thread_id: session }), ...streamLines("resumed").slice(1)];
  const usage = (more: Parameters<typeof turnRequest>[0]) => of(read(lines, ended(), turnRequest(more)), "usage").map(({ usage: used }) => used);
  const before = { inputTokens: 1_000, outputTokens: 100, cachedTokens: 400 };
  test("of a resumed session are what this run added; the session's total goes beside them", () => {
    expect(of(read(lines, ended(), turnRequest({ sessionId: session, sessionUsage: before })), "usage")).toEqual([{ type: "usage", usage: before, session: total }]);
  });
  test("of a session that the CLI did not carry on are all this run's", () => {
    expect(usage({ sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77", sessionUsage: before })).toEqual([total]);
    expect(usage({ sessionId: session, sessionUsage: { ...before, inputTokens: 5_000 } })).toEqual([total]);
    expect(usage({ sessionId: session })).toEqual([total]);
  });
});

describe("limits", () => {
  const until = (lines: readonly string[], at = 1_000): number | null | undefined => closing(read(lines, ended({ code: 1, at }))).flatMap((event) => event.type === "failure" && event.failure.kind === "rateLimited" ? [event.failure.until] : [])[0];
  const failedWith = (message: string): readonly string[] => [JSON.stringify({ type: "turn.failed", error: { message } })];
  test("end when the message says", () => {
    const day = Date.parse("Mar 17 2030 5:00 AM"), noon = Date.parse("Mar 17 2030 12:00 PM");
    expect(until(failedWith("You’ve hit your usage limit. Upgrade to Pro or try again at Mar 19th, 2030 5:47 PM."))).toBe(Date.parse("Mar 19 2030 5:47 PM"));
    expect(until(failedWith("You’ve hit your usage limit. Try again at 12:00 PM."), day)).toBe(noon);
    expect(until(failedWith("You’ve hit your usage limit, try again at 12:00 PM."), day)).toBe(noon);
    expect(until(failedWith("You’ve hit your usage limit, try again at 5:00 AM."), noon)).toBe(Date.parse("Mar 18 2030 5:00 AM"));
    expect(until(failedWith("You’ve hit your usage limit, try again at 12:00 PM."), noon + 30_000)).toBe(noon);
    expect(until(failedWith("rate limit exceeded: Rate limit reached for gpt-5.5. Please try again in 1.5s."))).toBe(2_500);
    expect(until(failedWith("rate limit exceeded: please try again in 250ms."))).toBe(1_250);
    expect(until(failedWith("You’ve hit your usage limit, try again in 1 day 2 hours 5 minutes."))).toBe(1_000 + (26 * 60 + 5) * 60_000);
  });
  test("have no end when it says none, or says it in words that nobody knows", () => {
    for (const message of ["exceeded retry limit, last status: 429 Too Many Requests", "usage limit, try again at Foo 99th, 2030 5:47 PM.", "usage limit, try again in 3 fortnights"]) expect(until(failedWith(message))).toBeNull();
  });
  test("are told while the CLI still tries", () => {
    expect(of(read(streamLines("survived-429-once-retry-after")), "rateLimit")).toEqual([{ type: "rateLimit", until: null, message: expect.stringMatching(/^Reconnecting\.\.\. 1\/1 \(.*429/) }]);
    expect(of(read(streamLines("survived-500-once")), "rateLimit")).toEqual([]);
  });
});

describe("a stream that ends without a completed turn is a failure", () => {
  const start = streamLines("edit").slice(0, 3);
  test.each([
    ["exit 0", ended(), { kind: "noResult" }],
    ["exit 1 with a message", ended({ code: 1 }, "2026-11-30T21:49:26.820217Z ERROR codex_api::x: noise\nwarning: noise\nError: boom\n"), { kind: "crashed", exitCode: 1, message: "Error: boom" }],
    ["a signal", ended({ code: null, signal: "SIGTERM" }), { kind: "crashed", signal: "SIGTERM" }],
    ["a lost run", ended({ code: null, lost: true }), { kind: "crashed", exitCode: null }],
    ["a session that is not there", ended({ code: 1 }, "Error: thread/resume: thread/resume failed: no rollout found for thread id 11111111-2222-4333-8444-555555555555 (code -32600)\n"), { kind: "badSession" }],
    ["no login", ended({ code: 1 }, "Error: Not logged in. Please run `codex login`."), { kind: "auth" }],
  ])("%s", (_name, end, failure) => {
    expect(closing(read(start, end))).toMatchObject([{ type: "failure", failure }]);
  });
  test("a configuration that cannot be used, before anything was begun", () => {
    expect(closing(read([], ended({ code: 1 }, "Error loading config.toml: /home/user/.codex/config.toml:1:18: unclosed array\n")))).toMatchObject([{ type: "failure", failure: { kind: "spawn" } }]);
  });
  test("a turn that completed without a word of the agent has no result", () => {
    expect(closing(read(['{"type":"turn.completed","usage":{"input_tokens":5,"output_tokens":1}}']))).toMatchObject([{ type: "failure", failure: { kind: "noResult" } }]);
  });
  test("a session that has no room any more is given up; a first prompt that is too long is the model's refusal", () => {
    const lines = streamLines("fault-400-context"), kind = (sessionId: string | null) => closing(read(lines, ended({ code: 1 }), turnRequest({ sessionId })));
    expect(kind(null)).toMatchObject([{ failure: { kind: "model" } }]);
    expect(kind("34e69eb2-7f36-4878-8a1a-00cbbfb7ec77")).toMatchObject([{ failure: { kind: "contextFull" } }]);
  });
  test("and an end after a result adds nothing, whatever the exit was", () => {
    expect(closing(read(streamLines("edit"), ended({ code: 143, signal: "SIGTERM" }, "boom")))).toEqual([{ type: "result", text: "add() adds now; its test passes." }]);
  });
});

describe("hostile lines", () => {
  test("unknown events and items are ignored; what is no event is garbage and is kept", () => {
    expect(read(['{"type":"tomorrow","x":1}', '{"type":"constructor"}', '{"type":"__proto__"}', '{"type":"item.completed","item":{"type":"tomorrow"}}', '{"type":"item.completed","item":{"type":"__proto__","id":"x"}}', ""]).slice(0, -1)).toEqual([]);
    const garbage = ["{", "null", "[]", '"x"', "{}", '{"type":1}', '{"type":"thread.started"}', '{"type":"turn.failed"}', '{"type":"item.completed"}', '{"type":"item.completed","item":{"type":"agent_message","id":"x"}}', "Reading prompt from stdin...", "\u0000\u001b[2J"];
    expect(read(garbage).slice(0, -1)).toEqual(garbage.map((line) => ({ type: "garbage", line })));
  });
  test("output of a command that looks like an event is output", () => {
    const line = item("item.completed", { id: "i1", type: "command_execution", command: "x", aggregated_output: `\n${streamLines("edit").at(-1) ?? ""}\n`, exit_code: 0, status: "completed" });
    expect(closing(read([line]))).toMatchObject([{ type: "failure", failure: { kind: "noResult" } }]);
  });
  test("no line throws", () => {
    const types = fc.constantFrom("thread.started", "turn.started", "turn.completed", "turn.failed", "error", "item.started", "item.completed", "toString");
    const body = fc.record({ id: fc.oneof(fc.string(), fc.jsonValue()), type: fc.constantFrom("agent_message", "reasoning", "error", "command_execution", "file_change", "mcp_tool_call", "web_search", "todo_list", "collab_tool_call", "valueOf"), text: fc.jsonValue(), message: fc.jsonValue(), command: fc.jsonValue(), changes: fc.jsonValue(), items: fc.jsonValue(), arguments: fc.jsonValue(), server: fc.string(), tool: fc.string() }, { requiredKeys: ["type"] });
    const line = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.record({ type: types, thread_id: fc.jsonValue(), usage: fc.jsonValue(), error: fc.oneof(fc.jsonValue(), fc.record({ message: fc.string() })), message: fc.jsonValue(), item: fc.oneof(fc.jsonValue(), body) }, { requiredKeys: ["type"] }).map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(fc.array(line, { maxLength: 8 }), fc.string(), (lines, errorTail) => {
      expect(closing(read(lines, ended({ code: 1 }, errorTail))).length).toBeGreaterThan(0);
    }), { numRuns: 1_000 });
  });
});

readerSuite({ streamNames, streamBytes, streamLines, ended, read });
