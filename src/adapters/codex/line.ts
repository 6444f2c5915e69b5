/** The lines of `codex exec --json` that the factory reads. Fields it does not use are not named; types it does not know are ignored. */
import { z } from "zod";

const Status = z.string().catch("");

const Message = z.object({ type: z.literal("agent_message"), id: z.string(), text: z.string() });
const Reasoning = z.object({ type: z.literal("reasoning"), id: z.string(), text: z.string() });
/** What the CLI itself wants to have said: a model it does not know, settings it ignored. */
const Notice = z.object({ type: z.literal("error"), id: z.string(), message: z.string() });
const Command = z.object({ type: z.literal("command_execution"), id: z.string(), command: z.string(), aggregated_output: z.string().catch(""), exit_code: z.number().nullish(), status: Status });
const Change = z.object({ type: z.literal("file_change"), id: z.string(), changes: z.array(z.object({ path: z.string(), kind: z.string().catch("") })), status: Status });
const McpCall = z.object({
  type: z.literal("mcp_tool_call"), id: z.string(), server: z.string(), tool: z.string(), arguments: z.unknown(), status: Status,
  result: z.looseObject({ content: z.array(z.looseObject({ text: z.string().optional().catch(undefined) })).catch([]) }).nullish().catch(undefined),
  error: z.looseObject({ message: z.string() }).nullish().catch(undefined),
});
const Search = z.object({ type: z.literal("web_search"), id: z.string(), query: z.string().catch("") });
const Todo = z.object({ type: z.literal("todo_list"), id: z.string(), items: z.array(z.object({ text: z.string(), completed: z.boolean().catch(false) })) });
/** An agent of the agent. */
const Collaboration = z.object({ type: z.literal("collab_tool_call"), id: z.string(), tool: z.string(), prompt: z.string().nullish(), status: Status });

/** By the item's `type`. */
const items: ReadonlyMap<string, z.ZodType<CodexItem>> = new Map<string, z.ZodType<CodexItem>>([
  ["agent_message", Message], ["reasoning", Reasoning], ["error", Notice], ["command_execution", Command], ["file_change", Change],
  ["mcp_tool_call", McpCall], ["web_search", Search], ["todo_list", Todo], ["collab_tool_call", Collaboration],
]);
export type CodexItem = z.infer<typeof Message> | z.infer<typeof Reasoning> | z.infer<typeof Notice> | CodexTool;
/** What has a beginning and an end. */
export type CodexTool = z.infer<typeof Command> | z.infer<typeof Change> | z.infer<typeof McpCall> | z.infer<typeof Search> | z.infer<typeof Todo> | z.infer<typeof Collaboration>;

const count = z.number().catch(0);
const Event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("thread.started"), thread_id: z.string() }),
  z.object({ type: z.literal("turn.completed"), usage: z.object({ input_tokens: count, cached_input_tokens: count, output_tokens: count }).optional() }),
  z.object({ type: z.literal("turn.failed"), error: z.object({ message: z.string() }) }),
  /** A try that failed and is repeated, or what `turn.failed` is about to say. */
  z.object({ type: z.literal("error"), message: z.string() }),
]);
type Event = z.infer<typeof Event>;
const known: ReadonlySet<string> = new Set(["thread.started", "turn.completed", "turn.failed", "error"]);

const ItemEvent = z.object({ type: z.enum(["item.started", "item.completed"]), item: z.looseObject({ type: z.string() }) });
const Envelope = z.looseObject({ type: z.string() });

export type CodexLine = Event | { readonly type: "item.started" | "item.completed"; readonly item: CodexItem };

/** One line: an event we read, an event we do not need, or no event at all. */
export const parseLine = (text: string): CodexLine | "ignored" | "garbage" => {
  let json: unknown;
  try { json = JSON.parse(text); } catch { return "garbage"; }
  const envelope = Envelope.safeParse(json);
  if (!envelope.success) return "garbage";
  const { type } = envelope.data;
  if (type === "item.started" || type === "item.completed") {
    const event = ItemEvent.safeParse(json);
    if (!event.success) return "garbage";
    const schema = items.get(event.data.item.type);
    if (schema === undefined) return "ignored";
    const item = schema.safeParse(event.data.item);
    return item.success ? { type: event.data.type, item: item.data } : "garbage";
  }
  if (!known.has(type)) return "ignored";
  const event = Event.safeParse(json);
  return event.success ? event.data : "garbage";
};
