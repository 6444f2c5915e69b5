/** Every fault of a model server, through the real CLI: which AgentFailure it must give, and which ones a turn must survive. */
import { describe, expect, test } from "vitest";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { marker, type Scenario, type ScriptedFault } from "../support/model-server.ts";
import { openRoom } from "./room.ts";

const failing = (fault: ScriptedFault): Scenario => [{ say: "partial text", fault }];

describe("a fault that stays", () => {
  const faults: readonly { readonly name: string; readonly fault: ScriptedFault; readonly failure: Partial<AgentFailure> }[] = [
    { name: "400", fault: { fault: "status", status: 400 }, failure: { kind: "model", message: expect.stringContaining("400") } },
    { name: "401", fault: { fault: "status", status: 401 }, failure: { kind: "auth", message: expect.stringContaining("401") } },
    { name: "403", fault: { fault: "status", status: 403 }, failure: { kind: "auth" } },
    { name: "404", fault: { fault: "status", status: 404 }, failure: { kind: "model", message: expect.stringContaining("model") } },
    { name: "429", fault: { fault: "status", status: 429 }, failure: { kind: "rateLimited" } },
    { name: "429-retry-after", fault: { fault: "status", status: 429, headers: { "retry-after": "2" } }, failure: { kind: "rateLimited" } },
    { name: "500", fault: { fault: "status", status: 500 }, failure: { kind: "network", message: expect.stringContaining("500") } },
    { name: "529", fault: { fault: "status", status: 529 }, failure: { kind: "overloaded" } },
    { name: "reset", fault: { fault: "reset" }, failure: { kind: "network" } },
    { name: "malformed", fault: { fault: "malformed" }, failure: { kind: "network" } },
    { name: "cut", fault: { fault: "cutMidStream" }, failure: { kind: "network" } },
    { name: "error-event", fault: { fault: "errorEvent" }, failure: { kind: "overloaded" } },
  ];
  test.each(faults)("$name is $failure.kind, and no result is made of what came before it", async ({ name, fault, failure }) => {
    await using room = await openRoom({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure });
    expect(turned.by).toBe("itself");
    expect(turned.events.filter(({ type }) => type === "result" || type === "failure").map(({ type }) => type)).toEqual(["failure"]);
    expect(turned.events.filter(({ type }) => type === "garbage")).toEqual([]);
    if (failure.kind === "rateLimited") {
      expect(turned.events.some(({ type }) => type === "rateLimit")).toBe(true);
      const until = turned.outcome.ended.how === "failed" && turned.outcome.ended.failure.kind === "rateLimited" ? turned.outcome.ended.failure.until : null;
      // Later than the refusal by what the server asked for.
      if (name === "429-retry-after") expect((until ?? 0) - turned.exit.at).toBeGreaterThan(1_000);
    }
  });

  test("the limit of a subscription is rateLimited until the time the server names, without a retry", async () => {
    const ends = 4_000_000_000;
    await using room = await openRoom({ fault: failing({ fault: "status", status: 429, headers: {
      "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": String(ends), "anthropic-ratelimit-unified-representative-claim": "five_hour",
    } }) }, { env: { ANTHROPIC_API_KEY: "", CLAUDE_CODE_OAUTH_TOKEN: "test-login" } });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep("fault-usage-limit", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "rateLimited", until: ends * 1_000 } });
    expect(turned.events).toContainEqual({ type: "rateLimit", until: ends * 1_000, message: expect.any(String) });
    expect(room.model.requests.filter((request) => request.model !== undefined)).toHaveLength(1);
  });

  test("nobody signed in is auth, and nothing is sent", async () => {
    await using room = await openRoom({ hello: [{ say: "Hello." }] }, { env: { ANTHROPIC_API_KEY: "" } });
    const turned = await room.run(room.turn(marker("hello")));
    await room.keep("fault-not-signed-in", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth" } });
    expect(room.model.requests.filter((request) => request.model !== undefined)).toEqual([]);
  });

  test("a session that is not there is badSession", async () => {
    await using room = await openRoom({ hello: [{ say: "Hello." }] });
    const unknown = await room.run(room.turn(marker("hello"), { sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77", sessionCostUsd: 0.5 }));
    await room.keep("fault-unknown-session", unknown);
    expect(unknown.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "badSession" } });
    // What the session had cost before stays spent.
    expect(unknown.outcome).toMatchObject({ costUsd: 0, sessionCostUsd: 0.5 });
  });

  const tooLong: ScriptedFault = { fault: "status", status: 400, error: { message: "prompt is too long: 210000 tokens > 200000 maximum" } };
  test.each<{ readonly name: string; readonly scenario: Scenario; readonly kind: AgentFailure["kind"] }>([
    // The CLI tries to compact the conversation, which fails too.
    { name: "context-full", scenario: [{ say: "I look.", calls: [{ do: "read", path: "add.mjs" }] }, { calls: [{ do: "edit", path: "add.mjs", from: "a - b", to: "a + b" }] }, { fault: tooLong }], kind: "contextFull" },
    { name: "request-too-large", scenario: [{ say: "I look.", calls: [{ do: "read", path: "add.mjs" }] }, { fault: { fault: "status", status: 413, error: { message: "Request exceeds the maximum size" } } }], kind: "contextFull" },
    // No session of its own would make the prompt shorter.
    { name: "prompt-too-long", scenario: [{ fault: tooLong }], kind: "model" },
    // The CLI lets the model go on, a few times.
    { name: "overlong", scenario: [{ say: "I am thinking about it. ".repeat(20), cut: true }], kind: "overlong" },
  ])("$name is $kind", async ({ name, scenario, kind }) => {
    await using room = await openRoom({ fault: scenario });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind } });
    expect(turned.by).toBe("itself");
    // The same session again would not help.
    if (name !== "context-full") return;
    const again = await room.run(room.turn(marker("fault"), { sessionId: turned.outcome.sessionId }));
    expect(again.outcome.ended).toMatchObject({ how: "failed", failure: { kind } });
  });

  test("a server that nobody listens on is network", async () => {
    await using room = await openRoom({ hello: [{ say: "Hello." }] }, { env: { ANTHROPIC_BASE_URL: "http://127.0.0.1:9" } });
    const turned = await room.run(room.turn(marker("hello")));
    await room.keep("fault-refused", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "network" } });
  });
});

