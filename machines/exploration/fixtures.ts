import type { CheckReport } from "../../src/domain/check.ts";
import type { WorkspaceRef } from "../../src/domain/effects.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import type { Policy, StagePlan } from "../../src/domain/policy.ts";
import { type Charge, noAmount } from "../../src/domain/spend.ts";
import type { WorkItem } from "../../src/domain/work-item.ts";

/** The small world that explorations share. A 2 in an input is a cap that its chart keeps; no other number here is one. */

export const id = WorkItemId.parse("LOC-7");

export const item: WorkItem = {
  id, source: "local", sourceId: "seven.md", title: "Mend it", body: "It is broken.", kind: "bug", priority: 3, createdAt: 1, project: "demo", repository: "/repository", operatorLane: "none",
};

export const workspace: WorkspaceRef = { path: "/worktrees/LOC-7", branch: "enact/LOC-7", base: "base0" };

export const plan: StagePlan = { adapter: "scripted", model: "small", escalateModel: null, escalateAdapter: null, escalateAfterIteration: 9, timeoutMs: 60_000 };

export const policy: Policy = {
  stages: { coder: plan, critic: plan }, baseRef: null, keepWorktree: false, requireApproval: false, review: "none", maxIterations: 5, itemFailures: 1, infraRetries: 5, crashRetries: 5,
  retryBaseMs: 1_000, retryMaxMs: 60_000, stallMs: 600_000,
  progress: { sameError: 3, sameFeedback: 3, feedbackSimilarity: 0.8, repeatedTool: 3, monologue: 3, sameDiff: 3, costWithoutChangeUsd: 1.5 },
};

export const report = (newFailures: readonly string[], head = "head1"): CheckReport => {
  const result = { name: "test", exitCode: 0, failures: [], tail: "", durationMs: 1, flaky: false };
  return {
    base: { commit: "base0", results: [{ ...result, status: "failed" }] },
    head: { commit: head, results: [{ ...result, status: newFailures.length > 0 ? "failed" : "passed" }] },
    newFailures: [...newFailures], fixed: [], warnings: ["a flaky check"], sandbox: "off",
  };
};

/** What a turn used. */
export const charge: Charge = { run: RunId.parse("run-1"), item: id, attempt: 1, project: item.project, lane: "none", stage: "coder", member: null, adapter: "scripted", model: null, day: "2026-11-30", amount: { ...noAmount, turns: 1 } };
