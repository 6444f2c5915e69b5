import { assign, enqueueActions, setup } from "xstate";
import { passed } from "../src/domain/check.ts";
import type { SourceUpdate } from "../src/domain/effects.ts";
import type { Gates } from "../src/domain/gate.ts";
import { itemAddress } from "../src/domain/ids.ts";
import { backoffMs } from "../src/domain/policy.ts";
import { type BlockedReason, canAutoClose } from "../src/domain/work-item.ts";
import { chartOptions, hostActions } from "./durable.ts";
import { required } from "./pipeline-context.ts";
import { canPause, changedGates, openGates, operatorAddress, operatorFor, type WorkItemContext, type WorkItemEvent, type WorkItemInput } from "./work-item-context.ts";

/**
 * One work item from discovery to its end. The lane decides who may claim it; a pipeline, or in a lane with a chart of its own that chart, does the work (all tell
 * their end alike, and are called the pipeline below); this chart keeps the promises around it: the final head is checked again, results are published once, nothing ends without its reason.
 *
 * I1 `failures` (the work was wrong) and `infraFailures` (provider, network, disk) are counted apart and have caps of their own.
 * I2 Only a head whose last check had no new failures is published. I3 A `manual` item is claimed only by an explicit command.
 * I4 A running pipeline is always awaited before the item ends or another one starts, except after the host gave up on it (a second
 * `reconcile`). I5 Finals absorb everything. I6 Publishing is never left without its answer: a cancel comes too late, a reconcile is a warning.
 * I7 An item claimed by a command goes on by itself after a wait: automation might not be allowed to claim it again.
 * I8 Work that is done is not done again: when the last check or the publication could not be carried out, they alone are repeated.
 * I9 What is published is done, whatever becomes of its worktree. I10 Nothing is published with a gate open that it needs, unless a person says so;
 * what may not close by itself is published only once a person has said why it may (`review`, with an entry in the ledger). I11 A source is told of each
 * change of a gate, and of the end, once; what was handed in by a command has no source to tell. I12 Work that is stuck waits for a person, with the rule and what was
 * tried; what they say is told to the next attempt.
 */
interface Args { readonly context: WorkItemContext; readonly event: WorkItemEvent }
const tellOperator = (event: (args: Args) => { readonly type: string } & Readonly<Record<string, unknown>>) => ({
  type: "tell" as const,
  params: (args: Args) => ({ to: operatorAddress(args.context), event: event(args) }),
});

/** Gates as they are after this event. */
const gatesAfter = ({ context: c, event }: Args): Gates => {
  switch (event.type) {
    case "pipeline.gates": return event.gates;
    case "verify.done": return event.report.newFailures.length > 0 ? c.gates : { ...c.gates, testsPassed: { state: "met", evidence: `before ${passed(event.report.base.results)}, at the end ${passed(event.report.head.results)}` } };
    // A person's word settles what was open.
    case "approve": return { ...c.gates, ...Object.fromEntries(openGates(c).map((gate) => [gate, { state: "waived", evidence: "a person approved the work without it" }])), reviewPassed: { state: "met", evidence: "approved by a person" } };
    case "acknowledgeClose": return { ...c.gates, closureEvidence: { state: "met", evidence: `closed by a person: ${event.reason.slice(0, 500)}` } };
    case "published": return { ...c.gates, closureEvidence: c.gates.closureEvidence ?? { state: "met", evidence: event.where } };
    default: return c.gates;
  }
};

const laneAfter = ({ context, event }: Args): WorkItemContext["operatorLane"] => (event.type === "claim" && event.lane !== undefined ? event.lane : context.operatorLane);

/** I11. */
const push = (set: (args: Args) => SourceUpdate) => enqueueActions<WorkItemContext, WorkItemEvent, undefined, WorkItemEvent, never, never, never, never, never>(({ context, event, enqueue }) => {
  const { id, source, sourceId } = context.item, update = set({ context, event });
  if (source === "command" || (update.status === undefined && Object.keys(update.gates ?? {}).length === 0)) return;
  // One of the four host actions; the helper's own type cannot name it.
  enqueue({ type: "effect", params: { kind: "source.push", item: id, source, sourceId, set: update } } as never);
});
const pushGates = push((args) => ({ gates: changedGates(args.context.gates, gatesAfter(args)) }));
const takeGates = [pushGates, "takeGates"] as const;
/** What an earlier attempt has shown says nothing about the next one. */
const newAttempt = [push(({ context }) => ({ gates: changedGates(context.gates, {}) })), "nextAttempt"] as const;
const isOfThisRun = ({ context, event }: Args): boolean => event.type === "pipeline.paused" && context.running && canPause(context.operator) && event.attempt === context.attempt;
const waitsForClosing = (context: WorkItemContext): boolean => !canAutoClose(context.item) && openGates(context).length === 0;
const pushEnd = (status: "done" | "failed" | "cancelled" | "exhausted") => push(() => ({ status }));

