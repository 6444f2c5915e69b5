/**
 * Reads one run of `codex exec --json`.
 *
 * Owns: what one run's lines have said so far. Talks to nobody; it has no clock and no files.
 * I1 The same lines and the same end give the same events.
 * I2 Nothing throws: a line that is no event is `garbage`, an event we have no use for gives nothing.
 * I3 A `result` comes only from a completed turn that said something. Why a turn failed is told at the end of the stream: a time of day in the
 *    message means the day on which the run ended.
 * I4 The CLI counts tokens over the whole session: what the session had used before is subtracted. It never says what they cost.
 * I5 Each tool that ends has begun: a change that is told of only when it is done gets its beginning then.
 */
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import { noUsage, type Usage } from "../../domain/spend.ts";
import type { StreamEnd, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { garbage } from "../garbage.ts";
import { aboutConfiguration, aboutLimit, aboutLogin, aboutSession, turnFailure } from "./failure.ts";
import { type CodexItem, type CodexLine, parseLine } from "./line.ts";
import { toolEnd, toolStart } from "./tool.ts";

type LineOf<T extends CodexLine["type"]> = Extract<CodexLine, { type: T }>;

const failed = (failure: AgentFailure): AgentEvent => ({ type: "failure", failure });

/** What is left of the session's total; less than before: the CLI did not carry it over, so the total is this run's. */
const since = (before: Usage, total: Usage): Usage => {
  const rest = { inputTokens: total.inputTokens - before.inputTokens, outputTokens: total.outputTokens - before.outputTokens, cachedTokens: total.cachedTokens - before.cachedTokens };
  return rest.inputTokens < 0 || rest.outputTokens < 0 || rest.cachedTokens < 0 ? total : rest;
};

/** A patch that the sandbox forbids is no event of the stream; the CLI's log tells of it. */
const rejected = /error=patch rejected: (.+)$/gm;

/** The last line that begins with `Error:`, else all that was said, without the CLI's log. */
const lastWords = (errorTail: string): string => {
  const lines = errorTail.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !/^\S+Z\s+(ERROR|WARN|INFO) |^warning: |^Reading (additional input|prompt) from stdin/.test(line));
  return lines.findLast((line) => line.startsWith("Error:")) ?? lines.join("\n");
};

export const codexReader = (turn: TurnRequest): StreamReader => {
  let sessionId: string | undefined;
  /** The last words of the agent; null: it has said nothing since the turn began. */
  let said: string | null = null;
  let completed = false;
  let failure: string | undefined;
  /** What an `error` event said last, if no turn ended after it. */
  let trouble: string | undefined;
  const begun = new Set<string>();
  /** Anything but notices has come of this turn. */
  let acted = false;

  const started = (item: CodexItem): readonly AgentEvent[] => {
    if (item.type === "agent_message" || item.type === "reasoning" || item.type === "error" || begun.has(item.id)) return [];
    begun.add(item.id);
    return [toolStart(item, turn.cwd)];
  };

  const done = (item: CodexItem): readonly AgentEvent[] => {
    switch (item.type) {
      case "agent_message":
        said = item.text;
        return [{ type: "text", text: item.text }];
      case "reasoning": return [{ type: "thinking", text: item.text }];
      case "error": return [{ type: "garbage", line: item.message }];
      default: return [...started(item), toolEnd(item)];
    }
  };

  const turnCompleted = ({ usage }: LineOf<"turn.completed">): readonly AgentEvent[] => {
    const events: AgentEvent[] = [];
    if (usage !== undefined) {
      const session = { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens, cachedTokens: usage.cached_input_tokens };
      const before = turn.sessionId !== null && turn.sessionId === sessionId ? turn.sessionUsage : undefined;
      events.push({ type: "usage", usage: since(before ?? noUsage, session), session });
    }
    trouble = undefined;
    if (said === null) return events;
    completed = true;
    events.push(...closingEvents(said));
    said = null;
    return events;
  };

  const line = (text: string): readonly AgentEvent[] => {
    if (text.trim() === "") return [];
    const parsed = parseLine(text);
    if (parsed === "ignored") return [];
    if (parsed === "garbage") return [garbage(text)];
    switch (parsed.type) {
      case "thread.started":
        sessionId = parsed.thread_id;
        return [{ type: "session", sessionId, ...(turn.model === null ? {} : { model: turn.model }) }];
      case "item.started":
      case "item.completed":
        acted ||= parsed.item.type !== "error";
        return parsed.type === "item.started" ? started(parsed.item) : done(parsed.item);
      case "turn.completed": return turnCompleted(parsed);
      case "turn.failed":
        failure ??= parsed.error.message;
        return [];
      case "error":
        trouble = parsed.message;
        // The line has no time of its own; the message says which try it is.
        return parsed.message.startsWith("Reconnecting") && aboutLimit(parsed.message) ? [{ type: "rateLimit", until: null, message: parsed.message }] : [];
    }
  };

  /** How a run without a completed turn ended. */
  const unfinished = ({ exit, errorTail }: StreamEnd): AgentFailure | undefined => {
    if (failure !== undefined) return turnFailure(failure, { at: exit.at, hasPast: turn.sessionId !== null || acted });
    if (completed) return undefined;
    if (exit.lost) return { kind: "crashed", exitCode: null, signal: null, message: "the run is gone without an exit" };
    const words = lastWords(errorTail);
    if (exit.signal === null && exit.code !== 0) {
      if (aboutSession(words)) return { kind: "badSession", message: words };
      if (aboutLogin(words)) return { kind: "auth", message: words };
      if (sessionId === undefined && aboutConfiguration(words)) return { kind: "spawn", message: words };
    }
    if (exit.code === 0) return { kind: "noResult", message: "codex ended its turn without a word" };
    return { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: words === "" ? trouble ?? "codex ended without a result" : words };
  };

  const end = (ended: StreamEnd): readonly AgentEvent[] => {
    const denied = [...ended.errorTail.matchAll(rejected)].map(([, detail]): AgentEvent => ({ type: "permissionDenied", tool: "apply_patch", detail: (detail ?? "").trim() }));
    const last = unfinished(ended);
    return [...denied, ...(last === undefined ? [] : [failed(last)])];
  };

  return { line, end };
};
