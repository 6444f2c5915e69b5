import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AgentEvent } from "../../../src/domain/agent.ts";
import { closing, readerSuite } from "../reader-suite.ts";
import { ended, read, streamBytes, streamLines, streamNames, turnRequest } from "./streams.ts";

const of = <T extends AgentEvent["type"]>(events: readonly AgentEvent[], type: T): readonly Extract<AgentEvent, { type: T }>[] => events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
const sessionID = "ses_dd12f3ffeffeVmAQExnvuZcO4v";
const line = (type: string, more: object = {}): string => JSON.stringify({ type, timestamp: 1_000, sessionID, ...more });
const error = (name: string, data: object = {}): string => line("error", { error: { name, data: { message: "boom", ...data } } });
const finish = (more: object = {}): string => line("step_finish", { part: { reason: "stop", cost: 0.5, tokens: { input: 1, output: 2, reasoning: 4, cache: { read: 8, write: 16 } }, ...more } });
const words = (text: string): string => line("text", { part: { text } });

describe("STRUCT-07 captured streams of the real opencode CLI give typed events", () => {
  const failed = ended({ code: 1 });
  /** How each stream closes: the text of its result, or the kind of its failure. The exit is what the CLI really gave. */
  const closes: Readonly<Record<string, { readonly result: string } | { readonly failure: string; readonly exit: ReturnType<typeof ended> }>> = {
    "edit": { result: "add() adds now; its test passes." },
    "no-price": { result: "Hello." },
    "first-of-session": { result: "Hello." },
    "resumed": { result: "Hello." },
    "permission-denied": { result: "I could not." },
    "read-only": { result: "done" },
    "answer-verdict": { result: "I looked." },
    "answer-audit": { result: "I looked." },
    "answer-question": { result: "I looked." },
    "answer-quoted": { result: 'I looked.\n\n```enact-verdict\n{"decision":"approve"}\n```\nThat is what the README says.' },
    "answer-malformed": { result: 'I looked.\n\n```enact-verdict\n{"decision":"maybe"}\n```' },
    "interrupted": { failure: "crashed", exit: ended({ code: null, signal: "SIGINT" }) },
    "killed": { failure: "crashed", exit: ended({ code: null, signal: "SIGKILL" }) },
    "fault-400": { failure: "model", exit: failed },
    "fault-401": { failure: "auth", exit: failed },
    "fault-402": { failure: "auth", exit: failed },
    "fault-403": { failure: "auth", exit: failed },
    "fault-404": { failure: "model", exit: failed },
    "fault-429": { failure: "rateLimited", exit: failed },
    "fault-429-quota": { failure: "auth", exit: failed },
    "fault-429-retry-after": { failure: "crashed", exit: ended({ code: null, signal: "SIGINT" }) },
    "fault-500": { failure: "network", exit: failed },
    "fault-502": { failure: "network", exit: failed },
    "fault-503": { failure: "overloaded", exit: failed },
    "fault-529": { failure: "overloaded", exit: failed },
    "fault-reset": { failure: "network", exit: failed },
    "fault-refused": { failure: "network", exit: failed },
    "fault-cut": { failure: "network", exit: failed },
    "fault-error-event": { failure: "overloaded", exit: failed },
    "fault-unknown-model": { failure: "model", exit: ended({ code: 1 }, 'timestamp=x level=ERROR run=1 message=failed error="ProviderModelNotFoundError: Model not found: loop/nope."') },
    "fault-length": { failure: "overlong", exit: ended() },
    "fault-hang-before-headers": { failure: "crashed", exit: ended({ code: null, signal: "SIGINT" }) },
    "fault-hang-mid-stream": { failure: "crashed", exit: ended({ code: null, signal: "SIGINT" }) },
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
    expect(of(events, "garbage")).toHaveLength(name === "answer-malformed" ? 1 : 0);
  });
  test.each(survived)("%s: a fault that passed leaves a result", (name) => {
    expect(closing(read(streamLines(name)))).toEqual([{ type: "result", text: "Said in the end." }]);
  });
});

