/** Every fault of a model server, through the real opencode CLI: which AgentFailure it must give, and which ones a turn must survive. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import type { AgentFailure } from "../../src/domain/agent.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";
import { marker, type Scenario, type ScriptedFault } from "../support/model-server.ts";
import { openRoom, type Room } from "./room.ts";
import { opencodeConfig } from "./under-test.ts";

const open = (scenarios: Readonly<Record<string, Scenario>>, env: Readonly<Record<string, string>> = {}): Promise<Room> => openRoom(scenarios, { cli: "opencode", env });
const failing = (fault: ScriptedFault): Scenario => [{ say: "partial text", fault }];
const configure = (room: Room, text: string): Promise<void> => writeFile(join(room.host.home, ".config", "opencode", "opencode.json"), text);

/** It obeys this header; without it five tries take more than a minute. */
const soon = { "retry-after-ms": "10" };

describe("a fault that stays", () => {
  const status = (code: number, more: object = {}): ScriptedFault => ({ fault: "status", status: code, headers: soon, ...more });
  const faults: readonly { readonly name: string; readonly fault: ScriptedFault; readonly failure: Partial<AgentFailure>; readonly requests: number }[] = [
    { name: "400", fault: status(400), failure: { kind: "model", message: "scripted 400" }, requests: 1 },
    { name: "401", fault: status(401), failure: { kind: "auth", message: "scripted 401" }, requests: 1 },
    { name: "402", fault: status(402), failure: { kind: "auth" }, requests: 1 },
    { name: "403", fault: status(403), failure: { kind: "auth" }, requests: 1 },
    { name: "404", fault: status(404, { error: { code: "model_not_found", message: "The model does not exist" } }), failure: { kind: "model", message: "The model does not exist" }, requests: 1 },
    { name: "429", fault: status(429), failure: { kind: "rateLimited", until: expect.any(Number), message: "scripted 429" }, requests: 6 },
    { name: "429-quota", fault: status(429, { error: { code: "insufficient_quota", message: "You exceeded your current quota." } }), failure: { kind: "auth", message: "You exceeded your current quota." }, requests: 6 },
    { name: "500", fault: status(500), failure: { kind: "network", message: "scripted 500" }, requests: 6 },
    { name: "502", fault: status(502), failure: { kind: "network" }, requests: 6 },
    { name: "503", fault: status(503), failure: { kind: "overloaded" }, requests: 6 },
    { name: "529", fault: status(529), failure: { kind: "overloaded" }, requests: 6 },
  ];
  test.each(faults)("$name is $failure.kind, and no result is made of what came before it", async ({ name, fault, failure, requests }) => {
    await using room = await open({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure });
    expect(turned.by).toBe("itself");
    expect(turned.swept).toBe(0);
    expect(turned.events.filter(({ type }) => type === "result" || type === "failure").map(({ type }) => type)).toEqual(["failure"]);
    expect(turned.events.filter(({ type }) => type === "garbage")).toEqual([]);
    expect(room.model.requests.filter((request) => request.model !== undefined)).toHaveLength(requests);
    expect(turned.events.filter(({ type }) => type === "rateLimit")).toHaveLength(requests - 1);
  });

  test("a session that is not there is badSession, and nothing is sent", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    const turned = await room.run(room.turn(marker("hello"), { sessionId: "ses_000000000ffeNoSuchSession0000" }));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "badSession", message: expect.stringContaining("Session not found") } });
    expect(room.model.requests).toEqual([]);
  });

  test("a model or a provider that it does not know is model", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    for (const model of ["loop/nope", "nope/nope"]) {
      const turned = await room.run(room.turn(marker("hello"), { model }));
      if (model === "loop/nope") await room.keep("fault-unknown-model", turned);
      expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "model", message: expect.stringContaining("does not know this model") } });
    }
    expect(room.model.requests).toEqual([]);
  });

  test("a configuration of the user's that cannot be read is no failure of the work", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] });
    await configure(room, '{ "model": 3 }');
    const turned = await room.run(room.turn(marker("hello")));
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "spawn", message: expect.stringContaining("Configuration is invalid") } });
  });

  test("a CLI that is not there is a start that failed", async () => {
    await using room = await open({ hello: [{ say: "Hello." }] }, { PATH: "/usr/bin:/bin" });
    await expect(room.run(room.turn(marker("hello")))).rejects.toMatchObject({ message: expect.stringContaining('no program "opencode"') });
  });

  test("an answer that is cut at its length is overlong", async () => {
    await using room = await open({ cut: [{ say: "and so on, and so on", cut: true }] });
    const turned = await room.run(room.turn(marker("cut")));
    await room.keep("fault-length", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "overlong" } });
  });
});

