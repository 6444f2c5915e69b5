/**
 * Reads one run of our own agent: its lines are events already; what its last message means is read here.
 *
 * Owns: whether the run has closed. I1 The same lines give the same events. I2 Nothing throws: a line that is no event is `garbage`.
 * I3 Tokens are of this run; it names no cost: that is made of its tokens and the configured prices.
 */
import { AgentLine } from "../../agent/protocol.ts";
import type { AgentEvent, TurnRequest } from "../../domain/agent.ts";
import { tokenText } from "../../domain/spend.ts";
import type { StreamReader } from "../../ports/adapter.ts";
import { closingEvents } from "../answer-block.ts";
import { garbage } from "../garbage.ts";
import { endFailure } from "./failure.ts";

const parse = (text: string): AgentLine | undefined => {
  try { return AgentLine.safeParse(JSON.parse(text)).data; } catch { return undefined; }
};

export const responsesReader = (_turn: TurnRequest): StreamReader => {
  let closed = false;

  const events = (line: AgentLine): readonly AgentEvent[] => {
    switch (line.type) {
      case "session": return [{ type: "session", sessionId: line.sessionId, model: line.model }];
      case "tool": {
        if (line.phase === "end") return [{ type: "tool", phase: "end", id: line.id, name: line.name, kind: line.kind, summary: "", ok: line.ok, output: line.output }];
        const { id, name, kind, summary, diff } = line;
        return [{ type: "tool", phase: "start", id, name, kind, summary, ...(diff === undefined ? {} : { diff }) }];
      }
      case "denied": return [{ type: "permissionDenied", tool: line.tool, detail: line.detail }];
      case "waits": return line.limited ? [{ type: "rateLimit", until: line.until, message: line.message }] : [{ type: "thinking", text: `waits for its provider: ${line.message}` }];
      // No words of the agent, so no `text`: whoever watches its progress counts those.
      case "note": return [{ type: "thinking", text: line.text }];
      case "compacted": return [{ type: "thinking", text: `summed up its conversation: about ${tokenText(line.from)} tokens became ${tokenText(line.to)}` }];
      case "alive": case "interrupted": return [];
      case "result":
        closed = true;
        return closingEvents(line.text);
      case "failure":
        closed = true;
        return [line];
      case "text": case "thinking": case "heard": case "usage": return [line];
    }
  };

  return {
    line: (text) => {
      if (text.trim() === "" || closed) return [];
      const line = parse(text);
      return line ? events(line) : [garbage(text)];
    },
    end: (end) => {
      if (closed) return [];
      closed = true;
      return [{ type: "failure", failure: endFailure(end) }];
    },
  };
};
