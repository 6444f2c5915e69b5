import type { AgentEvent } from "../../domain/agent.ts";
import { firstLine, toolOutput } from "../tool-text.ts";
import type { CodexTool } from "./line.ts";

type ToolEvent = Extract<AgentEvent, { type: "tool" }>;

/** What the CLI's shell was asked, without the shell; left as it is when it is quoted in more than one piece. */
export const withoutShell = (command: string): string => {
  const said = /^\S*sh -l?c ([\s\S]*)$/.exec(command)?.[1];
  if (said === undefined) return command;
  const single = /^'([^']*)'$/.exec(said)?.[1];
  if (single !== undefined) return single;
  const double = /^"((?:[^"\\]|\\[\s\S])*)"$/.exec(said)?.[1];
  return double?.replaceAll(/\\(["\\$`])/g, "$1") ?? said;
};

const relative = (path: string, cwd: string): string => path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;

const kinds: Readonly<Record<CodexTool["type"], ToolEvent["kind"]>> = { command_execution: "run", file_change: "edit", web_search: "read", mcp_tool_call: "other", todo_list: "other", collab_tool_call: "other" };

const nameOf = (item: CodexTool): string => {
  switch (item.type) {
    case "command_execution": return "shell";
    case "file_change": return "apply_patch";
    case "mcp_tool_call": return `${item.server}.${item.tool}`;
    case "collab_tool_call": return item.tool;
    case "web_search": case "todo_list": return item.type;
  }
};

const summaryOf = (item: CodexTool, cwd: string): string => {
  switch (item.type) {
    case "command_execution": return firstLine(withoutShell(item.command));
    case "file_change": return firstLine(item.changes.map(({ path }) => relative(path, cwd)).join(", "));
    case "mcp_tool_call": return firstLine(JSON.stringify(item.arguments ?? {}));
    case "web_search": return firstLine(item.query);
    case "todo_list": return firstLine(item.items.find(({ completed }) => !completed)?.text ?? "all done");
    case "collab_tool_call": return firstLine(item.prompt ?? "");
  }
};

const outputOf = (item: CodexTool): string => {
  switch (item.type) {
    case "command_execution": return item.aggregated_output;
    case "file_change": return item.changes.map(({ kind, path }) => `${kind} ${path}`).join("\n");
    case "mcp_tool_call": return item.error?.message ?? (item.result?.content ?? []).map(({ text }) => text ?? "").join("\n");
    case "todo_list": return item.items.map(({ text, completed }) => `[${completed ? "x" : " "}] ${text}`).join("\n");
    case "web_search": case "collab_tool_call": return "";
  }
};

const isOk = (item: CodexTool): boolean => {
  switch (item.type) {
    case "command_execution": return item.status === "completed" && (item.exit_code ?? 0) === 0;
    case "file_change": case "mcp_tool_call": case "collab_tool_call": return item.status === "completed";
    case "web_search": case "todo_list": return true;
  }
};

export const toolStart = (item: CodexTool, cwd: string): ToolEvent => ({ type: "tool", phase: "start", id: item.id, name: nameOf(item), kind: kinds[item.type], summary: summaryOf(item, cwd) });
export const toolEnd = (item: CodexTool): ToolEvent => ({ type: "tool", phase: "end", id: item.id, name: nameOf(item), kind: kinds[item.type], summary: "", ok: isOk(item), output: toolOutput(outputOf(item)) });
