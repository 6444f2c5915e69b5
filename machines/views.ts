import type { AnyMachineSnapshot } from "xstate";
import type { QueuedMessage } from "../src/domain/message.ts";
import { stages } from "../src/domain/stage.ts";
import type { PipelineView, ProgressView, StageView, WorkItemView } from "../src/domain/view.ts";
import { WorkItemStatus } from "../src/domain/work-item.ts";
import type { PipelineContext } from "./pipeline-context.ts";
import type { ProgressContext } from "./progress.ts";
import type { StageContext } from "./stage.ts";
import type { WorkItemContext } from "./work-item.ts";

/** What clients see of each durable chart: small, flat, JSON. */

type Snapshot<C> = AnyMachineSnapshot & { readonly context: C };

const stateName = (snapshot: AnyMachineSnapshot): string => (typeof snapshot.value === "string" ? snapshot.value : JSON.stringify(snapshot.value));

export const viewWorkItem = (snapshot: Snapshot<WorkItemContext>): WorkItemView => {
  const { context: c } = snapshot;
  const { id, source, sourceId, title, kind, priority, createdAt, project, repository } = c.item;
  return {
    id, source, sourceId, title: title.length > 200 ? `${title.slice(0, 199)}…` : title, kind, priority, createdAt, project, repository,
    operatorLane: c.operatorLane, status: WorkItemStatus.parse(stateName(snapshot)), lineage: c.lineage, attempt: c.attempt, iterations: c.iterations,
    failures: c.failures, itemFailures: c.policy.itemFailures, infraFailures: c.infraFailures, infraRetries: c.policy.infraRetries, retryAt: c.retryAt, blocked: c.blocked, question: c.question, reason: c.reason,
    branch: c.workspace?.branch ?? null, worktree: c.tidied ? null : (c.workspace?.path ?? null), base: c.workspace?.base ?? null, head: c.head || null,
    checks: c.checks, summary: c.summary, warnings: [...c.warnings], costUsd: c.costUsd, published: c.published,
  };
};

export const viewPipeline = (snapshot: Snapshot<PipelineContext>): PipelineView => {
  const { context: c } = snapshot;
  return {
    state: stateName(snapshot), stage: c.stage, stageAddress: c.stageAddress, iteration: c.iteration, maxIterations: c.policy.maxIterations,
    branch: c.workspace?.branch ?? null, worktree: c.workspace?.path ?? null, head: c.head || null, changeSummary: c.changeSummary, checks: c.checks,
    newFailures: c.newFailures.slice(0, 10), feedback: c.feedback.slice(0, 2_000), escalated: c.escalated, question: c.question, costUsd: c.costUsd, rule: c.rule, reason: c.reason,
    messages: c.messages.map((message: QueuedMessage) => ({ ...message, text: message.text.slice(0, 200) })), stages: stages.filter((stage) => c.policy.stages[stage] !== undefined),
  };
};

export const viewStage = (snapshot: Snapshot<StageContext>): StageView => {
  const { context: c } = snapshot;
  return {
    state: stateName(snapshot), stage: c.stage, iteration: c.iteration, tryNumber: c.tryNumber, adapter: c.adapter, model: c.model,
    infraFailures: c.infraFailures, infraRetries: c.policy.infraRetries, crashes: c.crashes, crashRetries: c.policy.crashRetries,
    retryAt: c.retryAt, question: c.question, reason: c.reason, costUsd: c.costUsd,
  };
};

export const viewProgress = (snapshot: Snapshot<ProgressContext>): ProgressView => {
  const { context: c } = snapshot;
  return { state: stateName(snapshot), rule: c.rule, says: c.says, facts: { ...c.facts, feedback: c.facts.feedback.length }, limits: c.limits };
};
