/** Every fault of a model server, through the real codex CLI: which AgentFailure it must give, and which ones a turn must survive. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";
import { marker, type Scenario, type ScriptedFault } from "../support/model-server.ts";
import { openRoom, type Room } from "./room.ts";
import { codexConfig } from "./under-test.ts";

const open = (scenarios: Readonly<Record<string, Scenario>>, env: Readonly<Record<string, string>> = {}): Promise<Room> => openRoom(scenarios, { cli: "codex", env });
const failing = (fault: ScriptedFault): Scenario => [{ say: "partial text", fault }];
const configure = (room: Room, text: string): Promise<void> => writeFile(join(room.host.home, ".codex", "config.toml"), text);

describe("a fault that stays", () => {
  const event = (code: string, message: string): ScriptedFault => ({ fault: "errorEvent", error: { code, message } });
  const faults: readonly { readonly name: string; readonly fault: ScriptedFault; readonly failure: Partial<AgentFailure> }[] = [
    { name: "400", fault: { fault: "status", status: 400 }, failure: { kind: "model", message: expect.stringContaining("scripted 400") } },
    { name: "400-context", fault: { fault: "status", status: 400, error: { code: "context_length_exceeded", message: "too long" } }, failure: { kind: "model", message: expect.stringContaining("context window") } },
    { name: "401", fault: { fault: "status", status: 401 }, failure: { kind: "auth", message: expect.stringContaining("401") } },
    { name: "402", fault: { fault: "status", status: 402 }, failure: { kind: "auth" } },
    { name: "403", fault: { fault: "status", status: 403 }, failure: { kind: "auth" } },
    { name: "404", fault: { fault: "status", status: 404, error: { code: "model_not_found", message: "The model does not exist" } }, failure: { kind: "model", message: expect.stringContaining("model") } },
    { name: "413", fault: { fault: "status", status: 413 }, failure: { kind: "model" } },
    { name: "429", fault: { fault: "status", status: 429 }, failure: { kind: "rateLimited", until: null } },
    { name: "429-retry-after", fault: { fault: "status", status: 429, headers: { "retry-after": "1" } }, failure: { kind: "rateLimited", until: null } },
    { name: "500", fault: { fault: "status", status: 500 }, failure: { kind: "overloaded", message: expect.stringContaining("high demand") } },
    { name: "502", fault: { fault: "status", status: 502 }, failure: { kind: "network", message: expect.stringContaining("502") } },
    { name: "503", fault: { fault: "status", status: 503 }, failure: { kind: "overloaded" } },
    { name: "529", fault: { fault: "status", status: 529 }, failure: { kind: "overloaded" } },
    { name: "reset", fault: { fault: "reset" }, failure: { kind: "network" } },
    { name: "malformed", fault: { fault: "malformed" }, failure: { kind: "network" } },
    { name: "cut", fault: { fault: "cutMidStream" }, failure: { kind: "network" } },
    { name: "error-event", fault: { fault: "errorEvent" }, failure: { kind: "overloaded" } },
    { name: "error-event-server", fault: event("server_error", "An error occurred while processing your request."), failure: { kind: "network" } },
    { name: "error-event-rate", fault: event("rate_limit_exceeded", "Rate limit reached for gpt-5.5. Please try again in 1.5s."), failure: { kind: "rateLimited", until: expect.any(Number) } },
    { name: "error-event-quota", fault: event("insufficient_quota", "You exceeded your current quota."), failure: { kind: "auth", message: expect.stringContaining("Quota exceeded") } },
    { name: "error-event-prompt", fault: event("invalid_prompt", "Invalid prompt: flagged."), failure: { kind: "model", message: "Invalid prompt: flagged." } },
    { name: "error-event-context", fault: event("context_length_exceeded", "too long"), failure: { kind: "model", message: expect.stringContaining("context window") } },
  ];
  test.each(faults)("$name is $failure.kind, and no result is made of what came before it", async ({ name, fault, failure }) => {
    await using room = await open({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure });
    expect(turned.by).toBe("itself");
    expect(turned.swept).toBe(0);
    expect(turned.events.filter(({ type }) => type === "result" || type === "failure").map(({ type }) => type)).toEqual(["failure"]);
    expect(turned.events.filter(({ type }) => type === "garbage")).toEqual([]);
    if (name === "429-retry-after" || name === "error-event-rate") expect(turned.events.some(({ type }) => type === "rateLimit")).toBe(true);
  });

  test("the limit of a subscription is rateLimited until the time the server names, without a retry", async () => {
    // Its message names a minute.
    const ends = 1_900_000_020;
    await using room = await open({ fault: failing({ fault: "status", status: 429, error: { type: "usage_limit_reached", plan_type: "plus", resets_at: ends } }) }, { TZ: process.env["TZ"] ?? "" });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep("fault-usage-limit", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "rateLimited", until: ends * 1_000 } });
    expect(room.model.requests.filter((request) => request.model !== undefined)).toHaveLength(1);
  });

  test("a session that has grown too long is given up: the next turn begins a new one", async () => {
    await using room = await open({ hello: [{ say: "Hello." }], fault: failing({ fault: "status", status: 400, error: { code: "context_length_exceeded", message: "too long" } }) });
    const { outcome: { sessionId } } = await room.run(room.turn(marker("hello")));
    const turned = await room.run(room.turn(marker("fault"), { sessionId }));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "contextFull", message: expect.stringContaining("context window") } });
  });

  test("a key that is not there is auth, and nothing is sent", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] }, { OPENAI_API_KEY: "" });
    const turned = await room.run(room.turn(marker("hello")));
    await room.keep("fault-no-key", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth", message: expect.stringContaining("OPENAI_API_KEY") } });
    expect(room.model.requests.filter((request) => request.model !== undefined)).toEqual([]);
  });

  test("nobody signed in at all is auth", async () => {
    await using room = await open({ hello: [{ say: "Hello." }], fault: failing({ fault: "status", status: 401 }) }, { OPENAI_API_KEY: "" });
    await configure(room, `openai_base_url = "${room.model.url}/v1"\n`);
    const turned = await room.run(room.turn(marker("fault")));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth" } });
    expect(room.model.requests.every(({ headers }) => headers["authorization"] === undefined)).toBe(true);
  });

  test("a session that is not there is badSession", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    const unknown = await room.run(room.turn(marker("hello"), { sessionId: "34e69eb2-7f36-4878-8a1a-00cbbfb7ec77" }));
    expect(unknown.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "badSession", message: expect.stringContaining("34e69eb2") } });
    expect(room.model.requests).toEqual([]);
  });

  test("a configuration of the user's that cannot be read is no failure of the work", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    await configure(room, "model_provider = [\n");
    const turned = await room.run(room.turn(marker("hello")));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "spawn", message: expect.stringContaining("config") } });
  });

  test("a server that nobody listens on is network, within the CLI's own retries", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    await configure(room, codexConfig("http://127.0.0.1:9"));
    const turned = await room.run(room.turn(marker("hello")));
    await room.keep("fault-refused", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "network" } });
    expect(turned.by).toBe("itself");
  });

  test("a CLI that is not there is a start that failed", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] }, { PATH: "/usr/bin:/bin" });
    await expect(room.run(room.turn(marker("hello")))).rejects.toMatchObject({ message: expect.stringContaining('no program "codex"') });
  });
});

describe("a fault that passes is survived", () => {
  test.each<{ readonly name: string; readonly fault: ScriptedFault }>([
    { name: "429-once-retry-after", fault: { fault: "status", status: 429, headers: { "retry-after": "1" }, times: 1 } },
    { name: "500-once", fault: { fault: "status", status: 500, times: 1 } },
    { name: "529-once", fault: { fault: "status", status: 529, times: 1 } },
    { name: "reset-once", fault: { fault: "reset", times: 1 } },
    { name: "malformed-once", fault: { fault: "malformed", times: 1 } },
    { name: "cut-once", fault: { fault: "cutMidStream", times: 1 } },
    { name: "hang-mid-stream-once", fault: { fault: "hangMidStream", times: 1 } },
  ])("$name", async ({ name, fault }) => {
    await using room = await open({ fault: [{ say: "Said in the end.", fault }] });
    if (name === "hang-mid-stream-once") await configure(room, codexConfig(room.model.url, 1_500));
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`survived-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "completed", text: "Said in the end." });
    expect(room.model.requests.filter((request) => request.scenario === "fault").length).toBeGreaterThan(1);
  });
});

describe("a server that says nothing more is ended by our own timers", () => {
  const hangs = [{ name: "hang-before-headers", fault: { fault: "hangBeforeHeaders" } }, { name: "hang-mid-stream", fault: { fault: "hangMidStream" } }] as const;
  /** The CLI's own limit is set far away: its default is five minutes. */
  const hanging = async (fault: ScriptedFault): Promise<Room> => {
    const room = await open({ fault: failing(fault) });
    await configure(room, codexConfig(room.model.url, 600_000));
    return room;
  };
  const nothingRuns = async (room: Room): Promise<void> => {
    const runs = await Effect.runPromise(makeAgentProcess({ root: room.host.runDirectory }).list);
    expect(runs.filter(({ alive }) => alive)).toEqual([]);
  };

  test.each(hangs)("$name: no progress is stalled", async ({ name, fault }) => {
    await using room = await hanging(fault);
    const turned = await room.run(room.turn(marker("fault"), { stallMs: 4_000 }));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "stalled", afterMs: 4_000 } });
    expect(turned.by).not.toBe("itself");
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
    await nothingRuns(room);
  });

  test.each(hangs)("$name: the wall clock is timeout", async ({ fault }) => {
    await using room = await hanging(fault);
    const turned = await room.run(room.turn(marker("fault"), { timeoutMs: 4_000 }));
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "timeout", afterMs: 4_000 } });
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
    await nothingRuns(room);
  });
});
