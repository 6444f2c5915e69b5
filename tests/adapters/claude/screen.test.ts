import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { claude } from "../../../src/adapters/claude/adapter.ts";
import { claudeScreen } from "../../../src/adapters/claude/screen.ts";
import { hookCommand, hookVariable } from "../../../src/adapters/hook-line.ts";
import type { AgentEvent } from "../../../src/domain/agent.ts";
import type { ScreenPlan, StreamEnd } from "../../../src/ports/adapter.ts";
import { ended, turnRequest } from "./streams.ts";

/** Payloads of the real CLI's hooks, and one of its screens; paths replaced. */
const fixture = (name: string): string => readFileSync(join(import.meta.dirname, "..", "..", "..", "fixtures", "claude-screen", name), "utf8");
const read = (text: string, end: StreamEnd = ended()): readonly AgentEvent[] => {
  const reader = claudeScreen.reader(turnRequest());
  return [...text.split("\n").flatMap((line) => reader.line(line)), ...reader.end(end)];
};
const planned = (more: Parameters<typeof turnRequest>[0] = {}): ScreenPlan => {
  const plan = claudeScreen.plan(turnRequest(more), { home: "/home/user", runDirectory: "/runs/x 'y'", env: { PATH: "/bin", ANTHROPIC_API_KEY: "k", SECRET: "s" } });
  if ("kind" in plan) throw new Error(plan.kind);
  return plan;
};

test("a turn on the screen is read from its hooks: session, tools, the last message, the result", () => {
  const events = read(fixture("edit.jsonl"), ended({ code: null, signal: "SIGTERM" }));
  expect(events.map((event) => event.type === "tool" ? `${event.name} ${event.phase} ${event.summary}` : event.type)).toEqual([
    "session", "prompted", "Read start /repo/add.mjs", "Read end ", "Edit start /repo/add.mjs", "Edit end ", "text", "result",
  ]);
  expect(events.at(-1)).toEqual({ type: "result", text: "add() adds now. 한국어 😀" });
});

test("what the CLI asks a person is said; an API error is its failure; later turns of the same screen are not this turn's", () => {
  const events = read(fixture("approvals.jsonl"));
  expect(events.filter((event) => event.type === "text").map((event) => event.text)).toContain("asks in its terminal for permission: Bash node --test");
  expect(events.filter((event) => event.type === "result")).toHaveLength(1);
  const failed = fixture("approvals.jsonl").split("\n").filter((line) => !line.includes('"Stop"')).join("\n");
  expect(read(failed).at(-1)).toEqual({ type: "failure", failure: { kind: "model", message: "API Error: 400 scripted 400" } });
});

test("a screen that is left or killed without a result is a failure, never a result", () => {
  const cut = fixture("edit.jsonl").split("\n").filter((line) => !line.includes('"Stop"')).join("\n");
  expect(read(cut).at(-1)).toMatchObject({ type: "failure", failure: { kind: "noResult" } });
  expect(read(cut, ended({ code: null, signal: "SIGKILL" })).at(-1)).toMatchObject({ type: "failure", failure: { kind: "crashed", signal: "SIGKILL" } });
});

test("no line makes the reader throw, and what is no hook is garbage", () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.json(), fc.constantFrom(...fixture("approvals.jsonl").split("\n")))), (lines) => { read(lines.join("\n")); }));
  expect(read('{"hook_event_name":"PreToolUse"}\n').at(0)).toMatchObject({ type: "garbage" });
  expect(read('{"hook_event_name":"SubagentStop"}\n').map(({ type }) => type)).toEqual(["failure"]);
});

test("the same rights as in the background, and the prompt nowhere in argv, environment or settings", () => {
  const { argv, env, files } = planned({ prompt: "THE PROMPT" });
  expect(argv).toEqual(expect.arrayContaining(["--permission-mode", "acceptEdits", "--setting-sources=user", "--strict-mcp-config", "--allowedTools=Bash"]));
  expect(argv.slice(-2)).toEqual(["--settings", "/runs/x 'y'/settings.json"]);
  expect(JSON.stringify([argv, env, files])).not.toContain("THE PROMPT");
  expect(env).not.toHaveProperty("SECRET");
  expect(planned({ readOnly: true }).argv.join(" ")).not.toMatch(/allowed|acceptEdits|Bash|Write/);
  expect(claude.screen).toBe(claudeScreen);
});

test("the question whether the folder is trusted is known by its screen, and a prompt is not taken for it", () => {
  const [trust] = claudeScreen.dialogs;
  expect(trust?.shows.test(fixture("trust.txt"))).toBe(true);
  expect(trust?.shows.test("❯ \n──\n  ⏵⏵ accept edits on (shift+tab to cycle)")).toBe(false);
});

test("hooks that run at once write whole lines, whatever is in them and wherever the file is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "enact hook '$x' "));
  try {
    const out = join(directory, "out");
    writeFileSync(out, "");
    const payloads = Array.from({ length: 12 }, (_, n) => JSON.stringify({ n, text: `${"x".repeat(n * 9_000)}\n$(touch ${directory}/ran) \` ' " \\ %s 한국어` }));
    await Promise.all(payloads.map((input) => execa("/bin/sh", ["-c", hookCommand], { input: `${input}\n`, env: { [hookVariable]: out } })));
    expect(readFileSync(out, "utf8").trimEnd().split("\n").toSorted()).toEqual(payloads.toSorted());
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
