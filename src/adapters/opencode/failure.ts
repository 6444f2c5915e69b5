/** What an error of the CLI means: of the model's server, with its status, or of its own, by name. */
import type { AgentFailure } from "../../domain/agent.ts";
import type { OpencodeError } from "./line.ts";

/** Headers of the answer say when to ask again: in seconds, milliseconds, or at a time. `at`: when the answer came. */
const untilIn = (headers: Readonly<Record<string, string>>, at: number): number | null => {
  const [ms, after] = [headers["retry-after-ms"], headers["retry-after"]].map((value) => value?.trim() ?? "");
  if (ms !== undefined && /^\d+(\.\d+)?$/.test(ms)) return at + Math.ceil(Number(ms));
  if (after === undefined || after === "") return null;
  if (/^\d+(\.\d+)?$/.test(after)) return at + Math.ceil(Number(after) * 1_000);
  const time = Date.parse(after);
  return Number.isNaN(time) ? null : time;
};

export const aboutSession = (text: string): boolean => /Session not found/i.test(text);
/** The user's own configuration cannot be used; nothing was begun. */
export const aboutConfiguration = (text: string): boolean => /Configuration is invalid|ConfigInvalidError|ConfigJsonError|is not valid JSON|bad file reference/i.test(text);
/** It shows how it is called: it was given an option that this version does not have. Nothing was begun. */
export const aboutOptions = (text: string): boolean => /^--(?:format|title|auto|session)\b.+\[(?:string|boolean)\]/m.test(text);
/** Two that start at once in a new home, or after an update, both make its database, and one of them gives up. */
export const aboutDatabase = (text: string): boolean => /Failed query:|database is locked|SQLITE_BUSY/.test(text);
export const aboutModel = (text: string): boolean => /ProviderModelNotFoundError|Model not found/i.test(text);
const aboutLogin = (text: string): boolean => /api key|unauthori[sz]ed|authentication|LoadAPIKeyError/i.test(text);

const ofServer = (status: number, message: string, body: string, until: number | null): AgentFailure => {
  // A quota that is used up is answered with 429 too, and no waiting helps.
  if (/insufficient_quota/.test(body)) return { kind: "auth", message };
  if (status === 429) return { kind: "rateLimited", until, message };
  if (status === 503 || status === 529 || /overloaded/i.test(message)) return { kind: "overloaded", message };
  if (status === 401 || status === 402 || status === 403) return { kind: "auth", message };
  if (status === 408 || status >= 500) return { kind: "network", message };
  return { kind: "model", message };
};

/** What a turn that failed for good says; `at`: when. `log`: the CLI's log, which alone knows what an error without a name was. */
export const turnFailure = ({ name, data }: OpencodeError, at: number, log: string): AgentFailure => {
  const message = data.message === "" ? name : data.message, status = data.statusCode;
  switch (name) {
    case "ContextOverflowError": return { kind: "contextFull", message };
    case "ProviderAuthError": return { kind: "auth", message };
    case "MessageOutputLengthError": return { kind: "overlong", message: "its answer was cut at the length that its model may give" };
    case "ContentFilterError": case "StructuredOutputError": return { kind: "model", message };
    case "MessageAbortedError": return { kind: "crashed", exitCode: null, signal: null, message };
    default:
      if (status !== undefined) return ofServer(status, message, data.responseBody ?? "", untilIn(data.responseHeaders, at));
      if (aboutModel(message)) return { kind: "model", message };
      if (message.startsWith("Unexpected server error") && aboutModel(log)) return { kind: "model", message: "opencode does not know this model" };
      if (/rate.?limit|too many requests/i.test(message)) return { kind: "rateLimited", until: null, message };
      if (/overloaded|unavailable|exhausted/i.test(message)) return { kind: "overloaded", message };
      if (aboutLogin(message)) return { kind: "auth", message };
      // What is left came from the way to the server, or from a stream that could not be read; a refusal has a status.
      return { kind: "network", message };
  }
};
