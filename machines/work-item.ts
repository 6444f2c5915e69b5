import { assign, setup } from "xstate";
import type { CheckReport } from "../src/domain/check.ts";
import { passed } from "../src/domain/check.ts";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import { type Address, itemAddress, pipelineAddress, teamAddress } from "../src/domain/ids.ts";
import type { OperatorLane } from "../src/domain/lane.ts";
import { backoffMs, type Policy } from "../src/domain/policy.ts";
import type { BlockedReason, WorkItem } from "../src/domain/work-item.ts";
import { chartOptions, hostActions, type EffectFailed, type Stamp } from "./durable.ts";
import { type PipelineEnded, required } from "./pipeline-context.ts";

/**
 * One work item from discovery to its end. The lane decides who may claim it; a pipeline, or in lane `team` a team, does the work (both tell
 * their end alike, and are called the pipeline below); this chart keeps the promises around it: the final head is checked again, results are published once, nothing ends without its reason.
 *
 * I1 `failures` (the work was wrong) and `infraFailures` (provider, network, disk) are counted apart and have caps of their own.
 * I2 Only a head whose last check had no new failures is published. I3 A `manual` item is claimed only by an explicit command.
 * I4 A running pipeline is always awaited before the item ends or another one starts, except after the host gave up on it (a second
 * `reconcile`). I5 Finals absorb everything. I6 Publishing is never left without its answer: a cancel comes too late, a reconcile is a warning.
 * I7 An item claimed by a command goes on by itself after a wait: automation might not be allowed to claim it again.
 * I8 Work that is done is not done again: when the last check or the publication could not be carried out, they alone are repeated.
 * I9 What is published is done, whatever becomes of its worktree.
 */
export interface WorkItemInput { readonly item: WorkItem; readonly policy: Policy; /** First pipeline attempt of this lineage; part of its address. */ readonly attempt: number }

export interface WorkItemContext {
  readonly item: WorkItem;
  readonly policy: Policy;
  readonly lineage: number;
  readonly operatorLane: OperatorLane;
  /** Chart of the operator under way or last ended: the lane at the time of the claim decides. */
  readonly operator?: "pipeline" | "team";
  /** Number of the pipeline under way or last ended. */
  readonly attempt: number;
  /** That pipeline has not told its end yet. */
  readonly running: boolean;
  /** The last claim was a command (I7). */
  readonly byCommand: boolean;
  readonly failures: number;
  readonly infraFailures: number;
  readonly iterations: number;
  /** The pipeline of this attempt is done; checking and publishing are left (I8). */
  readonly worked: boolean;
  readonly retryAt: number | null;
  readonly blocked: BlockedReason | null;
  readonly question: string | null;
  readonly reason: string;
  readonly workspace: WorkspaceRef | null;
  readonly head: string;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly failing: readonly string[];
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly costUsd: number;
  readonly published: string;
  /** The worktree was taken away; the branch stays. */
  readonly tidied: boolean;
}

export type WorkItemEvent = (
  | { readonly type: "claim"; readonly explicit: boolean }
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "retry" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "cancel" }
  | { readonly type: "lane"; readonly lane: OperatorLane }
  | { readonly type: "reconcile"; readonly reason: string }
  /** Somebody should look at something; the work goes on. */
  | { readonly type: "warn"; readonly warning: string }
  | PipelineEnded
  | { readonly type: "pipeline.asks"; readonly question: string }
  | { readonly type: "verify.done"; readonly report: CheckReport }
  | { readonly type: "published"; readonly where: string }
  | { readonly type: "workspace.removed" }
  | { readonly type: "alarm.retry" }
  | EffectFailed
) & Stamp;

/** Who works on it: a pipeline, or the team of lane `team`. What an older version took in has pipelines only. */
const operator = ({ operator, item, attempt }: WorkItemContext): Address => (operator === "team" ? teamAddress(item.id, attempt) : pipelineAddress(item.id, attempt));
const tellOperator = (event: (args: { readonly context: WorkItemContext; readonly event: WorkItemEvent }) => { readonly type: string } & Readonly<Record<string, unknown>>) => ({
  type: "tell" as const,
  params: (args: { readonly context: WorkItemContext; readonly event: WorkItemEvent }) => ({ to: operator(args.context), event: event(args) }),
});

/** I7, I8. */
const goOn = [{ guard: "worked", target: "verifying" }, { guard: "byCommand", target: "claimed", actions: "nextAttempt" }, { target: "ready" }] as const;

