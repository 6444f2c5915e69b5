/** What a request to `/v1/responses` must be, by the published reference, and a little more: what our agent promises of its own. */
import { z } from "zod";

const status = z.enum(["in_progress", "completed", "incomplete"]);
const Told = z.strictObject({ type: z.literal("message"), role: z.enum(["user", "developer", "system", "assistant"]), content: z.string().min(1) });
const Message = z.strictObject({
  type: z.literal("message"), id: z.string(), role: z.literal("assistant"), status, phase: z.enum(["commentary", "final_answer"]).optional(),
  content: z.array(z.discriminatedUnion("type", [z.strictObject({ type: z.literal("output_text"), text: z.string(), annotations: z.array(z.never()) }), z.strictObject({ type: z.literal("refusal"), refusal: z.string() })])),
});
const Reasoning = z.strictObject({ type: z.literal("reasoning"), id: z.string(), summary: z.array(z.strictObject({ type: z.literal("summary_text"), text: z.string() })), encrypted_content: z.string().min(1) });
const Call = z.strictObject({ type: z.literal("function_call"), id: z.string().optional(), call_id: z.string(), name: z.string(), arguments: z.string(), status: status.optional() });
const Output = z.strictObject({ type: z.literal("function_call_output"), call_id: z.string(), output: z.string() });
const InputItem = z.union([Told, Message, Reasoning, Call, Output]);
export type InputItem = z.infer<typeof InputItem>;

const simple = z.enum(["string", "integer", "number", "boolean", "null"]);

/** A parameter, in the part of JSON Schema that strict schemas allow everywhere. */
const Schema: z.ZodType<unknown> = z.lazy(() => z.union([
  Parameters,
  z.strictObject({ type: z.union([simple, z.array(simple)]), enum: z.array(z.string()).optional(), description: z.string().optional() }),
  z.strictObject({ type: z.literal("array"), items: Schema, description: z.string().optional() }),
  z.strictObject({ anyOf: z.array(Schema), description: z.string().optional() }),
]));
const Parameters = z.strictObject({ type: z.literal("object"), properties: z.record(z.string(), Schema), required: z.array(z.string()), additionalProperties: z.literal(false) })
  // Strict schemas name every property as required.
  .refine(({ properties, required }) => Object.keys(properties).toSorted().join() === required.toSorted().join(), "a strict schema requires each of its properties");
const name = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/);
const Tool = z.union([
  z.strictObject({ type: z.literal("function"), name, description: z.string().min(1), parameters: Parameters, strict: z.literal(true) }),
  // Of a tool server, whose schemas are its own.
  z.strictObject({ type: z.literal("function"), name: z.templateLiteral(["mcp__", name]), description: z.string().min(1), parameters: z.looseObject({ type: z.literal("object") }), strict: z.literal(false) }),
]);

/** Each call has one output, after it and before the model speaks again; no output stands alone. A thought is followed by what it led to. */
const paired = (input: readonly InputItem[]): string | undefined => {
  const owed = new Set<string>(), seen = new Set<string>();
  for (const [n, item] of input.entries()) {
    if (item.type === "function_call") {
      if (seen.has(item.call_id)) return `call ${item.call_id} stands twice`;
      seen.add(item.call_id);
      owed.add(item.call_id);
    } else if (item.type === "function_call_output") {
      if (!owed.delete(item.call_id)) return `the output of ${item.call_id} answers no open call`;
    } else if (owed.size > 0 && item.type === "message" && item.role !== "assistant") return `calls ${[...owed].join(", ")} have no output before the next message`;
    if (item.type === "reasoning" && !["reasoning", "function_call", "message"].includes(input[n + 1]?.type ?? "")) return "a thought stands without what it led to";
  }
  return owed.size > 0 ? `calls ${[...owed].join(", ")} have no output` : undefined;
};

export const Request = z.strictObject({
  model: z.string().min(1), instructions: z.string().min(1), stream: z.literal(true), store: z.literal(false), parallel_tool_calls: z.literal(true), prompt_cache_key: z.string().min(1).max(64),
  input: z.array(InputItem).min(1), tools: z.array(Tool).min(1), tool_choice: z.union([z.enum(["auto", "none"]), z.strictObject({ type: z.literal("function"), name: z.string() })]),
  include: z.tuple([z.literal("reasoning.encrypted_content")]).optional(), reasoning: z.strictObject({ effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]) }).optional(),
}).superRefine(({ input, tools, tool_choice: choice }, context) => {
  const wrong = paired(input);
  if (wrong !== undefined) context.addIssue({ code: "custom", message: wrong, path: ["input"] });
  if (typeof choice === "object" && !tools.some(({ name }) => name === choice.name)) context.addIssue({ code: "custom", message: "the chosen tool is not offered", path: ["tool_choice"] });
});
export type Request = z.infer<typeof Request>;

const toldTexts = ({ input }: Request): readonly string[] => input.flatMap((item) => (item.type === "message" && typeof item.content === "string" ? [item.content] : []));

/** The marker that chooses a scenario; a resumed session has several, and the last one counts. */
export const scenarioIn = (request: Request): string | undefined => toldTexts(request).flatMap((text) => [...text.matchAll(/\[\[scenario:([\w-]+)\]\]/g)]).at(-1)?.[1];

/** What a request is for, as its last words show. */
export const purposeOf = (request: Request): "plan" | "verify" | "compact" | "work" => {
  if (request.tool_choice === "none") return "compact";
  if (typeof request.tool_choice === "object") return "plan";
  const last = request.input.at(-1);
  return last?.type === "message" && typeof last.content === "string" && /^<changes-[0-9a-f]+>$/m.test(last.content) ? "verify" : "work";
};