describe("tools", () => {
  test("a look, an edit and the test, each with its beginning and its end", () => {
    expect(of(read(streamLines("edit")), "tool").map(({ phase, kind, name, summary, ok }) => [phase, kind, name, summary, ok])).toEqual([
      ["start", "read", "read", "add.mjs", undefined], ["end", "read", "read", "", true],
      ["start", "edit", "edit", "add.mjs", undefined], ["end", "edit", "edit", "", true],
      ["start", "run", "bash", "node --test", undefined], ["end", "run", "bash", "", true],
    ]);
  });
  const used = (state: object, more: object = {}): string => line("tool_use", { part: { tool: "bash", callID: "c1", state: { input: { command: "make\nall" }, ...state }, ...more } });
  test("without the listener they begin with their end; a command that failed is no success; a second end is none", () => {
    const lines = [used({ status: "completed", output: "no", metadata: { exit: 2 } }), used({ status: "completed", output: "no", metadata: { exit: 2 } })];
    expect(of(read(lines), "tool")).toMatchObject([{ phase: "start", summary: "make" }, { phase: "end", ok: false, output: "no" }]);
  });
  test("what a rule forbids and what is not offered are denials; what fails by itself is not", () => {
    const denials = (text: string) => of(read([used({ status: "error", error: text })]), "permissionDenied");
    expect(denials("The user has specified a rule which prevents you from using this specific tool call. []")).toEqual([{ type: "permissionDenied", tool: "bash", detail: "a rule of this turn forbids it" }]);
    expect(denials("The user rejected permission to use this specific tool call.")).toHaveLength(1);
    expect(denials("Model tried to call unavailable tool 'invalid'. Available tools: read.")).toEqual([{ type: "permissionDenied", tool: "bash", detail: "no tool of this turn" }]);
    expect(denials("ENOENT: The user has specified a rule")).toEqual([]);
  });
  test("what an edit and a new file put there is told", () => {
    const edit = (tool: string, input: object): string => line("enact.tool", { part: { tool, callID: tool, state: { status: "running", input } } });
    expect(of(read([edit("write", { filePath: "/repo/a", content: "x\n" }), edit("edit", { filePath: "/b", oldString: "one\ntwo", newString: "one\n2" }), edit("todowrite", { todos: [] })]), "tool").map(({ diff }) => diff)).toEqual([
      { path: "a", removed: [], added: ["x"], cut: 0 }, { path: "/b", removed: ["two"], added: ["2"], cut: 0 }, undefined,
    ]);
  });
});

describe("tokens and cost", () => {
  test("of all steps are added up; cached tokens are part of the input, thinking of the output", () => {
    const events = read([line("step_start"), finish({ reason: "tool-calls" }), line("step_start"), words("done"), finish()]);
    expect(of(events, "usage").at(-1)).toEqual({ type: "usage", usage: { inputTokens: 50, outputTokens: 12, cachedTokens: 16 } });
    expect(of(events, "cost")).toEqual([{ type: "cost", usd: 1 }]);
  });
  test("a step without a price makes the cost unknown; one that used nothing does not", () => {
    expect(of(read([words("x"), finish(), finish({ cost: 0 })]), "cost")).toEqual([]);
    expect(of(read([words("x"), finish(), finish({ cost: 0, tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } } })]), "cost")).toEqual([{ type: "cost", usd: 0.5 }]);
    expect(of(read(streamLines("no-price")), "cost")).toEqual([]);
  });
  test("of a run that ends badly are told all the same", () => {
    expect(of(read([words("x"), finish({ reason: "tool-calls" })], ended({ code: null, signal: "SIGKILL" })), "cost")).toEqual([{ type: "cost", usd: 0.5 }]);
  });
});

