import { cursorReader } from "../../../src/adapters/cursor/reader.ts";
import { RunId, WorkItemId } from "../../../src/domain/ids.ts";
import type { AgentEvent, TurnRequest } from "../../../src/domain/agent.ts";
import type { StreamEnd } from "../../../src/ports/adapter.ts";

/** As its documentation shows them (docs/adapters/cursor.md). */
export const session = "c6b62c6f-7ead-4fd6-9922-e952131177ff";
const json = (value: object): string => JSON.stringify({ ...value, session_id: session });
export const init = json({ type: "system", subtype: "init", apiKeySource: "login", cwd: "/repo", model: "Claude 4 Sonnet", permissionMode: "default" });
export const user = json({ type: "user", message: { role: "user", content: [{ type: "text", text: "Do the work." }] } });
export const says = (text: string): string => json({ type: "assistant", message: { role: "assistant", content: [{ type: "text", text }] } });
export const call = (subtype: "started" | "completed", id: string, tool_call: object): string => json({ type: "tool_call", subtype, call_id: id, tool_call });
export const result = (text: string, more: object = {}): string => json({ type: "result", subtype: "success", duration_ms: 5_234, duration_api_ms: 5_234, is_error: false, result: text, request_id: "10e11780-df2f-45dc-a1ff-4540af32e9c0", ...more });

const written = { args: { path: "made.txt", fileText: "made\n", toolCallId: "toolu_1" } };
export const working: readonly string[] = [
  init, user, says("I write the file."),
  call("started", "toolu_0", { readToolCall: { args: { path: "README.md" } } }),
  call("completed", "toolu_0", { readToolCall: { args: { path: "README.md" }, result: { success: { content: "# Project\n", isEmpty: false, exceededLimit: false, totalLines: 1, totalChars: 10 } } } }),
  call("started", "toolu_1", { writeToolCall: written }),
  call("completed", "toolu_1", { writeToolCall: { ...written, result: { success: { path: "/repo/made.txt", linesCreated: 1, fileSize: 5 } } } }),
  says("It is written."), result("I write the file.It is written."),
];

export const turnRequest = (more: Partial<TurnRequest> = {}): TurnRequest => ({
  runId: RunId.parse("stage.loc-1.1.coder.1"), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "cursor",
  model: null, cwd: "/repo", prompt: "Fix the bug.", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 600_000, stallMs: 300_000, playbook: null, ...more,
});

export const ended = (exit: Partial<StreamEnd["exit"]> = {}, errorTail = ""): StreamEnd => ({ exit: { code: 0, signal: null, lost: false, at: 1_000, ...exit }, errorTail });

/** All events of these lines and their end. */
export const read = (lines: readonly string[], end: StreamEnd = ended(), turn: TurnRequest = turnRequest()): readonly AgentEvent[] => {
  const reader = cursorReader(turn);
  return [...lines.flatMap((line) => reader.line(line)), ...reader.end(end)];
};
