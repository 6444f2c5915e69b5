/** The lines of `--output-format stream-json` that the factory reads. Fields it does not use are not named; types it does not know are ignored. */
import { z } from "zod";

const RateLimitInfo = z.looseObject({ status: z.string(), /** Seconds since the epoch. */ resetsAt: z.number().optional() });

const Block = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("thinking"), thinking: z.string() }),
  z.object({ type: z.literal("tool_use"), id: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()).catch({}) }),
]);
const ResultBlock = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))]).optional(),
  is_error: z.boolean().nullish(),
});
/** A block of a type we do not read. */
const OtherBlock = z.looseObject({ type: z.string() }).transform(() => ({ type: "other" as const }));

const Init = z.object({ type: z.literal("system"), subtype: z.literal("init"), session_id: z.string(), model: z.string().optional(), claude_code_version: z.string().optional().catch(undefined) });
const ApiRetry = z.object({
  type: z.literal("system"), subtype: z.literal("api_retry"),
  attempt: z.number(), max_retries: z.number(), retry_delay_ms: z.number(), error_status: z.number().nullable().optional(), error: z.string().optional(),
});
const PermissionDenied = z.object({ type: z.literal("system"), subtype: z.literal("permission_denied"), tool_name: z.string(), tool_use_id: z.string().optional(), message: z.string().optional() });
const RateLimitEvent = z.object({ type: z.literal("rate_limit_event"), rate_limit_info: RateLimitInfo });
const AssistantLine = z.object({
  type: z.literal("assistant"),
  message: z.object({ content: z.array(z.union([Block, OtherBlock])) }),
  parent_tool_use_id: z.string().nullish(),
  timestamp: z.string().optional(),
  /** Set on the message that the CLI writes itself when an API call failed for good. */
  is_api_error_message: z.boolean().optional(),
  error: z.string().nullish(),
  api_error_status: z.number().nullish(),
  api_error_params: z.looseObject({ rate_limit_info: RateLimitInfo.optional() }).nullish().catch(undefined),
});
const UserLine = z.object({ type: z.literal("user"), message: z.object({ content: z.union([z.string(), z.array(z.union([ResultBlock, OtherBlock]))]) }) });
const ResultLine = z.object({
  type: z.literal("result"),
  subtype: z.string(),
  is_error: z.boolean(),
  session_id: z.string().optional(),
  terminal_reason: z.string().nullish().catch(undefined),
  api_error_status: z.number().nullish().catch(undefined),
  result: z.string().optional(),
  errors: z.array(z.string()).optional().catch(undefined),
  total_cost_usd: z.number().optional().catch(undefined),
  usage: z.object({
    input_tokens: z.number().catch(0), output_tokens: z.number().catch(0),
    cache_creation_input_tokens: z.number().catch(0), cache_read_input_tokens: z.number().catch(0),
  }).optional().catch(undefined),
  /** Per model, subagents included; absent in older versions. What is no model is passed over: the end of a turn must not hang on an entry beside it. */
  model_usage_since_last_result: z.record(z.string(), z.object({
    inputTokens: z.number().catch(0), outputTokens: z.number().catch(0), cacheReadInputTokens: z.number().catch(0), cacheCreationInputTokens: z.number().catch(0),
  }).nullable().catch(null)).optional().catch(undefined),
  permission_denials: z.array(z.object({ tool_name: z.string(), tool_use_id: z.string().optional() })).optional().catch(undefined),
});

/** By `type`, or `system/subtype`. */
const known: ReadonlyMap<string, z.ZodType<ClaudeLine>> = new Map<string, z.ZodType<ClaudeLine>>([
  ["system/init", Init], ["system/api_retry", ApiRetry], ["system/permission_denied", PermissionDenied],
  ["rate_limit_event", RateLimitEvent], ["assistant", AssistantLine], ["user", UserLine], ["result", ResultLine],
]);
export type ClaudeLine = z.infer<typeof Init> | z.infer<typeof ApiRetry> | z.infer<typeof PermissionDenied> | z.infer<typeof RateLimitEvent> | z.infer<typeof AssistantLine> | z.infer<typeof UserLine> | z.infer<typeof ResultLine>;

const Envelope = z.looseObject({ type: z.string(), subtype: z.unknown().optional() });

/** One line: an event we read, an event we do not need, or no event at all. */
export const parseLine = (text: string): ClaudeLine | "ignored" | "garbage" => {
  let json: unknown;
  try { json = JSON.parse(text); } catch { return "garbage"; }
  const envelope = Envelope.safeParse(json);
  if (!envelope.success) return "garbage";
  const { type, subtype } = envelope.data;
  const schema = known.get(type === "system" ? `system/${typeof subtype === "string" ? subtype : ""}` : type);
  if (schema === undefined) return "ignored";
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : "garbage";
};
