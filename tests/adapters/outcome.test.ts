import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { adapterRegistry } from "../../src/adapters/registry.ts";
import { scriptedAdapter } from "../../src/adapters/scripted/adapter.ts";
import { AgentFailure, type AgentEvent, infraKinds, TurnOutcome } from "../../src/domain/agent.ts";
import { RunId } from "../../src/domain/ids.ts";
import { begin, finish, push, sessionOnwards, type TurnEnd } from "../../src/domain/turn-outcome.ts";

const turn = { runId: RunId.parse("r"), sessionId: "s1", sessionCostUsd: 2 };
const end = (more: Partial<TurnEnd["exit"]> = {}): TurnEnd => ({ exit: { code: 0, signal: null, lost: false, at: 0, ...more }, swept: 0 });
const outcomeOf = (events: readonly AgentEvent[], ended: TurnEnd): TurnOutcome => finish(events.reduce(push, begin(turn)), ended);

const failure = fc.constantFrom<AgentFailure>({ kind: "network", message: "n" }, { kind: "rateLimited", until: 5, message: "r" }, { kind: "badSession", message: "b" });
const usd = fc.integer({ min: 0, max: 100 });
const event: fc.Arbitrary<AgentEvent> = fc.oneof(
  fc.string().map((text): AgentEvent => ({ type: "text", text })),
  fc.constant<AgentEvent>({ type: "tool", phase: "start", id: "1", name: "x", kind: "run", summary: "" }),
  fc.constantFrom("s1", "s2").map((sessionId): AgentEvent => ({ type: "session", sessionId })),
  usd.map((inputTokens): AgentEvent => ({ type: "usage", usage: { inputTokens, outputTokens: 1, cachedTokens: 0 } })),
  usd.map((cost): AgentEvent => ({ type: "cost", usd: cost })),
  fc.constantFrom("approve", "reject").map((decision): AgentEvent => ({ type: "verdict", verdict: { decision: decision === "approve" ? "approve" : "reject", feedback: "f", findings: [] } })),
  fc.string().map((text): AgentEvent => ({ type: "question", text })),
  fc.string().map((text): AgentEvent => ({ type: "result", text })),
  failure.map((one): AgentEvent => ({ type: "failure", failure: one })),
  fc.constant<AgentEvent>({ type: "garbage", line: "?" }),
);
const events = fc.array(event, { maxLength: 12 });
const ends = fc.constantFrom(end(), end({ code: 1 }), end({ code: null, signal: "SIGTERM" }), end({ code: null, lost: true }));
const ofType = <T extends AgentEvent["type"]>(all: readonly AgentEvent[], type: T): readonly Extract<AgentEvent, { type: T }>[] =>
  all.filter((one): one is Extract<AgentEvent, { type: T }> => one.type === type);

