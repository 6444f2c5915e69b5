/** What an agent CLI says to a hook on its standard input: JSON of its own making, cut and checked before anything is done with it. */
import { isAbsolute } from "node:path";
import type { Readable } from "node:stream";
import { z } from "zod";
import type { StopCause } from "../domain/stop-policy.ts";

/** Bytes; the longest last message of an agent is far shorter. */
const mostInput = 4 * 1_024 * 1_024;

/** Claude Code and codex use the same names. */
export const HookInput = z.looseObject({
  session_id: z.string().max(200),
  cwd: z.string().max(4_096).refine(isAbsolute).optional().catch(undefined),
  hook_event_name: z.string().optional().catch(undefined),
  last_assistant_message: z.string().catch(""),
  /** Of a failed turn. */
  error: z.string().catch(""),
});
export type HookInput = z.infer<typeof HookInput>;

/** Rejects what is no JSON object with a session, or too long. */
export const readHookInput = async (input: Readable): Promise<HookInput> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of input) {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    size += bytes.length;
    if (size > mostInput) throw new Error(`the CLI said more than ${mostInput} bytes`);
    parts.push(bytes);
  }
  const parsed = HookInput.safeParse(JSON.parse(Buffer.concat(parts).toString("utf8")));
  if (!parsed.success) throw new Error("the CLI said nothing of a session");
  return parsed.data;
};

/** Why it stops. Only a failed turn says something else than that it is done. */
export const causeOf = ({ hook_event_name: event, error, last_assistant_message: said }: HookInput): StopCause => {
  if (/prompt is too long|context (window|length|limit)/i.test(`${error} ${said.slice(0, 500)}`) && event === "StopFailure") return "contextExhausted";
  if (event !== "StopFailure") return "normal";
  if (/auth|login|401|403|oauth/i.test(`${error} ${said.slice(0, 500)}`)) return "auth";
  return /rate.?limit|429|529|overloaded|usage limit/i.test(`${error} ${said.slice(0, 500)}`) ? "rateLimited" : "aborted";
};

/** Its last words want an answer: a question of the factory's own form, or one that ends the message. */
export const asksHuman = ({ last_assistant_message: said }: HookInput): boolean => /^```enact-question\s/m.test(said) || /\?\s*$/.test(said);
