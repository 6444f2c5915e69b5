/** Hooks of the real codex CLI: whose it runs, that ours are trusted and nobody else's, and the stop policy through them. */
import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { hookHash, hookKey } from "../../src/adapters/codex/hook-trust.ts";
import { entriesIn } from "../../src/adapters/hook-entries.ts";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom, type Room } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const usage = { input: 100, output: 10 };
const project = { "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n' };
const right = "export const add = (a, b) => a + b;";
const fix = { do: "edit", path: "add.mjs", from: "export const add = (a, b) => a - b;", to: right } as const;
const open = (scenarios: Readonly<Record<string, Scenario>>, files: Readonly<Record<string, string>> = {}): Promise<Room> => openRoom(scenarios, { cli: "codex", files });

/** What the program itself says of its hooks, over its app server. */
const hooksOf = async (room: Room): Promise<readonly { readonly key: string; readonly currentHash: string; readonly trustStatus: string }[]> => {
  const Answer = z.object({ id: z.literal(2), result: z.object({ data: z.array(z.object({ hooks: z.array(z.object({ key: z.string(), currentHash: z.string(), trustStatus: z.string() })) })) }) });
  const server = execa("codex", ["app-server"], { cwd: room.repository, env: { ...room.host.env, HOME: room.host.home }, extendEnv: false, reject: false, stdin: "pipe", timeout: 30_000, forceKillAfterDelay: 1_000 });
  const say = (message: unknown): void => { server.stdin.write(`${JSON.stringify(message)}\n`); };
  say({ id: 1, method: "initialize", params: { clientInfo: { name: "test", title: "test", version: "1" } } });
  say({ method: "initialized" });
  say({ id: 2, method: "hooks/list", params: { cwds: [room.repository] } });
  try {
    for await (const line of createInterface({ input: server.stdout })) {
      const answer = Answer.safeParse(JSON.parse(line));
      if (answer.success) return answer.data.result.data.flatMap(({ hooks }) => hooks);
    }
    throw new Error("the app server ended without an answer");
  } finally {
    server.kill("SIGKILL");
    await server;
  }
};

test("the key and the hash of a hook are those that the program computes", async () => {
  await using room = await open({});
  const file = join(room.host.home, ".codex", "hooks.json");
  const text = JSON.stringify({ hooks: {
    SessionStart: [{ hooks: [{ type: "command", command: `'/it'\\''s "ü"/node' x # enact-factory`, timeout: 10 }] }, { matcher: "startup", hooks: [{ type: "command", command: "a # enact-factory" }] }],
    Stop: [{ matcher: "ignored", hooks: [{ type: "command", command: "other" }, { type: "command", command: "b # enact-factory", timeout: 0 }] }],
    PreToolUse: [{ matcher: "^Bash$", hooks: [{ type: "command", command: "c # enact-factory", async: true, statusMessage: "looks" }] }],
    SessionEnd: [{ hooks: [{ type: "command", command: "d # enact-factory" }, { type: "command", command: "e # enact-factory", timeout: 10 }] }],
  } });
  await writeFile(file, text);
  const told = await hooksOf(room);
  const ours = entriesIn(text).map(({ event, group, handler, settings }) => ({ key: hookKey(file, event, group, handler), currentHash: hookHash(event, settings) }));
  expect(ours).toHaveLength(6);
  for (const { key, currentHash } of ours) expect(told).toContainEqual({ key, currentHash, trustStatus: "untrusted" });
});

describe("a coder of the factory", () => {
  const run = (room: Room, scenario: string) => execa(process.execPath, [main, "run", `Fix add(). ${marker(scenario)}`, "-p", room.repository, "--coder-only", "--json", "--config", join(room.host.home, "config.toml")], {
    cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 110_000,
    env: { ...room.host.env, HOME: room.host.home, XDG_STATE_HOME: `${room.host.home}/state` },
  });
  const configured = async (scenarios: Readonly<Record<string, Scenario>>): Promise<Room> => {
    const room = await open(scenarios, project);
    await writeFile(join(room.host.home, "config.toml"), 'adapter = "codex"\n[verify]\nsandbox = "off"\n[autonomous.defaultStages.coder]\nmodel = "gpt-5.5"\n');
    return room;
  };
  /** What the CLI told its model of denials, in its last request. */
  const denials = (room: Room): number => (room.model.requests.at(-1)?.body.match(/Enact Factory: not yet\. \[nothingChanged\]/g) ?? []).length;

  test("that stops with nothing changed is sent back once, does the work, and may stop; a hook that nobody has trusted stays silent meanwhile", async () => {
    await using room = await configured({ early: [{ say: "All done.", usage }, { calls: [fix], usage }, { say: "add() adds now.", usage }] });
    const ran = join(room.host.home, "untrusted-ran");
    await writeFile(join(room.host.home, ".codex", "hooks.json"), JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command: `touch '${ran}'` }] }] } }));
    const { stdout, stderr } = await run(room, "early");
    expect(JSON.parse(stdout), stderr).toMatchObject({ status: "done", iterations: 1, checks: { base: "0/1", head: "1/1" } });
    expect((await execa("git", ["show", "enact/RUN-1:add.mjs"], { cwd: room.repository })).stdout).toBe(right);
    expect(denials(room)).toBe(1);
    expect(existsSync(ran)).toBe(false);
  });

  test("that never does anything is let go after two denials: no loop", async () => {
    await using room = await configured({ idle: [{ say: "All done.", usage }] });
    // Its check fails before and after: that is the pipeline's affair.
    expect((await run(room, "idle")).exitCode).toBe(1);
    expect(denials(room)).toBe(2);
  });

  test("that asks a person is let go at once", async () => {
    await using room = await configured({ asks: [{ say: "I looked.\n\n```enact-question\nWhich sign?\n```", usage }] });
    const { stdout, stderr } = await run(room, "asks");
    expect(JSON.parse(stdout), stderr).toMatchObject({ status: "blocked", question: "Which sign?" });
    expect(denials(room)).toBe(0);
  });
});

