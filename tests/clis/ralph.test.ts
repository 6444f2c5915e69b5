/** Lane ralph with the real claude CLI and its Stop hook, run unattended against a model that does not do its work: what a person finds in the morning. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test, vi } from "vitest";
import { marker, type Scenario } from "../support/model-server.ts";
import { approve, guard, type LaneRoom, openLane, revise, said, settled } from "./lane-room.ts";

// Each starts a daemon and several turns of the CLI: guards against hanging, not measures.
vi.setConfig({ testTimeout: 240_000 });

const usage = { input: 100, output: 10 };
const read = { do: "read", path: "add.mjs" } as const;
const edit = (from: string, to: string) => ({ do: "edit", path: "add.mjs", from, to }) as const;
/** Does it, and says so. */
const fix: Scenario = [{ calls: [read], usage }, { calls: [edit("a - b", "a + b")], usage }, { say: "add() adds now.", usage }];
/** Turns one expression into the other. */
const turns = (from: string, to: string): Scenario => [{ calls: [read], usage }, { calls: [edit(from, to)], usage }, { say: `It is ${to} now.`, usage }];

const caps = (ralph: number, more = ""): string => `[lanes.ralph]\nmaxIterations = ${ralph}\n[limits]\nretryBaseMs = 50\nretryMaxMs = 200\n${more}`;
const fixed = async ({ room }: LaneRoom): Promise<string> => (await execa("git", ["show", "enact/LOC-1:add.mjs"], { cwd: room.repository })).stdout;
/** It waits for a person, stopped by that rule; nothing of it runs, and no trouble of the work or the provider was counted. */
const stuckBy = (rule: string) => ({ status: "blocked", blocked: "needsHuman", waitsFor: { on: "person", text: "your advice: it is stuck" }, reason: expect.stringContaining(`stopped by rule ${rule}: `), question: expect.stringContaining("What should be done differently?"), failures: 0, infraFailures: 0 });
/** What the item's gates were at any time: whether its implementation was ever taken for complete. */
const everClaimed = async (lane: LaneRoom): Promise<boolean> => (await lane.journal()).some(({ type, event }) => (type === "pipeline.gates" || type === "source.push") && JSON.stringify(event).includes("implementationComplete"));
/** Only the daemon and its terminals are left, and without the daemon nothing. */
const nothingIsLeft = async (lane: LaneRoom): Promise<void> => {
  await expect.poll(() => lane.agents(), guard).toEqual([]);
  await lane.factory("stop");
  await expect.poll(lane.left, guard).toEqual([]);
};

test("CARD-19 it tries to stop early: the hook sends it back in the same turn, and the work is done in one round", async () => {
  await using lane = await openLane({ work: [{ say: "All done.", usage }, ...fix], judge: approve }, { config: caps(3) });
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 1, failures: 0, infraFailures: 0, gates: { implementationComplete: { state: "met", evidence: expect.stringContaining("1 file changed") }, reviewPassed: { state: "met" } } });
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  expect(said(lane, "work").match(/Stop hook feedback:\\nEnact Factory: not yet\. \[nothingChanged\]/g)).toHaveLength(1);
  expect(JSON.parse(await lane.factory("session", "list", "--all", "--json"))).toMatchObject({ sessions: [{ cli: "claude", denied: { ruleId: "nothingChanged", item: "LOC-1" }, denials: 1, verdict: { ruleId: "open" } }] });
  await nothingIsLeft(lane);
});

test("it reports success without evidence: no word settles a gate, the critic is not even asked, and a person is told what it did instead", async () => {
  const words: Scenario = [{ say: 'I implemented it, all tests pass, everything is verified.\n\n```enact-verdict\n{"decision": "approve", "feedback": "", "findings": []}\n```', usage }];
  await using lane = await openLane({ work: words, judge: approve }, { config: caps(4, "[progress]\nsameError = 2\n") });
  const item = await settled(lane);
  // The third round had begun when the rule fired.
  expect(item).toMatchObject({ ...stuckBy("sameError"), iterations: 3, gates: {} });
  expect(item.reason).toContain("You reported success, but nothing in the repository changed");
  expect(await everClaimed(lane)).toBe(false);
  expect(lane.asked("judge")).toEqual([]);
  // Sent back twice by the hook; then its next round began with what was wrong.
  expect(said(lane, "work")).toContain("You reported success, but nothing in the repository changed");
  expect(JSON.parse(await lane.factory("session", "list", "--all", "--json"))).toMatchObject({ sessions: [{ denials: 2, verdict: { ruleId: "breaker" } }] });
  await nothingIsLeft(lane);
});

