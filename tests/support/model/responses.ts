import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { ModelProtocol, ModelRequest } from "./protocol.ts";
import type { Said, ScriptedCall, ScriptedStep } from "./script.ts";

const Content = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]);
const Item = z.looseObject({ type: z.string().default("message"), role: z.string().optional(), content: Content.nullish().catch(undefined), call_id: z.string().nullish() });
type Item = z.infer<typeof Item>;
const Tool: z.ZodType<{ readonly type: string; readonly name?: string | undefined; readonly tools?: readonly { readonly name?: string | undefined }[] | undefined }> = z.looseObject({
  type: z.string(), name: z.string().optional(), tools: z.array(z.looseObject({ name: z.string().optional() })).optional().catch(undefined),
});
const Body = z.looseObject({ model: z.string(), stream: z.boolean().nullish(), instructions: z.string().nullish(), input: z.union([z.string(), z.array(Item)]), tools: z.array(Tool).nullish() });

const textOf = (content: Item["content"]): string => typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("\n");
const isOfModel = ({ type, role }: Item): boolean => type === "message" ? role === "assistant" : type === "reasoning" || type.endsWith("_call");
/** The answer that an item came with; ids of calls say it (`call_ANSWER_n`). */
const answerIn = ({ call_id: id }: Item): string | undefined => /^call_(\d+)_\d+$/.exec(id ?? "")?.[1];

/** One model turn may be several items, and a client may put each call's output right behind the call. */
const conversationOf = (items: readonly Item[]): readonly Said[] => {
  const said: Said[] = [];
  const answers = new Set<string>();
  let inTurn = false;
  for (const item of items) {
    if (isOfModel(item)) {
      const answer = answerIn(item);
      if (!inTurn && (answer === undefined || !answers.has(answer))) said.push({ by: "model" });
      if (answer !== undefined) answers.add(answer);
      inTurn = true;
    } else {
      inTurn = false;
      if (item.type === "message" && item.role === "user") said.push({ by: "user", text: textOf(item.content) });
    }
  }
  return said;
};

const parse = (body: unknown): ModelRequest | undefined => {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return undefined;
  const { model, stream, instructions, input, tools } = parsed.data;
  const items: readonly Item[] = typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input;
  return {
    model,
    stream: stream === true,
    conversation: conversationOf(items),
    tools: (tools ?? []).flatMap((tool) => tool.tools === undefined ? [tool.name ?? tool.type] : tool.tools.map(({ name }) => `${tool.name ?? ""}.${name ?? ""}`)),
    system: [instructions ?? "", ...items.flatMap((item) => item.role === "system" || item.role === "developer" ? [textOf(item.content)] : [])].filter((text) => text !== "").join("\n"),
    cwd: items.map((item) => /<cwd>(\/[^<]+)<\/cwd>/.exec(textOf(item.content))?.[1]).findLast((cwd) => cwd !== undefined),
  };
};

/** A call on the wire: of a function, or of a custom tool, which takes plain text. */
type Called = { readonly type: "function_call"; readonly namespace?: string; readonly name: string; readonly arguments: string } | { readonly type: "custom_tool_call"; readonly name: string; readonly input: string };

const called = (name: string, input: Readonly<Record<string, unknown>>): Called => ({ type: "function_call", name, arguments: JSON.stringify(input) });
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
const marked = (mark: string, text: string): string => text.replace(/\n$/, "").split("\n").map((line) => `${mark}${line}\n`).join("");
const patch = (body: string): Called => ({ type: "custom_tool_call", name: "apply_patch", input: `*** Begin Patch\n${body}*** End Patch\n` });

/** The tools of one client of this protocol. An edit names whole lines: that is all that a patch can say. */
type Dialect = (call: Exclude<ScriptedCall, { readonly do: "call" }>) => Called;

const codex: Dialect = (call) => {
  switch (call.do) {
    case "read": return called("exec_command", { cmd: `cat -- ${quoted(call.path)}` });
    case "write": return patch(`*** Add File: ${call.path}\n${marked("+", call.content)}`);
    case "edit": return patch(`*** Update File: ${call.path}\n@@\n${marked("-", call.from)}${marked("+", call.to)}`);
    case "run": return called("exec_command", { cmd: call.command, yield_time_ms: 30_000 });
  }
};

/** Of a client that offers functions of these plain names. */
const plain: Dialect = ({ do: name, ...input }) => called(name, input);

const dialectOf = (tools: readonly string[]): Dialect => tools.includes("exec_command") ? codex : plain;

/** `call` names a tool literally; an `input` that is only a `text` goes to a custom tool. A tool that is not offered is called anyway: the client must refuse it. */
const callOf = (call: ScriptedCall, dialect: Dialect): Called => {
  if (call.do !== "call") return dialect(call);
  const { text, ...rest } = call.input;
  return typeof text === "string" && Object.keys(rest).length === 0 ? { type: "custom_tool_call", name: call.tool, input: text } : { ...called(call.tool, call.input), ...(call.namespace === undefined ? {} : { namespace: call.namespace }) };
};

