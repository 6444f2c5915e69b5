/** What the model is sent, folded from the log of the session. Pure: the same entries give the same conversation. */
import type { AgentWords } from "../prompts/agent-words.ts";
import { type Call, callsIn, type Item, told, withoutThoughts } from "./item.ts";
import { tokensIn } from "./model.ts";
import type { Entry } from "./session-log.ts";

export interface Conversation {
  readonly items: readonly Item[];
  /** Calls without an output, oldest first; `begun`: their tool was started. */
  readonly open: readonly { readonly call: Call; readonly begun: boolean }[];
}

const empty: Conversation = { items: [], open: [] };

/** Where what nobody has answered yet begins. */
const unansweredFrom = (items: readonly Item[]): number => items.findLastIndex((item) => item.type !== "message" || item.role === "assistant") + 1;

const added = (conversation: Conversation, entry: Entry, prompt: string, words: AgentWords): Conversation => {
  const { items, open } = conversation;
  switch (entry.type) {
    case "turn": return { ...conversation, items: [...items, told("user", words.turn(entry.prompt, entry.notes))] };
    case "said": return { ...conversation, items: [...items, entry.item] };
    case "answer": {
      // Without its encrypted content a thought cannot be passed back: nothing is stored at the provider.
      const kept = entry.items.some((item) => item.type === "reasoning" && item.encrypted_content === undefined) ? withoutThoughts(entry.items) : entry.items;
      return { items: [...items, ...kept], open: callsIn(entry.items).map((call) => ({ call, begun: false })) };
    }
    case "call": return { ...conversation, open: open.map((each) => (each.call.call_id === entry.id ? { ...each, begun: true } : each)) };
    case "output": return { items: [...items, { type: "function_call_output", call_id: entry.id, output: entry.output }], open: open.filter(({ call }) => call.call_id !== entry.id) };
    // What was asked stays word for word, and so does what was said since the last answer.
    case "summary": return { items: [told("user", prompt), told("user", words.summary(entry.text)), ...items.slice(unansweredFrom(items)).filter((item) => !(item.type === "message" && item.role === "user" && item.content === prompt))], open };
    case "request": case "trouble": case "end": return conversation;
  }
};

export const conversationOf = (entries: readonly Entry[], words: AgentWords): Conversation => {
  let conversation = empty, prompt = "";
  for (const entry of entries) {
    if (entry.type === "turn") prompt = words.turn(entry.prompt, entry.notes);
    conversation = added(conversation, entry, prompt, words);
  }
  return conversation;
};

/** Characters of an output that a conversation keeps when it is about to be summed up. */
const elidedOutput = 1_500;

const cut = (item: Item): Item => {
  if (item.type === "function_call_output" && item.output.length > elidedOutput) return { ...item, output: `${item.output.slice(0, elidedOutput / 2).toWellFormed()}\n[… cut …]\n${item.output.slice(-elidedOutput / 2).toWellFormed()}` };
  // Arguments may hold whole files.
  if (item.type === "function_call" && item.arguments.length > elidedOutput) return { ...item, arguments: JSON.stringify({ cut: `${item.arguments.slice(0, elidedOutput).toWellFormed()}…` }) };
  return item;
};

/**
 * The same conversation, short enough to be summed up by the model that it has become too long for: the task, and of the rest the latest that fits.
 * Without thoughts: those are for going on; a summary is made of what was said and done.
 */
export const elided = (items: readonly Item[], budget: number): readonly Item[] => {
  const [task, ...rest] = withoutThoughts(items).map(cut);
  if (task === undefined) return [];
  let room = budget - tokensIn(JSON.stringify(task)), from = rest.length;
  for (; from > 0; from--) {
    room -= tokensIn(JSON.stringify(rest[from - 1]));
    if (room < 0) break;
  }
  const kept = rest.slice(from), called = new Set(kept.flatMap((item) => (item.type === "function_call" ? [item.call_id] : [])));
  return [task, ...kept.filter((item) => item.type !== "function_call_output" || called.has(item.call_id))];
};