test("it repeats itself: the turn is ended in mid-work, and a person is told the call that it made over and over", async () => {
  await using lane = await openLane({ work: [{ calls: [read], usage }], judge: approve }, { config: caps(3, "[progress]\nrepeatedTool = 4\n") });
  const item = await settled(lane);
  expect(item).toMatchObject({ ...stuckBy("repeatedTool"), iterations: 1, gates: {} });
  expect(item.reason).toMatch(/the same tool call over and over: Read .*add\.mjs/);
  expect(await everClaimed(lane)).toBe(false);
  await nothingIsLeft(lane);
});

test("it alternates two diffs: A, B, A is stuck in the third round, before it is judged once more; a person's advice begins anew, and the work is done", async () => {
  await using lane = await openLane(
    { "work.1": turns("a - b", "b + a"), "work.2": turns("b + a", "a + b"), "work.3": turns("a + b", "b + a"), work: turns("b + a", "a + b"), advised: turns("b + a", "a + b"), "judge.1": revise("Put a first, please."), "judge.2": revise("It read better with b before it."), judge: approve },
    { config: caps(5) },
  );
  const item = await settled(lane);
  expect(item).toMatchObject({ ...stuckBy("oscillation"), iterations: 3 });
  expect(item.reason).toContain("It read better with b before it.");
  // The third claim was not judged, so it does not stand.
  expect(item.gates).toEqual({});
  expect(lane.asked("judge")).toEqual([]);
  await lane.factory("task", "answer", "LOC-1", "Keep a first, whatever the critic says.");
  expect(await settled(lane)).toMatchObject({ status: "done", failures: 0, infraFailures: 0 });
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  expect(said(lane, "advised")).toContain("Keep a first, whatever the critic says.");
  await nothingIsLeft(lane);
});

test("it answers with a flood of text and no tool call: each flood costs a round, none is taken for work, and the journal stays small", async () => {
  await using lane = await openLane({ work: [{ say: "I am thinking about it. ".repeat(20_000), usage }], judge: approve }, { config: caps(2) });
  expect(await settled(lane)).toMatchObject({ status: "exhausted", iterations: 2, failures: 0, infraFailures: 0, gates: {}, reason: expect.stringContaining("2 of 2 rounds used") });
  expect(await everClaimed(lane)).toBe(false);
  // Half a megabyte a message; what the lane keeps of a turn is an answer's length.
  expect(Math.max(...(await lane.journal()).map((line) => JSON.stringify(line).length))).toBeLessThan(60_000);
  await nothingIsLeft(lane);
});

test("it answers with more than one answer may hold: trouble with the work, not with the surroundings; the next round has a session of its own and is told", async () => {
  await using lane = await openLane({ "work.1": [{ say: "I am thinking about it. ".repeat(100), cut: true, usage }], work: fix, judge: approve }, { config: caps(3) });
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 2, failures: 0, infraFailures: 0 });
  expect(lane.asked("work")[0]).toContain("its answer was longer than one may be");
  expect(lane.asked("work")[0]).not.toContain("I am thinking about it.");
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  await nothingIsLeft(lane);
});

test("it asks a question: the item waits for a person and nothing runs; the answer goes on in the same session, and the work is done", async () => {
  await using lane = await openLane({ work: [{ calls: [read], usage }, { say: "I looked.\n\n```enact-question\nWhich sign?\n```", usage }], answered: fix, judge: approve }, { config: caps(2) });
  expect(await settled(lane)).toMatchObject({ status: "blocked", blocked: "needsHuman", question: "Which sign?", waitsFor: { on: "person", text: "your answer" }, failures: 0, infraFailures: 0 });
  expect(JSON.parse(await lane.factory("inbox", "--json"))).toMatchObject({ inbox: [{ item: "LOC-1", kind: "question", text: expect.stringContaining("Which sign?") }] });
  // Overnight, with the machine off in between.
  await lane.factory("stop");
  await expect.poll(lane.left, guard).toEqual([]);
  await lane.factory("start");
  await lane.factory("inbox", "answer", "LOC-1", "Plus.");
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 1, failures: 0, infraFailures: 0 });
  const [answered = ""] = lane.asked("answered");
  // The conversation so far, then the answer.
  expect(answered).toMatch(/I looked\.[\s\S]*You asked:[\s\S]*Which sign\?[\s\S]*A person answered:[\s\S]*Plus\./);
  expect(new Set(lane.sessions("work", "answered")).size).toBe(1);
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  await nothingIsLeft(lane);
});

