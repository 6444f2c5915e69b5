/**
 * Asks the model, once: one streamed request, one whole reply.
 *
 * Owns: the client and the request in flight. Talks to: the provider. I1 A reply is the model's whole answer or a trouble, never a part and never a throw;
 * whatever does not end in `response.completed` is trouble. I2 It tries once: whether again and when is the chart's to say. I3 No request is silent for
 * longer than `idleMs`, neither before its headers nor between two events.
 * I4 What is used is told of failed requests too, where the provider tells it.
 */
import OpenAI from "openai";
import type { ResponseCreateParamsStreaming, ResponseInput } from "openai/resources/responses/responses.js";
import { z } from "zod";
import type { Usage } from "../domain/spend.ts";
import { AnswerItem, callsIn, type Item, refusalIn, wordsIn } from "./item.ts";
import type { Settings } from "./settings.ts";
import { type Trouble, troubleOfCode, troubleOfError } from "./trouble.ts";

export type Reply =
  | { readonly how: "answered"; readonly items: readonly AnswerItem[]; readonly usage: Usage | null; /** As the provider names it; empty when it does not. */ readonly model: string }
  | { readonly how: "troubled"; readonly trouble: Trouble; readonly usage: Usage | null; /** The answer was cut at the provider's limit. */ readonly cut?: boolean };

export interface ToolOffer { readonly name: string; readonly description: string; readonly parameters: Readonly<Record<string, unknown>>; /** Arguments need not fit the parameters to the letter. */ readonly loose?: true }

export interface Asked {
  readonly instructions: string;
  readonly items: readonly Item[];
  readonly tools: readonly ToolOffer[];
  /** The tool that it must call; `none`: it may call no tool; `auto`: as it likes. */
  readonly choice: "auto" | "none" | { readonly tool: string };
  /** Ask for thoughts that can be passed back. */
  readonly thoughts: boolean;
  readonly cacheKey: string;
  readonly model: string;
}

const count = z.number().catch(0);
const Told = z.object({ input_tokens: count, output_tokens: count, input_tokens_details: z.object({ cached_tokens: count }).catch({ cached_tokens: 0 }) });
const Whole = z.object({
  output: z.array(z.unknown()).catch([]),
  model: z.string().catch(""),
  usage: Told.nullish().catch(null),
  error: z.object({ code: z.string().nullish().catch(null), message: z.string().catch("") }).nullish().catch(null),
  incomplete_details: z.object({ reason: z.string().catch("") }).nullish().catch(null),
});
/** Of the events those that decide; all others say that the stream lives. */
const Event = z.discriminatedUnion("type", [
  z.object({ type: z.literal("response.output_item.done"), item: z.unknown() }),
  z.object({ type: z.enum(["response.completed", "response.failed", "response.incomplete"]), response: Whole }),
  z.object({ type: z.literal("error"), code: z.string().nullish().catch(null), message: z.string().catch("") }),
]);

const usageOf = (usage: z.infer<typeof Told> | null | undefined): Usage | null =>
  usage ? { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens, cachedTokens: usage.input_tokens_details.cached_tokens } : null;

const troubled = (trouble: Trouble, usage: Usage | null = null): Reply => ({ how: "troubled", trouble, usage });
const network = (message: string): Trouble => ({ trouble: "again", afterMs: null, failure: { kind: "network", message } });
const refused = (message: string): Trouble => ({ trouble: "final", afterMs: null, failure: { kind: "model", message } });

const ours: ReadonlySet<unknown> = new Set(AnswerItem.options.map(({ shape }) => shape.type.value));
const typeOf = (value: unknown): unknown => (typeof value === "object" && value !== null && "type" in value ? value.type : undefined);

