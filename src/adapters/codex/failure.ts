/** What the CLI's last words mean. It has no codes: one sentence is all that it says of an error, on its stream or as the end of its error output. */
import type { AgentFailure } from "../../domain/agent.ts";

/** `unexpected status 503 …`, `exceeded retry limit, last status: 429 …`. */
const statusIn = (message: string): number | null => {
  const status = /\b(?:unexpected status|last status:) (\d{3})\b/.exec(message)?.[1];
  return status === undefined ? null : Number(status);
};

const units: ReadonlyMap<string, number> = new Map([["ms", 1], ["s", 1_000], ["second", 1_000], ["m", 60_000], ["minute", 60_000], ["h", 3_600_000], ["hour", 3_600_000], ["day", 86_400_000]]);
const unitMs = (unit: string): number => units.get(unit) ?? units.get(unit.replace(/s$/, "")) ?? Number.NaN;

/** `try again in 1.5s`, `try again in 2 days 3 hours`: milliseconds. */
const delayIn = (message: string): number | null => {
  const said = /try again in ((?:\d+(?:\.\d+)?\s?[a-z]+(?:,? |, and )?)+)/i.exec(message)?.[1];
  if (said === undefined) return null;
  const sum = [...said.matchAll(/(\d+(?:\.\d+)?)\s?([a-z]+)/gi)].reduce((all, [, amount, unit]) => all + Number(amount) * unitMs((unit ?? "").toLowerCase()), 0);
  return Number.isNaN(sum) ? null : Math.ceil(sum);
};

/** `try again at 5:46 PM`, of today; `try again at Mar 17th, 2030 5:46 PM`. The CLI writes the time of this machine's zone. */
const timeIn = (message: string, at: number): number | null => {
  const said = /[Tt]ry again at (?:([A-Z][a-z]{2}) (\d{1,2})(?:st|nd|rd|th), (\d{4}) )?(\d{1,2}:\d{2} [AP]M)/.exec(message);
  if (said === null) return null;
  const [, month, day, year, time] = said;
  if (month !== undefined) { const until = Date.parse(`${month} ${day} ${year} ${time}`); return Number.isNaN(until) ? null : until; }
  const today = new Date(at), until = Date.parse(`${today.toDateString()} ${time}`);
  // It names minutes: what is past by less than one is now, anything earlier is tomorrow's.
  return Number.isNaN(until) ? null : until > at - 60_000 ? until : new Date(until).setDate(today.getDate() + 1);
};

export const untilIn = (message: string, at: number): number | null => {
  const delay = delayIn(message);
  return delay === null ? timeIn(message, at) : at + delay;
};

export const aboutLimit = (message: string): boolean => /usage limit|rate limit/i.test(message) || statusIn(message) === 429;

/** `Error: thread/resume: …no rollout found for thread id`: it never existed, or was deleted or archived. */
export const aboutSession = (text: string): boolean => /no rollout found for thread id|thread\/resume failed|session \S+ is archived|No saved session found/i.test(text);
export const aboutLogin = (text: string): boolean => /Missing environment variable|Not logged in|Please run .?codex login|refresh token|Missing bearer or basic authentication/i.test(text);
/** The user's own configuration cannot be used; nothing was begun. */
export const aboutConfiguration = (text: string): boolean => /Error loading config|error: invalid value|error: unexpected argument|failed to load configuration|Model provider .* not found/i.test(text);

/** What a turn that failed for good says. `at`: when, for times of day; `hasPast`: its session holds more than a first prompt. */
export const turnFailure = (message: string, { at, hasPast }: { readonly at: number; readonly hasPast: boolean }): AgentFailure => {
  const status = statusIn(message);
  if (aboutLimit(message)) return { kind: "rateLimited", until: untilIn(message, at), message };
  if (/ran out of room in the model's context window/.test(message)) return { kind: hasPast ? "contextFull" : "model", message };
  if (status === 529 || status === 503 || /currently experiencing high demand|at capacity|capacity is unavailable|overloaded/i.test(message)) return { kind: "overloaded", message };
  if (status === 401 || status === 402 || status === 403 || /Quota exceeded|To use Codex with your ChatGPT plan/.test(message) || aboutLogin(message)) return { kind: "auth", message };
  if (status === 408 || (status !== null && status >= 500)) return { kind: "network", message };
  if (status !== null) return { kind: "model", message };
  if (/stream disconnected|error sending request|Connection failed|idle timeout|timed? ?out|network|lookup address/i.test(message)) return { kind: "network", message };
  // What is left came from the server, about the request: a model it does not know, a prompt it refuses, the body of a 400 as it was.
  return { kind: "model", message };
};
