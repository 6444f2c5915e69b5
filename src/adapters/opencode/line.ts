/** The lines of `opencode run --format json`, and those of our listener, that the factory reads. Fields it does not use are not named; types it does not know are ignored. */
import { z } from "zod";

const count = z.number().nonnegative().catch(0);
const sessionID = z.string();
/** The CLI's clock, milliseconds. */
const timestamp = z.number().catch(0);

const Input = z.record(z.string(), z.unknown()).catch({});
const State = z.discriminatedUnion("status", [
  z.object({ status: z.literal("running"), input: Input }),
  z.object({ status: z.literal("completed"), input: Input, output: z.string().catch(""), metadata: z.looseObject({ exit: z.number().nullish().catch(undefined) }).catch({}) }),
  z.object({ status: z.literal("error"), input: Input, error: z.string().catch("") }),
]);
const Tool = z.object({ tool: z.string(), callID: z.string(), state: State });
export type OpencodeTool = z.infer<typeof Tool>;

const OpencodeError = z.object({
  name: z.string().catch(""),
  data: z.looseObject({
    message: z.string().catch(""),
    statusCode: z.number().optional().catch(undefined),
    responseHeaders: z.record(z.string(), z.string().catch("")).catch({}).default({}),
    responseBody: z.string().optional().catch(undefined),
  }).catch({ message: "", responseHeaders: {} }),
});
export type OpencodeError = z.infer<typeof OpencodeError>;

const Event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("step_start"), sessionID }),
  z.object({ type: z.literal("text"), sessionID, part: z.object({ text: z.string() }) }),
  z.object({ type: z.literal("reasoning"), sessionID, part: z.object({ text: z.string() }) }),
  z.object({ type: z.literal("tool_use"), sessionID, part: Tool }),
  z.object({
    type: z.literal("step_finish"), sessionID,
    part: z.object({ reason: z.string().catch(""), cost: count, tokens: z.object({ input: count, output: count, reasoning: count, cache: z.object({ read: count, write: count }).catch({ read: 0, write: 0 }) }).optional().catch(undefined) }),
  }),
  z.object({ type: z.literal("error"), sessionID, timestamp, error: OpencodeError }),
  z.object({ type: z.literal("enact.model"), sessionID, model: z.string() }),
  z.object({ type: z.literal("enact.tool"), sessionID, part: Tool }),
  z.object({ type: z.literal("enact.retry"), sessionID, message: z.string().catch(""), next: z.number().nullable().catch(null) }),
]);
export type OpencodeLine = z.infer<typeof Event>;

const known: ReadonlySet<string> = new Set(["step_start", "text", "reasoning", "tool_use", "step_finish", "error", "enact.model", "enact.tool", "enact.retry"]);
const Envelope = z.looseObject({ type: z.string() });

/** One line: an event we read, an event we do not need, or no event at all. */
export const parseLine = (text: string): OpencodeLine | "ignored" | "garbage" => {
  let json: unknown;
  try { json = JSON.parse(text); } catch { return "garbage"; }
  const envelope = Envelope.safeParse(json);
  if (!envelope.success) return "garbage";
  if (!known.has(envelope.data.type)) return "ignored";
  const event = Event.safeParse(json);
  return event.success ? event.data : "garbage";
};