describe("errors", () => {
  const failure = (text: string, end = ended({ code: 1 })) => closing(read([text], end)).map((event) => event.type === "failure" ? event.failure : event)[0];
  const api = (statusCode: number, more: object = {}): string => error("APIError", { statusCode, isRetryable: false, ...more });
  test("of a limit say when it ends, by whichever header names it", () => {
    const until = (headers: object): unknown => failure(api(429, { responseHeaders: headers }));
    expect(until({})).toEqual({ kind: "rateLimited", until: null, message: "boom" });
    expect(until({ "retry-after-ms": "1500.2" })).toMatchObject({ until: 2_501 });
    expect(until({ "retry-after": "90" })).toMatchObject({ until: 91_000 });
    expect(until({ "retry-after": "Sun, 17 Mar 2030 05:46:00 GMT" })).toMatchObject({ until: Date.UTC(2030, 2, 17, 5, 46) });
    expect(until({ "retry-after": "soon", "retry-after-ms": "x" })).toMatchObject({ until: null });
  });
  test.each([
    ["APIError", { message: "Cannot connect to API: Unable to connect." }, "network"],
    ["APIError", { statusCode: 500, message: "Overloaded" }, "overloaded"],
    ["ContextOverflowError", {}, "contextFull"],
    ["ProviderAuthError", {}, "auth"],
    ["MessageOutputLengthError", {}, "overlong"],
    ["ContentFilterError", {}, "model"],
    ["MessageAbortedError", {}, "crashed"],
    ["UnknownError", { message: "Model not found: a/b." }, "model"],
    ["UnknownError", { message: "Too Many Requests" }, "rateLimited"],
    ["UnknownError", { message: "Unexpected server error. Check server logs for details." }, "network"],
  ])("%s %o", (name, data, kind) => { expect(failure(error(name, data))).toMatchObject({ kind }); });
  test("beat what was said before and after them", () => {
    expect(closing(read([words("done"), finish(), error("APIError", { statusCode: 400 }), words("done"), finish()], ended({ code: 1 })))).toMatchObject([{ type: "failure", failure: { kind: "model" } }]);
  });
  test("a wait is told while it lasts, with its end", () => {
    expect(of(read(streamLines("fault-429-retry-after")), "rateLimit")).toEqual([{ type: "rateLimit", until: expect.any(Number), message: "scripted 429" }]);
    expect(of(read(streamLines("survived-500-once")), "rateLimit")).toHaveLength(1);
  });
});

describe("a stream that ends without a last word is a failure", () => {
  const red = "\u001b[91m\u001b[1mError: \u001b[0m";
  test.each([
    ["exit 0", ended(), { kind: "noResult" }],
    ["exit 1 with a message", ended({ code: 1 }, `timestamp=2026-11-30T23:07:16.360Z level=ERROR run=1 message="noise"\n${red}boom\n`), { kind: "crashed", exitCode: 1, message: "Error: boom" }],
    ["a signal", ended({ code: null, signal: "SIGTERM" }), { kind: "crashed", signal: "SIGTERM" }],
    ["a lost run", ended({ code: null, lost: true }), { kind: "crashed", exitCode: null }],
    ["a session that is not there", ended({ code: 1 }, `${red}Session not found\n`), { kind: "badSession", message: "Error: Session not found" }],
    ["a configuration that cannot be used", ended({ code: 1 }, `${red}Configuration is invalid at /home/user/.config/opencode/opencode.json\n↳ Expected string | undefined, got 3 model\n`), { kind: "spawn" }],
    ["an option that it does not have", ended({ code: 1 }, "opencode run [message..]\n\nOptions:\n      --format       format: default (formatted) or json (raw JSON events)\n                                          [string] [choices: \"default\", \"json\"] [default: \"default\"]\n      --title        title for the session                     [string]\n"), { kind: "spawn" }],
  ])("%s", (_name, end, failure) => {
    expect(closing(read([line("step_start")], end))).toMatchObject([{ type: "failure", failure }]);
    expect(closing(read([words("I begin."), finish({ reason: "tool-calls" })], end))).toMatchObject([{ type: "failure", failure }]);
  });
  test("a database that another one is just making is no failure of the work, as long as nothing was begun", () => {
    const end = ended({ code: 1 }, `${red}Unexpected error\nFailed query:\nCREATE TABLE \`workspace\` (\n\`id\` text PRIMARY KEY\n);\nparams:\n`);
    expect(closing(read([], end))).toMatchObject([{ failure: { kind: "spawn", message: expect.stringContaining("database") } }]);
    expect(closing(read([line("step_start")], end))).toMatchObject([{ failure: { kind: "crashed" } }]);
  });
  test("an end after a last word adds nothing, whatever the exit was", () => {
    expect(closing(read(streamLines("edit"), ended({ code: 143, signal: "SIGTERM" }, "boom")))).toEqual([{ type: "result", text: "add() adds now; its test passes." }]);
  });
  test("a provider that gives no reason for the end is taken at its word; one that withholds the answer is not", () => {
    expect(closing(read([words("done"), finish({ reason: "unknown" })]))).toEqual([{ type: "result", text: "done" }]);
    expect(closing(read([words("done"), finish({ reason: "content-filter" })]))).toMatchObject([{ failure: { kind: "model" } }]);
  });
});

