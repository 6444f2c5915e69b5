import type { AgentEvent, ToolDiff } from "../../domain/agent.ts";
import { joinDiffs, toolDiff } from "../../domain/tool-diff.ts";
import { firstLine } from "../tool-text.ts";

type ToolKind = Extract<AgentEvent, { type: "tool" }>["kind"];

const reading: ReadonlySet<string> = new Set(["Read", "Glob", "Grep", "LS", "NotebookRead", "WebFetch", "WebSearch", "ToolSearch"]);
const editing: ReadonlySet<string> = new Set(["Edit", "MultiEdit", "Write", "NotebookEdit"]);
const running: ReadonlySet<string> = new Set(["Bash", "PowerShell", "Monitor"]);
export const toolKind = (name: string): ToolKind => reading.has(name) ? "read" : editing.has(name) ? "edit" : running.has(name) ? "run" : "other";

/** One line that says what the call is about: its path, command, pattern, or its input as JSON. */
export const toolSummary = (input: Readonly<Record<string, unknown>>): string => {
  for (const key of ["file_path", "notebook_path", "command", "pattern", "url", "query", "description"]) {
    const value = input[key];
    if (typeof value === "string" && value.trim() !== "") return firstLine(value);
  }
  return firstLine(JSON.stringify(input));
};

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** What an edit was told to do to its file. */
export const diffOf = (name: string, input: Readonly<Record<string, unknown>>): ToolDiff | undefined => {
  const path = text(input["file_path"]) ?? text(input["notebook_path"]) ?? "";
  const place = (edit: Readonly<Record<string, unknown>>): readonly ToolDiff[] => {
    const [before, after] = [text(edit["old_string"]), text(edit["new_string"])];
    return before === undefined || after === undefined ? [] : [toolDiff(path, before, after)];
  };
  switch (name) {
    case "Edit": return place(input)[0];
    case "MultiEdit": return joinDiffs((Array.isArray(input["edits"]) ? input["edits"] : []).flatMap((edit: unknown) => (typeof edit === "object" && edit !== null ? place({ ...edit }) : [])));
    case "Write": return toolDiff(path, "", text(input["content"]) ?? "");
    case "NotebookEdit": return toolDiff(path, "", text(input["new_source"]) ?? "");
    default: return undefined;
  }
};
