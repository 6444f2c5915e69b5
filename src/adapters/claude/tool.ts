import type { AgentEvent } from "../../domain/agent.ts";

type ToolKind = Extract<AgentEvent, { type: "tool" }>["kind"];

const reading: ReadonlySet<string> = new Set(["Read", "Glob", "Grep", "LS", "NotebookRead", "WebFetch", "WebSearch", "ToolSearch"]);
const editing: ReadonlySet<string> = new Set(["Edit", "MultiEdit", "Write", "NotebookEdit"]);
const running: ReadonlySet<string> = new Set(["Bash", "PowerShell", "Monitor"]);
export const toolKind = (name: string): ToolKind => reading.has(name) ? "read" : editing.has(name) ? "edit" : running.has(name) ? "run" : "other";

/** Characters of a summary, and of a tool's output, that an event carries; the run's log has the rest. */
const summaryLimit = 200;
const outputLimit = 4_000;

const firstLine = (text: string): string => {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > summaryLimit ? `${line.slice(0, summaryLimit - 1)}…` : line;
};

/** One line that says what the call is about: its path, command, pattern, or its input as JSON. */
export const toolSummary = (input: Readonly<Record<string, unknown>>): string => {
  for (const key of ["file_path", "notebook_path", "command", "pattern", "url", "query", "description"]) {
    const value = input[key];
    if (typeof value === "string" && value.trim() !== "") return firstLine(value);
  }
  return firstLine(JSON.stringify(input));
};

/** The end of a tool's output: errors stand there. */
export const toolOutput = (text: string): string => text.length > outputLimit ? `…${text.slice(-(outputLimit - 1))}` : text;
