import type { AgentEvent } from "../../domain/agent.ts";
import { firstLine, toolOutput } from "../tool-text.ts";
import type { CursorCall } from "./line.ts";

type ToolEvent = Extract<AgentEvent, { type: "tool" }>;

const kinds: ReadonlyMap<string, ToolEvent["kind"]> = new Map([
  ["read", "read"], ["grep", "read"], ["glob", "read"], ["ls", "read"], ["write", "edit"], ["edit", "edit"], ["delete", "edit"], ["shell", "run"],
]);

interface Called { readonly name: string; readonly args: Readonly<Record<string, unknown>>; readonly result: Readonly<Record<string, unknown>> | undefined }

/** `readToolCall` is `read`; a `function` has its name beside it. */
const calledIn = (call: CursorCall): Called => {
  const [[key, { args, result, name, arguments: given }] = ["tool", { args: {}, result: undefined, name: undefined, arguments: undefined }]] = Object.entries(call);
  return { name: key === "function" ? name ?? key : key.replace(/ToolCall$/, ""), args: given === undefined ? args : { arguments: given }, result };
};

const relative = (path: string, cwd: string): string => path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path;

/** The fields that say what a call is about, the most telling first. */
const telling = ["command", "path", "pattern", "globPattern", "query", "arguments"];

const summaryOf = ({ args }: Called, cwd: string): string => {
  const said = telling.map((name) => args[name]).find((value) => typeof value === "string" && value !== "");
  return typeof said === "string" ? firstLine(relative(said, cwd)) : firstLine(JSON.stringify(args));
};

/** What a result says in words: its text, else its fields. */
const outputOf = (result: Called["result"]): string => {
  const [said] = Object.values(result ?? {});
  if (typeof said === "string") return said;
  if (typeof said !== "object" || said === null) return "";
  const texts = Object.entries(said).flatMap(([field, value]) => ["content", "stdout", "stderr", "message", "reason", "error"].includes(field) && typeof value === "string" && value !== "" ? [value] : []);
  return texts.length > 0 ? texts.join("\n") : JSON.stringify(said);
};

export const toolStart = (id: string, call: CursorCall, cwd: string): ToolEvent => {
  const called = calledIn(call);
  return { type: "tool", phase: "start", id, name: called.name, kind: kinds.get(called.name) ?? "other", summary: summaryOf(called, cwd) };
};

export const toolEnd = (id: string, call: CursorCall): ToolEvent => {
  const { name, result } = calledIn(call);
  return { type: "tool", phase: "end", id, name, kind: kinds.get(name) ?? "other", summary: "", ok: result !== undefined && "success" in result, output: toolOutput(outputOf(result)) };
};