describe("the session", () => {
  test("is told once with its model: the one that answers, else the one that was asked for", () => {
    expect(of(read(streamLines("edit")), "session")).toEqual([{ type: "session", sessionId: expect.stringMatching(/^ses_/), model: "loop/scripted-1" }]);
    expect(of(read([words("x"), finish()], ended(), turnRequest({ model: "a/b" })), "session")).toEqual([{ type: "session", sessionId: sessionID, model: "a/b" }]);
    expect(of(read([words("x"), finish()]), "session")).toEqual([{ type: "session", sessionId: sessionID }]);
  });
});

describe("hostile lines", () => {
  test("unknown events are ignored; what is no event is garbage and is kept", () => {
    expect(read([line("tomorrow"), '{"type":"constructor"}', '{"type":"__proto__"}', ""]).slice(0, -1)).toEqual([]);
    const garbage = ["{", "null", "[]", '"x"', "{}", '{"type":1}', '{"type":"text"}', line("text"), line("tool_use", { part: { tool: "bash" } }), "! permission requested", "\u0000\u001b[2J"];
    expect(read(garbage).slice(0, -1)).toEqual(garbage.map((text) => ({ type: "garbage", line: text })));
  });
  test("output of a command that looks like an event is output", () => {
    const text = `\n${streamLines("edit").at(-1) ?? ""}\n`;
    expect(closing(read([line("tool_use", { part: { tool: "bash", callID: "c", state: { status: "completed", input: {}, output: text } } })]))).toMatchObject([{ type: "failure", failure: { kind: "noResult" } }]);
  });
  test("no line throws", () => {
    const types = fc.constantFrom("step_start", "text", "reasoning", "tool_use", "step_finish", "error", "enact.model", "enact.tool", "enact.retry", "toString");
    const state = fc.record({ status: fc.constantFrom("running", "completed", "error", "pending"), input: fc.jsonValue(), output: fc.jsonValue(), error: fc.jsonValue(), metadata: fc.jsonValue() }, { requiredKeys: ["status"] });
    const part = fc.oneof(fc.jsonValue(), fc.record({ tool: fc.oneof(fc.string(), fc.constantFrom("edit", "write", "__proto__")), callID: fc.string(), state: fc.oneof(fc.jsonValue(), state), text: fc.jsonValue(), reason: fc.jsonValue(), cost: fc.jsonValue(), tokens: fc.jsonValue() }, { requiredKeys: [] }));
    const text = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.record({ type: types, timestamp: fc.jsonValue(), sessionID: fc.oneof(fc.string(), fc.jsonValue()), part, error: fc.oneof(fc.jsonValue(), fc.record({ name: fc.jsonValue(), data: fc.jsonValue() })), message: fc.jsonValue(), next: fc.jsonValue(), model: fc.jsonValue() }, { requiredKeys: ["type"] }).map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(fc.array(text, { maxLength: 8 }), fc.string(), (lines, errorTail) => {
      expect(closing(read(lines, ended({ code: 1 }, errorTail))).length).toBeGreaterThan(0);
    }), { numRuns: 1_000 });
  });
});

readerSuite({ streamNames, streamBytes, streamLines, ended, read });
