/** The scripted model's OpenAI Responses protocol, for clients with tools of plain names; codex's dialect is shown by the real CLI (tests/clis). */
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { marker, type ModelServer, startModelServer } from "./model-server.ts";

let model: ModelServer;
beforeEach(async () => {
  model = await startModelServer({
    two: [
      { think: "Hm.", say: "I read.", calls: [{ do: "read", path: "a" }, { do: "run", command: "make" }], usage: { input: 10, output: 2, cached: 4 } },
      { calls: [{ do: "call", tool: "note", input: { text: "plain" } }] },
      { say: "Done." },
    ],
    refused: [{ fault: { fault: "status", status: 429, headers: { "retry-after": "1" }, error: { code: "rate_limit_exceeded" } } }],
    overloaded: [{ say: "partial", fault: { fault: "errorEvent" } }],
  });
});
afterEach(() => model.close());

const Item = z.looseObject({ type: z.string(), call_id: z.string().optional() });
const Answer = z.looseObject({ status: z.string(), output: z.array(Item), usage: z.looseObject({ total_tokens: z.number() }).optional() });
const ask = (input: unknown, stream = false): Promise<Response> => fetch(`${model.url}/v1/responses`, { method: "POST", body: JSON.stringify({ model: "m", stream, input, instructions: "Be brief.", tools: [{ type: "function", name: "read" }] }) });
const answered = async (input: unknown) => Answer.parse(await (await ask(input)).json());
const user = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });
const outputs = (items: readonly z.infer<typeof Item>[]) => items.flatMap(({ type, call_id: id }) => id === undefined ? [] : [{ type: type === "custom_tool_call" ? "custom_tool_call_output" : "function_call_output", call_id: id, output: "ok" }]);

test("a conversation is answered step by step, whether outputs stand behind their calls or behind all of them", async () => {
  const start = [user(marker("two"))];
  const first = await answered(start);
  expect(first).toMatchObject({ status: "completed", usage: { total_tokens: 12, input_tokens_details: { cached_tokens: 4 } }, output: [
    { type: "reasoning" }, { type: "message", content: [{ type: "output_text", text: "I read." }] },
    { type: "function_call", name: "read", arguments: '{"path":"a"}' }, { type: "function_call", name: "run", arguments: '{"command":"make"}' },
  ] });
  const behind = [...start, ...first.output, ...outputs(first.output)];
  const between = [...start, ...first.output.flatMap((item) => [item, ...outputs([item])])];
  const second = await answered(behind);
  expect(second.output).toMatchObject([{ type: "custom_tool_call", name: "note", input: "plain" }]);
  expect((await answered(between)).output).toMatchObject([{ type: "custom_tool_call", name: "note" }]);
  expect((await answered([...behind, ...second.output, ...outputs(second.output)])).output).toMatchObject([{ content: [{ text: "Done." }] }]);
  expect(model.requests.map(({ step }) => step)).toEqual([0, 1, 1, 2]);
  expect(model.requests[0]?.model).toMatchObject({ model: "m", system: "Be brief.", tools: ["read"] });
});

test("a stream carries the same, event by event", async () => {
  const text = await (await ask(marker("two"), true)).text();
  const events = text.split("\n\n").filter((part) => part !== "").map((part) => z.looseObject({ type: z.string() }).parse(JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? "")));
  expect(events.map(({ sequence_number: n }) => n)).toEqual(events.map((_event, n) => n));
  expect([...new Set(events.map(({ type }) => type))]).toEqual([
    "response.created", "response.output_item.added", "response.output_item.done", "response.content_part.added", "response.output_text.delta", "response.output_text.done", "response.content_part.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.completed",
  ]);
  expect(events.at(-1)).toMatchObject({ response: { status: "completed", usage: { total_tokens: 12 } } });
});

test("faults speak the protocol's own words", async () => {
  const refused = await ask(marker("refused"));
  expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toEqual([429, "1", { error: { message: "scripted 429", type: "rate_limit_error", param: null, code: "rate_limit_exceeded" } }]);
  expect(await (await ask(marker("overloaded"), true)).text()).toContain('"type":"response.failed"');
  expect(await (await ask(marker("overloaded"))).json()).toMatchObject({ status: "failed", error: { code: "server_is_overloaded" } });
  expect((await ask("no scenario")).status).toBe(400);
  expect(await (await fetch(`${model.url}/v1/models`)).json()).toMatchObject({ data: [] });
});