test("a person's own session with installed hooks: silent until they are trusted, as doctor says; then held back while gates are open, let go by the breaker, and its end is noted", { timeout: 240_000 }, async () => {
  await using room = await open({ idle: [{ say: "All done.", usage }] });
  const home = room.host.home, config = join(home, "config.toml"), env = { ...room.host.env, HOME: home, XDG_STATE_HOME: `${home}/state`, ENACT_HOOK_PATIENCE_MS: "30000" };
  const factory = async (...argv: readonly string[]) => (await execa(process.execPath, [main, ...argv, "--config", config, "--json"], { cwd: room.repository, stdin: "ignore", extendEnv: false, timeout: 60_000, env, reject: false })).stdout;
  await mkdir(join(home, "items"));
  await writeFile(join(home, "items", "one.md"), '+++\nlane = "manual"\n+++\n# Fix add()\n');
  await writeFile(config, `adapter = "codex"\n[verify]\nsandbox = "off"\n[stop]\ndenials = 2\n[gateway]\nport = 0\n[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "../repo"\n`);
  // The CLI works in a directory of this factory.
  const cwd = join(home, "work");
  await mkdir(cwd);
  await factory("start");
  try {
    await expect.poll(async () => JSON.parse(await factory("task", "list")), { timeout: 60_000 }).toMatchObject({ workItems: [{ id: "LOC-1", status: "ready" }] });
  } finally {
    await factory("stop");
  }
  await factory("hooks", "install", "--cli", "codex", "--scope", "user");
  const Thread = z.object({ type: z.literal("thread.started"), thread_id: z.string() });
  const session = async (...resumed: readonly string[]): Promise<string> => {
    const { stdout } = await execa("codex", ["exec", "--json", "--skip-git-repo-check", "-m", "gpt-5.5", ...resumed, marker("idle")], { cwd, stdin: "ignore", extendEnv: false, timeout: 90_000, env });
    return Thread.parse(JSON.parse(stdout.split("\n")[0] ?? "")).thread_id;
  };
  const said = (): string => room.model.requests.at(-1)?.body ?? "";
  const sessions = async (): Promise<unknown> => JSON.parse(await factory("session", "list", "--all"));
  const doctor = async (): Promise<unknown> => z.object({ checks: z.array(z.looseObject({ name: z.string() })) }).parse(JSON.parse(await factory("doctor"))).checks.find(({ name }) => name === "hooks of codex, user");

  const first = await session();
  expect(await sessions()).toMatchObject({ sessions: [] });
  expect(await doctor()).toMatchObject({ state: "warning", detail: expect.stringContaining("nobody has trusted: SessionStart, Stop, SessionEnd") });

  // As its own /hooks does it.
  await appendFile(join(home, ".codex", "config.toml"), (await hooksOf(room)).map(({ key, currentHash }) => `[hooks.state."${key}"]\ntrusted_hash = "${currentHash}"\n`).join(""));
  expect(await doctor()).toMatchObject({ state: "ok" });

  await factory("session", "start", "--id", first, "--item", "LOC-1", "--cli", "codex");
  expect(await session("resume", first)).toBe(first);
  expect(said().match(/Enact Factory: not yet\. \[gatesPending\] LOC-1/g)).toHaveLength(2);
  expect(await sessions()).toMatchObject({ sessions: [{ cli: "codex", cwd, denials: 2, verdict: { ruleId: "breaker" }, state: "ended" }] });

  await session();
  // Nothing is linked to this one, so it may stop; what it was told is in its first request.
  expect(said().includes("an earlier session here on LOC-1 tried to stop and was denied. [gatesPending]")).toBe(true);
  expect(said().includes("Enact Factory: not yet")).toBe(false);
  expect(await readFile(join(home, ".codex", "hooks.json"), "utf8")).toContain("# enact-factory");
});
