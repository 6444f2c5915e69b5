/** What a failed request means: whether another try may help, after how long, and what the turn ends as when it does not. */
import OpenAI from "openai";
import type { AgentFailure } from "../domain/agent.ts";

export interface Trouble { readonly trouble: "again" | "tooLong" | "final"; readonly afterMs: number | null; readonly failure: AgentFailure; /** The model's thoughts cannot be passed back. */ readonly thoughtless?: boolean }

/** What is known of a failure, from the status line, the body or an event of the stream. */
interface Fault { readonly status: number | undefined; readonly code: string; readonly message: string; readonly afterMs: number | null; readonly now: number }

const tooLongCodes = /context_length|string_above_max_length|too_many_tokens|request_too_large/;
const tooLongWords = /context (?:length|window)|maximum context|(?:prompt|input) is too long|too many (?:input )?tokens|exceeds? the (?:model's )?(?:maximum|limit of).*tokens/i;
const quotaCodes = /insufficient_quota|billing|quota_exceeded|credit/;

const again = (failure: AgentFailure, afterMs: number | null): Trouble => ({ trouble: "again", afterMs, failure });
const final = (failure: AgentFailure): Trouble => ({ trouble: "final", afterMs: null, failure });

/** The status decides; without one the code; without either the connection is to blame. */
const troubleOf = ({ status, code, message, afterMs, now }: Fault): Trouble => {
  const limited = (): Trouble => again({ kind: "rateLimited", until: afterMs === null ? null : now + afterMs, message }, afterMs);
  // A quota is not a rate: waiting mends nothing, a person does.
  if (quotaCodes.test(code)) return final({ kind: "auth", message });
  if (status === 401 || status === 402 || status === 403 || /invalid_api_key|authentication|permission/.test(code)) return final({ kind: "auth", message });
  if (status === 413 || tooLongCodes.test(code) || ((status === 400 || status === 422 || status === undefined) && tooLongWords.test(message))) return { trouble: "tooLong", afterMs: null, failure: { kind: "contextFull", message } };
  if (status === 429 || /rate_limit/.test(code)) return limited();
  if (status === 503 || status === 529 || /overloaded|unavailable/.test(code)) return again({ kind: "overloaded", message }, afterMs);
  if (status === 400 && /encrypted/i.test(message)) return { ...again({ kind: "model", message }, null), thoughtless: true };
  if (status === 408 || status === 409 || (status !== undefined && status >= 500) || /server_error|timeout/.test(code)) return again({ kind: "network", message }, afterMs);
  if (status !== undefined && status >= 400) return final({ kind: "model", message });
  // An event of the stream names the request's own fault by its code.
  if (/invalid|policy|image|not_found|unsupported/.test(code)) return final({ kind: "model", message });
  return again({ kind: "network", message }, afterMs);
};

/** Milliseconds that a server asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date. */
export const retryAfter = (headers: Headers | undefined, now: number): number | null => {
  const ms = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return Math.ceil(ms);
  const named = headers?.get("retry-after") ?? null;
  if (named === null || named.trim() === "") return null;
  const seconds = Number(named);
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1_000) : null;
  const at = Date.parse(named);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
};

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** The words of a connection that failed: fetch hides them in its cause. */
const causeOf = (error: unknown): string => {
  const parts: string[] = [];
  for (let each: unknown = error, n = 0; each instanceof Error && n < 4; each = each.cause, n++) parts.push("code" in each && typeof each.code === "string" ? each.code : each.message);
  return [...new Set(parts)].filter((part) => part !== "").join(": ");
};

/** Of what the client threw. `now`: for a server that names a date. */
export const troubleOfError = (error: unknown, now: number): Trouble => {
  if (error instanceof OpenAI.APIConnectionError) return again({ kind: "network", message: causeOf(error) }, null);
  if (error instanceof OpenAI.APIError) return troubleOf({ status: error.status, code: `${text(error.code)} ${text(error.type)}`, message: error.message, afterMs: retryAfter(error.headers, now), now });
  if (error instanceof SyntaxError) return again({ kind: "network", message: "the provider's stream is not readable" }, null);
  return again({ kind: "network", message: causeOf(error) || String(error) }, null);
};

/** Of what a response says about its own failure. */
export const troubleOfCode = (code: string, message: string): Trouble => troubleOf({ status: undefined, code, message, afterMs: null, now: 0 });
