import type { AgentFailure } from "../../domain/agent.ts";

/** What the CLI said about an API call that failed for good. */
export interface ApiError {
  readonly message: string;
  /** HTTP status; null when there was no answer. */
  readonly status: number | null;
  /** The CLI's own class of error, from its synthetic assistant message. */
  readonly class: string | null;
  /** When the limit ends (milliseconds since the epoch), when the CLI or the server said so. */
  readonly until: number | null;
}

const authClasses: ReadonlySet<string> = new Set(["authentication_failed", "oauth_org_not_allowed", "account_on_hold", "verification_required", "billing_error", "cloud_credential_error"]);
const modelClasses: ReadonlySet<string> = new Set(["invalid_request", "model_not_found"]);

/** The status decides; without one, the CLI's class; without either the connection is to blame. */
export const apiFailure = ({ message, status, class: kind, until }: ApiError): AgentFailure => {
  if (status === 429 || (status === null && kind === "rate_limit")) return { kind: "rateLimited", until, message };
  if (status === 529 || status === 503 || (status === null && kind === "overloaded")) return { kind: "overloaded", message };
  if (status === 401 || status === 402 || status === 403) return { kind: "auth", message };
  if (status === 408 || (status !== null && status >= 500)) return { kind: "network", message };
  if (kind === "max_output_tokens") return { kind: "overlong", message };
  if (kind !== null && authClasses.has(kind)) return { kind: "auth", message };
  if ((status !== null && status >= 400) || (kind !== null && modelClasses.has(kind))) return { kind: "model", message };
  return { kind: "network", message };
};

/** Messages of the CLI about a session it cannot open (unknown, or open elsewhere). */
export const aboutSession = (text: string): boolean => /No conversation found with session ID|Session ID \S+ is already in use/.test(text);
/** Messages of the CLI about a conversation that is longer than the model takes, once its own compaction could not help. */
export const aboutContext = (text: string): boolean => /^(API Error: )?(Prompt is too long|Request too large)/.test(text);
/** Messages of the CLI about a missing login. */
export const aboutLogin = (text: string): boolean => /Not logged in|Invalid API key|Please run \/login/.test(text);
/** It was given an option that this version does not have; nothing was begun. */
export const aboutOptions = (text: string): boolean => /^error: (?:unknown option|option '.*' argument '.*' is invalid)/m.test(text);
