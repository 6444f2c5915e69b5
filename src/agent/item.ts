/** The items of a conversation as they go over the wire: what the model is sent and what it answers with, reduced to what may be sent back. */
import { z } from "zod";

const status = z.enum(["in_progress", "completed", "incomplete"]).catch("completed");

const Told = z.object({ type: z.literal("message"), role: z.enum(["user", "developer", "assistant"]), content: z.string() });
const Message = z.object({
  type: z.literal("message"), id: z.string(), role: z.literal("assistant"), status,
  content: z.array(z.discriminatedUnion("type", [
    z.object({ type: z.literal("output_text"), text: z.string(), annotations: z.array(z.never()).catch([]) }),
    z.object({ type: z.literal("refusal"), refusal: z.string() }),
  ])),
  phase: z.enum(["commentary", "final_answer"]).nullish().transform((phase) => phase ?? undefined),
});
const Reasoning = z.object({
  type: z.literal("reasoning"), id: z.string(),
  summary: z.array(z.object({ type: z.literal("summary_text"), text: z.string() })).catch([]),
  encrypted_content: z.string().min(1).nullish().catch(null).transform((content) => content ?? undefined),
});
const Call = z.object({ type: z.literal("function_call"), id: z.string().optional(), call_id: z.string().min(1), name: z.string(), arguments: z.string(), status: status.optional() });
const Output = z.object({ type: z.literal("function_call_output"), call_id: z.string(), output: z.string() });

/** What the model may answer with. */
export const AnswerItem = z.discriminatedUnion("type", [Message, Reasoning, Call]);
export type AnswerItem = z.infer<typeof AnswerItem>;
export type Call = z.infer<typeof Call>;

/** Whatever stands in a conversation. */
export const Item = z.union([Told, Message, Reasoning, Call, Output]);
export type Item = z.infer<typeof Item>;

export const told = (role: "user" | "developer", content: string): Item => ({ type: "message", role, content });

/** Why the model will not, if it said so. */
export const refusalIn = (items: readonly AnswerItem[]): string | undefined =>
  items.flatMap((item) => (item.type === "message" ? item.content.flatMap((part) => (part.type === "refusal" ? [part.refusal] : [])) : [])).at(0);

export const textOf = (item: AnswerItem): string => (item.type === "message" ? item.content.map((part) => (part.type === "output_text" ? part.text : "")).join("") : "");

/** The words of an answer: those of its last message that is not empty. */
export const wordsIn = (items: readonly AnswerItem[]): string => items.map(textOf).filter((text) => text.trim() !== "").at(-1) ?? "";

/** Without the thought that led to them a provider takes no items under its own ids: the words and calls alone. Undefined: nothing is left of it. */
const withoutThought = (item: Item): Item | undefined => {
  if (item.type === "reasoning") return undefined;
  if (item.type === "function_call") { const { id: _, ...bare } = item; return bare; }
  return "id" in item ? { type: "message", role: "assistant", content: textOf(item) } : item;
};
export const withoutThoughts = (items: readonly Item[]): readonly Item[] => items.flatMap((item) => withoutThought(item) ?? []);

export const callsIn = (items: readonly AnswerItem[]): readonly Call[] => items.filter((item) => item.type === "function_call");

/** It ends with a question to a person, in the form that prompts ask for: there is nothing to verify yet. What it really says is read by the adapter. */
export const asksIn = (text: string): boolean => /^```enact-question\s*\n[\s\S]*\n```\s*$/m.test(text);
