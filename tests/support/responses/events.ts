/** Every streamed event of the published reference, one example each. The compiler says when one is missing or has another shape. */
import type { Response, ResponseFunctionToolCall, ResponseOutputItem, ResponseOutputMessage, ResponseReasoningItem, ResponseStreamEvent } from "openai/resources/responses/responses.js";

export type StreamEvent = ResponseStreamEvent;
export type Usage = { readonly input: number; readonly output: number; readonly cached?: number };

export const messageItem = (id: string, text: string): ResponseOutputMessage => ({ id, type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text, annotations: [] }] });
export const callItem = (id: string, callId: string, name: string, args: string): ResponseFunctionToolCall => ({ id, call_id: callId, type: "function_call", name, arguments: args, status: "completed" });
export const thoughtItem = (id: string, summary: string, encrypted: string | null): ResponseReasoningItem => ({ id, type: "reasoning", summary: summary === "" ? [] : [{ type: "summary_text", text: summary }], encrypted_content: encrypted, status: "completed" });

export const responseObject = (id: string, model: string, output: ResponseOutputItem[], more: Partial<Response> = {}, usage?: Usage): Response => ({
  id, access_programs: null, output_text: "", created_at: 1_764_000_000, error: null, incomplete_details: null, instructions: null, metadata: {}, model, object: "response", output, parallel_tool_calls: true,
  temperature: 1, tool_choice: "auto", tools: [], top_p: 1, status: "completed",
  ...(usage === undefined ? {} : { usage: { input_tokens: usage.input, input_tokens_details: { cached_tokens: usage.cached ?? 0, cache_write_tokens: 0 }, output_tokens: usage.output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: usage.input + usage.output } }),
  ...more,
});

type Example<T extends StreamEvent["type"]> = Extract<StreamEvent, { type: T }>;

const at = { item_id: "i", output_index: 0, sequence_number: 0 } as const;

/** Those that belong to tools and modalities that nobody asked for: they say that the stream lives, and nothing else. */
export const strangers: { readonly [T in Exclude<StreamEvent["type"], `response.${"completed" | "failed" | "incomplete" | "created" | "in_progress" | "queued" | `output_item.${string}` | `content_part.${string}` | `output_text.d${string}` | `function_call_arguments.${string}` | `reasoning_${string}` | `refusal.${string}`}` | "error">]: Example<T> } = {
  "response.audio.delta": { type: "response.audio.delta", delta: "AAAA", sequence_number: 0 },
  "response.audio.done": { type: "response.audio.done", sequence_number: 0 },
  "response.audio.transcript.delta": { type: "response.audio.transcript.delta", delta: "a", sequence_number: 0 },
  "response.audio.transcript.done": { type: "response.audio.transcript.done", sequence_number: 0 },
  "response.code_interpreter_call_code.delta": { type: "response.code_interpreter_call_code.delta", delta: "1", ...at },
  "response.code_interpreter_call_code.done": { type: "response.code_interpreter_call_code.done", code: "1", ...at },
  "response.code_interpreter_call.completed": { type: "response.code_interpreter_call.completed", ...at },
  "response.code_interpreter_call.in_progress": { type: "response.code_interpreter_call.in_progress", ...at },
  "response.code_interpreter_call.interpreting": { type: "response.code_interpreter_call.interpreting", ...at },
  "response.compaction.compacting": { type: "response.compaction.compacting", ...at },
  "response.file_search_call.completed": { type: "response.file_search_call.completed", ...at },
  "response.file_search_call.in_progress": { type: "response.file_search_call.in_progress", ...at },
  "response.file_search_call.searching": { type: "response.file_search_call.searching", ...at },
  "response.shell_call_command.added": { type: "response.shell_call_command.added", command: "", command_index: 0, output_index: 0, sequence_number: 0 },
  "response.shell_call_command.delta": { type: "response.shell_call_command.delta", command_index: 0, delta: "ls", output_index: 0, sequence_number: 0 },
  "response.shell_call_command.done": { type: "response.shell_call_command.done", command: "ls", command_index: 0, output_index: 0, sequence_number: 0 },
  "response.shell_call_output_content.delta": { type: "response.shell_call_output_content.delta", command_index: 0, delta: {}, ...at },
  "response.shell_call_output_content.done": { type: "response.shell_call_output_content.done", command_index: 0, output: [], ...at },
  "response.web_search_call.completed": { type: "response.web_search_call.completed", ...at },
  "response.web_search_call.in_progress": { type: "response.web_search_call.in_progress", ...at },
  "response.web_search_call.searching": { type: "response.web_search_call.searching", ...at },
  "response.image_generation_call.completed": { type: "response.image_generation_call.completed", ...at },
  "response.image_generation_call.generating": { type: "response.image_generation_call.generating", ...at },
  "response.image_generation_call.in_progress": { type: "response.image_generation_call.in_progress", ...at },
  "response.image_generation_call.partial_image": { type: "response.image_generation_call.partial_image", partial_image_b64: "", partial_image_index: 0, ...at },
  "response.mcp_call_arguments.delta": { type: "response.mcp_call_arguments.delta", delta: "{", ...at },
  "response.mcp_call_arguments.done": { type: "response.mcp_call_arguments.done", arguments: "{}", ...at },
  "response.mcp_call.completed": { type: "response.mcp_call.completed", ...at },
  "response.mcp_call.failed": { type: "response.mcp_call.failed", ...at },
  "response.mcp_call.in_progress": { type: "response.mcp_call.in_progress", ...at },
  "response.mcp_list_tools.completed": { type: "response.mcp_list_tools.completed", ...at },
  "response.mcp_list_tools.failed": { type: "response.mcp_list_tools.failed", ...at },
  "response.mcp_list_tools.in_progress": { type: "response.mcp_list_tools.in_progress", ...at },
  "response.output_text.annotation.added": { type: "response.output_text.annotation.added", annotation: null, annotation_index: 0, content_index: 0, ...at },
  "response.custom_tool_call_input.delta": { type: "response.custom_tool_call_input.delta", delta: "x", ...at },
  "response.custom_tool_call_input.done": { type: "response.custom_tool_call_input.done", input: "x", ...at },
};

