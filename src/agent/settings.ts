/** How the model is reached and what a turn may use, from the environment that the adapter has made. */
import { z } from "zod";
import { Effort } from "../domain/agent.ts";

const count = (otherwise: number): z.ZodType<number> => z.coerce.number().int().positive().default(otherwise);

/** Every variable that the agent reads; what each means is in docs/adapters/responses.md. */
const Environment = z.object({
  ENACT_RESPONSES_BASE_URL: z.url(),
  ENACT_RESPONSES_API_KEY: z.string().min(1),
  ENACT_RESPONSES_MODEL: z.string().min(1).default("auto"),
  ENACT_RESPONSES_CONTEXT_TOKENS: z.coerce.number().int().positive().optional(),
  ENACT_RESPONSES_REASONING_EFFORT: z.enum(["none", ...Effort.options]).optional(),
  ENACT_RESPONSES_MAX_REQUESTS: count(200),
  ENACT_RESPONSES_MAX_RETRIES: count(5),
  ENACT_RESPONSES_MAX_COMPACTIONS: count(20),
  ENACT_RESPONSES_MAX_VERIFICATIONS: count(2),
  ENACT_RESPONSES_RETRY_BASE_MS: count(1_000),
  ENACT_RESPONSES_RETRY_MAX_MS: count(30_000),
  ENACT_RESPONSES_PATIENCE_MS: count(120_000),
  ENACT_RESPONSES_IDLE_TIMEOUT_MS: count(290_000),
  ENACT_RESPONSES_COMMAND_TIMEOUT_MS: count(600_000),
});

export interface Settings {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  /** Tokens that the model takes in; undefined: what is known of it. */
  readonly window: number | undefined;
  readonly effort: "none" | Effort | undefined;
  readonly caps: { readonly requests: number; readonly retries: number; readonly compactions: number; readonly verifications: number };
  readonly backoff: { readonly retryBaseMs: number; readonly retryMaxMs: number; readonly patienceMs: number };
  /** Milliseconds without a sign of the provider: before its answer begins, and between two events of it. */
  readonly idleMs: number;
  /** The longest that a command may take. */
  readonly commandMs: number;
}

/** The address of the API: a gateway is named with or without its `/v1`. */
export const apiAddress = (base: string): string => {
  const bare = base.replace(/\/+$/, "");
  return /\/v\d+$/.test(bare) ? bare : `${bare}/v1`;
};

export const settingsIn = (env: Readonly<Record<string, string | undefined>>): Settings | { readonly problem: string } => {
  const parsed = Environment.safeParse(env);
  // Names and rules, never values: one of them is the key.
  if (!parsed.success) return { problem: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ") };
  const e = parsed.data;
  return {
    baseUrl: apiAddress(e.ENACT_RESPONSES_BASE_URL), key: e.ENACT_RESPONSES_API_KEY, model: e.ENACT_RESPONSES_MODEL, window: e.ENACT_RESPONSES_CONTEXT_TOKENS, effort: e.ENACT_RESPONSES_REASONING_EFFORT,
    caps: { requests: e.ENACT_RESPONSES_MAX_REQUESTS, retries: e.ENACT_RESPONSES_MAX_RETRIES, compactions: e.ENACT_RESPONSES_MAX_COMPACTIONS, verifications: e.ENACT_RESPONSES_MAX_VERIFICATIONS },
    backoff: { retryBaseMs: e.ENACT_RESPONSES_RETRY_BASE_MS, retryMaxMs: e.ENACT_RESPONSES_RETRY_MAX_MS, patienceMs: e.ENACT_RESPONSES_PATIENCE_MS },
    idleMs: e.ENACT_RESPONSES_IDLE_TIMEOUT_MS, commandMs: e.ENACT_RESPONSES_COMMAND_TIMEOUT_MS,
  };
};
