import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Gate, gates, pendingGates } from "../../src/domain/gate.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { lanes } from "../../src/domain/lane.ts";
import { denialsSince, sessionAfter, sessionStarted } from "../../src/domain/session.ts";
import { stages } from "../../src/domain/stage.ts";
import { decideStop, StopCause, StopFacts, stopRules } from "../../src/domain/stop-policy.ts";
import { isTerminal, WorkItemStatus } from "../../src/domain/work-item.ts";

const id = WorkItemId.parse("LOC-7");
const sessionIds = fc.constantFrom("", "s-1", "s-2");
const gateList = fc.uniqueArray(fc.constantFrom(...gates));
const evidence = fc.record({ state: fc.constantFrom("met" as const, "waived" as const), evidence: fc.string() });
const known = gateList.chain((met) => fc.record(Object.fromEntries(met.map((gate) => [gate, evidence]))));
const item = fc.record({ id: fc.constant(id), status: fc.constantFrom(...WorkItemStatus.options), needs: gateList, gates: known, blocked: fc.boolean(), running: fc.boolean() });
const lane = fc.record({ lane: fc.constantFrom(...lanes), phase: fc.string(), ended: fc.boolean(), paused: fc.boolean(), cancelled: fc.boolean(), session: fc.option(sessionIds), next: fc.string() });
/** Half of them are of the plain kind in which later rules get their turn. */
const anyFacts = fc.record({
  enabled: fc.boolean(), acknowledged: fc.boolean(), denials: fc.nat(8), breaker: fc.integer({ min: 1, max: 6 }),
  attempt: fc.record({ sessionId: sessionIds, cause: fc.constantFrom(...StopCause.options), asksHuman: fc.boolean() }),
  lane: fc.option(lane), item: fc.option(item), run: fc.option(fc.record({ stage: fc.constantFrom(...stages), changed: fc.boolean() })),
});
const plain = anyFacts.map((facts): StopFacts => ({ ...facts, enabled: true, acknowledged: false, denials: 0, attempt: { sessionId: "s-1", cause: "normal", asksHuman: false } }));
const facts: fc.Arbitrary<StopFacts> = fc.oneof(anyFacts, plain);
const runs = { numRuns: 3_000 };

describe("the stop policy", () => {
  test("is total and deterministic: one of its own rules decides, the first that holds, and nothing but the facts counts", () => {
    fc.assert(fc.property(facts, (given) => {
      const decided = decideStop(given);
      const rule = stopRules.find(({ when }) => when(given));
      expect([decided.ruleId, decided.decision]).toEqual([rule?.id, rule?.decides]);
      expect(decideStop(StopFacts.parse(JSON.parse(JSON.stringify(given))))).toEqual(decided);
      expect(decided.reason.startsWith(`[${decided.ruleId}] `)).toBe(true);
      expect(decided.pendingGates).toEqual(given.item === null ? [] : pendingGates(given.item.needs, given.item.gates));
    }), runs);
  });

  test("is monotone in gates: one more gate met never turns an allow into a deny", () => {
    fc.assert(fc.property(facts, fc.constantFrom(...gates), (given, gate) => {
      fc.pre(given.item !== null && decideStop(given).decision === "allow");
      const more = { ...given, item: given.item && { ...given.item, gates: { ...given.item.gates, [gate]: { state: "met" as const, evidence: "seen" } } } };
      expect(decideStop(more).decision).toBe("allow");
    }), runs);
  });

  test("is free of loops: a session that keeps trying to stop is let go after as many denials as the breaker has", () => {
    fc.assert(fc.property(facts, fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 1_000 }), (given, withinMs, stepMs) => {
      let session = sessionStarted({ key: "0".repeat(32), sessionId: "s-1", cli: "claude", cwd: "/", at: 0 });
      let at = 0, denied = 0;
      for (;; at += Math.min(stepMs, Math.floor(withinMs / (given.breaker + 1)))) {
        const decided = decideStop({ ...given, denials: denialsSince(session, at - withinMs) });
        if (decided.decision === "allow") break;
        denied += 1;
        session = sessionAfter(session, { type: "stop.denied", id: String(denied), verdict: { ...decided, item: null, at }, at });
        expect(denied).toBeLessThanOrEqual(given.breaker);
      }
    }), runs);
  });

  test("never holds back who was cancelled, whom the provider refuses, whose context is full, who is of another session or of none", () => {
    fc.assert(fc.property(facts, fc.constantFrom(...StopCause.options), (given, cause) => {
      const denied = (more: Partial<StopFacts>): boolean => decideStop({ ...given, ...more }).decision === "deny";
      if (cause !== "normal") expect(denied({ attempt: { ...given.attempt, cause } })).toBe(false);
      expect(denied({ attempt: { ...given.attempt, sessionId: "" } })).toBe(false);
      expect(denied({ item: null, lane: null, run: null })).toBe(false);
      if (given.lane !== null) expect(denied({ lane: { ...given.lane, session: "somebody-else" } })).toBe(false);
    }), runs);
  });

  test("CARD-23 an explicit rule list: over all combinations of facts every rule is reached, and no session stops with open gates but by one of the named overrides", () => {
    const reached = new Map<string, number>();
    /** Ways in which a person, the provider, the work itself or the breaker lets it go. */
    const overrides = new Set(["disabled", "orphan", "cancelled", "auth", "rateLimited", "contextExhausted", "otherSession", "acknowledged", "asksHuman", "paused", "factoryWorks", "breaker"]);
    const bools = [false, true];
    const met: readonly (readonly Gate[])[] = [[], ["reviewPassed"], ["reviewPassed", "closureEvidence"]];
    const laneStates = [null, ...bools.flatMap((ended) => bools.flatMap((paused) => [null, "s-1", "s-2"].map((session) => ({ lane: "ralph" as const, phase: "executing", ended, paused, cancelled: false, session, next: "" }))))];
    const items = [null, ...WorkItemStatus.options.flatMap((status) => met.flatMap((has) => bools.map((blocked) => ({ id, status, needs: ["reviewPassed", "closureEvidence"] as Gate[], gates: Object.fromEntries(has.map((gate) => [gate, { state: "met" as const, evidence: "" }])), blocked, running: !blocked && has.length === 1 }))))];
    const attempts = ["", "s-1"].flatMap((sessionId) => StopCause.options.flatMap((cause) => bools.map((asksHuman) => ({ sessionId, cause, asksHuman }))));
    const turns = [null, { stage: "coder" as const, changed: false }, { stage: "coder" as const, changed: true }, { stage: "critic" as const, changed: false }];
    for (const enabled of bools) for (const acknowledged of bools) for (const denials of [0, 2]) for (const attempt of attempts) for (const laneState of laneStates) for (const it of items) for (const run of turns) {
      const decided = decideStop({ enabled, acknowledged, denials, breaker: 2, attempt, lane: laneState, item: it, run });
      reached.set(decided.ruleId, (reached.get(decided.ruleId) ?? 0) + 1);
      if (it === null) continue;
      const open = pendingGates(it.needs, it.gates).length > 0 && (!isTerminal(it.status) || (it.status === "done" && pendingGates(it.needs, it.gates).includes("closureEvidence")));
      if (open && decided.decision === "allow" && !overrides.has(decided.ruleId)) expect.unreachable(`${decided.ruleId} let ${it.status} go with ${decided.pendingGates.join(", ")} open`);
    }
    expect([...reached.keys()].toSorted()).toEqual(stopRules.map((rule) => rule.id).toSorted());
  });
});
