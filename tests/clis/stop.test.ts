/** The stop policy with the real claude CLI: a coder of the factory that wants to stop with nothing done. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

test("a person's own session with installed hooks: told at its start of the stop that was denied before, held back while gates are open, let go by the breaker", async () => {
  await using room = await openRoom({ idle: [{ say: "All done.", usage }] });
  const home = room.host.home, config = join(home, "config.toml"), env = { ...room.host.env, HOME: home, XDG_STATE_HOME: `${home}/state`, ENACT_HOOK_PATIENCE_MS: "30000" };
  const factory = async (...argv: readonly string[]) => (await execa(process.execPath, [main, ...argv, "--config", config, "--json"], { cwd: room.repository, stdin: "ignore", extendEnv: false, timeout: 60_000, env })).stdout;
  await mkdir(join(home, "items"));
  await writeFile(join(home, "items", "one.md"), '+++\nlane = "manual"\n+++\n# Fix add()\n');
  await writeFile(config, `adapter = "claude"\n[verify]\nsandbox = "off"\n[stop]\ndenials = 2\n[gateway]\nport = 0\n[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "../repo"\n`);
  // The CLI works in a directory of this factory.
  const cwd = join(home, "work");
  await mkdir(cwd);
  await factory("start");
  try {
    await expect.poll(async () => JSON.parse(await factory("task", "list")), { timeout: 60_000 }).toMatchObject({ workItems: [{ id: "LOC-1", status: "ready" }] });
  } finally {
    await factory("stop");
  }
  await factory("hooks", "install", "--scope", "user");
  const session = async (id: string): Promise<void> => {
    await execa("claude", ["-p", "--session-id", id, "--model", "claude-sonnet-4-5", "--permission-mode", "dontAsk", marker("idle")], { cwd, stdin: "ignore", extendEnv: false, timeout: 90_000, env });
  };
  const first = "00000000-0000-4000-8000-000000000001";
  await factory("session", "start", "--id", first, "--item", "LOC-1", "--cli", "claude");
  await session(first);
  const said = (): string => room.model.requests.at(-1)?.body ?? "";
  expect(said().match(/Stop hook feedback:\\nEnact Factory: not yet\. \[gatesPending\] LOC-1/g)).toHaveLength(2);
  expect(JSON.parse(await factory("session", "list", "--all"))).toMatchObject({ sessions: [{ cwd, denials: 2, verdict: { ruleId: "breaker" }, state: "ended" }] });
  await session("00000000-0000-4000-8000-000000000002");
  // Nothing is linked to this one, so it may stop; what it was told is in its first request.
  expect(said().includes("an earlier session here on LOC-1 tried to stop and was denied. [gatesPending]")).toBe(true);
  expect(said().includes("Stop hook feedback")).toBe(false);
});

test("one that asks a person is let go at once", async () => {
  await using room = await openRoom({ asks: [{ say: "I looked.\n\n```enact-question\nWhich sign?\n```", usage }] });
  const { stdout } = await run(room, "asks");
  expect(JSON.parse(stdout)).toMatchObject({ status: "blocked", question: "Which sign?" });
  expect(denials(room)).toBe(0);
});