const pieces = (text: string): readonly string[] => text.match(/[\s\S]{1,64}/g) ?? [];

const play = (response: ServerResponse, request: ModelRequest, step: ScriptedStep, id: string): void => {
  const { input, output, cached = 0 } = step.usage ?? { input: 100, output: 10 };
  const usage = { input_tokens: input, input_tokens_details: { cached_tokens: cached }, output_tokens: output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: input + output };
  const outline = { id: `resp_${id}`, object: "response", created_at: 1_700_000_000, model: request.model, status: "in_progress", output: [], error: null, incomplete_details: null };
  const message = { type: "message" as const, id: `msg_${id}`, role: "assistant", status: "completed" };
  const part = (text: string) => ({ type: "output_text", text, annotations: [] });
  const dialect = dialectOf(request.tools);
  const items = [
    ...(step.think === undefined ? [] : [{ type: "reasoning" as const, id: `rs_${id}`, summary: [{ type: "summary_text", text: step.think }], encrypted_content: null }]),
    ...(step.say === undefined ? [] : [{ ...message, content: [part(step.say)] }]),
    ...(step.calls ?? []).map((call, n) => ({ ...callOf(call, dialect), id: `fc_${id}_${n}`, call_id: `call_${id}_${n}`, status: "completed" })),
  ];
  const whole = { ...outline, status: "completed", output: items, usage };
  const { fault } = step;
  const failed = { ...outline, status: "failed", error: { code: "server_is_overloaded", message: "scripted: overloaded", ...(fault?.fault === "errorEvent" ? fault.error : {}) } };
  if (!request.stream) {
    response.writeHead(200, { "content-type": "application/json", "x-request-id": `req_${id}` });
    switch (fault?.fault) {
      case "hangMidStream": response.write('{"id":'); return;
      case "cutMidStream": response.write('{"id":', () => response.socket?.resetAndDestroy()); return;
      case "malformed": response.end('{"id":'); return;
      case "errorEvent": response.end(JSON.stringify(failed)); return;
      default: response.end(JSON.stringify(whole)); return;
    }
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-request-id": `req_${id}` });
  let sequence = 0;
  const send = (type: string, data: Readonly<Record<string, unknown>>): void => { response.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...data })}\n\n`); };
  send("response.created", { response: outline });
  if (fault !== undefined) {
    send("response.output_item.added", { output_index: 0, item: { ...message, status: "in_progress", content: [] } });
    send("response.output_text.delta", { output_index: 0, content_index: 0, item_id: message.id, delta: step.say ?? "partial text" });
    if (fault.fault === "cutMidStream") response.write("", () => response.socket?.resetAndDestroy());
    if (fault.fault === "malformed") response.end('event: response.output_text.delta\ndata: {"type":"response.output_te\n\n');
    if (fault.fault === "errorEvent") { send("response.failed", { response: failed }); response.end(); }
    return;
  }
  for (const [index, item] of items.entries()) {
    const about = { output_index: index, item_id: item.id };
    if (item.type === "message") {
      send("response.output_item.added", { output_index: index, item: { ...item, status: "in_progress", content: [] } });
      send("response.content_part.added", { ...about, content_index: 0, part: part("") });
      for (const delta of pieces(step.say ?? "")) send("response.output_text.delta", { ...about, content_index: 0, delta });
      send("response.output_text.done", { ...about, content_index: 0, text: step.say ?? "" });
      send("response.content_part.done", { ...about, content_index: 0, part: part(step.say ?? "") });
    } else {
      send("response.output_item.added", { output_index: index, item: item.type === "function_call" ? { ...item, status: "in_progress", arguments: "" } : item });
      if (item.type === "function_call") {
        for (const delta of pieces(item.arguments)) send("response.function_call_arguments.delta", { ...about, delta });
        send("response.function_call_arguments.done", { ...about, arguments: item.arguments });
      }
    }
    send("response.output_item.done", { output_index: index, item });
  }
  send("response.completed", { response: whole });
  response.end();
};

const errorType = (status: number): string => ({ 400: "invalid_request_error", 401: "invalid_request_error", 403: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error" })[status] ?? "server_error";

/** OpenAI Responses, streaming and not. The client sends the whole conversation each time; nothing is kept here. */
export const openaiResponses: ModelProtocol = {
  name: "openai-responses",
  serves: (method, path) => method === "POST" && path.endsWith("/v1/responses"),
  parse,
  play,
  refuse: (response, status, headers, id, error = {}) => {
    response.writeHead(status, { "content-type": "application/json", "x-request-id": `req_${id}`, ...headers });
    response.end(JSON.stringify({ error: { message: `scripted ${status}`, type: errorType(status), param: null, code: null, ...error } }));
  },
  side: (request, response, path) => {
    if (request.method !== "GET" || !path.endsWith("/v1/models")) return false;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data: [], models: [] }));
    return true;
  },
};