describe("a provider that makes it wait", () => {
  test("is told at once, with the time that it named, while the CLI itself says nothing", async () => {
    await using room = await open({ fault: failing({ fault: "status", status: 429, headers: { "retry-after": "3600" } }) });
    const turned = await room.run(room.turn(marker("fault"), { stallMs: 6_000 }));
    await room.keep("fault-429-retry-after", turned);
    const [wait] = turned.events.flatMap((event) => event.type === "rateLimit" ? [event] : []);
    expect(wait).toEqual({ type: "rateLimit", until: expect.any(Number), message: "scripted 429" });
    expect((wait?.until ?? 0) - turned.exit.at).toBeGreaterThan(3_000_000);
    expect(turned.outcome.sessionId).toMatch(/^ses_/);
    expect(turned.by).not.toBe("itself");
  });
});

describe("a fault that passes is survived", () => {
  test.each<{ readonly name: string; readonly fault: ScriptedFault }>([
    { name: "429-once", fault: { fault: "status", status: 429, headers: soon, times: 1 } },
    { name: "500-once", fault: { fault: "status", status: 500, headers: soon, times: 1 } },
    { name: "529-once", fault: { fault: "status", status: 529, headers: soon, times: 1 } },
    { name: "reset-once", fault: { fault: "reset", times: 1 } },
    { name: "malformed-once", fault: { fault: "malformed", times: 1 } },
    { name: "cut-once", fault: { fault: "cutMidStream", times: 1 } },
    { name: "error-event-once", fault: { fault: "errorEvent", times: 1 } },
  ])("$name", async ({ name, fault }) => {
    await using room = await open({ fault: [{ say: "Said in the end.", fault }] });
    const turned = await room.run(room.turn(marker("fault")));
    await room.keep(`survived-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "completed", text: "Said in the end." });
    expect(room.model.requests.filter((request) => request.scenario === "fault").length).toBeGreaterThan(1);
  });
});

/** Its five tries, without a header that shortens them, take more than a minute. */
describe("a fault below HTTP that stays is an infrastructure failure, when the CLI has given up", { timeout: 240_000, concurrent: true }, () => {
  const patient = { timeoutMs: 200_000, stallMs: 100_000 };
  test.each<{ readonly name: string; readonly fault: ScriptedFault }>([
    { name: "reset", fault: { fault: "reset" } },
    { name: "cut", fault: { fault: "cutMidStream" } },
    { name: "error-event", fault: { fault: "errorEvent" } },
  ])("$name", async ({ name, fault }) => {
    await using room = await open({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault"), patient));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: name === "error-event" ? "overloaded" : "network" } });
    expect(turned.by).toBe("itself");
  });
  test("nobody listens", async () => {
    await using room = await open({});
    await configure(room, opencodeConfig("http://127.0.0.1:9"));
    const turned = await room.run(room.turn(marker("fault"), patient));
    await room.keep("fault-refused", turned);
    expect(turned.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "network" } });
    expect(turned.by).toBe("itself");
  });
});

describe("a server that says nothing more is ended by our own timers", () => {
  const hangs = [{ name: "hang-before-headers", fault: { fault: "hangBeforeHeaders" } }, { name: "hang-mid-stream", fault: { fault: "hangMidStream" } }] as const;
  const nothingRuns = async (room: Room): Promise<void> => {
    const runs = await Effect.runPromise(makeAgentProcess({ root: room.host.runDirectory }).list);
    expect(runs.filter(({ alive }) => alive)).toEqual([]);
  };

  test.each(hangs)("$name: no progress is stalled", async ({ name, fault }) => {
    await using room = await open({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault"), { stallMs: 6_000 }));
    await room.keep(`fault-${name}`, turned);
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "stalled", afterMs: 6_000 } });
    expect(turned.by).not.toBe("itself");
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
    await nothingRuns(room);
  });

  test.each(hangs)("$name: the wall clock is timeout", async ({ fault }) => {
    await using room = await open({ fault: failing(fault) });
    const turned = await room.run(room.turn(marker("fault"), { timeoutMs: 10_000 }));
    expect(turned.outcome.ended).toEqual({ how: "failed", failure: { kind: "timeout", afterMs: 10_000 } });
    expect(turned.events.filter(({ type }) => type === "result")).toEqual([]);
    await nothingRuns(room);
  });
});
