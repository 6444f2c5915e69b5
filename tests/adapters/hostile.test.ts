/** Programs that no CLI should be, through the product's own handler of turns: what they say is bounded, what they break is told, and time stays ours. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execaSync } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { claude } from "../../src/adapters/claude/adapter.ts";
import { hermes } from "../../src/adapters/hermes/adapter.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import type { ClockShape } from "../../src/ports/clock.ts";
import { openOwner, type Asked, type Owner, type Taken } from "./owner.ts";

let base = "";
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "enact-hostile-")));
  for (const name of ["home", "bin", "repo"]) mkdirSync(join(base, name));
  const git = (...args: readonly string[]): unknown => execaSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...args], { cwd: join(base, "repo"), env: { HOME: join(base, "home"), GIT_CONFIG_NOSYSTEM: "1" } });
  git("init", "-q", "-b", "main");
  git("commit", "-q", "--allow-empty", "-m", "start");
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
});

/** A program of this name that has read its prompt and does this; `say` writes a line of JSON, `put` bytes. */
const program = (name: "claude" | "hermes", script: string): void => writeFileSync(join(base, "bin", name), `#!${process.execPath}
const { readFileSync, writeSync } = require("node:fs");
readFileSync(0);
const put = (bytes) => { for (let all = Buffer.from(bytes), at = 0; at < all.length;) at += writeSync(1, all, at); };
const say = (line) => put(JSON.stringify(line) + "\\n");
const said = (text) => ({ type: "assistant", message: { content: [{ type: "text", text }] }, parent_tool_use_id: null });
const ended = (result) => ({ type: "result", subtype: "success", is_error: false, session_id: "s", result, total_cost_usd: 0.5, usage: { input_tokens: 7, output_tokens: 3 } });
const begun = { type: "system", subtype: "init", session_id: "s", model: "m" };
${script}
`, { mode: 0o755 });

const owner = (clock?: ClockShape): Promise<Owner> => openOwner({ base, home: join(base, "home"), repository: join(base, "repo"), env: { PATH: `${join(base, "bin")}:${dirname(process.execPath)}:/usr/bin:/bin` }, adapters: [claude, hermes], ...(clock === undefined ? {} : { clock }) });
const run = async (more: Partial<Asked> = {}, clock?: ClockShape): Promise<Taken> => {
  await using one = await owner(clock);
  const taken = await one.turn({ adapter: "claude", body: "Do it.", ...more });
  expect(one.left()).toEqual([]);
  return taken;
};

describe("what it says", () => {
  test("a line of 50 MB is cut and shown in short; what comes after it is read, and its tokens are counted", async () => {
    program("claude", 'say(begun); say(said("x".repeat(50e6))); say(said("Later.")); say(ended("Done."));');
    const { outcome, events } = await run();
    expect(outcome).toMatchObject({ ended: { how: "completed", text: "Done." }, usage: { inputTokens: 7, outputTokens: 3 }, costUsd: 0.5 });
    expect(events).toContainEqual({ type: "text", text: "Later." });
    expect(events.filter(({ type }) => type === "garbage")).toHaveLength(1);
    expect(JSON.stringify(events).length).toBeLessThan(10_000);
  });

  test("a last line of 50 MB is no result", async () => {
    program("claude", 'say(begun); say(ended("x".repeat(50e6)));');
    expect((await run()).outcome.ended).toMatchObject({ how: "failed", failure: { kind: "noResult" } });
  });

  test("an answer of 50 MB without a newline, of a CLI whose lines are all text, is handed on in short", async () => {
    program("hermes", 'put("x".repeat(50e6));');
    const { outcome } = await run({ adapter: "hermes" });
    expect(outcome.ended.how).toBe("completed");
    expect(JSON.stringify(outcome).length).toBeLessThan(50_000);
  });

  test("bytes that are no UTF-8, in the middle of a character, cost that character and no more", async () => {
    program("claude", 'say(begun); const parts = JSON.stringify(ended("a#b 한글 c")).split("#"); put(parts[0]); put([0xed, 0x95, 0xff, 0xc3]); put(parts[1] + "\\n");');
    const { outcome } = await run();
    expect(outcome.ended).toEqual({ how: "completed", text: "a\uFFFD\uFFFD\uFFFDb 한글 c" });
    expect(JSON.parse(JSON.stringify(outcome))).toEqual(outcome);
  });
});

/** The owner's time is the wall's at its start and what has passed since; this is how it looks after the wall was set by so much. */
const setSince = (by: number): ClockShape => ({ now: () => systemClock.now() - by, at: (at, fn) => systemClock.at(at + by, fn) });
const hour = 3_600_000;

describe.each([["forward", hour], ["back", -hour]] as const)("a wall clock that is set an hour %s", (_, by) => {
  const silent = { timeout: { timeoutMs: 3_000, stallMs: 60_000 }, stalled: { timeoutMs: 60_000, stallMs: 3_000 } } as const;
  const elapsed = async (work: () => Promise<Taken>): Promise<{ readonly taken: Taken; readonly ms: number }> => {
    const from = performance.now(), taken = await work();
    return { taken, ms: performance.now() - from };
  };

  test.each(["timeout", "stalled"] as const)("while a turn is under way makes it %s neither early nor never", async (kind) => {
    program("claude", "say(begun); setInterval(() => {}, 60_000);");
    const { taken, ms } = await elapsed(() => run({ ...silent[kind], onEvent: ({ type }) => { if (type === "session") vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + by }); } }));
    expect(taken.outcome.ended).toMatchObject({ how: "failed", failure: { kind } });
    expect(ms).toBeGreaterThanOrEqual(3_000);
  });

  test("before a turn begins gives that turn all of its time", async () => {
    program("claude", 'say(begun); setTimeout(() => say(ended("Done.")), 500);');
    expect((await run({ timeoutMs: 60_000 }, setSince(by))).outcome.ended).toEqual({ how: "completed", text: "Done." });
  });
});
