/**
 * The typed answer of an agent whose CLI has no schema of its own: one fenced block that ends its final message.
 *
 *     ```enact-verdict      JSON of a Verdict
 *     ```enact-audit        JSON of an Audit
 *     ```enact-question     plain text
 *
 * The message is written by a model that has read hostile text, so the rule is narrow:
 * I1 Only a block that is the last thing of the message counts; a block that is followed by any other text is a quotation.
 * I2 Only a fence at the top level counts. Fences are read from the start as Markdown reads them, so a block inside another fence (a quoted
 *    file, a diff, one cut off in the middle) is content of that fence. A stray fence in quoted text can therefore hide an answer, never forge one.
 * I3 The body must satisfy its schema exactly; otherwise there is no answer, and the reason says why. Prose is never interpreted.
 */
import { z } from "zod";
import { Audit, Verdict } from "../domain/verdict.ts";

type Answer =
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "audit"; readonly audit: Audit }
  | { readonly kind: "question"; readonly text: string };

type AnswerBlock =
  /** `before`: the message without the block. */
  | { readonly found: "answer"; readonly answer: Answer; readonly before: string }
  /** The message ends with a block of ours that cannot be used. */
  | { readonly found: "malformed"; readonly reason: string }
  | { readonly found: "none" };

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

/** The fence that closes on the last non-blank line, if one does. */
const lastFence = (lines: readonly string[]): { readonly fence: Fence; readonly end: number } | undefined => {
  let open: Fence | undefined;
  let closed: { fence: Fence; end: number } | undefined;
  for (const [n, text] of lines.entries()) {
    if (open !== undefined) {
      if (closes(text, open)) { closed = { fence: open, end: n }; open = undefined; }
    } else if (text.trim() !== "") {
      closed = undefined;
      open = opening(text, n);
    }
  }
  return closed;
};

const json = <T>(schema: z.ZodType<T>, body: string): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string } => {
  let value: unknown;
  try { value = JSON.parse(body); } catch { return { ok: false, reason: "it is not JSON" }; }
  const parsed = schema.safeParse(value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, reason: z.prettifyError(parsed.error).replaceAll("\n", " ") };
};

/** Reads the answer off the final message of an agent. */
export const answerBlock = (message: string): AnswerBlock => {
  const lines = message.split(/\r\n|\n|\r/);
  const last = lastFence(lines);
  if (last === undefined || last.fence.character !== "`") return { found: "none" };
  const { fence, end } = last;
  const body = lines.slice(fence.line + 1, end).join("\n");
  const before = lines.slice(0, fence.line).join("\n").trim();
  switch (fence.info) {
    case "enact-verdict": {
      const verdict = json(Verdict.strict(), body);
      return verdict.ok ? { found: "answer", answer: { kind: "verdict", verdict: verdict.value }, before } : { found: "malformed", reason: `the enact-verdict block cannot be used: ${verdict.reason}` };
    }
    case "enact-audit": {
      const audit = json(Audit.strict(), body);
      return audit.ok ? { found: "answer", answer: { kind: "audit", audit: audit.value }, before } : { found: "malformed", reason: `the enact-audit block cannot be used: ${audit.reason}` };
    }
    case "enact-question": {
      const text = body.trim();
      return text === "" ? { found: "malformed", reason: "the enact-question block is empty" } : { found: "answer", answer: { kind: "question", text }, before };
    }
    default:
      return { found: "none" };
  }
};