const pieces = (text: string): readonly string[] => text.match(/[\s\S]{1,64}/g) ?? [];

type Unnumbered = StreamEvent extends infer E ? (E extends { sequence_number: number } ? Omit<E, "sequence_number"> : never) : never;

/** The events of one item, as the reference orders them. */
export const itemEvents = (item: ResponseOutputItem, index: number): readonly Unnumbered[] => {
  const place = { output_index: index }, id = "id" in item ? (item.id ?? "") : "", of = { ...place, item_id: id };
  const around = (inner: readonly Unnumbered[], opened: ResponseOutputItem): readonly Unnumbered[] => [{ type: "response.output_item.added", item: opened, ...place }, ...inner, { type: "response.output_item.done", item, ...place }];
  switch (item.type) {
    case "message": return around(item.content.flatMap((part, n): readonly Unnumbered[] => {
      const where = { ...of, content_index: n };
      return part.type === "output_text"
        ? [{ type: "response.content_part.added", part: { ...part, text: "" }, ...where }, ...pieces(part.text).map((delta): Unnumbered => ({ type: "response.output_text.delta", delta, logprobs: [], ...where })), { type: "response.output_text.done", text: part.text, logprobs: [], ...where }, { type: "response.content_part.done", part, ...where }]
        : [{ type: "response.content_part.added", part: { ...part, refusal: "" }, ...where }, { type: "response.refusal.delta", delta: part.refusal, ...where }, { type: "response.refusal.done", refusal: part.refusal, ...where }, { type: "response.content_part.done", part, ...where }];
    }), { ...item, status: "in_progress", content: [] });
    case "function_call": return around([...pieces(item.arguments).map((delta): Unnumbered => ({ type: "response.function_call_arguments.delta", delta, ...of })), { type: "response.function_call_arguments.done", arguments: item.arguments, ...of }], { ...item, arguments: "", status: "in_progress" });
    case "reasoning": return around(item.summary.flatMap((part, n): readonly Unnumbered[] => {
      const where = { ...of, summary_index: n };
      return [
        { type: "response.reasoning_summary_part.added", part: { ...part, text: "" }, ...where }, { type: "response.reasoning_summary_text.delta", delta: part.text, ...where },
        { type: "response.reasoning_summary_text.done", text: part.text, ...where }, { type: "response.reasoning_summary_part.done", part, ...where },
        { type: "response.reasoning_text.delta", delta: "h", content_index: 0, ...of }, { type: "response.reasoning_text.done", text: "h", content_index: 0, ...of },
      ];
    }), { ...item, summary: [], status: "in_progress" });
    default: return around([], item);
  }
};
