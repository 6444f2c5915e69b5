/** The lines of `cursor-agent --print --output-format stream-json` that the factory reads. Fields it does not use are not named; types it does not know are ignored. */
import { z } from "zod";

const session_id = z.string();
const Content = z.array(z.looseObject({ type: z.string(), text: z.string().optional().catch(undefined) }));
const Record = z.record(z.string(), z.unknown());

/** One key, `readToolCall` and the like, or `function` with a name. */
const Call = z.record(z.string(), z.object({ args: Record.catch({}).default({}), result: Record.optional().catch(undefined), name: z.string().optional().catch(undefined), arguments: z.string().optional().catch(undefined) }));
export type CursorCall = z.infer<typeof Call>;

const Event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("system"), subtype: z.string(), session_id, model: z.string().optional().catch(undefined) }),
  z.object({ type: z.literal("assistant"), message: z.object({ content: Content }) }),
  z.object({ type: z.literal("tool_call"), subtype: z.enum(["started", "completed"]), call_id: z.string(), tool_call: Call }),
  z.object({ type: z.literal("result"), subtype: z.string(), is_error: z.boolean(), result: z.string().catch("") }),
]);
export type CursorLine = z.infer<typeof Event>;

const known: ReadonlySet<string> = new Set(["system", "assistant", "tool_call", "result"]);
const Envelope = z.looseObject({ type: z.string(), subtype: z.string().optional().catch(undefined) });

/** One line: an event we read, an event we do not need, or no event at all. */
export const parseLine = (text: string): CursorLine | "ignored" | "garbage" => {
  let json: unknown;
  try { json = JSON.parse(text); } catch { return "garbage"; }
  const envelope = Envelope.safeParse(json);
  if (!envelope.success) return "garbage";
  const { type, subtype } = envelope.data;
  if (!known.has(type) || (type === "system" && subtype !== "init")) return "ignored";
  const event = Event.safeParse(json);
  return event.success ? event.data : "garbage";
};
