import type { ServerResponse } from "node:http";
import { z } from "zod";
import type { ModelProtocol, ModelRequest } from "./protocol.ts";
import type { Said, ScriptedCall, ScriptedStep } from "./script.ts";

const Content = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]);
const Body = z.looseObject({
  model: z.string(),
  stream: z.boolean().optional(),
  system: Content.optional(),
  messages: z.array(z.looseObject({ role: z.string(), content: Content })),
  tools: z.array(z.looseObject({ name: z.string() })).optional(),
});
const textOf = (content: z.infer<typeof Content>): string => typeof content === "string" ? content : content.map((block) => block.type === "text" ? block.text ?? "" : "").join("\n");

const parse = (body: unknown): ModelRequest | undefined => {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return undefined;
  const { model, stream, system, messages, tools } = parsed.data;
  const all = [system === undefined ? "" : textOf(system), ...messages.map((message) => textOf(message.content))].join("\n");
  return {
    model,
    stream: stream === true,
    conversation: messages.map((message): Said => message.role === "assistant" ? { by: "model" } : { by: "user", text: textOf(message.content) }),
    tools: (tools ?? []).map((tool) => tool.name),
    system: system === undefined ? "" : textOf(system),
    cwd: /Primary working directory: (\/[^\n]+)/.exec(all)?.[1],
  };
};

/** A call by meaning as one of Claude Code's tools. A tool that is not offered is called anyway: the CLI must refuse it. */
const toolUse = (call: ScriptedCall, cwd: string | undefined): { readonly name: string; readonly input: Readonly<Record<string, unknown>> } => {
  const absolute = (path: string): string => path.startsWith("/") || cwd === undefined ? path : `${cwd}/${path}`;
  switch (call.do) {
    case "read": return { name: "Read", input: { file_path: absolute(call.path) } };
    case "write": return { name: "Write", input: { file_path: absolute(call.path), content: call.content } };
    case "edit": return { name: "Edit", input: { file_path: absolute(call.path), old_string: call.from, new_string: call.to } };
    case "run": return { name: "Bash", input: { command: call.command, description: "scripted command" } };
    case "call": return { name: call.tool, input: call.input };
  }
};

const pieces = (text: string): readonly string[] => text.match(/[\s\S]{1,64}/g) ?? [];

const play = (response: ServerResponse, request: ModelRequest, step: ScriptedStep, id: string): void => {
  const usage = step.usage ?? { input: 100, output: 10 };
  const cached = usage.cached ?? 0;
  const calls = (step.calls ?? []).map((call, n) => ({ type: "tool_use", id: `toolu_${id}_${n}`, ...toolUse(call, request.cwd) }));
  const stopReason = step.cut === true ? "max_tokens" : calls.length > 0 ? "tool_use" : "end_turn";
  const message = {
    id: `msg_${id}`, type: "message", role: "assistant", model: request.model, content: [] as unknown[], stop_reason: null as string | null, stop_sequence: null,
    usage: { input_tokens: usage.input - cached, cache_creation_input_tokens: 0, cache_read_input_tokens: cached, output_tokens: 1 },
  };
  const fault = step.fault?.fault;
  const error = step.fault?.fault === "errorEvent" ? step.fault.error : undefined;
  if (!request.stream) {
    if (fault === "hangMidStream") { response.writeHead(200, { "content-type": "application/json" }); response.write('{"id":'); return; }
    if (fault === "cutMidStream") { response.writeHead(200, { "content-type": "application/json" }); response.write('{"id":', () => response.socket?.resetAndDestroy()); return; }
    if (fault === "malformed") { response.writeHead(200, { "content-type": "application/json" }); response.end('{"id":'); return; }
    if (fault === "errorEvent") { refuse(response, 529, {}, id, error); return; }
    const content = [...(step.say === undefined ? [] : [{ type: "text", text: step.say }]), ...calls];
    response.writeHead(200, { "content-type": "application/json", "request-id": `req_${id}` });
    response.end(JSON.stringify({ ...message, content, stop_reason: stopReason, usage: { ...message.usage, output_tokens: usage.output } }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache", "request-id": `req_${id}` });
  const send = (type: string, data: Readonly<Record<string, unknown>>): void => { response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`); };
  let index = 0;
  const block = (start: Readonly<Record<string, unknown>>, deltas: readonly Readonly<Record<string, unknown>>[]): void => {
    send("content_block_start", { index, content_block: start });
    for (const delta of deltas) send("content_block_delta", { index, delta });
    send("content_block_stop", { index });
    index += 1;
  };
  send("message_start", { message });
  if (step.think !== undefined) block({ type: "thinking", thinking: "", signature: "" }, [{ type: "thinking_delta", thinking: step.think }, { type: "signature_delta", signature: "c2ln" }]);
  if (fault !== undefined) {
    send("content_block_start", { index, content_block: { type: "text", text: "" } });
    send("content_block_delta", { index, delta: { type: "text_delta", text: step.say ?? "partial text" } });
    if (fault === "cutMidStream") response.write("", () => response.socket?.resetAndDestroy());
    if (fault === "malformed") response.end('event: content_block_delta\ndata: {"type":"content_blo\n\n');
    if (fault === "errorEvent") { send("error", { error: { type: "overloaded_error", message: "Overloaded", ...error } }); response.end(); }
    return;
  }
  if (step.say !== undefined) block({ type: "text", text: "" }, pieces(step.say).map((text) => ({ type: "text_delta", text })));
  for (const { input, ...use } of calls) block({ ...use, input: {} }, pieces(JSON.stringify(input)).map((json) => ({ type: "input_json_delta", partial_json: json })));
  send("message_delta", { delta: { stop_reason: stopReason, stop_sequence: null }, usage: { output_tokens: usage.output } });
  send("message_stop", {});
  response.end();
};

const errorType = (status: number): string => ({ 400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error" })[status] ?? "api_error";

const refuse = (response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, id: string, error: Readonly<Record<string, unknown>> = {}): void => {
  response.writeHead(status, { "content-type": "application/json", "request-id": `req_${id}`, ...headers });
  response.end(JSON.stringify({ type: "error", error: { type: errorType(status), message: `scripted ${status}`, ...error } }));
};

/** Anthropic Messages, streaming and not. */
export const anthropicMessages: ModelProtocol = {
  name: "anthropic-messages",
  serves: (method, path) => method === "POST" && path.endsWith("/v1/messages"),
  parse,
  play,
  refuse,
  side: (_request, response, path) => {
    if (!path.endsWith("/count_tokens")) return false;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ input_tokens: 1000 }));
    return true;
  },
};
