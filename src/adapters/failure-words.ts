/** What the last words of a CLI mean that ends with another code than 0 and a sentence, whose wording is documented nowhere. */
import type { AgentFailure } from "../domain/agent.ts";

/** undefined: nothing that is known by its words. */
export const failureIn = (message: string): AgentFailure | undefined => {
  if (/\b(?:chat|session|conversation)\b.*\b(?:not found|does not exist)\b/i.test(message)) return { kind: "badSession", message };
  if (/rate.?limit|too many requests|\b429\b|usage limit|resource_exhausted/i.test(message)) return { kind: "rateLimited", until: null, message };
  if (/not logged in|authentication required|unauthori[sz]ed|unauthenticated|api key|\b401\b|\b403\b/i.test(message)) return { kind: "auth", message };
  if (/overloaded|at capacity|\b503\b|\b529\b/i.test(message)) return { kind: "overloaded", message };
  if (/unknown option|invalid (?:option|argument)|workspace trust/i.test(message)) return { kind: "spawn", message };
  if (/\bmodel\b.*\b(?:not found|not available|unknown|invalid|unsupported)\b|cannot use this model/i.test(message)) return { kind: "model", message };
  if (/ECONN|ENOTFOUND|EAI_AGAIN|socket hang up|network|timed? ?out|\b50[024]\b/i.test(message)) return { kind: "network", message };
  return undefined;
};