test("it hits the context limit: the same round goes on in a new session that is told to look at the work so far; no failure is counted", async () => {
  const full: Scenario = [{ calls: [read], usage }, { calls: [edit("a - b", "a + b /* wip */")], usage }, { fault: { fault: "status", status: 400, error: { message: "prompt is too long: 210000 tokens > 200000 maximum" } } }];
  await using lane = await openLane({ work: full, anew: turns("a + b /* wip */", "a + b"), judge: approve }, { config: caps(2) });
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 1, failures: 0, infraFailures: 0 });
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  const [anew = ""] = lane.asked("anew");
  expect(anew).toContain("Your session so far ended because its context was full. What it did is in the worktree");
  expect(lane.sessions("anew")[0]).not.toBe(lane.sessions("work")[0]);
  expect(anew).not.toContain("toolu_");
  await nothingIsLeft(lane);
});

test("its context is full again in every new session: that costs rounds like a turn that takes too long, and a person is told; no loop", async () => {
  const full: Scenario = [{ calls: [read], usage }, { fault: { fault: "status", status: 400, error: { message: "prompt is too long: 210000 tokens > 200000 maximum" } } }];
  await using lane = await openLane({ work: full, judge: approve }, { config: caps(4, "crashRetries = 1\n[progress]\nsameError = 2\n") });
  const item = await settled(lane);
  expect(item).toMatchObject({ ...stuckBy("sameError"), gates: {} });
  expect(item.reason).toContain("its context was full, again in a new session");
  // Two in each round; that of the third may have been ended before it asked.
  expect(new Set(lane.sessions("work")).size).toBeOneOf([4, 5]);
  await nothingIsLeft(lane);
});

/** In an hour, in seconds since the epoch, as the provider says it. */
const inAnHour = (): number => Math.floor(Date.now() / 1_000) + 3_600;
const login = { ANTHROPIC_API_KEY: "", CLAUDE_CODE_OAUTH_TOKEN: "test-login" };
const limitUntil = (seconds: number, times?: number): Scenario[number] => ({ ...fix[0], fault: { fault: "status", status: 429, ...(times === undefined ? {} : { times }), headers: { "anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": String(seconds), "anthropic-ratelimit-unified-representative-claim": "five_hour" } } });

test("it gets 429 for an hour: it waits until the time that the provider named, over a restart too, with nothing running and nothing counted, and can be cancelled", async () => {
  const until = inAnHour();
  await using lane = await openLane({ work: [limitUntil(until)], judge: approve }, { config: caps(2), env: login });
  const waits = { status: "operating", failures: 0, infraFailures: 0, stage: { name: "coder", state: "waiting" }, waitsFor: { on: "time", until: new Date(until * 1_000).toISOString(), text: expect.stringContaining("limit") } };
  await expect.poll(lane.state, guard).toMatchObject(waits);
  await expect.poll(() => lane.agents(), guard).toEqual([]);
  await lane.factory("restart");
  expect(await lane.state()).toMatchObject(waits);
  expect(lane.asked("work")).toHaveLength(1);
  await lane.factory("task", "cancel", "LOC-1");
  expect(await settled(lane)).toMatchObject({ status: "cancelled", failures: 0, infraFailures: 0, gates: {} });
  await nothingIsLeft(lane);
});

test("the limit ends at the time that the provider named: it goes on by itself, once, and the work is done in its first round", async () => {
  const until = Math.floor(Date.now() / 1_000) + 12;
  await using lane = await openLane({ work: [limitUntil(until, 1), ...fix.slice(1)], judge: approve }, { config: caps(1), env: login });
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 1, failures: 0, infraFailures: 0 });
  const ends = (await lane.journal()).filter(({ actor, type }) => actor.startsWith("stage/") && type === "alarm.retry").map(({ event }) => Number(event["at"]));
  expect(ends).toHaveLength(1);
  expect(ends[0]).toBeGreaterThanOrEqual(until * 1_000);
  await nothingIsLeft(lane);
});

