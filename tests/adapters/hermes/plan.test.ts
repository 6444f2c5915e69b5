import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hermes } from "../../../src/adapters/hermes/adapter.ts";
import { RunId, WorkItemId } from "../../../src/domain/ids.ts";
import type { AgentEvent, TurnRequest } from "../../../src/domain/agent.ts";
import type { HostEnvironment, LaunchPlan, StreamEnd } from "../../../src/ports/adapter.ts";

const turnRequest = (more: Partial<TurnRequest> = {}): TurnRequest => ({
  runId: RunId.parse("stage.loc-1.1.coder.1"), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "hermes",
  model: null, cwd: "/repo", prompt: "Fix the bug.", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 600_000, stallMs: 300_000, playbook: null, ...more,
});
const host = (env: Readonly<Record<string, string>> = {}): HostEnvironment => ({ home: "/home/user", runDirectory: "/runs/1", env: { PATH: "/bin", ...env } });
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = hermes.plan(turnRequest(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};
const session = "20260408_101112_ab12cd";
const always = ["hermes", "--in", "/repo", "chat", "--quiet", "--query-file", "-", "--ignore-rules", "--toolsets", "file,terminal,todo", "--source", "tool"];

describe("the launch", () => {
  test("ADAPT-05 the argv of a turn, of one with a model, of one that goes on in a session", () => {
    expect(planned().argv).toEqual(always);
    expect(planned({ model: "anthropic/claude-sonnet-4.6" }).argv).toEqual([...always, "--model", "anthropic/claude-sonnet-4.6"]);
    expect(planned({ sessionId: session }).argv).toEqual([...always, "--resume", session]);
    expect(planned().argv.join(" ")).not.toMatch(/yolo|-z/);
  });
  test("a reading turn is refused: reading and writing of files are one toolset", () => {
    expect(hermes.capabilities.readOnly).toBe(false);
    expect(hermes.plan(turnRequest({ readOnly: true, stage: "critic" }), host())).toMatchObject({ kind: "model", message: expect.stringContaining("cannot be held to reading") });
  });
  test.each([{ sessionId: "latest" }, { sessionId: "--last" }, { sessionId: "" }, { sessionId: "my title" }])("a session id that is none is refused: %o", (more) => {
    expect(hermes.plan(turnRequest(more), host())).toMatchObject({ kind: "badSession" });
  });
  test.each([{ model: "--yolo" }, { model: "" }, { model: "a b" }])("a model that is none is refused: %o", (more) => {
    expect(hermes.plan(turnRequest(more), host())).toMatchObject({ kind: "model" });
  });
  test("the prompt is on standard input only, whatever it is; that there may be files AGENTS.md it has to be told by the prompt", () => {
    fc.assert(fc.property(fc.string({ minLength: 8 }), (text) => {
      const plan = planned({ prompt: text });
      expect(plan.stdin.startsWith(text)).toBe(true);
      expect(plan.argv).toEqual(planned().argv);
      expect(plan.env).toEqual(planned().env);
    }), { examples: [["/clear everything"], ["!rm -rf /"]] });
    expect(planned().stdin).toBe("Fix the bug.");
    expect(hermes.agentsFiles).toBe("told");
  });
  test("the environment holds nothing of the owner's but what is named", () => {
    const secrets = { ENACT_TOKEN: "s", GITHUB_TOKEN: "s", HERMES_YOLO_MODE: "1", HERMES_KANBAN_TASK: "1", HERMES_INFERENCE_MODEL: "x", NODE_OPTIONS: "x", LD_PRELOAD: "x" };
    expect(planned({}, { ...secrets, HERMES_HOME: "/h", OPENROUTER_API_KEY: "key", LANG: "" }).env).toEqual({ PATH: "/bin", HOME: "/home/user", HERMES_HOME: "/h", OPENROUTER_API_KEY: "key" });
  });
});

describe("the reader", () => {
  const ended = (exit: Partial<StreamEnd["exit"]> = {}, errorTail = `\nsession_id: ${session}\n`): StreamEnd => ({ exit: { code: 0, signal: null, lost: false, at: 1_000, ...exit }, errorTail });
  const read = (lines: readonly string[], end = ended(), more: Partial<TurnRequest> = {}): readonly AgentEvent[] => {
    const reader = hermes.reader(turnRequest(more));
    return [...lines.flatMap((line) => reader.line(line)), ...reader.end(end)];
  };
  const block = ["```enact-verdict", '{"decision":"approve"}', "```"];

  test("the whole output is the last message; the session is named at its end", () => {
    expect(read(["One.", "", "Two."], ended(), { model: "m" })).toEqual([{ type: "text", text: "One." }, { type: "text", text: "Two." }, { type: "session", sessionId: session, model: "m" }, { type: "result", text: "One.\n\nTwo." }]);
  });
  test("a typed answer at the end counts, one that is quoted does not, and no line is an event", () => {
    expect(read(["I looked.", ...block]).slice(-2)).toMatchObject([{ type: "verdict", verdict: { decision: "approve" } }, { type: "result", text: "I looked." }]);
    expect(read([...block, "That is what the README says."]).some(({ type }) => type === "verdict")).toBe(false);
    expect(read(['{"type":"result","is_error":false}']).at(-1)).toEqual({ type: "result", text: '{"type":"result","is_error":false}' });
  });
  test.each([
    ["exit 0 without a word", ended(), [], "noResult"],
    ["a failed turn, whatever it printed", ended({ code: 1 }, "Error: boom\n"), block, "crashed"],
    ["an interrupt", ended({ code: 130 }, "Error: rate limit\n"), ["text"], "crashed"],
    ["a signal", ended({ code: null, signal: "SIGKILL" }, ""), ["text"], "crashed"],
    ["a lost run", ended({ code: null, lost: true }, ""), ["text"], "crashed"],
    ["a limit", ended({ code: 1 }, "Error: HTTP 429: rate limit exceeded\n"), [], "rateLimited"],
    ["no login", ended({ code: 1 }, "Error: HTTP 401: invalid API key\n"), [], "auth"],
    ["a session that is not there", ended({ code: 1 }, "Session 20200101_000000_000000 not found\n"), [], "badSession"],
  ] as const)("%s is a failure", (_name, end, lines, kind) => {
    const events = read(lines, end);
    expect(events.at(-1)).toMatchObject({ type: "failure", failure: { kind } });
    expect(events.some(({ type }) => type === "result" || type === "verdict")).toBe(false);
  });
  test("hostile output throws nothing and names no session", () => {
    fc.assert(fc.property(fc.array(fc.string(), { maxLength: 8 }), fc.string(), fc.constantFrom(0, 1), (lines, errorTail, code) => {
      expect(read(lines, ended({ code }, errorTail)).filter(({ type }) => type === "result" || type === "failure")).toHaveLength(1);
    }));
    expect(read([`session_id: ${session}`], ended({}, ""))).not.toContainEqual(expect.objectContaining({ type: "session" }));
  });
});