describe("a fault that passes is survived", () => {
  test.each<{ readonly name: string; readonly fault: ScriptedFault }>([
    { name: "429-once", fault: { fault: "status", status: 429, times: 1 } },
    { name: "429-once-retry-after", fault: { fault: "status", status: 429, headers: { "retry-after": "1" }, times: 1 } },
    { name: "500-once", fault: { fault: "status", status: 500, times: 1 } },
    { name: "529-once", fault: { fault: "status", status: 529, times: 1 } },
    { name: "reset-once", fault: { fault: "reset", times: 1 } },
    { name: "malformed-once", fault: { fault: "malformed", times: 1 } },
    { name: "cut-once", fault: { fault: "cutMidStream", times: 1 } },
    { name: "error-event-once", fault: { fault: "errorEvent", times: 1 } },
  ])("$name", async ({ name, fault }) => {
    await using room = await openRoom({ fault: [{ say: "Said in the end.", fault }] });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`survived-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "completed", text: "Said in the end." });
    expect(room.model.requests.filter((request) => request.scenario === "fault").length).toBeGreaterThan(1);
  });
});

describe("a server that says nothing more is ended by our own timers", () => {
  const hangs = [{ name: "hang-before-headers", fault: { fault: "hangBeforeHeaders" } }, { name: "hang-mid-stream", fault: { fault: "hangMidStream" } }] as const;
  // The CLI's own limits are set far away: its default is ten minutes.
  const patient = { env: { API_TIMEOUT_MS: "600000", CLAUDE_STREAM_IDLE_TIMEOUT_MS: "600000", CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: "600000" } };

  test.each(hangs)("$name: no progress is stalled", async ({ name, fault }) => {
    await using room = await openRoom({ fault: failing(fault) }, patient);
    const turned = await room.run(room.turn(marker("fault"), { stallMs: 4_000 }));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "stalled", afterMs: 4_000 } });
    expect(turned.by).not.toBe("itself");
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
  });

  test.each(hangs)("$name: the wall clock is timeout", async ({ fault }) => {
    await using room = await openRoom({ fault: failing(fault) }, patient);
    const turned = await room.run(room.turn(marker("fault"), { timeoutMs: 4_000 }));
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "timeout", afterMs: 4_000 } });
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
  });

  test("a hang in mid-stream that passes is rescued by the CLI's own watchdog, which the adapter switches on", async () => {
    await using room = await openRoom({ fault: [{ say: "Said in the end.", fault: { fault: "hangMidStream", times: 1 } }] });
    const turned = await room.run(room.turn(marker("fault"), { stallMs: 15_000 }));
    await room.keep("survived-hang-mid-stream", turned);
    expect(turned.outcome.ended).toEqual({ how: "completed", text: "Said in the end." });
  });
});