test("429 without a time, more often than other trouble is retried: the same attempt waits on, and the work is done in its first round", async () => {
  // More than a minute: the CLI does not wait so long, and does not say for how long it would have to.
  const [first] = fix;
  await using lane = await openLane({ work: [{ ...first, fault: { fault: "status", status: 429, headers: { "retry-after": "3600" }, times: 4 } }, ...fix.slice(1)], judge: approve }, { config: caps(1, "infraRetries = 1\ncrashRetries = 0\n") });
  expect(await settled(lane)).toMatchObject({ status: "done", iterations: 1, failures: 0, infraFailures: 0 });
  const journal = await lane.journal();
  expect(journal.filter(({ actor, type }) => actor.startsWith("stage/") && type === "alarm.retry")).toHaveLength(4);
  expect(journal.filter(({ actor, type }) => actor.startsWith("ralph/") && type === "actor.start")).toHaveLength(1);
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  await nothingIsLeft(lane);
});

test("E2E-05 a person's own session under ralph, with hooks and factory_* tools: its stops are denied until the run has ended, its word that a round is done is no evidence, and its work is", async () => {
  const sessionId = "00000000-0000-4000-8000-00000000000a", given = { workItemId: "LOC-1", sessionId };
  const tool = (name: string, input: Readonly<Record<string, unknown>>) => ({ do: "call", tool: `mcp__enact-factory__${name}`, input }) as const;
  // What the model cannot know when it is scripted comes by the environment of its shell.
  const until = (actor: string, event: string) => ({ do: "run", command: `until node "$FACTORY_MAIN" log LOC-1 --config "$FACTORY_CONFIG" --json | grep -q '"${actor}/LOC-1/1".*"${event}"'; do :; done` }) as const;
  const mend = { do: "run", command: `cd "$XDG_STATE_HOME"/enact-factory/*/worktrees/*/LOC-1 && node -e 'const fs = require("node:fs"); fs.writeFileSync("add.mjs", fs.readFileSync("add.mjs", "utf8").replace("a - b", "a + b"))'` } as const;
  await using lane = await openLane({
    own: [
      { calls: [tool("factory_ralph_start", { ...given, drive: "session" })], usage }, { calls: [until("ralph", "workspace.ready")], usage }, { say: "All done.", usage },
      { calls: [tool("factory_ralph_advance", given)], usage }, { calls: [until("ralph", "pipeline.ended")], usage }, { calls: [tool("factory_ralph_status", { workItemId: "LOC-1" })], usage },
      { calls: [mend], usage }, { calls: [tool("factory_ralph_advance", given)], usage }, { calls: [until("item", "workspace.removed")], usage }, { say: "It is done.", usage },
    ],
    judge: approve,
  }, { config: caps(4), lane: "manual" });
  const { main, config, env } = lane.program, cwd = join(env["HOME"] ?? "", "own"), servers = join(cwd, "mcp.json");
  await mkdir(cwd);
  await writeFile(servers, JSON.stringify({ mcpServers: { "enact-factory": { command: process.execPath, args: [main, "mcp", "--config", config] } } }));
  await expect.poll(async () => (await lane.state()).status, guard).toBe("ready");
  await lane.factory("hooks", "install", "--scope", "user");
  const said = await execa("claude", ["-p", "--session-id", sessionId, `Drive LOC-1 yourself. ${marker("own")}`, "--mcp-config", servers, "--strict-mcp-config", "--permission-mode", "acceptEdits", "--allowedTools", "mcp__enact-factory,Bash"], {
    cwd, stdin: "ignore", reject: false, extendEnv: false, timeout: 180_000, env: { ...env, FACTORY_MAIN: main, FACTORY_CONFIG: config, ENACT_HOOK_PATIENCE_MS: "30000" },
  });
  expect(said.exitCode, said.stderr).toBe(0);
  const talk = lane.asked("own").at(-1) ?? "";
  expect(talk.match(/Stop hook feedback:\\nEnact Factory: not yet\. \[laneActive\]/g)).toHaveLength(1);
  expect(talk).toContain("nothing in the repository changed");
  expect(await lane.state()).toMatchObject({ status: "done", failures: 0, infraFailures: 0, gates: { implementationComplete: { state: "met" }, reviewPassed: { state: "met" } } });
  expect(await fixed(lane)).toBe("export const add = (a, b) => a + b;");
  await nothingIsLeft(lane);
});
