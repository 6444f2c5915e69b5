import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { ModelProtocol, ModelRequest } from "./protocol.ts";
import type { Said, ScriptedCall, ScriptedStep } from "./script.ts";

const Content = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]);
const Body = z.looseObject({
  model: z.string(),
  stream: z.boolean().nullish(),
  messages: z.array(z.looseObject({ role: z.string(), content: Content.nullish() })),
  tools: z.array(z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string() }).optional() })).nullish(),
});
type Message = z.infer<typeof Body>["messages"][number];

const textOf = ({ content }: Message): string => typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("\n");

const parse = (body: unknown): ModelRequest | undefined => {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return undefined;
  const { model, stream, messages, tools } = parsed.data;
  const system = messages.filter(({ role }) => role === "system" || role === "developer").map(textOf).join("\n");
  return {
    model,
    stream: stream === true,
    conversation: messages.flatMap((message): readonly Said[] => message.role === "assistant" ? [{ by: "model" }] : message.role === "user" ? [{ by: "user", text: textOf(message) }] : []),
    tools: (tools ?? []).map((tool) => tool.function?.name ?? tool.type),
    system,
    cwd: /Working directory: (\/[^\n]+)/.exec(system)?.[1],
  };
};

/** A call by meaning as one of opencode's tools. A tool that is not offered is called anyway: the client must refuse it. */
const called = (call: ScriptedCall, cwd: string | undefined): { readonly name: string; readonly input: Readonly<Record<string, unknown>> } => {
  const absolute = (path: string): string => path.startsWith("/") || cwd === undefined ? path : `${cwd}/${path}`;
  switch (call.do) {
    case "read": return { name: "read", input: { filePath: absolute(call.path) } };
    case "write": return { name: "write", input: { filePath: absolute(call.path), content: call.content } };
    case "edit": return { name: "edit", input: { filePath: absolute(call.path), oldString: call.from, newString: call.to } };
    case "run": return { name: "bash", input: { command: call.command, description: "scripted command" } };
    case "call": return { name: call.tool, input: call.input };
  }
};

const pieces = (text: string): readonly string[] => text.match(/[\s\S]{1,64}/g) ?? [];

const overloaded = { message: "scripted: overloaded", type: "server_error", param: null, code: "overloaded" };

const play = (response: ServerResponse, request: ModelRequest, step: ScriptedStep, id: string): void => {
  const { input, output, cached = 0 } = step.usage ?? { input: 100, output: 10 };
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, prompt_tokens_details: { cached_tokens: cached } };
  const calls = (step.calls ?? []).map((call, n) => { const { name, input: given } = called(call, request.cwd); return { id: `call_${id}_${n}`, type: "function", function: { name, arguments: JSON.stringify(given) } }; });
  const reason = step.cut === true ? "length" : calls.length > 0 ? "tool_calls" : "stop";
  const outline = { id: `chatcmpl_${id}`, created: 1_700_000_000, model: request.model };
  const { fault } = step;
  const error = fault?.fault === "errorEvent" ? { error: { ...overloaded, ...fault.error } } : undefined;
  if (!request.stream) {
    response.writeHead(200, { "content-type": "application/json", "x-request-id": `req_${id}` });
    switch (fault?.fault) {
      case "hangMidStream": response.write('{"id":'); return;
      case "cutMidStream": response.write('{"id":', () => response.socket?.resetAndDestroy()); return;
      case "malformed": response.end('{"id":'); return;
      case "errorEvent": response.end(JSON.stringify(error)); return;
      default: response.end(JSON.stringify({ ...outline, object: "chat.completion", choices: [{ index: 0, finish_reason: reason, message: { role: "assistant", content: step.say ?? null, ...(calls.length > 0 ? { tool_calls: calls } : {}) } }], usage })); return;
    }
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "x-request-id": `req_${id}` });
  const send = (data: Readonly<Record<string, unknown>>): void => { response.write(`data: ${JSON.stringify(data)}\n\n`); };
  const chunk = (delta: Readonly<Record<string, unknown>>, finish: string | null = null): void => send({ ...outline, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: finish }] });
  chunk({ role: "assistant", content: "" });
  if (step.think !== undefined) for (const text of pieces(step.think)) chunk({ reasoning_content: text });
  if (fault !== undefined) {
    chunk({ content: step.say ?? "partial text" });
    if (fault.fault === "cutMidStream") response.write("", () => response.socket?.resetAndDestroy());
    if (fault.fault === "malformed") response.end('data: {"id":"chatcmpl\n\n');
    if (error !== undefined) { send(error); response.end(); }
    return;
  }
  for (const text of pieces(step.say ?? "")) chunk({ content: text });
  for (const [index, { function: { name, arguments: given }, ...call }] of calls.entries()) {
    chunk({ tool_calls: [{ index, ...call, function: { name, arguments: "" } }] });
    for (const text of pieces(given)) chunk({ tool_calls: [{ index, function: { arguments: text } }] });
  }
  chunk({}, reason);
  send({ ...outline, object: "chat.completion.chunk", choices: [], usage });
  response.end("data: [DONE]\n\n");
};

const errorType = (status: number): string => status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "server_error";

/** OpenAI chat completions, streaming and not: what every server that calls itself compatible speaks. */
export const chatCompletions: ModelProtocol = {
  name: "chat-completions",
  serves: (method, path) => method === "POST" && path.endsWith("/chat/completions"),
  parse,
  play,
  refuse: (response, status, headers, id, error = {}) => {
    response.writeHead(status, { "content-type": "application/json", "x-request-id": `req_${id}`, ...headers });
    response.end(JSON.stringify({ error: { message: `scripted ${status}`, type: errorType(status), param: null, code: null, ...error } }));
  },
  // The list of models is answered for the protocol of responses, whose path it shares.
  side: () => false,
};
