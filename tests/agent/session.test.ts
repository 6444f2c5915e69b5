/** The memory of a session: whatever instant it was killed at, it opens, and what it gives may be sent. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { conversationOf, elided } from "../../src/agent/conversation.ts";
import { agentWords } from "../../src/prompts/agent-words.ts";
import { told } from "../../src/agent/item.ts";
import { type Entry, openSession, type SessionLog } from "../../src/agent/session-log.ts";
import { Request } from "../support/responses/request.ts";

let directory: string;
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "enact-session-")); });
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const words = agentWords("en");
const plain = (text: string): string => text;
const open = (id = "s", create = true): SessionLog => {
  const opened = openSession(directory, id, create, plain);
  if (!opened.ok) throw new Error(opened.why);
  return opened.log;
};
const file = (): string => join(directory, "s.jsonl");

const usage = { inputTokens: 1, outputTokens: 1, cachedTokens: 0 };
const call = (id: string) => ({ type: "function_call" as const, id: `f${id}`, call_id: id, name: "read", arguments: "{}" });
const life: readonly Entry[] = [
  { type: "turn", run: "r1", model: "m", prompt: "Do it.", notes: "" },
  { type: "request", purpose: "work", n: 1 },
  { type: "answer", items: [{ type: "reasoning", id: "rs", summary: [], encrypted_content: "sealed" }, call("a"), call("b")], usage },
  { type: "call", id: "a" }, { type: "call", id: "b" },
  { type: "output", id: "b", ok: true, output: "B" }, { type: "output", id: "a", ok: true, output: "Ä".repeat(10) },
  { type: "said", item: told("user", "use tabs"), heard: "m1" },
  { type: "summary", text: "All of it.", usage },
  { type: "answer", items: [{ type: "message", id: "m", role: "assistant", status: "completed", content: [{ type: "output_text", text: "Done.", annotations: [] }], phase: undefined }], usage },
  { type: "end", how: "done" },
];

const mayBeSent = (log: SessionLog): boolean => {
  const { items } = conversationOf(log.entries, words);
  return Request.safeParse({ model: "m", instructions: "i", stream: true, store: false, parallel_tool_calls: true, prompt_cache_key: "s", input: items, tools: [{ type: "function", name: "t", description: "d", parameters: { type: "object", properties: {}, required: [], additionalProperties: false }, strict: true }], tool_choice: "auto" }).success;
};

test("cut at any byte it opens with the whole entries before it; open calls answered, the conversation may be sent", () => {
  const log = open();
  for (const entry of life) log.append(entry);
  log.close();
  const whole = readFileSync(file());
  for (let cut = 0; cut <= whole.length; cut++) {
    writeFileSync(file(), whole.subarray(0, cut));
    const again = open();
    expect(again.entries).toEqual(life.slice(0, whole.subarray(0, cut).toString("latin1").split("\n").length - 1));
    for (const { call: { call_id: id }, begun } of conversationOf(again.entries, words).open) again.append({ type: "output", id, ok: false, output: words.interrupted(begun) });
    again.append({ type: "turn", run: "r2", model: "m", prompt: "Go on.", notes: "" });
    expect(mayBeSent(again)).toBe(true);
    again.close();
  }
});

test("a line in the middle that cannot be read is told, not passed over", () => {
  const log = open();
  for (const entry of life) log.append(entry);
  log.close();
  writeFileSync(file(), readFileSync(file(), "utf8").replace('"type":"call"', '"type":"coll"'));
  expect(openSession(directory, "s", false, plain)).toMatchObject({ ok: false, why: expect.stringContaining("line 4") });
});

test("only its user may read it; ids are names of files and nothing more; a session that never was is none", () => {
  open().append({ type: "end", how: "done" });
  expect(statSync(file()).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, "s.outputs")).mode & 0o777).toBe(0o700);
  for (const id of ["../s", "a/b", "", ".hidden", "a\0b", "x".repeat(200)]) expect(openSession(directory, id, true, plain)).toMatchObject({ ok: false });
  expect(openSession(directory, "never", false, plain)).toMatchObject({ ok: false, why: "there is no session never" });
});

test("secrets are taken out of every line", () => {
  const opened = openSession(directory, "s", true, (text) => text.replaceAll("sesame", "[key]"));
  if (opened.ok) opened.log.append({ type: "turn", run: "r", model: "m", prompt: "open sesame", notes: "" });
  expect(readFileSync(file(), "utf8")).not.toContain("sesame");
});

test("a summary takes the place of all but the task and what nobody has answered yet", () => {
  const { items } = conversationOf(life.slice(0, 9), words);
  expect(items.map((item) => (item.type === "message" && typeof item.content === "string" ? item.content : item.type))).toEqual(["Do it.", expect.stringContaining("All of it."), "use tabs"]);
});

test("what is summed up is short enough: long outputs and arguments are cut, and stay valid", () => {
  const long = elided([told("user", "x"), { ...call("a"), arguments: JSON.stringify({ content: "y".repeat(10_000) }) }, { type: "function_call_output", call_id: "a", output: "z".repeat(10_000) }], 100_000);
  expect(JSON.stringify(long).length).toBeLessThan(5_000);
  for (const item of long) if (item.type === "function_call") expect(() => JSON.parse(item.arguments)).not.toThrow();
});

test("and where there are too many of them, the task and the latest stay, each output with its call", () => {
  const many = Array.from({ length: 100 }, (_, n) => [call(`c${n}`), { type: "function_call_output" as const, call_id: `c${n}`, output: "z".repeat(400) }]).flat();
  for (const budget of [200, 500, 1_000, 5_000]) {
    const kept = elided([told("user", "the task"), ...many], budget);
    expect(JSON.stringify(kept).length).toBeLessThan(budget * 4 + 200);
    expect(kept[0]).toEqual(told("user", "the task"));
    expect(kept.slice(1).filter(({ type }) => type === "function_call")).toHaveLength(kept.slice(1).filter(({ type }) => type === "function_call_output").length);
  }
});
