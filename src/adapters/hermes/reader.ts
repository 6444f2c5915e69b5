/**
 * Reads one run of `hermes chat --quiet`, whose standard output is the final answer as text and nothing else.
 *
 * Owns: what one run's lines have said so far. Talks to nobody; it has no clock and no files.
 * I1 The same lines and the same end give the same events.
 * I2 Nothing throws, and no line is an event: what looks like one is text of the agent.
 * I3 A `result` comes only from an exit with 0. The session is named at the end of the error output, so it is told last of all.
 * I4 Tools, tokens and cost are no part of what is documented, so none are told.
 */
import { stripVTControlCharacters } from "node:util";
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { StreamEnd, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { failureIn } from "../failure-words.ts";

/** The line of the error output that names the session; the last one counts. */
const sessionIn = (errorTail: string): string | undefined => [...errorTail.matchAll(/^session_id: ([A-Za-z0-9][\w.-]*)\s*$/gm)].at(-1)?.[1];

/** The last line that begins with `Error:`, else all that was said but the session. */
const lastWords = (errorTail: string): string => {
  const lines = errorTail.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("session_id:"));
  return lines.findLast((line) => line.startsWith("Error:")) ?? lines.join("\n");
};

export const hermesReader = (turn: TurnRequest): StreamReader => {
  const said: string[] = [];

  const line = (text: string): readonly AgentEvent[] => {
    said.push(text);
    return text.trim() === "" ? [] : [{ type: "text", text }];
  };

  const failed = ({ exit }: StreamEnd, words: string): AgentFailure => {
    if (exit.lost) return { kind: "crashed", exitCode: null, signal: null, message: "the run is gone without an exit" };
    const known = exit.signal === null && exit.code !== 130 ? failureIn(words) : undefined;
    return known ?? { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: words === "" ? "hermes ended without a result" : words };
  };

  const end = (ended: StreamEnd): readonly AgentEvent[] => {
    const errors = stripVTControlCharacters(ended.errorTail), sessionId = sessionIn(errors), text = said.join("\n").trim();
    const session: readonly AgentEvent[] = sessionId === undefined ? [] : [{ type: "session", sessionId, ...(turn.model === null ? {} : { model: turn.model }) }];
    const { code, signal, lost } = ended.exit;
    if (code !== 0 || signal !== null || lost) return [...session, { type: "failure", failure: failed(ended, lastWords(errors)) }];
    return [...session, ...(text === "" ? [{ type: "failure" as const, failure: { kind: "noResult" as const, message: "hermes ended its turn without a word" } }] : closingEvents(text))];
  };

  return { line, end };
};
