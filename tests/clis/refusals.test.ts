/** What only one CLI says, or what a failure must say besides its kind. The faults that every adapter meets are in table.test.ts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { marker, type Scenario, type ScriptedFault } from "../support/model-server.ts";
import type { Turned } from "./drive.ts";
import { openRoom, type Room } from "./room.ts";
import type { CliName } from "./under-test.ts";

const failing = (fault: ScriptedFault): Scenario => [{ say: "partial text", fault }];
const hello: Readonly<Record<string, Scenario>> = { hello: [{ say: "Hello." }] };
const status = (code: number, error?: Readonly<Record<string, unknown>>, headers?: Readonly<Record<string, string>>): ScriptedFault => ({ fault: "status", status: code, ...(error === undefined ? {} : { error }), ...(headers === undefined ? {} : { headers }) });
const event = (code: string, message: string): ScriptedFault => ({ fault: "errorEvent", error: { code, message } });
const untilOf = ({ outcome: { ended } }: Turned): number => (ended.how === "failed" && ended.failure.kind === "rateLimited" ? ended.failure.until ?? 0 : 0);
const asked = (room: Room): number => room.model.requests.filter((request) => request.model !== undefined).length;

interface Refusal { readonly cli: CliName; readonly name: string; readonly fault: ScriptedFault; readonly failure: Partial<AgentFailure>; readonly requests?: number }

/** opencode obeys this header; without it five tries take more than a minute. */
const soon = { "retry-after-ms": "10" };
const tooLong: ScriptedFault = status(400, { message: "prompt is too long: 210000 tokens > 200000 maximum" });
const noModel = { code: "model_not_found", message: "The model does not exist" };

const refusals: readonly Refusal[] = [
  { cli: "claude", name: "400", fault: status(400), failure: { kind: "model", message: expect.stringContaining("400") } },
  { cli: "claude", name: "403", fault: status(403), failure: { kind: "auth" } },
  { cli: "claude", name: "404", fault: status(404), failure: { kind: "model", message: expect.stringContaining("model") } },
  // No session of its own would make the prompt shorter.
  { cli: "claude", name: "prompt-too-long", fault: tooLong, failure: { kind: "model" } },
  { cli: "codex", name: "400-context", fault: status(400, { code: "context_length_exceeded", message: "too long" }), failure: { kind: "model", message: expect.stringContaining("context window") } },
  { cli: "codex", name: "402", fault: status(402), failure: { kind: "auth" } },
  { cli: "codex", name: "403", fault: status(403), failure: { kind: "auth" } },
  { cli: "codex", name: "404", fault: status(404, noModel), failure: { kind: "model", message: expect.stringContaining("model") } },
  { cli: "codex", name: "413", fault: status(413), failure: { kind: "model" } },
  { cli: "codex", name: "502", fault: status(502), failure: { kind: "network", message: expect.stringContaining("502") } },
  { cli: "codex", name: "503", fault: status(503), failure: { kind: "overloaded" } },
  { cli: "codex", name: "error-event-server", fault: event("server_error", "An error occurred while processing your request."), failure: { kind: "network" } },
  { cli: "codex", name: "error-event-rate", fault: event("rate_limit_exceeded", "Rate limit reached for gpt-5.5. Please try again in 1.5s."), failure: { kind: "rateLimited", until: expect.any(Number) } },
  { cli: "codex", name: "error-event-quota", fault: event("insufficient_quota", "You exceeded your current quota."), failure: { kind: "auth", message: expect.stringContaining("Quota exceeded") } },
  { cli: "codex", name: "error-event-prompt", fault: event("invalid_prompt", "Invalid prompt: flagged."), failure: { kind: "model", message: "Invalid prompt: flagged." } },
  { cli: "codex", name: "error-event-context", fault: event("context_length_exceeded", "too long"), failure: { kind: "model", message: expect.stringContaining("context window") } },
  { cli: "opencode", name: "402", fault: status(402, undefined, soon), failure: { kind: "auth", message: "scripted 402" }, requests: 1 },
  { cli: "opencode", name: "403", fault: status(403, undefined, soon), failure: { kind: "auth" }, requests: 1 },
  { cli: "opencode", name: "404", fault: status(404, noModel, soon), failure: { kind: "model", message: noModel.message }, requests: 1 },
  { cli: "opencode", name: "429-quota", fault: status(429, { code: "insufficient_quota", message: "You exceeded your current quota." }, soon), failure: { kind: "auth", message: "You exceeded your current quota." }, requests: 6 },
  { cli: "opencode", name: "502", fault: status(502, undefined, soon), failure: { kind: "network" }, requests: 6 },
  { cli: "opencode", name: "503", fault: status(503, undefined, soon), failure: { kind: "overloaded" }, requests: 6 },
];

