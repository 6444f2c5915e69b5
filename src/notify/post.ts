import { Effect } from "effect";
import { NotifyFailed } from "../ports/notifier.ts";

/**
 * One POST of JSON to an address that somebody configured.
 *
 * I1 No redirect is followed: the body and its signature are for that address alone. I2 No error names the address: it may be a secret. I3 At most
 * `timeoutMs` and the first few bytes of an answer.
 */
export interface Answer { readonly status: number; readonly retryAfterMs: number | null; readonly body: string }

export const timeoutMs = 5_000;
const mostBytes = 4_096;
/** Nobody waits longer because a stranger says so. */
const longestMs = 6 * 3_600_000;

export const postJson = (url: string, body: string, headers: Readonly<Record<string, string>>, now: () => number): Effect.Effect<Answer, NotifyFailed> => Effect.tryPromise({
  try: async (aborted) => {
    const signal = AbortSignal.any([aborted, AbortSignal.timeout(timeoutMs)]);
    const response = await fetch(url, { method: "POST", redirect: "manual", signal, headers: { "content-type": "application/json; charset=utf-8", "user-agent": "enact-factory", ...headers }, body });
    return { status: response.status, retryAfterMs: retryAfter(response.headers.get("retry-after"), now()), body: await beginning(response) };
  },
  catch: (error) => new NotifyFailed({ message: why(error), retryAfterMs: null }),
});

/** Words of ours alone: an error of the network may quote the address. */
const why = (error: unknown): string => {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeoutMs / 1000} s`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
  return code === "ECONNREFUSED" ? "the connection was refused" : code === "ENOTFOUND" || code === "EAI_AGAIN" ? "its host is not found" : `it cannot be reached${/^[A-Z_0-9]+$/.test(code) ? ` (${code})` : ""}`;
};

/** Seconds or a date. */
export const retryAfter = (value: string | null, now: number): number | null => {
  if (value === null || value.trim() === "") return null;
  const seconds = Number(value), ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(value) - now;
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, longestMs) : null;
};

const beginning = async ({ body }: Response): Promise<string> => {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= mostBytes) break;
  }
  return text.slice(0, mostBytes);
};

/** What is wrong with an answer that is no success. */
export const refusal = ({ status }: Answer): string => (status >= 300 && status < 400 ? `it answered with a redirect (${status}), which is not followed` : `it answered ${status}`);
