import { join } from "node:path";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import { responses } from "../../../src/adapters/responses/adapter.ts";
import { AgentRequest } from "../../../src/agent/protocol.ts";
import { apiAddress, settingsIn } from "../../../src/agent/settings.ts";
import { modelFacts } from "../../../src/agent/model.ts";
import { retryAfter } from "../../../src/agent/trouble.ts";
import type { TurnRequest } from "../../../src/domain/agent.ts";
import { RunId, WorkItemId } from "../../../src/domain/ids.ts";
import type { LaunchPlan } from "../../../src/ports/adapter.ts";

const provider = { ENACT_GATEWAY_BASE_URL: "http://gateway:1", ENACT_GATEWAY_API_KEY: "gateway-key" };
const host = (env: Readonly<Record<string, string>> = {}) => ({ home: "/home/user", runDirectory: "/state/runs/1", env: { PATH: "/bin", ...provider, ...env } });
const turn = (more: Partial<TurnRequest> = {}): TurnRequest => ({
  runId: RunId.parse("run-1"), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "responses", model: null, cwd: "/work", prompt: "Do $(it).", sessionId: null, sessionCostUsd: 0,
  readOnly: false, timeoutMs: 60_000, stallMs: 600_000, playbook: null, ...more,
});
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = responses.plan(turn(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};

test("a turn is launched with the request on standard input and nothing of it, nor the key, in its arguments", () => {
  const plan = planned({ sessionId: "responses-run-0", model: "gpt-5", readOnly: true });
  expect(plan.argv).toEqual([process.execPath, expect.stringMatching(/agent\/main\.ts$/)]);
  expect(plan.stdinMode).toBe("open");
  expect(AgentRequest.parse(JSON.parse(plan.stdin))).toMatchObject({ prompt: "Do $(it).", model: "gpt-5", readOnly: true, sessionId: "responses-run-0", sessions: "/state/runs/.responses-sessions", scratch: join("/state/runs/1", "scratch") });
  expect(JSON.stringify([plan.argv, plan.stdin])).not.toContain("gateway-key");
});

test("the environment holds nothing of the owner's but what is named", () => {
  expect(planned({}, { OPENAI_API_KEY: "s", OPENAI_BASE_URL: "http://elsewhere", GITHUB_TOKEN: "s", NODE_OPTIONS: "--require x", LD_PRELOAD: "x", ENACT_RESPONSES_MODEL: "gpt-4o", LANG: "" }).env).toEqual({
    PATH: "/bin", HOME: "/home/user", ENACT_RESPONSES_MODEL: "gpt-4o", ENACT_RESPONSES_IDLE_TIMEOUT_MS: "290000", ENACT_RESPONSES_BASE_URL: "http://gateway:1", ENACT_RESPONSES_API_KEY: "gateway-key",
  });
  expect(planned({}, { HTTPS_PROXY: "http://proxy" }).env).toMatchObject({ HTTPS_PROXY: "http://proxy", NODE_USE_ENV_PROXY: "1" });
  expect(planned({ stallMs: 30_000 }).env["ENACT_RESPONSES_IDLE_TIMEOUT_MS"]).toBe("15000");
});

test("ENV-10 of each setting the variable of this provider goes before the gateway's", () => {
  const of = (env: Readonly<Record<string, string>>) => { const { ENACT_RESPONSES_BASE_URL: url, ENACT_RESPONSES_API_KEY: key } = planned({}, env).env; return [url, key]; };
  expect(of({})).toEqual(["http://gateway:1", "gateway-key"]);
  expect(of({ ENACT_RESPONSES_BASE_URL: "http://own:2" })).toEqual(["http://own:2", "gateway-key"]);
  expect(of({ ENACT_RESPONSES_API_KEY: "own-key" })).toEqual(["http://gateway:1", "own-key"]);
  expect(of({ ENACT_RESPONSES_BASE_URL: "http://own:2", ENACT_RESPONSES_API_KEY: "own-key" })).toEqual(["http://own:2", "own-key"]);
  expect(of({ ENACT_RESPONSES_BASE_URL: "" })).toEqual(["http://gateway:1", "gateway-key"]);
});

describe("what cannot be launched is said before anything starts", () => {
  test.each([{ sessionId: "../x" }, { sessionId: "" }, { sessionId: "a\n" }])("%o", (more) => { expect(responses.plan(turn(more), host())).toMatchObject({ kind: "badSession" }); });
  test.each([{ model: "--help" }, { model: "" }, { model: "a b" }])("%o", (more) => { expect(responses.plan(turn(more), host())).toMatchObject({ kind: "model" }); });
  test("no provider", () => {
    expect(responses.plan(turn(), { ...host(), env: {} })).toEqual({ kind: "auth", message: "no provider is set up: ENACT_GATEWAY_BASE_URL and ENACT_GATEWAY_API_KEY must be set" });
    expect(responses.plan(turn(), { ...host(), env: { ENACT_RESPONSES_API_KEY: "k" } })).toMatchObject({ kind: "auth", message: expect.not.stringContaining("API_KEY") });
  });
});

test("doctor: is a provider named, is there a key; it asks nobody, and shows neither key nor path of the address", async () => {
  const probed = (env: Readonly<Record<string, string>>) => Effect.runPromise(responses.probe({ home: "/", runDirectory: "/", env }));
  expect(await probed({ ENACT_GATEWAY_BASE_URL: "https://user:pass@gateway.example/tenant/v1", ENACT_GATEWAY_API_KEY: "k-123456" })).toEqual({ ok: true, detail: "built in; gateway.example, with a key that was not tried" });
  expect(await probed({ ENACT_GATEWAY_API_KEY: "k" })).toMatchObject({ ok: false, detail: expect.stringContaining("no provider is named"), mend: expect.any(String) });
  expect(await probed({ ENACT_GATEWAY_BASE_URL: "gateway" })).toMatchObject({ ok: false, detail: expect.stringContaining("no http or https URL") });
  expect(await probed({ ENACT_GATEWAY_BASE_URL: "http://gateway" })).toMatchObject({ ok: false, detail: expect.stringContaining("no key") });
});

test("an address is one with or without its version", () => {
  expect(["http://g", "http://g/", "http://g/v1", "http://g/v1/", "http://g/tenant", "http://g/tenant/v2"].map(apiAddress)).toEqual(["http://g/v1", "http://g/v1", "http://g/v1", "http://g/v1", "http://g/tenant/v1", "http://g/tenant/v2"]);
});

test("settings have defaults, and a problem names the variable, never its value", () => {
  const good = { ENACT_RESPONSES_BASE_URL: "http://g", ENACT_RESPONSES_API_KEY: "k" };
  expect(settingsIn(good)).toMatchObject({ model: "auto", caps: { requests: 200, retries: 5 }, window: undefined });
  const { problem } = { problem: "", ...settingsIn({ ...good, ENACT_RESPONSES_BASE_URL: "secret place", ENACT_RESPONSES_MAX_RETRIES: "many" }) };
  expect(problem).toMatch(/ENACT_RESPONSES_BASE_URL.*ENACT_RESPONSES_MAX_RETRIES/);
  expect(problem).not.toMatch(/secret|many/);
});

test("what a model takes in is known of those with a name, and can be said of all", () => {
  const budgets = ["auto", "gpt-4.1", "gpt-4o", "gpt-5", "o3", "o4-mini", "vendor/gpt-5-mini"].map((model) => modelFacts(model, undefined).budget);
  expect(budgets).toEqual([89_600, 700_000, 89_600, 190_400, 140_000, 140_000, 190_400].map(Math.floor));
  expect(modelFacts("gpt-5", 1_000).budget).toBe(700);
  expect(["gpt-4o", "o3", "auto"].map((model) => modelFacts(model, undefined).reasons)).toEqual([false, true, true]);
});

test("Retry-After is seconds, a date, or milliseconds; nonsense is nothing", () => {
  const now = Date.parse("2026-11-30T12:00:00Z"), of = (headers: Readonly<Record<string, string>>) => retryAfter(new Headers(headers), now);
  expect(of({ "retry-after": "2" })).toBe(2_000);
  expect(of({ "retry-after": "0.5" })).toBe(500);
  expect(of({ "retry-after": "Mon, 30 Nov 2026 12:00:30 GMT" })).toBe(30_000);
  expect(of({ "retry-after": "Mon, 30 Nov 2026 11:00:00 GMT" })).toBe(0);
  expect(of({ "retry-after-ms": "1.2", "retry-after": "9" })).toBe(2);
  for (const nonsense of ["", "soon", "-5"]) expect(of({ "retry-after": nonsense })).toBeNull();
  expect(retryAfter(undefined, now)).toBeNull();
});
