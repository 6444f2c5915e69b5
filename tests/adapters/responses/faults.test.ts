/** What a provider may do wrong, and what becomes of the turn: a typed end, a bounded number of requests, the tokens that were told. */
import { expect, test } from "vitest";
import type { Fault, Scenario, Step } from "../../support/responses-server.ts";
import { openRoom } from "./room.ts";

const retries = 2;
const env = { ENACT_RESPONSES_MAX_RETRIES: String(retries) };
/** Only where silence is what is played: a busy machine is slow, not silent. */
const envOf = ({ fault }: Fault): Readonly<Record<string, string>> => (fault.startsWith("hang") ? { ...env, ENACT_RESPONSES_IDLE_TIMEOUT_MS: "1500" } : env);
const always = (fault: Fault, step: Step = {}): Scenario => ({ own: true, reply: () => ({ ...step, fault }) });

const status = (code: number, more: Partial<Extract<Fault, { fault: "status" }>> = {}): Fault => ({ fault: "status", status: code, ...more });

const matrix: readonly { readonly name: string; readonly fault: Fault; readonly requests: number; readonly failure: Readonly<Record<string, unknown>> }[] = [
  { name: "400", fault: status(400), requests: 1, failure: { kind: "model", message: expect.stringContaining("scripted 400") } },
  { name: "400 of a schema that it will not take", fault: status(400, { code: "invalid_function_parameters" }), requests: 1, failure: { kind: "model" } },
  { name: "401", fault: status(401), requests: 1, failure: { kind: "auth" } },
  { name: "403", fault: status(403), requests: 1, failure: { kind: "auth" } },
  { name: "404, no such model", fault: status(404, { code: "model_not_found" }), requests: 1, failure: { kind: "model" } },
  { name: "422", fault: status(422), requests: 1, failure: { kind: "model" } },
  { name: "429", fault: status(429), requests: 1 + retries, failure: { kind: "rateLimited", until: null } },
  { name: "429 with a short Retry-After", fault: status(429, { headers: { "retry-after": "0" } }), requests: 1 + retries, failure: { kind: "rateLimited", until: expect.any(Number) } },
  { name: "429 with a Retry-After beyond its patience", fault: status(429, { headers: { "retry-after": "3600" } }), requests: 1, failure: { kind: "rateLimited", until: expect.any(Number) } },
  { name: "429 that is no rate: the quota is used up", fault: status(429, { code: "insufficient_quota", type: "insufficient_quota" }), requests: 1, failure: { kind: "auth" } },
  { name: "500", fault: status(500), requests: 1 + retries, failure: { kind: "network" } },
  { name: "503", fault: status(503), requests: 1 + retries, failure: { kind: "overloaded" } },
  { name: "529", fault: status(529), requests: 1 + retries, failure: { kind: "overloaded" } },
  { name: "a reset connection", fault: { fault: "reset" }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "a reset in the middle", fault: { fault: "resetMidStream" }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "a stream that ends early", fault: { fault: "cutMidStream" }, requests: 1 + retries, failure: { kind: "network", message: expect.stringContaining("ended before its answer") } },
  { name: "a malformed stream", fault: { fault: "malformed" }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "silence before the headers", fault: { fault: "hangBeforeHeaders" }, requests: 1 + retries, failure: { kind: "network", message: expect.stringContaining("nothing came") } },
  { name: "silence in the middle", fault: { fault: "hangMidStream" }, requests: 1 + retries, failure: { kind: "network", message: expect.stringContaining("nothing came") } },
  { name: "an error event: server", fault: { fault: "errorEvent", code: "server_error" }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "an error event: rate", fault: { fault: "errorEvent", code: "rate_limit_exceeded" }, requests: 1 + retries, failure: { kind: "rateLimited" } },
  { name: "an error event without a code", fault: { fault: "errorEvent", code: null }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "an error event: the prompt", fault: { fault: "errorEvent", code: "invalid_prompt" }, requests: 1, failure: { kind: "model" } },
  { name: "response.failed: server", fault: { fault: "failed", code: "server_error" }, requests: 1 + retries, failure: { kind: "network" } },
  { name: "response.failed: rate", fault: { fault: "failed", code: "rate_limit_exceeded" }, requests: 1 + retries, failure: { kind: "rateLimited" } },
  { name: "response.failed: the prompt", fault: { fault: "failed", code: "invalid_prompt" }, requests: 1, failure: { kind: "model" } },
  { name: "response.incomplete: a filter", fault: { fault: "incomplete", reason: "content_filter" }, requests: 1, failure: { kind: "model", message: expect.stringContaining("content_filter") } },
  { name: "response.incomplete: too long", fault: { fault: "incomplete", reason: "max_output_tokens" }, requests: 1 + retries, failure: { kind: "overlong", message: expect.stringContaining("limit of output") } },
];

test.each(matrix)("$name", async ({ fault, requests, failure }) => {
  await using room = await openRoom({ fault: always(fault) }, { env: envOf(fault) });
  const { outcome, events } = await room.play("fault");
  expect(outcome.ended).toMatchObject({ how: "failed", failure });
  expect(room.server.requests).toHaveLength(requests);
  // Half an answer is none: nothing of it is shown, or kept.
  expect(JSON.stringify(events)).not.toContain("half a thou");
  expect(room.log(outcome.sessionId)).not.toContain("half a thou");
});

test.each(matrix.filter(({ requests }) => requests > 1))("$name, once: the turn goes on", async ({ fault }) => {
  await using room = await openRoom({ once: { own: true, reply: (_, n) => (n === 0 ? { fault } : { say: "It is done." }) } }, { env: envOf(fault) });
  const { outcome } = await room.play("once", { readOnly: true, stage: "critic" });
  expect(outcome.ended).toEqual({ how: "completed", text: "It is done." });
  expect(room.server.requests).toHaveLength(2);
});

