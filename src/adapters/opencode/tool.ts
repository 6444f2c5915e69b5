import type { AgentEvent, ToolDiff } from "../../domain/agent.ts";
import { toolDiff } from "../../domain/tool-diff.ts";
import { firstLine, toolOutput } from "../tool-text.ts";
import type { OpencodeTool } from "./line.ts";

type ToolEvent = Extract<AgentEvent, { type: "tool" }>;

const kinds: ReadonlyMap<string, ToolEvent["kind"]> = new Map([
  ["bash", "run"], ["edit", "edit"], ["write", "edit"], ["patch", "edit"], ["apply_patch", "edit"], ["multiedit", "edit"],
  ["read", "read"], ["glob", "read"], ["grep", "read"], ["list", "read"], ["webfetch", "read"], ["websearch", "read"],
]);
const kindOf = (tool: string): ToolEvent["kind"] => kinds.get(tool) ?? "other";

const relative = (path: string, cwd: string): string => path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;

/** The fields that say what a call is about, the most telling first. */
const telling = ["command", "filePath", "pattern", "path", "url", "query", "name", "description"];

const summaryOf = ({ tool, state: { input } }: OpencodeTool, cwd: string): string => {
  const said = telling.map((name) => input[name]).find((value) => typeof value === "string" && value !== "");
  return typeof said === "string" ? firstLine(relative(said, cwd)) : tool === "todowrite" ? "" : firstLine(JSON.stringify(input));
};

const diffOf = ({ tool, state: { input } }: OpencodeTool, cwd: string): ToolDiff | undefined => {
  const path = input["filePath"], [before, after] = tool === "edit" ? [input["oldString"], input["newString"]] : tool === "write" ? ["", input["content"]] : [];
  return typeof path === "string" && typeof before === "string" && typeof after === "string" ? toolDiff(relative(path, cwd), before, after) : undefined;
};

export const toolStart = (part: OpencodeTool, cwd: string): ToolEvent => {
  const diff = diffOf(part, cwd);
  return { type: "tool", phase: "start", id: part.callID, name: part.tool, kind: kindOf(part.tool), summary: summaryOf(part, cwd), ...(diff === undefined ? {} : { diff }) };
};

export const toolEnd = ({ tool, callID, state }: OpencodeTool): ToolEvent => {
  const ok = state.status === "completed" && (state.metadata.exit ?? 0) === 0;
  return { type: "tool", phase: "end", id: callID, name: tool, kind: kindOf(tool), summary: "", ok, output: toolOutput(state.status === "completed" ? state.output : state.status === "error" ? state.error : "") };
};

/** Why a call was not carried out at all: a rule of ours forbids it, or the tool does not exist in this turn; undefined: it was, or failed by itself. */
export const denial = ({ tool, state }: OpencodeTool): Extract<AgentEvent, { type: "permissionDenied" }> | undefined => {
  if (state.status !== "error") return undefined;
  const [, reason] = /^(The user has specified a rule which prevents|The user rejected permission|Model tried to call unavailable tool)/.exec(state.error) ?? [];
  return reason === undefined ? undefined : { type: "permissionDenied", tool, detail: reason.startsWith("Model") ? "no tool of this turn" : "a rule of this turn forbids it" };
};
