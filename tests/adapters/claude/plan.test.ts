import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { claude } from "../../../src/adapters/claude/adapter.ts";
import { sessionIdOf } from "../../../src/adapters/claude/plan.ts";
import { stopHookCommand } from "../../../src/adapters/hook-line.ts";
import { type HookProgram, hookRunIn } from "../../../src/domain/hook-environment.ts";
import type { TurnRequest } from "../../../src/domain/agent.ts";
import type { LaunchPlan } from "../../../src/ports/adapter.ts";
import { turnRequest } from "./streams.ts";

const host = (env: Readonly<Record<string, string>> = {}) => ({ home: "/home/user", runDirectory: "/runs/1", env: { PATH: "/bin", ...env } });
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = claude.plan(turnRequest(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const session = "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77";

describe("the argv", () => {
  test("of a working turn", () => {
    expect(planned().argv).toEqual([
      "claude", "-p", "--output-format", "stream-json", "--verbose", "--permission-prompts", "none", "--disable-slash-commands", "--session-id", sessionIdOf(turnRequest().runId),
      "--permission-mode", "acceptEdits", "--tools=Bash,Read,Edit,Write,NotebookEdit,Glob,Grep,Task", "--allowedTools=Bash", "--add-dir=/repo", "--setting-sources=user", "--strict-mcp-config",
    ]);
  });
  test("of a turn that may only read names no tool that writes", () => {
    const { argv } = planned({ readOnly: true });
    expect(argv).toContain("--tools=Read,Glob,Grep");
    expect(argv.join(" ")).not.toMatch(/allowed|acceptEdits|Bash|Write|Edit/);
  });
  test.each([
    ["sonnet-4", "claude-sonnet-4-20250514"], ["haiku-4.5", "claude-haiku-4-5-20251001"], ["opus-4", "claude-opus-4-20250514"],
    ["claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001"], ["us.anthropic.claude-sonnet-4-20250514-v1:0", "us.anthropic.claude-sonnet-4-20250514-v1:0"], ["constructor", "constructor"], ["opus", "opus"],
  ])("model %s is %s", (model, id) => {
    const { argv } = planned({ model });
    expect(argv[argv.indexOf("--model") + 1]).toBe(id);
  });
  test("no model, no option", () => { expect(planned({ model: null }).argv).not.toContain("--model"); });
  test("a session is continued under its id", () => {
    const { argv } = planned({ sessionId: session });
    expect(argv[argv.indexOf("--resume") + 1]).toBe(session);
    expect(argv).not.toContain("--session-id");
  });
  test.each([{ sessionId: "--dangerously-skip-permissions" }, { sessionId: "" }, { sessionId: `${session}\n` }])("a session id that is none is refused: %o", (more) => {
    expect(claude.plan(turnRequest(more), host())).toMatchObject({ kind: "badSession" });
  });
  test.each([{ model: "--dangerously-skip-permissions" }, { model: "" }, { model: "a b" }])("a model that is none is refused: %o", (more) => {
    expect(claude.plan(turnRequest(more), host())).toMatchObject({ kind: "model" });
  });
});

test("the prompt is on standard input only, whatever it is; a leading slash is no command", () => {
  fc.assert(fc.property(fc.string({ minLength: 8 }), (text) => {
    const plan = planned({ prompt: text });
    expect(plan.stdin.trimStart()).toBe(text.trimStart());
    expect(plan.stdin.startsWith("/")).toBe(false);
    expect(plan.stdinMode).toBe("close");
    expect(plan.argv).toEqual(planned().argv);
    expect(plan.env).toEqual(planned().env);
  }), { examples: [["/clear everything"], ["--help me"], ["\n/clear"]] });
});

describe("the environment", () => {
  test("holds nothing of the owner's but what is named", () => {
    const secrets = { ENACT_TOKEN: "s", GITHUB_TOKEN: "s", DATABASE_URL: "s", AWS_SECRET_ACCESS_KEY: "s", IS_SANDBOX: "1", NODE_OPTIONS: "--require x", SSH_AUTH_SOCK: "/s", LD_PRELOAD: "x" };
    const { env } = planned({}, { ...secrets, ANTHROPIC_API_KEY: "key", HTTPS_PROXY: "http://proxy", TMPDIR: "/t", LANG: "" });
    expect(env).toEqual({
      PATH: "/bin", HOME: "/home/user", TMPDIR: "/t", ANTHROPIC_API_KEY: "key", HTTPS_PROXY: "http://proxy",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", DISABLE_AUTOUPDATER: "1", CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1", CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
      CLAUDE_ENABLE_STREAM_WATCHDOG: "1", CLAUDE_ENABLE_BYTE_WATCHDOG: "1", CLAUDE_STREAM_IDLE_TIMEOUT_MS: "100000", CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: "100000",
      CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: "1",
    });
  });
  test("holds a cloud's credentials only when the CLI is told to use that cloud", () => {
    expect(planned({}, { CLAUDE_CODE_USE_BEDROCK: "1", AWS_PROFILE: "work", GOOGLE_CLOUD_PROJECT: "p" }).env).toMatchObject({ CLAUDE_CODE_USE_BEDROCK: "1", AWS_PROFILE: "work" });
    expect(planned({}, { CLAUDE_CODE_USE_BEDROCK: "1", GOOGLE_CLOUD_PROJECT: "p" }).env).not.toHaveProperty("GOOGLE_CLOUD_PROJECT");
  });
  test("the CLI's own stream watchdog comes before the stall timer, unless the user says otherwise", () => {
    expect(planned({ stallMs: 30_000 }).env["CLAUDE_STREAM_IDLE_TIMEOUT_MS"]).toBe("10000");
    expect(planned({ stallMs: 30_000 }, { CLAUDE_STREAM_IDLE_TIMEOUT_MS: "7" }).env["CLAUDE_STREAM_IDLE_TIMEOUT_MS"]).toBe("7");
  });
});

describe("the Stop hook", () => {
  const hooks: HookProgram = { node: "/opt/no de/bin/node", bin: "/opt/$(id)/cli.js", config: "/etc/'x'/config.toml", repository: "/repo" };
  const asked = (more: Partial<TurnRequest> = {}): LaunchPlan => {
    const plan = claude.plan(turnRequest({ since: "0123abc", ...more }), { ...host(), hooks });
    if ("kind" in plan) throw new Error(plan.kind);
    return plan;
  };
  test("is asked by a turn that has to change something; its command is constant text, and what it needs comes by environment", () => {
    const plan = asked();
    expect(plan.argv.slice(-2)).toEqual(["--settings", "/runs/1/settings.json"]);
    expect(Object.keys(plan.files ?? {})).toEqual(["settings.json"]);
    const settings: unknown = JSON.parse(plan.files?.["settings.json"] ?? "");
    expect(settings).toEqual({ hooks: { Stop: [{ hooks: [{ type: "command", command: stopHookCommand, timeout: 30 }] }] } });
    expect(plan.files?.["settings.json"]).not.toMatch(/opt|etc|repo|LOC/);
    expect(plan.env).toMatchObject({ ENACT_HOOK_NODE: hooks.node, ENACT_HOOK_BIN: hooks.bin, ENACT_HOOK_CONFIG: hooks.config, ENACT_HOOK_REPOSITORY: "/repo", ENACT_HOOK_ITEM: "LOC-1", ENACT_HOOK_STAGE: "coder", ENACT_HOOK_SINCE: "0123abc" });
    expect(hookRunIn(plan.env)).toMatchObject({ item: "LOC-1", stage: "coder", since: "0123abc" });
  });
  test.each([
    { what: "a critic", more: { stage: "critic", readOnly: true } }, { what: "a documenter", more: { stage: "documenter" } }, { what: "a team's leader that plans", more: { duty: "plan" } }, { what: "a turn of an older version", more: { since: undefined } },
  ] as const)("is not asked by $what", ({ more }) => {
    const plan = claude.plan({ ...turnRequest(), ...more }, { ...host(), hooks });
    expect(plan).not.toHaveProperty("files");
    expect(JSON.stringify(plan)).not.toMatch(/ENACT_HOOK|--settings/);
  });
  test("is not asked where no program can be called", () => { expect(JSON.stringify(planned({ since: "0123abc" }))).not.toMatch(/ENACT_HOOK|--settings/); });
});

test("a run's session id is a UUID, always the same, and its own", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
    expect(sessionIdOf(a)).toMatch(uuid);
    expect(sessionIdOf(a)).toBe(sessionIdOf(a));
    if (a !== b) expect(sessionIdOf(a)).not.toBe(sessionIdOf(b));
  }));
});