test("a port that nobody listens on", async () => {
  await using room = await openRoom({}, { env: { ...env, ENACT_RESPONSES_BASE_URL: "http://127.0.0.1:9" } });
  const { outcome } = await room.play("none");
  expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "network" } });
});

test("what failed requests used is counted too, where they tell it", async () => {
  await using room = await openRoom({ costly: always({ fault: "failed", code: "server_error" }, { usage: { input: 1_000, output: 10, cached: 200 } }) }, { env });
  const { outcome } = await room.play("costly");
  expect(outcome.usage).toEqual({ inputTokens: 3_000, outputTokens: 30, cachedTokens: 600 });
});

test("a refusal is the model's last word", async () => {
  await using room = await openRoom({ refuses: { own: true, reply: () => ({ refuse: "I cannot help with that." }) } });
  const { outcome } = await room.play("refuses");
  expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "model", message: "the model refused: I cannot help with that." } });
  expect(room.server.requests).toHaveLength(1);
});

test("an answer with nothing in it is asked for again, and in the end no result", async () => {
  await using room = await openRoom({ empty: { own: true, reply: () => ({}) } }, { env });
  const { outcome } = await room.play("empty");
  expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "noResult" } });
  expect(room.server.requests).toHaveLength(1 + retries);
});

test("a wait that a limit imposes is told to who watches, with its end", async () => {
  await using room = await openRoom({ slow: { own: true, reply: (_, n) => (n === 0 ? { fault: status(429, { headers: { "retry-after-ms": "20" } }) } : { say: "Done." }) } });
  const { events, outcome } = await room.play("slow", { readOnly: true, stage: "critic" });
  expect(events.find(({ type }) => type === "rateLimit")).toMatchObject({ until: expect.any(Number), message: expect.stringContaining("429") });
  expect(outcome.ended.how).toBe("completed");
});

test("ENV-09 a key that is refused is an auth failure, and stands nowhere: not in events, logs, files of the run or of the session", async () => {
  const key = "sk-very-secret-0123456789";
  await using room = await openRoom({}, { env: { ENACT_RESPONSES_API_KEY: key } });
  const { outcome, events, handle } = await room.play("any");
  expect(outcome.ended).toMatchObject({ how: "failed", failure: { kind: "auth", message: expect.stringContaining("[key]") } });
  expect(JSON.stringify([events, room.log(outcome.sessionId)])).not.toContain(key);
  const { execFileSync } = await import("node:child_process");
  expect(() => execFileSync("grep", ["-rl", "-D", "skip", key, room.root, handle.directory])).toThrow();
});

test("a conversation that is too long is summed up once; if it still is, that is the end", async () => {
  const tooLong = status(400, { code: "context_length_exceeded", message: "This model's maximum context length is 10 tokens" });
  await using room = await openRoom({
    once: { own: true, reply: (request, n) => (n === 0 ? { fault: tooLong } : request.tool_choice === "none" ? { say: "The summary." } : { say: "Done after all." }) },
    always: { own: true, reply: (request) => (request.tool_choice === "none" ? { say: "The summary." } : { fault: tooLong }) },
  });
  const once = await room.play("once", { readOnly: true, stage: "critic" });
  expect(once.outcome.ended).toEqual({ how: "completed", text: "Done after all." });
  expect(room.server.requests.map(({ purpose }) => purpose)).toEqual(["work", "compact", "work"]);
  expect(JSON.stringify(room.server.requests.at(-1)?.request.input)).toContain("The summary.");
  const ended = await room.play("always", { readOnly: true, stage: "critic" });
  expect(ended.outcome.ended).toMatchObject({ how: "failed", failure: { kind: "contextFull", message: expect.stringContaining("maximum context length") } });
  expect(room.server.requests.slice(3).map(({ purpose }) => purpose)).toEqual(["work", "compact", "work"]);
});

test("thoughts that a model will not give sealed are not asked for again", async () => {
  await using room = await openRoom({
    plain: { own: true, reply: (request) => (request.include === undefined ? { say: "Done.", think: "hm", lostThought: true } : { fault: status(400, { message: "Encrypted content is not supported with this model." }) }) },
  });
  const { outcome, events } = await room.play("plain", { model: "auto", readOnly: true, stage: "critic" });
  expect(outcome.ended.how).toBe("completed");
  expect(events).toContainEqual({ type: "thinking", text: "hm" });
  expect(room.server.requests.map(({ request }) => request.include !== undefined)).toEqual([true, false]);
});

test("thoughts of another model, which this one cannot open, are left out with the ids that hang on them", async () => {
  await using room = await openRoom({
    first: [{ think: "Hm.", calls: [{ name: "list", args: { path: null, depth: null, offset: null } }] }, { think: "Aha.", say: "Done." }],
    second: { own: true, reply: ({ input }) => (input.some(({ type }) => type === "reasoning") ? { fault: status(400, { message: "The encrypted content could not be verified." }) } : { say: "Done too." }) },
  });
  const first = await room.play("first", { readOnly: true, stage: "critic" });
  const second = await room.play("second", { readOnly: true, stage: "critic", model: "o3", sessionId: first.outcome.sessionId });
  expect(second.outcome.ended).toEqual({ how: "completed", text: "Done too." });
  expect(JSON.stringify(room.server.requests.at(-1)?.request.input)).not.toMatch(/"(rs|fc|msg)_/);
});