/** What the end of the current pipeline means for the item. */
const afterPipeline = [
  { guard: "pipelineDone", target: "verifying", actions: "takePipeline" },
  { guard: "pipelineCancelled", target: "cancelled", actions: ["takePipeline", "noteCancelled"] },
  { guard: "needsEnvironment", target: "blocked", actions: ["takePipeline", { type: "block", params: { why: "needsEnvironment" } }] },
  { guard: "infraWithinCap", target: "retryAt", actions: ["takePipeline", "countInfra", "setRetry"] },
  { guard: "infra", target: "exhausted", actions: "takePipeline" },
  { guard: "workWithinCap", target: "retryAt", actions: ["takePipeline", "countFailure", "setRetry"] },
  { guard: "pipelineExhausted", target: "exhausted", actions: "takePipeline" },
  { target: "failed", actions: ["takePipeline", "countFailure"] },
] as const;

const isInfraEnd = (event: WorkItemEvent): boolean => event.type === "pipeline.ended" && (event.outcome === "failed" || event.outcome === "exhausted") && event.failure === "infra";

export const workItemMachine = setup({
  types: {} as { context: WorkItemContext; events: WorkItemEvent; input: WorkItemInput },
  actions: {
    ...hostActions,
    nextAttempt: assign(({ context, event }) => ({ attempt: context.attempt + 1, operator: context.operatorLane === "team" ? "team" as const : "pipeline" as const, running: true, worked: false, byCommand: event.type === "claim" ? event.explicit : context.byCommand, reason: "", blocked: null, question: null, retryAt: null })),
    setLane: assign(({ event }) => (event.type === "lane" ? { operatorLane: event.lane, byCommand: false } : {})),
    takePipeline: assign(({ context, event }) =>
      event.type === "pipeline.ended"
        ? {
            workspace: event.workspace ?? context.workspace, head: event.head || context.head, checks: event.checks ?? context.checks, summary: event.summary || context.summary,
            warnings: [...new Set([...context.warnings, ...event.warnings])].slice(-20), costUsd: context.costUsd + event.costUsd, iterations: context.iterations + event.iterations,
            running: false, worked: event.outcome === "done", question: null,
            // What a person has to reconcile stays until they have.
            ...(context.blocked === "needsReconcile" ? {} : { reason: event.reason, blocked: null }),
          }
        : {}),
    takeChecks: assign(({ context, event }) =>
      event.type === "verify.done"
        ? { checks: { base: passed(event.report.base.results), head: passed(event.report.head.results) }, failing: event.report.newFailures.slice(0, 50), warnings: [...new Set([...context.warnings, ...event.report.warnings])].slice(-20) }
        : {}),
    noteRecheck: assign(({ context }) => ({ worked: false, reason: `the final check found new failures: ${context.failing.slice(0, 3).join("; ")}` })),
    countFailure: assign(({ context }) => ({ failures: context.failures + 1 })),
    countInfra: assign(({ context }) => ({ infraFailures: context.infraFailures + 1 })),
    setRetry: assign(({ context, event }) => ({ retryAt: event.at + backoffMs(context.policy, context.failures + context.infraFailures) })),
    clearRetry: assign({ retryAt: null }),
    noteEffect: assign(({ event }) => (event.type === "effect.failed" ? { reason: event.mend ? `${event.message} (${event.mend})` : event.message } : {})),
    block: assign((_, params: { readonly why: BlockedReason }) => ({ blocked: params.why })),
    unblock: assign({ blocked: null, question: null, reason: "" }),
    takeQuestion: assign(({ event }) => (event.type === "pipeline.asks" ? { question: event.question, reason: event.question } : {})),
    noteReconcile: assign(({ event }) => (event.type === "reconcile" ? { reason: event.reason, question: null } : {})),
    warnReconcile: assign(({ context, event }) => (event.type === "reconcile" ? { warnings: [...context.warnings, event.reason].slice(-20) } : {})),
    takeWarning: assign(({ context, event }) => (event.type === "warn" ? { warnings: [...new Set([...context.warnings, event.warning])].slice(-20) } : {})),
    giveUpPipeline: assign({ running: false }),
    noteRejected: assign(({ event }) => (event.type === "reject" ? { reason: `rejected: ${event.reason}` } : {})),
    noteCancelled: assign({ reason: "cancelled", blocked: null, question: null }),
    notePublished: assign(({ event }) => (event.type === "published" ? { published: event.where, reason: "" } : {})),
    noteTidied: assign({ tidied: true }),
    warnUntidied: assign(({ context, event }) => (event.type === "effect.failed" ? { warnings: [...context.warnings, `the worktree was not removed: ${event.message}`].slice(-20) } : {})),
  },
  guards: {
    keepsWorktree: ({ context }) => context.policy.keepWorktree || context.workspace === null,
    needsApproval: ({ context }) => context.policy.requireApproval,
    /** I3. */
    mayClaim: ({ context, event }) => event.type === "claim" && (event.explicit || context.operatorLane !== "manual"),
    pipelineDone: ({ event }) => event.type === "pipeline.ended" && event.outcome === "done",
    pipelineCancelled: ({ event }) => event.type === "pipeline.ended" && event.outcome === "cancelled",
    needsEnvironment: ({ event }) => event.type === "pipeline.ended" && event.outcome === "failed" && (event.failure === "environment" || event.failure === "auth"),
    infraWithinCap: ({ context, event }) => isInfraEnd(event) && context.infraFailures < context.policy.infraRetries,
    infra: ({ event }) => isInfraEnd(event),
    workWithinCap: ({ context, event }) => event.type === "pipeline.ended" && event.outcome === "failed" && event.failure === "work" && context.failures < context.policy.itemFailures,
    pipelineExhausted: ({ event }) => event.type === "pipeline.ended" && event.outcome === "exhausted",
    /** Of an earlier attempt, or told before. */
    stalePipeline: ({ context, event }) => event.type === "pipeline.ended" && (event.attempt !== context.attempt || !context.running),
    newFailuresWithinCap: ({ context, event }) => event.type === "verify.done" && event.report.newFailures.length > 0 && context.failures < context.policy.itemFailures,
    newFailures: ({ event }) => event.type === "verify.done" && event.report.newFailures.length > 0,
    effectIo: ({ context, event }) => event.type === "effect.failed" && event.class === "io" && context.infraFailures < context.policy.infraRetries,
    needsHumanReview: ({ context }) => context.policy.review === "human",
    pipelineAsks: ({ context }) => context.blocked === "needsHuman",
    pipelineRuns: ({ context }) => context.running,
    /** The pipeline was told to stop because of an earlier poisoned event. */
    pipelineWindsDown: ({ context }) => context.running && context.blocked === "needsReconcile",
    neverClaimed: ({ context }) => context.attempt < context.lineage,
    worked: ({ context }) => context.worked,
    byCommand: ({ context }) => context.byCommand,
    commandMayRetry: ({ context }) => context.byCommand && !context.running,
    mayRetry: ({ context }) => !context.running,
  },
}).createMachine({
  id: "work-item",
  options: chartOptions,
  context: ({ input }) => ({
    item: input.item, policy: input.policy, lineage: input.attempt, operatorLane: input.item.operatorLane, attempt: input.attempt - 1, running: false, byCommand: false, worked: false,
    failures: 0, infraFailures: 0, iterations: 0, retryAt: null, blocked: null, question: null, reason: "", workspace: null, head: "", checks: null,
    failing: [], summary: "", warnings: [], costUsd: 0, published: "", tidied: false,
  }),
  initial: "discovered",
  on: {
    lane: { actions: "setLane" },
    warn: { actions: "takeWarning" },
    // A pipeline that lost an event is not trusted to end by itself: it is told to stop, and its work is kept.
    reconcile: [
      { guard: "pipelineRuns", target: ".blocked", actions: ["noteReconcile", { type: "block", params: { why: "needsReconcile" } }, tellOperator(() => ({ type: "cancel" }))] },
      { target: ".blocked", actions: ["noteReconcile", { type: "block", params: { why: "needsReconcile" } }] },
    ],
  },
  states: {
    discovered: {
      always: [{ guard: "needsApproval", target: "awaitingApproval" }, { target: "ready" }],
    },
    awaitingApproval: {
      on: {
        approve: "ready",
        reject: { target: "cancelled", actions: "noteRejected" },
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    ready: {
      on: {
        claim: { guard: "mayClaim", target: "claimed", actions: "nextAttempt" },
        pause: "paused",
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    claimed: {
      entry: {
        type: "spawn",
        params: ({ context: c }) => ({ address: operator(c), chart: c.operator ?? "pipeline", input: { owner: itemAddress(c.item.id, c.lineage), item: c.item, attempt: c.attempt, lineage: c.lineage, policy: c.policy, failing: c.failing } }),
      },
      always: "operating",
    },
    operating: {
      on: {
        "pipeline.ended": [{ guard: "stalePipeline" }, ...afterPipeline],
        "pipeline.asks": { target: "blocked", actions: ["takeQuestion", { type: "block", params: { why: "needsHuman" } }] },
        cancel: { target: "cancelling", actions: tellOperator(() => ({ type: "cancel" })) },
      },
    },
    /** The pipeline's head, checked once more as a whole: what was approved is what is published (I2). */
    verifying: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "verify", repository: c.item.repository, base: c.workspace?.base ?? "", head: c.head }) },
      on: {
        "verify.done": [
          { guard: "newFailuresWithinCap", target: "retryAt", actions: ["takeChecks", "noteRecheck", "countFailure", "setRetry"] },
          { guard: "newFailures", target: "failed", actions: ["takeChecks", "noteRecheck", "countFailure"] },
          { guard: "needsHumanReview", target: "review", actions: "takeChecks" },
          { target: "publishing", actions: "takeChecks" },
        ],
        "effect.failed": [
          { guard: "effectIo", target: "retryAt", actions: ["noteEffect", "countInfra", "setRetry"] },
          { target: "blocked", actions: ["noteEffect", { type: "block", params: { why: "needsEnvironment" } }] },
        ],
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    review: {
      on: {
        approve: "publishing",
        reject: { target: "failed", actions: ["noteRejected", "countFailure"] },
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    publishing: {
      entry: {
        type: "effect",
        params: ({ context: c }) => ({ kind: "publish", item: c.item.id, attempt: c.attempt, repository: c.item.repository, branch: c.workspace?.branch ?? "", base: c.workspace?.base ?? "", head: c.head, summary: c.summary }),
      },
      on: {
        published: [{ guard: "keepsWorktree", target: "done", actions: "notePublished" }, { target: "tidying", actions: "notePublished" }],
        reconcile: { actions: "warnReconcile" },
        "effect.failed": { target: "blocked", actions: ["noteEffect", { type: "block", params: { why: "needsEnvironment" } }] },
      },
    },
    /** I9: nothing that happens here takes back what was published. */
    tidying: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.remove", item: c.item.id, workspace: required(c.workspace), repository: c.item.repository }) },
      on: {
        "workspace.removed": { target: "done", actions: "noteTidied" },
        "effect.failed": { target: "done", actions: "warnUntidied" },
        reconcile: { target: "done", actions: "warnReconcile" },
      },
    },
    retryAt: {
      entry: { type: "alarm", params: ({ context }) => ({ name: "retry", at: context.retryAt }) },
      exit: ["clearRetry", { type: "alarm", params: { name: "retry", at: null } }],
      on: {
        "alarm.retry": goOn,
        retry: goOn,
        pause: "paused",
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    /**
     * Waits for a person; `blocked` says for what. With `needsHuman` the pipeline is alive and waits for the answer too; with
     * `needsReconcile` it may still be winding down, and a retry waits for its end.
     */
    blocked: {
      on: {
        answer: { guard: "pipelineAsks", target: "operating", actions: ["unblock", tellOperator(({ event }) => ({ type: "answer", text: event.type === "answer" ? event.text : "" }))] },
        "pipeline.ended": [
          { guard: "stalePipeline" },
          { guard: "pipelineWindsDown", actions: "takePipeline" },
          // It went on or ended without the answer.
          ...afterPipeline,
        ],
        "pipeline.asks": { guard: "pipelineAsks", actions: "takeQuestion" },
        reconcile: { guard: "pipelineWindsDown", actions: ["noteReconcile", "giveUpPipeline"] },
        retry: [
          { guard: "neverClaimed", target: "discovered", actions: "unblock" },
          { guard: "worked", target: "verifying", actions: "unblock" },
          { guard: "commandMayRetry", target: "claimed", actions: "nextAttempt" },
          { guard: "mayRetry", target: "ready", actions: "unblock" },
        ],
        cancel: [
          { guard: "pipelineRuns", target: "cancelling", actions: tellOperator(() => ({ type: "cancel" })) },
          { target: "cancelled", actions: "noteCancelled" },
        ],
      },
    },
    paused: {
      on: {
        resume: goOn,
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    /** I4. */
    cancelling: {
      on: {
        "pipeline.ended": [
          { guard: "stalePipeline" },
          { target: "cancelled", actions: ["takePipeline", "noteCancelled"] },
        ],
        reconcile: { target: "cancelled", actions: ["noteReconcile", "giveUpPipeline"] },
      },
    },
    done: { type: "final" },
    failed: { type: "final" },
    cancelled: { type: "final" },
    exhausted: { type: "final" },
  },
});
