/**
 * Reads one run of `opencode run --format json`.
 *
 * Owns: what one run's lines have said so far. Talks to nobody; it has no clock and no files.
 * I1 The same lines and the same end give the same events.
 * I2 Nothing throws: a line that is no event is `garbage`, an event we have no use for gives nothing.
 * I3 A `result` is what the last step said, if the model ended it; the CLI has no last event, so it is given at the end of the stream.
 * I4 Tokens and cost come per step and are added up. A step that cost nothing has no price, and then the cost of the run is not known.
 * I5 Each tool that ends has begun: our listener tells when, and without it the beginning comes with the end.
 */
import { stripVTControlCharacters } from "node:util";
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import { noUsage, type Usage } from "../../domain/spend.ts";
import type { StreamEnd, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { garbage } from "../garbage.ts";
import { aboutConfiguration, aboutDatabase, aboutModel, aboutOptions, aboutSession, turnFailure } from "./failure.ts";
import { type OpencodeError, type OpencodeLine, type OpencodeTool, parseLine } from "./line.ts";
import { denial, toolEnd, toolStart } from "./tool.ts";

type LineOf<T extends OpencodeLine["type"]> = Extract<OpencodeLine, { type: T }>;

/** What the CLI said to people, without colours and without its log. */
const lastWords = (errorTail: string): string => stripVTControlCharacters(errorTail).split("\n").map((line) => line.trim()).filter((line) => line !== "" && !/^timestamp=\S+ level=/.test(line)).join("\n");

export const opencodeReader = (turn: TurnRequest): StreamReader => {
  let session: { readonly id: string; readonly model: string | null } | undefined;
  /** Texts of the step that is running or ended last. */
  let said: string[] = [];
  /** Why the last step ended; undefined: it has not. */
  let reason: string | undefined;
  let usage: Usage = noUsage;
  let cost: { readonly usd: number; readonly known: boolean } = { usd: 0, known: true };
  let error: { readonly error: OpencodeError; readonly at: number } | undefined;
  const begun = new Set<string>(), ended = new Set<string>();

  const named = (line: OpencodeLine): readonly AgentEvent[] => {
    const model = line.type === "enact.model" ? line.model : session?.model ?? turn.model;
    if (session !== undefined && session.id === line.sessionID && session.model === model) return [];
    session = { id: line.sessionID, model };
    return [{ type: "session", sessionId: line.sessionID, ...(model === null ? {} : { model }) }];
  };

  const started = (part: OpencodeTool): readonly AgentEvent[] => {
    if (begun.has(part.callID)) return [];
    begun.add(part.callID);
    return [toolStart(part, turn.cwd)];
  };

  const done = (part: OpencodeTool): readonly AgentEvent[] => {
    if (ended.has(part.callID)) return [];
    const start = started(part), denied = denial(part);
    ended.add(part.callID);
    return [...start, toolEnd(part), ...(denied === undefined ? [] : [denied])];
  };

  const stepFinished = ({ part }: LineOf<"step_finish">): readonly AgentEvent[] => {
    reason = part.reason;
    if (part.tokens === undefined) return [];
    const { input, output, reasoning, cache } = part.tokens;
    usage = {
      inputTokens: usage.inputTokens + input + cache.read + cache.write,
      outputTokens: usage.outputTokens + output + reasoning,
      cachedTokens: usage.cachedTokens + cache.read,
    };
    cost = { usd: cost.usd + part.cost, known: cost.known && (part.cost > 0 || input + output + reasoning + cache.read + cache.write === 0) };
    return [{ type: "usage", usage }];
  };

  const told = (line: OpencodeLine): readonly AgentEvent[] => {
    switch (line.type) {
      case "enact.model": return [];
      case "step_start":
        said = [];
        reason = undefined;
        return [];
      case "text":
        said.push(line.part.text);
        return [{ type: "text", text: line.part.text }];
      case "reasoning": return [{ type: "thinking", text: line.part.text }];
      case "enact.tool": return started(line.part);
      case "tool_use": return line.part.state.status === "running" ? started(line.part) : done(line.part);
      case "step_finish": return stepFinished(line);
      case "enact.retry": return [{ type: "rateLimit", until: line.next, message: line.message }];
      case "error":
        error ??= { error: line.error, at: line.timestamp };
        return [];
    }
  };

  const line = (text: string): readonly AgentEvent[] => {
    if (text.trim() === "") return [];
    const parsed = parseLine(text);
    if (parsed === "ignored") return [];
    if (parsed === "garbage") return [garbage(text)];
    return [...named(parsed), ...told(parsed)];
  };

  /** How a run ended whose model did not end it. */
  const unfinished = ({ exit, errorTail }: StreamEnd): AgentFailure => {
    const words = lastWords(errorTail);
    if (exit.lost) return { kind: "crashed", exitCode: null, signal: null, message: "the run is gone without an exit" };
    if (exit.signal === null && exit.code !== 0) {
      if (aboutSession(words)) return { kind: "badSession", message: words };
      if (aboutOptions(words)) return { kind: "spawn", message: "opencode does not know an option that it was given; is it older than the one that this adapter is tested with?" };
      if (aboutConfiguration(words)) return { kind: "spawn", message: words };
      if (session === undefined && aboutDatabase(words)) return { kind: "spawn", message: `opencode could not set up its database: ${words}` };
      if (aboutModel(words)) return { kind: "model", message: words };
    }
    if (exit.code === 0) return { kind: "noResult", message: "opencode ended its turn without a word" };
    return { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: words === "" ? "opencode ended without a result" : words };
  };

  const closing = (end: StreamEnd): readonly AgentEvent[] => {
    const failed = (failure: AgentFailure): readonly AgentEvent[] => [{ type: "failure", failure }];
    if (error !== undefined) return failed(turnFailure(error.error, error.at, end.errorTail));
    if (reason === "length") return failed({ kind: "overlong", message: "its answer was cut at the length that its model may give" });
    if (reason === "content-filter") return failed({ kind: "model", message: "its model's provider withheld the answer" });
    const text = said.join("\n").trim();
    // A step that ends with calls is followed by another one.
    return reason === undefined || reason === "tool-calls" || reason === "error" || text === "" ? failed(unfinished(end)) : closingEvents(text);
  };

  return { line, end: (end) => [...(cost.known && cost.usd > 0 ? [{ type: "cost" as const, usd: cost.usd }] : []), ...closing(end)] };
};
