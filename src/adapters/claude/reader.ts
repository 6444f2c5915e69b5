/**
 * Reads one run of `claude -p --output-format stream-json`.
 *
 * Owns: what one run's lines have said so far. Talks to nobody; it has no clock and no files.
 * I1 The same lines give the same events.
 * I2 Nothing throws: a line that is no event is `garbage`, an event we have no use for gives nothing.
 * I3 A `result` comes only from a complete result line without `is_error`; its `subtype` decides nothing. A cut stream ends in a failure.
 * I4 Money and tokens come from the result line only: `total_cost_usd` counts the whole session, the usage per model this run with its
 *    subagents (`usage` leaves those out), and the usage on single assistant messages is a placeholder.
 * I5 A refused tool is reported once, whether the event or the result line or both tell of it.
 */
import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { Usage } from "../../domain/spend.ts";
import type { StreamEnd, StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { garbage } from "../garbage.ts";
import { toolOutput } from "../tool-text.ts";
import { aboutContext, aboutLogin, aboutOptions, aboutSession, apiFailure } from "./failure.ts";
import { type ClaudeLine, parseLine } from "./line.ts";
import { diffOf, toolKind, toolSummary } from "./tool.ts";

type LineOf<T extends ClaudeLine["type"]> = Extract<ClaudeLine, { type: T }>;

/** Sums of dollars in binary fractions differ by less than this. */
const roundingUsd = 1e-9;

const epochMs = (seconds: number | undefined): number | null => seconds === undefined ? null : seconds * 1_000;
const failed = (failure: AgentFailure): AgentEvent => ({ type: "failure", failure });

/** What this result line adds to the run's usage. Cached input is part of the input. */
const usageOf = ({ model_usage_since_last_result: models, usage }: LineOf<"result">): readonly Usage[] => {
  if (models !== undefined) return Object.values(models).filter((used) => used !== null).map((used) => ({ inputTokens: used.inputTokens + used.cacheCreationInputTokens + used.cacheReadInputTokens, outputTokens: used.outputTokens, cachedTokens: used.cacheReadInputTokens }));
  if (usage === undefined) return [];
  return [{ inputTokens: usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens, outputTokens: usage.output_tokens, cachedTokens: usage.cache_read_input_tokens }];
};

export const claudeReader = (turn: TurnRequest): StreamReader => {
  /** The stream has carried its closing event. */
  let closed = false;
  /** The CLI ended the turn because it was interrupted; the exit completes the story. */
  let interrupted: string | undefined;
  let usage: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };
  let lastRetryMs: number | undefined;
  let limitEnds: number | null = null;
  let apiError: { readonly class: string | null; readonly at: number | undefined } | undefined;
  /** There is a conversation besides the prompt: a new session would be shorter. */
  let conversed = turn.sessionId !== null;
  const toolNames = new Map<string, string>();
  const deniedIds = new Set<string>();

  const denied = (tool: string, id: string | undefined, detail: string): readonly AgentEvent[] => {
    if (id !== undefined && deniedIds.has(id)) return [];
    if (id !== undefined) deniedIds.add(id);
    return [{ type: "permissionDenied", tool, detail }];
  };

  const system = (line: LineOf<"system">): readonly AgentEvent[] => {
    switch (line.subtype) {
      case "init":
        return [{ type: "session", sessionId: line.session_id, ...(line.model === undefined ? {} : { model: line.model }), ...(line.claude_code_version === undefined ? {} : { version: line.claude_code_version }) }];
      case "permission_denied":
        return denied(line.tool_name, line.tool_use_id, line.message ?? "");
      case "api_retry": {
        if (line.error_status !== 429 && line.error_status !== 529) return [];
        lastRetryMs = line.retry_delay_ms;
        // The line has no time of its own, so it cannot say when; the message says how long.
        return [{ type: "rateLimit", until: null, message: `${line.error ?? "refused"} (${line.error_status}): try ${line.attempt} of ${line.max_retries} in ${Math.ceil(line.retry_delay_ms)} ms` }];
      }
    }
  };

  const assistant = (line: LineOf<"assistant">): readonly AgentEvent[] => {
    if (line.is_api_error_message === true) {
      // Written by the CLI, not by the model: it explains the failure that the result line will report.
      const at = line.timestamp === undefined ? Number.NaN : Date.parse(line.timestamp);
      apiError = { class: line.error ?? null, at: Number.isNaN(at) ? undefined : at };
      limitEnds = epochMs(line.api_error_params?.rate_limit_info?.resetsAt) ?? limitEnds;
      return [];
    }
    const ofSubagent = (line.parent_tool_use_id ?? null) !== null;
    conversed ||= !ofSubagent;
    return line.message.content.flatMap((block): readonly AgentEvent[] => {
      switch (block.type) {
        case "text": return ofSubagent ? [] : [{ type: "text", text: block.text }];
        case "thinking": return ofSubagent ? [] : [{ type: "thinking", text: block.thinking }];
        case "tool_use": {
          toolNames.set(block.id, block.name);
          const diff = diffOf(block.name, block.input);
          return [{ type: "tool", phase: "start", id: block.id, name: block.name, kind: toolKind(block.name), summary: toolSummary(block.input), ...(diff === undefined ? {} : { diff }) }];
        }
        case "other": return [];
      }
    });
  };

  const user = (line: LineOf<"user">): readonly AgentEvent[] => {
    const { content } = line.message;
    if (typeof content === "string") return [];
    return content.flatMap((block): readonly AgentEvent[] => {
      if (block.type !== "tool_result") return [];
      const name = toolNames.get(block.tool_use_id) ?? "";
      const text = typeof block.content === "string" ? block.content : (block.content ?? []).map((part) => part.text ?? "").join("\n");
      return [{ type: "tool", phase: "end", id: block.tool_use_id, name, kind: toolKind(name), summary: "", ok: block.is_error !== true, output: toolOutput(text) }];
    });
  };

  const failureOf = (line: LineOf<"result">): AgentFailure | undefined => {
    const message = line.result ?? line.errors?.join("; ") ?? line.subtype;
    if (line.terminal_reason === "prompt_too_long" || line.api_error_status === 413 || aboutContext(message)) return conversed ? { kind: "contextFull", message } : { kind: "model", message };
    if (line.terminal_reason === "api_error" || (line.api_error_status ?? null) !== null) {
      const retryEnds = apiError?.at === undefined || lastRetryMs === undefined ? null : apiError.at + Math.ceil(lastRetryMs);
      return apiFailure({ message, status: line.api_error_status ?? null, class: apiError?.class ?? null, until: limitEnds ?? retryEnds });
    }
    if (aboutSession(message)) return { kind: "badSession", message };
    if (aboutLogin(message)) return { kind: "auth", message };
    if (line.terminal_reason?.startsWith("aborted") === true) { interrupted = line.terminal_reason; return undefined; }
    // A cap of the CLI (turns, budget), or an error of its own.
    return line.subtype === "error_during_execution" ? { kind: "crashed", exitCode: null, signal: null, message } : { kind: "noResult", message: `${line.subtype}: ${message}` };
  };

  const result = (line: LineOf<"result">): readonly AgentEvent[] => {
    const events: AgentEvent[] = [];
    for (const denial of line.permission_denials ?? []) events.push(...denied(denial.tool_name, denial.tool_use_id, ""));
    for (const used of usageOf(line)) {
      usage = { inputTokens: usage.inputTokens + used.inputTokens, outputTokens: usage.outputTokens + used.outputTokens, cachedTokens: usage.cachedTokens + used.cachedTokens };
    }
    events.push({ type: "usage", usage });
    if (line.total_cost_usd !== undefined) {
      // Less than before: the CLI did not carry the session's cost over (it reports zero for a session it could not open), so this run stands alone.
      const { total_cost_usd: total } = line;
      const before = turn.sessionCostUsd;
      events.push({ type: "cost", usd: total >= before - roundingUsd ? Math.max(0, total - before) : total });
    }
    interrupted = undefined;
    if (!line.is_error) { closed = true; return [...events, ...closingEvents(line.result ?? "")]; }
    const failure = failureOf(line);
    if (failure === undefined) return events;
    closed = true;
    return [...events, failed(failure)];
  };

  const line = (text: string): readonly AgentEvent[] => {
    if (text.trim() === "") return [];
    const parsed = parseLine(text);
    if (parsed === "ignored") return [];
    if (parsed === "garbage") return [garbage(text)];
    switch (parsed.type) {
      case "system": return system(parsed);
      case "assistant": return assistant(parsed);
      case "user": return user(parsed);
      case "rate_limit_event": {
        if (parsed.rate_limit_info.status !== "rejected") return [];
        limitEnds = epochMs(parsed.rate_limit_info.resetsAt);
        return [{ type: "rateLimit", until: limitEnds, message: "the usage limit of the account is reached" }];
      }
      case "result": return result(parsed);
    }
  };

  const end = ({ exit, errorTail }: StreamEnd): readonly AgentEvent[] => {
    if (closed) return [];
    closed = true;
    const said = errorTail.trim();
    if (interrupted !== undefined) return [failed({ kind: "crashed", exitCode: exit.code, signal: exit.signal, message: `interrupted (${interrupted})` })];
    if (exit.lost) return [failed({ kind: "crashed", exitCode: null, signal: null, message: "the run is gone without an exit" })];
    if (aboutSession(said)) return [failed({ kind: "badSession", message: said })];
    if (aboutLogin(said)) return [failed({ kind: "auth", message: said })];
    if (aboutOptions(said)) return [failed({ kind: "spawn", message: said })];
    if (exit.code === 0) return [failed({ kind: "noResult", message: said === "" ? "claude ended without a result" : said })];
    return [failed({ kind: "crashed", exitCode: exit.code, signal: exit.signal, message: said === "" ? "claude ended without a result" : said })];
  };

  return { line, end };
};
