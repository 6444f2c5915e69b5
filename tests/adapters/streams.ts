/** Streams of the real CLIs, kept by `ENACT_TEST_KEEP=1 npm run test:clis` (tests/clis/capture.ts), and their readers. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { AgentEvent, TurnRequest } from "../../src/domain/agent.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import type { Adapter, StreamEnd } from "../../src/ports/adapter.ts";

export const ended = (exit: Partial<StreamEnd["exit"]> = {}, errorTail = ""): StreamEnd => ({ exit: { code: 0, signal: null, lost: false, at: 1_000, ...exit }, errorTail });

export const streamsOf = (adapter: Adapter) => {
  const folder = join(import.meta.dirname, "..", "..", "fixtures", adapter.name);
  const streamBytes = (name: string): Buffer => readFileSync(join(folder, `${name}.jsonl`));
  const turnRequest = (more: Partial<TurnRequest> = {}): TurnRequest => ({
    runId: RunId.parse("stage.loc-1.1.coder.1"), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: adapter.name,
    model: null, cwd: "/repo", prompt: "Fix the bug.", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 600_000, stallMs: 300_000, playbook: null, ...more,
  });
  return {
    streamBytes, turnRequest,
    streamNames: readdirSync(folder).filter((file) => file.endsWith(".jsonl")).map((file) => file.slice(0, -".jsonl".length)).toSorted(),
    streamLines: (name: string): readonly string[] => streamBytes(name).toString("utf8").trimEnd().split("\n"),
    /** All events of these lines and their end. */
    read: (lines: readonly string[], end: StreamEnd = ended(), turn: TurnRequest = turnRequest()): readonly AgentEvent[] => {
      const reader = adapter.reader(turn);
      return [...lines.flatMap((line) => reader.line(line)), ...reader.end(end)];
    },
  };
};
