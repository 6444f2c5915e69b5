import { describe, expect, test } from "vitest";
import type { ItemEvidence, ItemState } from "../../src/client/contract.ts";
import { explain, relativeTime } from "../../src/client/explain.ts";
import { waitingFor } from "../../src/client/waiting.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { noCost } from "../../src/domain/spend.ts";
import { type PipelineView, type StageView, type WorkItemView } from "../../src/domain/view.ts";
import { WorkItemStatus } from "../../src/domain/work-item.ts";

const item: WorkItemView = {
  id: WorkItemId.parse("LOC-1"), source: "local", sourceId: "1.md", title: "t", kind: "bug", priority: 1, createdAt: 0, project: "p", repository: "/r", operatorLane: "none", status: "operating", lineage: 1, attempt: 1,
  iterations: 0, failures: 0, itemFailures: 1, infraFailures: 0, infraRetries: 5, retryAt: null, blocked: null, question: null, reason: "", branch: null, worktree: null, base: null, head: null, checks: null, summary: "", warnings: [], costUsd: 0, published: "", running: false, needs: [], gates: {}, ledger: [],
};
const pipeline: PipelineView = { state: "coding", stage: "coder", stageAddress: "stage/LOC-1/1/coder.1", iteration: 2, maxIterations: 5, branch: null, worktree: null, head: null, changeSummary: "", checks: null, newFailures: [], feedback: "", escalated: false, question: null, costUsd: 0, rule: "", reason: "" };
const stage: StageView = { state: "working", stage: "coder", iteration: 2, tryNumber: 1, adapter: "claude", model: null, waitsForPlace: false, infraFailures: 0, infraRetries: 5, refused: 0, refusedRetries: 288, crashes: 0, crashRetries: 2, retryAt: null, question: null, reason: "", costUsd: 0 };
const limits = { sameError: 3, sameFeedback: 2, feedbackSimilarity: 0.8, repeatedTool: 12, monologue: 12, sameDiff: 3, costWithoutChangeUsd: 2 };
const noFacts = { diffs: [], error: "", errorStreak: 0, feedback: 0, feedbackStreak: 0, toolStreak: 0, monologue: 0, costSinceChange: 0 };
const state = (over: { readonly item?: Partial<WorkItemView>; readonly pipeline?: Partial<PipelineView>; readonly stage?: Partial<StageView>; readonly facts?: object; readonly rule?: string } = {}): ItemState => ({
  item: { ...item, ...over.item }, pipeline: { ...pipeline, ...over.pipeline }, stage: { ...stage, ...over.stage },
  progress: { state: over.rule === undefined ? "watching" : "stuck", rule: over.rule ?? "", says: "", facts: { ...noFacts, ...over.facts }, limits }, team: null, lane: null, nested: null, cost: noCost, updatedAt: 0,
});
const none: ItemEvidence = { effects: [], alarms: [], deadLetters: [], last: [] };
const rule = (found: ItemState, id: string, scope = "progress") => explain(found, none).rules.find((each) => each.id === id && each.scope === scope);

describe("why", () => {
  test("every status says what it waits for, and who waits for a person says with which command it goes on", () => {
    for (const status of WorkItemStatus.options) {
      const found = waitingFor(state({ item: { status, ...(status === "blocked" ? { blocked: "needsHuman" as const } : {}) } }));
      expect(found.text, status).not.toBe("");
      if (found.on === "person") expect(found.commands.length, status).toBeGreaterThan(0);
    }
    for (const blocked of ["needsSpec", "needsEnvironment", "needsHuman", "needsReconcile"] as const) expect(waitingFor(state({ item: { status: "blocked", blocked } })).commands.length).toBeGreaterThan(0);
  });

  test("counters stand beside their caps, and the cap is where they say it is", () => {
    expect(rule(state(), "maxIterations", "pipeline")).toMatchObject({ says: "iteration 2 of 5", then: "exhausted", state: "quiet" });
    expect(rule(state({ pipeline: { iteration: 5 } }), "maxIterations", "pipeline")).toMatchObject({ state: "atLimit" });
    expect(rule(state({ stage: { crashes: 2 } }), "crashRetries", "stage")).toMatchObject({ now: 2, limit: 2, state: "atLimit" });
    expect(rule(state({ item: { failures: 2, status: "failed" } }), "itemFailures", "item")).toMatchObject({ state: "fired" });
  });

  test("progress facts stand against their thresholds, and the rule that fired is named", () => {
    expect(rule(state({ facts: { toolStreak: 11 } }), "repeatedTool")).toMatchObject({ now: 11, limit: 12, state: "atLimit" });
    expect(rule(state({ facts: { toolStreak: 12 }, rule: "repeatedTool" }), "repeatedTool")).toMatchObject({ state: "fired" });
    expect(rule(state({ facts: { diffs: ["b", "a", "a"] } }), "sameDiff")).toMatchObject({ now: 2, state: "atLimit" });
    expect(rule(state({ facts: { diffs: ["a", "b", "a"] }, rule: "oscillation" }), "oscillation")).toMatchObject({ state: "fired" });
    expect(rule(state(), "oscillation")).toMatchObject({ state: "quiet" });
    expect(rule(state({ facts: { costSinceChange: 2 }, rule: "costWithoutChange" }), "costWithoutChange")).toMatchObject({ state: "fired" });
  });

  test("a rate limit says when it goes on", () => {
    expect(waitingFor(state({ stage: { state: "waiting", retryAt: 90_000 } }))).toMatchObject({ on: "time", until: 90_000 });
    expect([relativeTime(90_000, 0), relativeTime(0, 12_000), relativeTime(5, 5), relativeTime(7_200_000, 0), relativeTime(0, 600_000_000)]).toEqual(["in 2 min", "12 s ago", "now", "in 2 h", "7 d ago"]);
  });

  test("of an item that has ended only what still says something is told", () => {
    expect(explain(state({ item: { status: "done" } }), none).rules.every(({ scope }) => scope === "item")).toBe(true);
    expect(explain(state({ item: { status: "exhausted" }, rule: "sameDiff", facts: { diffs: ["a", "a", "a"] } }), none).rules.some(({ id, state: fired }) => id === "sameDiff" && fired === "fired")).toBe(true);
  });
});
