import type { AgentEvent } from "../src/domain/agent.ts";
import type { StreamReader } from "../src/ports/adapter.ts";

/**
 * A reader whose events hold no secrets: before they are shown in a terminal, told to clients, or counted. With the same secrets the same lines give the
 * same text; who is restarted with others while an agent tells one may show a seam there.
 */
export const redactedReader = (reader: StreamReader, redact: (json: string) => string): StreamReader => {
  const clean = (event: AgentEvent): AgentEvent => {
    const json = JSON.stringify(event), kept = redact(json);
    if (kept === json) return event;
    const told: AgentEvent = JSON.parse(kept);
    return told;
  };
  return { line: (text) => reader.line(text).map(clean), end: (end) => reader.end(end).map(clean) };
};
