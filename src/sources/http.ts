/**
 * One exchange with a tracker's HTTP interface. Owns: how long this tracker asked to be left alone. Talks to: that tracker only.
 *
 * I1 An answer is whole, of bounded size and in bounded time, or there is none. I2 No redirect is followed, so a token goes nowhere else; a sign-in page is a refusal.
 * I3 No message of ours contains the token. I4 A tracker that says to come later is not asked before.
 */
import { Effect } from "effect";
import type { ClockShape } from "../ports/clock.ts";
import { SourceDenied, SourceLimited, SourceMisread, type SourceTrouble, SourceUnavailable } from "../ports/source.ts";

export interface HttpOptions {
  readonly source: string;
  readonly clock: ClockShape;
  readonly headers: Readonly<Record<string, string>>;
  /** What to do when the token is refused. */
  readonly mend: string;
  /** Milliseconds one exchange may take; bytes of one answer. */
  readonly timeoutMs?: number;
  readonly mostBytes?: number;
}
export interface Sent { readonly method: "GET" | "POST" | "PATCH"; readonly url: string; readonly body?: unknown; readonly contentType?: string }
/** `json`: of a status that the caller may know what to do with: 2xx, 400, 404, 409, 412. */
export interface Answer { readonly status: number; readonly json: unknown }

const usualTimeoutMs = 60_000;
const usualMostBytes = 256 * 1024 * 1024;
/** A shorter delay is waited for, a longer one ends the operation. */
const shortDelayMs = 5_000;
/** A tracker's clock may be wrong by years; a day is longer than any limit. */
const longestDelayMs = 86_400_000;

export type Http = (sent: Sent) => Effect.Effect<Answer, SourceTrouble>;

export const makeHttp = ({ source, clock, headers, mend, timeoutMs = usualTimeoutMs, mostBytes = usualMostBytes }: HttpOptions): Http => {
  let notBefore = 0;
  const later = (answer: Response): number | undefined => retryAt(answer.headers.get("retry-after"), clock.now());

  const exchange = (sent: Sent): Effect.Effect<Answer, SourceTrouble> => Effect.flatMap(
    Effect.tryPromise({
      try: async (signal) => {
        const answer = await fetch(sent.url, {
          method: sent.method, redirect: "manual", signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
          headers: { accept: "application/json", ...headers, ...(sent.body === undefined ? {} : { "content-type": sent.contentType ?? "application/json" }) },
          ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
        });
        return { answer, text: await textOf(answer, mostBytes) };
      },
      catch: (error) => new SourceUnavailable({ source, message: `${source} does not answer: ${why(error)}` }),
    }),
    ({ answer, text }): Effect.Effect<Answer, SourceTrouble> => {
      const { status } = answer, html = /text\/html/i.test(answer.headers.get("content-type") ?? ""), asked = later(answer);
      if (asked !== undefined && asked - clock.now() > 0) notBefore = asked;
      // Signed out, Azure DevOps answers 203 or a redirect with a page for people.
      if (status === 401 || status === 203 || (status >= 300 && status < 400) || (status < 300 && html)) return Effect.fail(new SourceDenied({ source, message: `${source} does not know us (${status}): the token is wrong or has expired`, mend }));
      if (status === 429 || (status === 403 && (asked !== undefined || answer.headers.get("x-ratelimit-remaining") === "0"))) {
        const reset = Number(answer.headers.get("x-ratelimit-reset")) * 1_000, until = asked ?? (reset > clock.now() ? Math.min(reset, clock.now() + longestDelayMs) : clock.now() + 60_000);
        notBefore = until;
        return Effect.fail(new SourceLimited({ source, until, message: `${source} was asked too often; it answers again in ${Math.ceil((until - clock.now()) / 1_000)} s` }));
      }
      if (status === 403) return Effect.fail(new SourceDenied({ source, message: `${source} does not let us do this (403): ${messageOf(text)}`, mend }));
      if (status >= 500) return Effect.fail(new SourceUnavailable({ source, message: `${source} is in trouble (${status}): ${messageOf(text)}`, ...(asked === undefined ? {} : { retryAt: asked }) }));
      if (text === undefined) return Effect.fail(new SourceMisread({ source, message: `${source} answered more than ${mostBytes} bytes` }));
      try {
        return Effect.succeed({ status, json: text === "" ? null : JSON.parse(text) });
      } catch {
        return Effect.fail(new SourceMisread({ source, message: `${source} answered ${status} with no JSON` }));
      }
    },
  );

  return (sent) => Effect.suspend(() => {
    const waitMs = notBefore - clock.now();
    if (waitMs <= 0) return exchange(sent);
    if (waitMs > shortDelayMs) return Effect.fail(new SourceLimited({ source, until: notBefore, message: `${source} asked to be left alone for another ${Math.ceil(waitMs / 1_000)} s` }));
    return Effect.andThen(Effect.callback<void>((resume) => Effect.sync(clock.at(notBefore, () => resume(Effect.void)))), exchange(sent));
  });
};

/** Seconds, or a date. */
const retryAt = (header: string | null, now: number): number | undefined => {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header), at = Number.isFinite(seconds) ? now + seconds * 1_000 : Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(at, now), now + longestDelayMs);
};

const textOf = async ({ body }: Response, mostBytes: number): Promise<string | undefined> => {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    // What is left is cancelled with the loop.
    if (bytes > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
};

const why = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== "" ? cause.message : cause instanceof Error && "code" in cause ? String(cause.code) : error.message;
};

/** What the tracker itself says of its refusal; short, and no page. */
export const messageOf = (text: unknown): string => {
  let value: unknown = text;
  if (typeof text === "string") {
    try {
      value = JSON.parse(text);
    } catch {
      return text.trimStart().startsWith("<") ? "with a page" : text.slice(0, 200);
    }
  }
  return typeof value === "object" && value !== null && "message" in value && typeof value.message === "string" ? value.message.slice(0, 500) : "without a reason";
};
