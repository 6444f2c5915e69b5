/** What every reader owes to any stream of its CLI, whole or cut. */
import { expect, test } from "vitest";
import type { AgentEvent } from "../../src/domain/agent.ts";
import type { StreamEnd } from "../../src/ports/adapter.ts";

export interface Streams {
  readonly streamNames: readonly string[];
  readonly streamBytes: (name: string) => Buffer;
  readonly streamLines: (name: string) => readonly string[];
  readonly ended: (exit?: Partial<StreamEnd["exit"]>, errorTail?: string) => StreamEnd;
  readonly read: (lines: readonly string[], end?: StreamEnd) => readonly AgentEvent[];
}

export const closing = (events: readonly AgentEvent[]): readonly AgentEvent[] => events.filter(({ type }) => type === "result" || type === "failure");

export const readerSuite = ({ streamNames, streamBytes, streamLines, ended, read }: Streams): void => {
  test.each(streamNames)("STRUCT-07 %s, cut at every byte, never throws, never invents a result, and always closes once", (name) => {
    const bytes = streamBytes(name);
    const whole = closing(read(streamLines(name)));
    const complete = bytes.lastIndexOf("}") + 1;
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const events = read(bytes.subarray(0, cut).toString("utf8").split("\n"), ended({ code: null, signal: "SIGKILL" }));
      const close = closing(events);
      if (close.length !== 1) throw new Error(`${close.length} closing events when cut at byte ${cut}`);
      if (cut < complete) {
        if (close[0]?.type !== "failure") throw new Error(`a result when cut at byte ${cut}`);
        if (events.some(({ type }) => type === "verdict" || type === "audit" || type === "question")) throw new Error(`an answer when cut at byte ${cut}`);
      } else expect(close[0]?.type).toBe(whole[0]?.type);
    }
  });

  test("the same lines give the same events", () => {
    for (const name of streamNames) expect(read(streamLines(name))).toEqual(read(streamLines(name)));
  });
};