/** I7, I8. */
const goOn = [{ guard: "worked", target: "verifying" }, { guard: "byCommand", target: "claimed", actions: newAttempt }, { target: "ready" }] as const;

/** What the end of the current pipeline means for the item. */
const afterPipeline = [
  { guard: "pipelineDone", target: "verifying", actions: "takePipeline" },
  { guard: "pipelineCancelled", target: "cancelled", actions: ["takePipeline", "noteCancelled"] },
  { guard: "needsEnvironment", target: "blocked", actions: ["takePipeline", { type: "block", params: { why: "needsEnvironment" } }] },
  { guard: "stuckEnd", target: "blocked", actions: ["takePipeline", "askForGuidance", { type: "block", params: { why: "needsHuman" } }] },
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
    nextAttempt: assign(({ context, event }) => ({ attempt: context.attempt + 1, operatorLane: laneAfter({ context, event }), operator: operatorFor(laneAfter({ context, event })), running: true, worked: false, gates: {}, byCommand: event.type === "claim" ? event.explicit : context.byCommand, driver: event.type === "claim" ? event.session : context.driver, reason: "", blocked: null, question: null, retryAt: null })),
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
    takeDriver: assign(({ event }) => (event.type === "resume" ? { driver: event.session } : {})),
    askForGuidance: assign(({ event }) => (event.type === "pipeline.ended" ? { question: `It is stuck, and was ${event.reason}\nWhat should be done differently?` } : {})),
    takeGuidance: assign(({ event }) => (event.type === "answer" ? { guidance: event.text.slice(0, 8_000) } : {})),
    takeQuestion: assign(({ event }) => (event.type === "pipeline.asks" ? { question: event.question, reason: event.question } : {})),
    noteReconcile: assign(({ event }) => (event.type === "reconcile" ? { reason: event.reason, question: null } : {})),
    warnReconcile: assign(({ context, event }) => (event.type === "reconcile" ? { warnings: [...context.warnings, event.reason].slice(-20) } : {})),
    giveUpPipeline: assign({ running: false }),
    noteRejected: assign(({ event }) => (event.type === "reject" ? { reason: `rejected: ${event.reason}` } : {})),
    noteCancelled: assign({ reason: "cancelled", blocked: null, question: null }),
    notePublished: assign(({ event }) => (event.type === "published" ? { published: event.where, reason: "" } : {})),
    takeGates: assign((args) => ({ gates: gatesAfter(args) })),
    noteDeferred: assign(({ context, event }) => ({ reason: "§I4 closure-evidence-missing: it spans several projects, so a person has to close it", ledger: [...context.ledger, { at: event.at, what: "deferred" as const, reason: `it spans ${[...new Set([context.item.project, ...context.item.spans ?? []])].join(", ")}`.slice(0, 500) }].slice(-20) })),
    noteOpen: assign(({ context }) => ({ reason: `it has no evidence for ${openGates(context).join(", ")}` })),
    noteAcknowledged: assign(({ context, event }) => (event.type === "acknowledgeClose" ? { reason: "", ledger: [...context.ledger, { at: event.at, what: "acknowledged" as const, reason: event.reason.slice(0, 2_000) }].slice(-20) } : {})),
    warnRefused: assign(({ context, event }) => (event.type === "source.refused" ? { warnings: [...context.warnings, `${context.item.source} was not told: ${event.message}`].slice(-20) } : {})),
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
    /** I10. */
    hasOpenGates: ({ context, event }) => openGates({ ...context, gates: gatesAfter({ context, event }) }).length > 0,
    mustBeClosed: ({ context }) => !canAutoClose(context.item),
    /** Somebody has approved what somebody has to approve. */
    waitsForClosing: ({ context }) => waitsForClosing(context),
    mayAcknowledge: ({ context, event }) => event.type === "acknowledgeClose" && waitsForClosing(context) && event.reason.trim() !== "",
    ofThisPipeline: ({ context, event }) => event.type === "pipeline.gates" && context.running && event.attempt === context.attempt,
    pipelineAsks: ({ context }) => context.blocked === "needsHuman" && context.running,
    /** I12. */
    stuckEnd: ({ event }) => event.type === "pipeline.ended" && event.outcome === "exhausted" && event.failure === "stuck",
    waitsForGuidance: ({ context }) => context.blocked === "needsHuman" && !context.running,
    pipelineRuns: ({ context }) => context.running,
    operatorPauses: ({ context }) => canPause(context.operator),
    ofThisRun: (asked) => isOfThisRun(asked),
    asksInThisRun: (asked) => isOfThisRun(asked) && asked.context.blocked === "needsHuman",
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
    failing: [], summary: "", warnings: [], costUsd: 0, published: "", tidied: false, gates: {}, ledger: [],
  }),
  initial: "discovered",
  on: {
    lane: { actions: "setLane" },
    "pipeline.gates": { guard: "ofThisPipeline", actions: takeGates },
    "source.refused": { actions: "warnRefused" },
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
        claim: { guard: "mayClaim", target: "claimed", actions: newAttempt },
        pause: "paused",
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    claimed: {
      entry: {
        type: "spawn",
        params: ({ context: c }) => ({ address: operatorAddress(c), chart: c.operator ?? "pipeline", input: { owner: itemAddress(c.item.id, c.lineage), item: c.item, attempt: c.attempt, lineage: c.lineage, policy: c.policy, failing: c.failing, ...(c.guidance === undefined ? {} : { guidance: c.guidance }), ...(c.driver === undefined || c.operator !== "ralph" ? {} : { driver: c.driver }) } }),
      },
      always: "operating",
    },
    operating: {
      on: {
        "pipeline.ended": [{ guard: "stalePipeline" }, ...afterPipeline],
        "pipeline.asks": { target: "blocked", actions: ["takeQuestion", { type: "block", params: { why: "needsHuman" } }] },
        pause: { guard: "operatorPauses", actions: tellOperator(() => ({ type: "pause" })) },
        "pipeline.paused": { guard: "ofThisRun", target: "paused" },
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
          { guard: "mustBeClosed", target: "review", actions: ["takeChecks", ...takeGates, "noteDeferred"] },
          { guard: "needsHumanReview", target: "review", actions: ["takeChecks", ...takeGates] },
          { guard: "hasOpenGates", target: "review", actions: ["takeChecks", ...takeGates, "noteOpen"] },
          { target: "publishing", actions: ["takeChecks", ...takeGates] },
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
        approve: [
          { guard: "waitsForClosing" },
          { guard: "mustBeClosed", actions: takeGates },
          { target: "publishing", actions: takeGates },
        ],
        acknowledgeClose: { guard: "mayAcknowledge", target: "publishing", actions: [...takeGates, "noteAcknowledged"] },
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
        published: [{ guard: "keepsWorktree", target: "done", actions: ["notePublished", ...takeGates] }, { target: "tidying", actions: ["notePublished", ...takeGates] }],
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
     * Waits for a person; `blocked` says for what. With `needsHuman` the pipeline is alive and waits for the answer too, or has ended stuck; with
     * `needsReconcile` it may still be winding down, and a retry waits for its end.
     */
    blocked: {
      on: {
        answer: [{ guard: "waitsForGuidance", target: "claimed", actions: ["takeGuidance", ...newAttempt] }, { guard: "pipelineAsks", target: "operating", actions: ["unblock", tellOperator(({ event }) => ({ type: "answer", text: event.type === "answer" ? event.text : "" }))] }],
        "pipeline.ended": [
          { guard: "stalePipeline" },
          { guard: "pipelineWindsDown", actions: "takePipeline" },
          // It went on or ended without the answer.
          ...afterPipeline,
        ],
        "pipeline.asks": { guard: "pipelineAsks", actions: "takeQuestion" },
        // The question came just before the pause that took it back.
        "pipeline.paused": { guard: "asksInThisRun", target: "paused", actions: "unblock" },
        reconcile: { guard: "pipelineWindsDown", actions: ["noteReconcile", "giveUpPipeline"] },
        retry: [
          { guard: "neverClaimed", target: "discovered", actions: "unblock" },
          { guard: "worked", target: "verifying", actions: "unblock" },
          { guard: "commandMayRetry", target: "claimed", actions: newAttempt },
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
        // A person ended it meanwhile, or it lost what it needs: then it begins anew with the resume.
        "pipeline.ended": [
          { guard: "stalePipeline" },
          { guard: "pipelineDone", target: "verifying", actions: "takePipeline" },
          { guard: "pipelineCancelled", target: "cancelled", actions: ["takePipeline", "noteCancelled"] },
          { actions: "takePipeline" },
        ],
        resume: [{ guard: "pipelineRuns", target: "operating", actions: ["takeDriver", tellOperator(({ event }) => ({ type: "resume", ...(event.type === "resume" && event.session !== undefined ? { session: event.session } : {}) }))] }, ...goOn],
        cancel: [
          { guard: "pipelineRuns", target: "cancelling", actions: tellOperator(() => ({ type: "cancel" })) },
          { target: "cancelled", actions: "noteCancelled" },
        ],
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
    done: { type: "final", entry: pushEnd("done") },
    failed: { type: "final", entry: pushEnd("failed") },
    cancelled: { type: "final", entry: pushEnd("cancelled") },
    exhausted: { type: "final", entry: pushEnd("exhausted") },
  },
});
