import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cursor } from "../../../src/adapters/cursor/adapter.ts";
import type { TurnRequest } from "../../../src/domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../../src/ports/adapter.ts";
import { session, turnRequest } from "./streams.ts";

const host = (env: Readonly<Record<string, string>> = {}): HostEnvironment => ({ home: "/home/user", runDirectory: "/runs/1", env: { PATH: "/bin", ...env } });
const planned = (more: Partial<TurnRequest> = {}, env: Readonly<Record<string, string>> = {}): LaunchPlan => {
  const plan = cursor.plan(turnRequest(more), host(env));
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};
const always = ["cursor-agent", "--print", "--output-format", "stream-json", "--trust", "--force"];

test("ADAPT-04 the argv of a turn, of one with a model, of one that goes on in a session", () => {
  expect(planned().argv).toEqual(always);
  expect(planned({ model: "sonnet-4" }).argv).toEqual([...always, "--model", "sonnet-4"]);
  expect(planned({ sessionId: session }).argv).toEqual([...always, "--resume", session]);
  expect(planned().argv).not.toContain("--approve-mcps");
});

describe("what cannot be done is refused", () => {
  test("a reading turn: nothing documented keeps a repository from granting and running what it likes", () => {
    expect(cursor.capabilities.readOnly).toBe(false);
    expect(cursor.plan(turnRequest({ readOnly: true, stage: "critic" }), host())).toMatchObject({ kind: "model", message: expect.stringContaining("cannot be held to reading") });
  });
  test.each([{ sessionId: "--last" }, { sessionId: "" }, { sessionId: `${session}\n` }])("a session id that is none: %o", (more) => {
    expect(cursor.plan(turnRequest(more), host())).toMatchObject({ kind: "badSession" });
  });
  test.each([{ model: "--force" }, { model: "" }, { model: "a b" }])("a model that is none: %o", (more) => {
    expect(cursor.plan(turnRequest(more), host())).toMatchObject({ kind: "model" });
  });
});

test("the prompt is on standard input only, whatever it is", () => {
  fc.assert(fc.property(fc.string({ minLength: 8 }), (text) => {
    const plan = planned({ prompt: text });
    expect(plan.stdin).toBe(text);
    expect(plan.stdinMode).toBe("close");
    expect(plan.argv).toEqual(planned().argv);
    expect(plan.env).toEqual(planned().env);
  }), { examples: [["/clear everything"], ["--help me"]] });
});

test("the environment holds nothing of the owner's but what is named", () => {
  const secrets = { ENACT_TOKEN: "s", GITHUB_TOKEN: "s", DATABASE_URL: "s", OPENAI_API_KEY: "s", NODE_OPTIONS: "--require x", SSH_AUTH_SOCK: "/s", LD_PRELOAD: "x" };
  expect(planned({}, { ...secrets, CURSOR_API_KEY: "key", HTTPS_PROXY: "http://proxy", LANG: "" }).env).toEqual({ PATH: "/bin", HOME: "/home/user", CURSOR_API_KEY: "key", HTTPS_PROXY: "http://proxy" });
});