describe("how a turn ended", () => {
  test("is the first of the written rules that applies, for any events and any exit", () => {
    fc.assert(fc.property(events, ends, (all, ended) => {
      const outcome = outcomeOf(all, ended);
      expect(TurnOutcome.safeParse(outcome).success).toBe(true);
      const [cause] = ofType(all, "failure");
      const died = ended.exit.lost || ended.exit.signal !== null || ended.exit.code !== 0;
      const question = ofType(all, "question").at(-1);
      const result = ofType(all, "result").at(-1);
      const expected = cause ? { how: "failed", failure: cause.failure }
        : died ? { how: "failed", failure: { kind: "crashed", exitCode: ended.exit.code, signal: ended.exit.signal } }
        : question ? { how: "question", text: question.text }
        : result ? { how: "completed", text: result.text }
        : { how: "failed", failure: { kind: "noResult" } };
      expect(outcome.ended).toMatchObject(expected);
    }));
  });

  test("says which version of its CLI ran it, where the CLI does", () => {
    expect(outcomeOf([{ type: "session", sessionId: "s1", version: "2.1.330" }, { type: "session", sessionId: "s1" }], end()).cliVersion).toBe("2.1.330");
    expect(outcomeOf([{ type: "session", sessionId: "s1" }], end())).not.toHaveProperty("cliVersion");
  });

  test("completed needs a result, exit 0 and no failure; what the agent says alone is never enough", () => {
    fc.assert(fc.property(events, ends, (all, ended) => {
      if (outcomeOf(all, ended).ended.how !== "completed") return;
      expect(ofType(all, "result").length).toBeGreaterThan(0);
      expect(ofType(all, "failure")).toEqual([]);
      expect(ended.exit).toMatchObject({ code: 0, signal: null, lost: false });
    }));
  });

  test("cancelled always wins; another reason of the owner yields only to a clean end", () => {
    const timeout: AgentFailure = { kind: "timeout", afterMs: 5 };
    fc.assert(fc.property(events, ends, (all, ended) => {
      expect(outcomeOf(all, { ...ended, stopped: "cancelled" }).ended).toEqual({ how: "cancelled" });
      const alone = outcomeOf(all, ended).ended;
      const stopped = outcomeOf(all, { ...ended, stopped: timeout }).ended;
      const clean = alone.how === "completed" || alone.how === "question" || ofType(all, "failure").length > 0;
      expect(stopped).toEqual(clean ? alone : { how: "failed", failure: timeout });
    }));
  });

  test("the last verdict and the last totals count, and pushing one by one equals pushing them all", () => {
    fc.assert(fc.property(events, ends, (all, ended) => {
      const outcome = outcomeOf(all, ended);
      expect(outcome.verdict).toEqual(ofType(all, "verdict").at(-1)?.verdict ?? null);
      expect(outcome.costUsd).toBe(ofType(all, "cost").at(-1)?.usd ?? 0);
      expect(outcome.usage.inputTokens).toBe(ofType(all, "usage").at(-1)?.usage.inputTokens ?? 0);
      const session = ofType(all, "session").at(-1)?.sessionId ?? "s1";
      expect(outcome.sessionId).toBe(session);
      expect(outcome.sessionCostUsd).toBe((session === "s1" ? 2 : 0) + outcome.costUsd);
      // A tally is a value: going on from an earlier one changes nothing that was taken from it.
      const half = all.slice(0, all.length / 2).reduce(push, begin(turn));
      const before = JSON.stringify(half);
      expect(finish(all.slice(all.length / 2).reduce(push, half), ended)).toEqual(outcome);
      expect(JSON.stringify(half)).toBe(before);
    }));
  });

  test("a crash is the work's failure, not the infrastructure's", () => {
    const { ended } = outcomeOf([{ type: "result", text: "done" }], end({ code: 1 }));
    expect(ended.how === "failed" && infraKinds.has(ended.failure.kind)).toBe(false);
  });
});

test("what the next turn goes on with: the session, what it cost and, where its CLI counts over a session, what it used", () => {
  const used = { inputTokens: 1_000, outputTokens: 100, cachedTokens: 400 };
  const said = (session: string, more: readonly AgentEvent[] = [], kind?: "badSession"): TurnOutcome => outcomeOf([{ type: "session", sessionId: session }, ...more, ...(kind === undefined ? [] : [{ type: "failure", failure: { kind, message: "gone" } } as const])], end());
  const counted: AgentEvent = { type: "usage", usage: { inputTokens: 1, outputTokens: 1, cachedTokens: 0 }, session: used };
  const before = { id: "s1", costUsd: 2, usage: { inputTokens: 999, outputTokens: 99, cachedTokens: 400 } };
  expect(sessionOnwards(before, said("s1", [counted, { type: "cost", usd: 3 }]))).toEqual({ id: "s1", costUsd: 5, usage: used });
  // It was killed before it could say; the session's next total holds it.
  expect(sessionOnwards(before, said("s1"))).toEqual(before);
  expect(sessionOnwards(before, said("s2"))).toEqual({ id: "s2", costUsd: 2 });
  expect(sessionOnwards(before, said("s1", [counted], "badSession"))).toEqual({ id: null, costUsd: 0 });
  expect(sessionOnwards({ id: "s1", costUsd: 0 }, said("s1", [{ type: "usage", usage: used }]))).not.toHaveProperty("usage");
});

test("the registry knows adapters by name, and refuses two of one name", () => {
  const registry = adapterRegistry([scriptedAdapter]);
  expect(registry.get("scripted")).toBe(scriptedAdapter);
  expect(registry.get("codex")).toBeUndefined();
  expect(registry.all).toEqual([scriptedAdapter]);
  expect(() => adapterRegistry([scriptedAdapter, scriptedAdapter])).toThrow("two adapters are called scripted");
});
