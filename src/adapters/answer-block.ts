/**
 * The typed answer of an agent whose CLI has no schema of its own: one fenced block that ends its final message.
 *
 *     ```enact-verdict      JSON of a Verdict
 *     ```enact-audit        JSON of an Audit
 *     ```enact-question     plain text
 *     ```enact-plan         JSON of a TeamPlan
 *     ```enact-criteria     JSON of a TeamCriteria
 *     ```enact-message to=NAME   plain text for another member of the team; any number of these may stand before the answer, or alone
 *
 * The message is written by a model that has read hostile text, so the rule is narrow:
 * I1 Only a block that is the last thing of the message counts, and the messages that stand right before it; a block that is followed by any
 *    other text is a quotation.
 * I2 Only a fence at the top level counts. Fences are read from the start as Markdown reads them, so a block inside another fence (a quoted
 *    file, a diff, one cut off in the middle) is content of that fence. A stray fence in quoted text can therefore hide an answer, never forge one.
 * I3 The body must satisfy its schema exactly; otherwise there is no answer, and the reason says why. Prose is never interpreted.
 */
import { z } from "zod";
import type { AgentEvent } from "../domain/agent.ts";
import { TeamCriteria, TeamMessage, TeamPlan } from "../domain/team-answers.ts";
import { Audit, Verdict } from "../domain/verdict.ts";

type Answer =
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "audit"; readonly audit: Audit }
  | { readonly kind: "plan"; readonly plan: TeamPlan }
  | { readonly kind: "criteria"; readonly criteria: TeamCriteria }
  | { readonly kind: "question"; readonly text: string };

type AnswerBlock =
  /** `before`: the message without the blocks. `answer` null: messages alone. */
  | { readonly found: "answer"; readonly answer: Answer | null; readonly messages: readonly TeamMessage[]; readonly before: string }
  /** The message ends with a block of ours that cannot be used. */
  | { readonly found: "malformed"; readonly reason: string }
  | { readonly found: "none" };

/** As an event of the stream. */
const answered = (answer: Answer): AgentEvent => {
  switch (answer.kind) {
    case "question": return { type: "question", text: answer.text };
    case "verdict": return { type: "verdict", verdict: answer.verdict };
    case "audit": return { type: "audit", audit: answer.audit };
    case "plan": return { type: "plan", plan: answer.plan };
    case "criteria": return { type: "criteria", criteria: answer.criteria };
  }
};

interface Fence { readonly character: string; readonly length: number; readonly info: string; readonly line: number }

const opening = (text: string, line: number): Fence | undefined => {
  const match = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(text);
  const marks = match?.[1];
  if (marks === undefined) return undefined;
  const info = (match?.[2] ?? "").trim();
  const character = marks.charAt(0);
  // A backtick in the info string makes the line inline code, not a fence.
  return character === "`" && info.includes("`") ? undefined : { character, length: marks.length, info, line };
};

const closes = (text: string, fence: Fence): boolean => {
  const marks = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(text)?.[1];
  return marks !== undefined && marks.charAt(0) === fence.character && marks.length >= fence.length;
};

interface Closed { readonly fence: Fence; readonly end: number }

/** The fences at the end, with nothing but blank lines between and after them. */
const lastFences = (lines: readonly string[]): readonly Closed[] => {
  let open: Fence | undefined;
  let run: Closed[] = [];
  for (const [n, text] of lines.entries()) {
    if (open !== undefined) {
      if (closes(text, open)) { run.push({ fence: open, end: n }); open = undefined; }
    } else if (text.trim() !== "") {
      open = opening(text, n);
      if (open === undefined) run = [];
    }
  }
  return open === undefined ? run : [];
};

const json = <T>(schema: z.ZodType<T>, body: string): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string } => {
  let value: unknown;
  try { value = JSON.parse(body); } catch { return { ok: false, reason: "it is not JSON" }; }
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, reason: z.prettifyError(parsed.error).replaceAll("\n", " ") };
};

/** `enact-message to=NAME`: whom, or undefined when it is no message. */
const addressee = (info: string): string | undefined => /^enact-message(?:\s+to=(\S*))?\s*$/.exec(info)?.slice(1).map((to) => to ?? "")[0];

const answerOf = (info: string, body: string): Answer | string | undefined => {
  const typed = <T>(schema: z.ZodType<T>, made: (value: T) => Answer): Answer | string => {
    const value = json(schema, body);
    return value.ok ? made(value.value) : `the ${info} block cannot be used: ${value.reason}`;
  };
  switch (info) {
    case "enact-verdict": return typed(Verdict.strict(), (verdict) => ({ kind: "verdict", verdict }));
    case "enact-audit": return typed(Audit.strict(), (audit) => ({ kind: "audit", audit }));
    case "enact-plan": return typed(TeamPlan, (plan) => ({ kind: "plan", plan }));
    case "enact-criteria": return typed(TeamCriteria, (criteria) => ({ kind: "criteria", criteria }));
    case "enact-question": return body.trim() === "" ? "the enact-question block is empty" : { kind: "question", text: body.trim() };
    default: return undefined;
  }
};

/** Reads the answer, and the messages before it, off the final message of an agent. */
export const answerBlock = (message: string): AnswerBlock => {
  const lines = message.split(/\r\n|\n|\r/);
  const blocks = lastFences(lines);
  const last = blocks.at(-1);
  if (last === undefined || last.fence.character !== "`") return { found: "none" };
  const bodyOf = ({ fence, end }: Closed): string => lines.slice(fence.line + 1, end).join("\n");
  const isLetter = ({ fence }: Closed): boolean => fence.character === "`" && addressee(fence.info) !== undefined;
  const answer = isLetter(last) ? null : answerOf(last.fence.info, bodyOf(last));
  if (answer === undefined) return { found: "none" };
  if (typeof answer === "string") return { found: "malformed", reason: answer };
  const above = answer === null ? blocks : blocks.slice(0, -1);
  const letters = above.slice(above.findLastIndex((block) => !isLetter(block)) + 1);
  const messages: TeamMessage[] = [];
  for (const block of letters) {
    const parsed = TeamMessage.safeParse({ to: addressee(block.fence.info) ?? "", text: bodyOf(block).trim() });
    // A letter to nobody costs the answer nothing.
    if (parsed.success) messages.push(parsed.data);
  }
  const first = letters[0] ?? last;
  return { found: "answer", answer, messages, before: lines.slice(0, first.fence.line).join("\n").trim() };
};

/** The closing events of a final message: its typed block, if it ends with one, and what it says. */
export const closingEvents = (text: string): readonly AgentEvent[] => {
  const block = answerBlock(text);
  switch (block.found) {
    case "none": return [{ type: "result", text }];
    case "malformed": return [{ type: "garbage", line: block.reason }, { type: "result", text }];
    case "answer": return [...block.messages.map((message): AgentEvent => ({ type: "message", message })), ...(block.answer === null ? [] : [answered(block.answer)]), { type: "result", text: block.before }];
  }
};