describe("a refusal that stays", { concurrent: true }, () => {
  test.each(refusals)("$cli, $name is $failure.kind, and no result is made of what came before it", async ({ cli, name, fault, failure, requests }) => {
    await using room = await openRoom({ fault: failing(fault) }, { cli });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure });
    expect([turned.by, turned.swept]).toEqual(["itself", 0]);
    expect(turned.events.filter(({ type }) => type === "result" || type === "failure" || type === "garbage").map(({ type }) => type)).toEqual(["failure"]);
    if (failure.kind === "rateLimited") expect(turned.events.some(({ type }) => type === "rateLimit")).toBe(true);
    if (requests !== undefined) expect([asked(room), turned.events.filter(({ type }) => type === "rateLimit").length]).toEqual([requests, requests - 1]);
  });

  // What it names is later than the refusal by what the server asked for.
  test.each([{ cli: "claude", wait: 2 }, { cli: "opencode", wait: 3_600 }] as const)("$cli tells the time at which the server wants to be asked again, while it waits for it", async ({ cli, wait }) => {
    await using room = await openRoom({ fault: failing(status(429, undefined, { "retry-after": String(wait) })) }, { cli });
    const turned = await room.run(room.turn(marker("fault"), cli === "opencode" ? { stallMs: 6_000 } : {}));
    const [first] = turned.events.flatMap((event) => (event.type === "rateLimit" ? [event] : []));
    expect((cli === "opencode" ? first?.until ?? 0 : untilOf(turned)) - turned.exit.at).toBeGreaterThan(wait * 500);
  });

  test.each<{ readonly cli: CliName; readonly ends: number; readonly fault: ScriptedFault; readonly env: Readonly<Record<string, string>> }>([
    { cli: "claude", ends: 4_000_000_000, env: { ANTHROPIC_API_KEY: "", CLAUDE_CODE_OAUTH_TOKEN: "test-login" }, fault: status(429, undefined, { "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "4000000000", "anthropic-ratelimit-unified-representative-claim": "five_hour" }) },
    // Its message names a minute.
    { cli: "codex", ends: 1_900_000_020, env: { TZ: process.env["TZ"] ?? "" }, fault: status(429, { type: "usage_limit_reached", plan_type: "plus", resets_at: 1_900_000_020 }) },
  ])("$cli: the limit of a subscription is rateLimited until the time the server names, without a retry", async ({ cli, ends, fault, env }) => {
    await using room = await openRoom({ fault: failing(fault) }, { cli, env });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep("fault-usage-limit", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "rateLimited", until: ends * 1_000 } });
    expect(asked(room)).toBe(1);
  });
});

