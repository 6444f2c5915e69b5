/** The stop policy with the real claude CLI: a coder of the factory that wants to stop with nothing done. */
import { execa } from "execa";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom, type Room } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const usage = { input: 100, output: 10 };

const run = (room: Room, scenario: string) => execa(process.execPath, [main, "run", `Fix add(). ${marker(scenario)}`, "-p", room.repository, "--coder-only", "--json"], {
  cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 110_000,
  env: { ...room.host.env, HOME: room.host.home, XDG_STATE_HOME: `${room.host.home}/state` },
});

/** What the CLI told its model of denials, in its last request. */
const denials = (room: Room): number => (room.model.requests.at(-1)?.body.match(/Stop hook feedback:\\nEnact Factory: not yet\. \[nothingChanged\]/g) ?? []).length;

test("a coder that stops with nothing changed is sent back once, does the work, and may stop", async () => {
  const early: Scenario = [{ say: "All done.", usage }, { calls: [{ do: "edit", path: "add.mjs", from: "a - b", to: "a + b" }], usage }, { say: "add() adds now.", usage }];
  await using room = await openRoom({ early }, { files: { "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n' } });
  const { stdout, stderr } = await run(room, "early");
  expect(JSON.parse(stdout), stderr).toMatchObject({ status: "done", iterations: 1, checks: { base: "0/1", head: "1/1" } });
  expect((await execa("git", ["show", "enact/RUN-1:add.mjs"], { cwd: room.repository })).stdout).toBe("export const add = (a, b) => a + b;");
  expect(denials(room)).toBe(1);
  const sessions = await execa(process.execPath, [main, "session", "list", "--json"], { cwd: room.repository, stdin: "ignore", extendEnv: false, env: { ...room.host.env, HOME: room.host.home } });
  expect(JSON.parse(sessions.stdout)).toMatchObject({ sessions: [{ cli: "claude", verdict: { decision: "allow", ruleId: "open" }, denied: { ruleId: "nothingChanged", item: "RUN-1" }, denials: 1 }] });
});

test("one that never does anything is let go after two denials: no loop", async () => {
  await using room = await openRoom({ idle: [{ say: "All done.", usage }] });
  const { exitCode } = await run(room, "idle");
  // Its check fails before and after: that is the pipeline's affair.
  expect(exitCode).toBe(1);
  expect(denials(room)).toBe(2);
});

test("one that asks a person is let go at once", async () => {
  await using room = await openRoom({ asks: [{ say: "I looked.\n\n```enact-question\nWhich sign?\n```", usage }] });
  const { stdout } = await run(room, "asks");
  expect(JSON.parse(stdout)).toMatchObject({ status: "blocked", question: "Which sign?" });
  expect(denials(room)).toBe(0);
});
