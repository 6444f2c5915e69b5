import type { AgentEvent, AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { Usage } from "../../domain/spend.ts";
import { describeCrash } from "../../domain/turn-outcome.ts";
import type { StreamReader } from "../../ports/adapter.ts";
import { garbage } from "../garbage.ts";
import { AgentLine } from "./protocol.ts";

const kinds = { read: "read", write: "edit", patch: "edit", run: "run" } as const;

const parse = (text: string): AgentLine | undefined => {
  try {
    return AgentLine.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
};

const less = (all: Usage, before: Usage): Usage => ({
  inputTokens: Math.max(0, all.inputTokens - before.inputTokens),
  outputTokens: Math.max(0, all.outputTokens - before.outputTokens),
  cachedTokens: Math.max(0, all.cachedTokens - before.cachedTokens),
});

const failureOf = (line: Extract<AgentLine, { type: "error" }>): AgentFailure =>
  line.kind === "rateLimited" ? { kind: line.kind, until: line.until, message: line.message } : { kind: line.kind, message: line.message };

/** Reads the scripted agent's lines. Totals of a session become totals of the run. */
export const scriptedReader = (turn: TurnRequest): StreamReader => {
  let carried: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };
  let costBefore = 0;
  let closed = false;
  let failed = false;
  let counted = false;

  const events = (line: AgentLine): readonly AgentEvent[] => {
    switch (line.type) {
      case "session":
        carried = line.carried;
        costBefore = line.sessionId === turn.sessionId ? turn.sessionCostUsd : 0;
        return [{ type: "session", sessionId: line.sessionId, ...(line.model === undefined ? {} : { model: line.model }) }];
      case "tool": {
        const { phase, id, name, summary, ok, output, diff } = line;
        return [{ type: "tool", phase, id, name, kind: kinds[name], summary, ...(ok === undefined ? {} : { ok }), ...(output === undefined ? {} : { output }), ...(diff === undefined ? {} : { diff }) }];
      }
      case "usage":
        counted = true;
        return [{ type: "usage", usage: line.of === "session" ? less(line.usage, carried) : line.usage }];
      case "cost":
        counted = true;
        return [{ type: "cost", usd: line.of === "session" ? Math.max(0, line.usd - costBefore) : line.usd }];
      case "denied": return [{ type: "permissionDenied", tool: line.tool, detail: line.detail }];
      case "interrupted": return [];
      case "error":
        failed = true;
        return [{ type: "failure", failure: failureOf(line) }];
      case "question": case "result":
        closed = true;
        return [line];
      case "prompted": case "text": case "thinking": case "heard": case "rateLimit": case "verdict": case "audit": case "plan": case "criteria": case "message": return [line];
    }
  };

  return {
    line: (text) => {
      if (text.trim() === "") return [];
      const line = parse(text);
      return line ? events(line) : [garbage(text)];
    },
    end: ({ exit, errorTail }) => {
      // It calls no model: what its playbook does not say that it costs, it does not cost.
      const free: readonly AgentEvent[] = counted ? [] : [{ type: "cost", usd: 0 }];
      if (failed) return free;
      const crash = describeCrash(exit);
      const said = errorTail.trim().split("\n").at(-1) ?? "";
      if (crash !== undefined) return [...free, { type: "failure", failure: { kind: "crashed", exitCode: exit.code, signal: exit.signal, message: said === "" ? crash : `${crash}: ${said}` } }];
      return closed ? free : [...free, { type: "failure", failure: { kind: "noResult", message: "the agent ended without a result" } }];
    },
  };
};