describe("nothing is sent", { concurrent: true }, () => {
  test.each<{ readonly cli: CliName; readonly sessionId: string; readonly says: string }>([
    { cli: "claude", sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77", says: "34e69eb2" }, { cli: "codex", sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77", says: "34e69eb2" }, { cli: "opencode", sessionId: "ses_000000000ffeNoSuchSession0000", says: "Session not found" },
  ])("$cli: for a session that is not there, and what the session had cost before stays spent", async ({ cli, sessionId, says }) => {
    await using room = await openRoom(hello, { cli });
    const turned = await room.run(room.turn(marker("hello"), { sessionId, sessionCostUsd: 0.5 }));
    await room.keep("fault-unknown-session", turned);
    expect(turned.outcome).toMatchObject({ ended: { how: "failed", failure: { kind: "badSession", message: expect.stringContaining(says) } }, costUsd: 0, sessionCostUsd: 0.5 });
    expect(asked(room)).toBe(0);
  });

  test.each([{ cli: "claude", name: "fault-not-signed-in", key: "ANTHROPIC_API_KEY", says: "" }, { cli: "codex", name: "fault-no-key", key: "OPENAI_API_KEY", says: "OPENAI_API_KEY" }] as const)("$cli: without a key", async ({ cli, name, key, says }) => {
    await using room = await openRoom(hello, { cli, env: { [key]: "" } });
    const turned = await room.run(room.turn(marker("hello")));
    await room.keep(name, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth", message: expect.stringContaining(says) } });
    expect(asked(room)).toBe(0);
  });

  test.each([
    { cli: "codex", file: [".codex", "config.toml"], text: "model_provider = [\n", says: "config" }, { cli: "opencode", file: [".config", "opencode", "opencode.json"], text: '{ "model": 3 }', says: "Configuration is invalid" },
  ] as const)("$cli: with a configuration of the user's that cannot be read, which is no failure of the work", async ({ cli, file, text, says }) => {
    await using room = await openRoom(hello, { cli });
    await writeFile(join(room.host.home, ...file), text);
    const turned = await room.run(room.turn(marker("hello")));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "spawn", message: expect.stringContaining(says) } });
    expect(asked(room)).toBe(0);
  });

  test("opencode: for a model or a provider that it does not know", async () => {
    await using room = await openRoom(hello, { cli: "opencode" });
    for (const model of ["loop/nope", "nope/nope"]) {
      const turned = await room.run(room.turn(marker("hello"), { model }));
      if (model === "loop/nope") await room.keep("fault-unknown-model", turned);
      expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "model", message: expect.stringContaining("does not know this model") } });
    }
    expect(asked(room)).toBe(0);
  });
});

test("codex: with nobody signed in at all no key is sent, and the answer is auth", async () => {
  await using room = await openRoom({ fault: failing(status(401)) }, { cli: "codex", env: { OPENAI_API_KEY: "" } });
  await writeFile(join(room.host.home, ".codex", "config.toml"), `openai_base_url = "${room.model.url}/v1"\n`);
  const turned = await room.run(room.turn(marker("fault")));
  expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth" } });
  expect(room.model.requests.every(({ headers }) => headers["authorization"] === undefined)).toBe(true);
});

describe("too long", { concurrent: true }, () => {
  const looks = { say: "I look.", calls: [{ do: "read", path: "add.mjs" }] } as const;
  test.each<{ readonly name: string; readonly cli: CliName; readonly scenario: Scenario; readonly kind: AgentFailure["kind"] }>([
    // It tries to compact the conversation, which fails too.
    { cli: "claude", name: "context-full", scenario: [looks, { calls: [{ do: "edit", path: "add.mjs", from: "a - b", to: "a + b" }] }, { fault: tooLong }], kind: "contextFull" },
    { cli: "claude", name: "request-too-large", scenario: [looks, { fault: status(413, { message: "Request exceeds the maximum size" }) }], kind: "contextFull" },
    // It lets the model go on, a few times.
    { cli: "claude", name: "overlong", scenario: [{ say: "I am thinking about it. ".repeat(20), cut: true }], kind: "overlong" },
    { cli: "opencode", name: "length", scenario: [{ say: "and so on, and so on", cut: true }], kind: "overlong" },
  ])("$cli, $name is $kind", async ({ cli, name, scenario, kind }) => {
    await using room = await openRoom({ fault: scenario }, { cli });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind } });
    expect(turned.by).toBe("itself");
    // The same session again would not help.
    if (name !== "context-full") return;
    const again = await room.run(room.turn(marker("fault"), { sessionId: turned.outcome.sessionId }));
    expect(again.outcome.ended).toMatchObject({ how: "failed", failure: { kind } });
  });

  test("codex: a session that has grown too long is given up, the next turn begins a new one", async () => {
    await using room = await openRoom({ ...hello, fault: failing(status(400, { code: "context_length_exceeded", message: "too long" })) }, { cli: "codex" });
    const { outcome: { sessionId } } = await room.run(room.turn(marker("hello")));
    const turned = await room.run(room.turn(marker("fault"), { sessionId }));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "contextFull", message: expect.stringContaining("context window") } });
  });
});
