/**
 * Reads one run of `cursor-agent --print --output-format stream-json`.
 *
 * Owns: what one run's lines have said so far. Talks to nobody; it has no clock and no files.
 * I1 The same lines and the same end give the same events.
 * I2 Nothing throws: a line that is no event is `garbage`, an event we have no use for gives nothing.
 * I3 A `result` comes only from a `result` line without an error, and is the last message: the line itself holds all messages run together.
 * I4 Tokens and cost are no part of the documented stream, so none are told.
 * I5 Each tool that ends has begun.
 */
import { stripVTControlCharacters } from "node:util";
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { StreamEnd, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { garbage } from "../garbage.ts";
import { failureIn } from "../failure-words.ts";
import { type CursorLine, parseLine } from "./line.ts";
import { toolEnd, toolStart } from "./tool.ts";

type LineOf<T extends CursorLine["type"]> = Extract<CursorLine, { type: T }>;

export const cursorReader = (turn: TurnRequest): StreamReader => {
  /** The last words of the agent; null: none yet. */
  let said: string | null = null;
  let completed = false;
  let failure: AgentFailure | undefined;
  const begun = new Set<string>(), ended = new Set<string>();

  const toolCall = ({ subtype, call_id: id, tool_call: call }: LineOf<"tool_call">): readonly AgentEvent[] => {
    const start = begun.has(id) ? [] : [toolStart(id, call, turn.cwd)];
    begun.add(id);
    if (subtype === "started" || ended.has(id)) return start;
    ended.add(id);
    const end = toolEnd(id, call);
    const rejected = Object.values(call).some(({ result }) => result !== undefined && ("rejected" in result || "permissionDenied" in result));
    return [...start, end, ...(rejected ? [{ type: "permissionDenied" as const, tool: end.name, detail: end.output ?? "" }] : [])];
  };

  const finished = ({ is_error: isError, subtype, result }: LineOf<"result">): readonly AgentEvent[] => {
    if (completed || failure !== undefined) return [];
    if (isError) {
      failure = failureIn(result) ?? { kind: "crashed", exitCode: null, signal: null, message: result === "" ? subtype : result };
      return [{ type: "failure", failure }];
    }
    const text = (said ?? result).trim();
    if (text === "") return [];
    completed = true;
    return closingEvents(text);
  };

  const line = (text: string): readonly AgentEvent[] => {
    if (text.trim() === "") return [];
    const parsed = parseLine(text);
    if (parsed === "ignored") return [];
    if (parsed === "garbage") return [garbage(text)];
    switch (parsed.type) {
      // The name that it shows is no id; prices are known by what was asked for.
      case "system": return [{ type: "session", sessionId: parsed.session_id, ...(turn.model === null ? {} : { model: turn.model }) }];
      case "assistant": {
        const words = parsed.message.content.map((part) => part.text ?? "").join("");
        if (words === "") return [];
        said = words;
        return [{ type: "text", text: words }];
      }
      case "tool_call": return toolCall(parsed);
      case "result": return finished(parsed);
    }
  };

  /** How a run without a result ended. */
  const unfinished = ({ exit, errorTail }: StreamEnd): AgentFailure => {
    const words = stripVTControlCharacters(errorTail).trim();
    if (exit.lost) return { kind: "crashed", exitCode: null, signal: null, message: "the run is gone without an exit" };
    if (exit.signal === null && exit.code === 0) return { kind: "noResult", message: "cursor ended its turn without a word" };
    return (exit.signal === null ? failureIn(words) : undefined) ?? { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: words === "" ? "cursor ended without a result" : words };
  };

  return { line, end: (end) => completed || failure !== undefined ? [] : [{ type: "failure", failure: unfinished(end) }] };
};