/** The answer, when it can be gone on with: what it says is readable, and every call has an id of its own. */
const answerOf = (output: readonly unknown[], usage: Usage | null, model: string): Reply => {
  const items: AnswerItem[] = [];
  for (const each of output) {
    const item = AnswerItem.safeParse(each);
    if (item.success) items.push(item.data);
    else if (ours.has(typeOf(each))) return troubled(network(`the answer holds what cannot be read: ${JSON.stringify(each).slice(0, 200)}`), usage);
    // Of a tool that the provider has of its own: nothing we asked for. The thought that led to it cannot stand without it.
    else while (items.at(-1)?.type === "reasoning") items.pop();
  }
  const refusal = refusalIn(items);
  if (refusal !== undefined) return troubled(refused(`the model refused: ${refusal}`), usage);
  const ids = callsIn(items).map((call) => call.call_id);
  if (new Set(ids).size !== ids.length) return troubled(network("two calls of the answer have one id"), usage);
  if (ids.length === 0 && wordsIn(items) === "") return troubled({ trouble: "again", afterMs: null, failure: { kind: "noResult", message: "the model answered with nothing" } }, usage);
  return { how: "answered", items, usage, model };
};

const replyOf = (event: Exclude<z.infer<typeof Event>, { type: "response.output_item.done" }>, done: readonly unknown[]): Reply => {
  if (event.type === "error") return troubled(troubleOfCode(event.code ?? "", event.message));
  const { output, usage: told, error, incomplete_details: incomplete } = event.response, usage = usageOf(told);
  switch (event.type) {
    // Some gateways leave the output of the last event empty.
    case "response.completed": return answerOf(output.length > 0 ? output : done, usage, event.response.model);
    case "response.failed": return troubled(troubleOfCode(error?.code ?? "", error?.message ?? "the provider failed without a reason"), usage);
    case "response.incomplete": return incomplete?.reason === "max_output_tokens"
      ? { how: "troubled", trouble: { trouble: "again", afterMs: null, failure: { kind: "overlong", message: "the answer was cut at the provider's limit of output" } }, usage, cut: true }
      : troubled(refused(`the answer was stopped: ${incomplete?.reason ?? "no reason was given"}`), usage);
  }
};

const bodyOf = (asked: Asked, effort: Settings["effort"]): ResponseCreateParamsStreaming => {
  // Items are kept in the shape in which they came; the client names their types more narrowly than servers do.
  const input: ResponseInput = asked.items.map((item) => ({ ...item }));
  return {
    model: asked.model, instructions: asked.instructions, input, stream: true, store: false, parallel_tool_calls: true, prompt_cache_key: asked.cacheKey,
    tools: asked.tools.map(({ name, description, parameters, loose }) => ({ type: "function", name, description, parameters, strict: loose !== true })),
    ...(asked.tools.length === 0 ? {} : { tool_choice: typeof asked.choice === "string" ? asked.choice : { type: "function", name: asked.choice.tool } }),
    ...(asked.thoughts ? { include: ["reasoning.encrypted_content"] } : {}),
    ...(effort === undefined ? {} : { reasoning: { effort } }),
  };
};

export interface Provider { readonly ask: (asked: Asked, signal: AbortSignal, onSign: () => void) => Promise<Reply> }

export const openProvider = ({ baseUrl, key, idleMs, effort }: Settings, now: () => number): Provider => {
  const client = new OpenAI({ apiKey: key, baseURL: baseUrl, maxRetries: 0, timeout: 2_147_000_000, logLevel: "off", organization: null, project: null });
  return {
    ask: async (asked, signal, onSign) => {
      const idle = new AbortController();
      let silent: NodeJS.Timeout | undefined;
      const sign = (): void => {
        clearTimeout(silent);
        silent = setTimeout(() => idle.abort(), idleMs);
      };
      const done: unknown[] = [];
      try {
        sign();
        const stream = await client.responses.create(bodyOf(asked, effort), { signal: AbortSignal.any([signal, idle.signal]) });
        for await (const raw of stream) {
          sign();
          onSign();
          const event = Event.safeParse(raw).data;
          if (event === undefined) continue;
          if (event.type !== "response.output_item.done") return replyOf(event, done);
          done.push(event.item);
        }
        // The client ends a stream that was aborted without a word.
        return troubled(network(idle.signal.aborted ? `nothing came from the provider for ${Math.round(idleMs / 1_000)} s` : "the provider's stream ended before its answer did"));
      } catch (error) {
        return troubled(idle.signal.aborted ? network(`nothing came from the provider for ${Math.round(idleMs / 1_000)} s`) : troubleOfError(error, now()));
      } finally {
        clearTimeout(silent);
      }
    },
  };
};
