import { assign, enqueueActions, setup } from "xstate";
import { passed } from "../src/domain/check.ts";
import type { SourceUpdate } from "../src/domain/effects.ts";
import type { Gates } from "../src/domain/gate.ts";
import { itemAddress } from "../src/domain/ids.ts";
import { backoffMs } from "../src/domain/policy.ts";
import { type BlockedReason, canAutoClose } from "../src/domain/work-item.ts";
import { chartOptions, hostActions } from "./durable.ts";
import { required } from "./pipeline-context.ts";
import { canPause, changedGates, endedBefore, openGates, operatorAddress, operatorFor, type WorkItemContext, type WorkItemEvent, type WorkItemInput } from "./work-item-context.ts";

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
 * tried; what they say is told to the next attempt. I13 What its source has closed is cancelled, and its work kept; in `review` and later it is a person's, or
 * too late. What its source holds is begun no more, and is paused where its lane can be; it goes on by itself when the source lets it. I14 What had ended before the
 * factory lost its state stays ended, and its source is not told again.
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
const isFreed = ({ context, event }: Args): boolean => event.type === "source.state" && event.standing === "open" && context.held === true;
const waitsForClosing = (context: WorkItemContext): boolean => !canAutoClose(context.item) && openGates(context).length === 0;
const pushEnd = (status: "done" | "failed" | "cancelled" | "exhausted") =>
  push(({ context }) => (context.endedBefore === undefined ? { status, ...(status === "done" && context.published !== "" ? { published: context.published.slice(0, 2_000) } : {}) } : {}));

/** I7, I8. */
const goOn = [{ guard: "worked", target: "verifying" }, { guard: "byCommand", target: "claimed", actions: newAttempt }, { target: "ready" }] as const;

/** I13. */
const closedIdle = { guard: "sourceClosed", target: "cancelled", actions: ["noteClosed", "noteCancelled"] } as const;
const closedRunning = { guard: "closedWhileRuns", target: "cancelling", actions: ["noteClosed", tellOperator(() => ({ type: "cancel" }))] } as const;
const heldIdle = { guard: "sourceHolds", target: "paused", actions: "noteHeld" } as const;

const goOnReleased = [{ guard: "worked", target: "verifying", actions: "released" }, { guard: "byCommand", target: "claimed", actions: ["released", ...newAttempt] }, { target: "ready", actions: "released" }] as const;

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

/** I14. */
const past = (input: WorkItemInput): Partial<WorkItemContext> => {
  const ended = endedBefore(input), { remembered, item: { source } } = input;
  if (ended === undefined || remembered === undefined) return {};
  const evidence = `${source} was told so before`;
  return { endedBefore: ended, gates: Object.fromEntries(remembered.gates.map((gate) => [gate, { state: "met", evidence }])), ...(ended === "done" ? { published: remembered.published ?? evidence } : { reason: `it was ${ended} before: ${evidence}` }) };
};

export const workItemMachine = setup({
  types: {} as { context: WorkItemContext; events: WorkItemEvent; input: WorkItemInput },
  actions: {
    ...hostActions,
    nextAttempt: assign(({ context, event }) => ({ attempt: context.attempt + 1, operatorLane: laneAfter({ context, event }), operator: operatorFor(laneAfter({ context, event })), running: true, worked: false, held: false, gates: {}, byCommand: event.type === "claim" ? event.explicit : context.byCommand, driver: event.type === "claim" ? event.session : context.driver, reason: "", blocked: null, question: null, retryAt: null })),
    setSourceLane: assign(({ event }) => (event.type === "source.lane" ? { operatorLane: event.lane, sourceLane: event.lane, byCommand: false } : {})),
    noteClosed: assign(({ context, event }) => (event.type === "source.state" ? { closed: `${context.item.source} has closed it: ${event.says.slice(0, 200)}` } : {})),
    noteHeld: assign(({ context, event }) => (event.type === "source.state" ? { held: true, reason: `${context.item.source} holds it: ${event.says.slice(0, 200)}` } : {})),
    release: assign({ held: false }),
    released: assign(({ context }) => (context.held === true ? { held: false, reason: "" } : {})),
    warnSource: assign(({ context, event }) => (event.type === "source.state" ? { warnings: [...new Set([...context.warnings, `${context.item.source} says: ${event.says.slice(0, 200)}`])].slice(-20) } : {})),
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
    noteCancelled: assign(({ context }) => ({ reason: context.closed ?? "cancelled", blocked: null, question: null })),
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
    /** I14. */
    wasDone: ({ context }) => context.endedBefore === "done",
    wasFailed: ({ context }) => context.endedBefore === "failed",
    wasCancelled: ({ context }) => context.endedBefore === "cancelled",
    wasExhausted: ({ context }) => context.endedBefore === "exhausted",
    /** What a source says again is nothing new: somebody may have chosen another lane here since. */
    namesLane: ({ context, event }) => event.type === "source.lane" && event.lane !== (context.sourceLane ?? context.item.operatorLane),
    sourceOpen: ({ event }) => event.type === "source.state" && event.standing === "open",
    sourceClosed: ({ event }) => event.type === "source.state" && event.standing === "closed",
    closedWhileRuns: ({ context, event }) => event.type === "source.state" && event.standing === "closed" && context.running,
    sourceHolds: ({ event }) => event.type === "source.state" && event.standing === "held",
    holdsOperator: ({ context, event }) => event.type === "source.state" && event.standing === "held" && canPause(context.operator) && context.held !== true,
    freed: (asked) => isFreed(asked),
    freedRuns: (asked) => isFreed(asked) && asked.context.running,
    freedWorked: (asked) => isFreed(asked) && asked.context.worked,
    freedByCommand: (asked) => isFreed(asked) && asked.context.byCommand,
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
    failing: [], summary: "", warnings: [], costUsd: 0, published: "", tidied: false, gates: {}, ledger: [], ...past(input),
  }),
  initial: "discovered",
  on: {
    lane: { actions: "setLane" },
    "pipeline.gates": { guard: "ofThisPipeline", actions: takeGates },
    "source.refused": { actions: "warnRefused" },
    "source.lane": { guard: "namesLane", actions: "setSourceLane" },
    "source.state": [{ guard: "sourceOpen", actions: "release" }, { actions: "warnSource" }],
    // A pipeline that lost an event is not trusted to end by itself: it is told to stop, and its work is kept.
    reconcile: [
      { guard: "pipelineRuns", target: ".blocked", actions: ["noteReconcile", { type: "block", params: { why: "needsReconcile" } }, tellOperator(() => ({ type: "cancel" }))] },
      { target: ".blocked", actions: ["noteReconcile", { type: "block", params: { why: "needsReconcile" } }] },
    ],
  },
  states: {
    discovered: {
      always: [{ guard: "wasDone", target: "done" }, { guard: "wasFailed", target: "failed" }, { guard: "wasCancelled", target: "cancelled" }, { guard: "wasExhausted", target: "exhausted" }, { guard: "needsApproval", target: "awaitingApproval" }, { target: "ready" }],
    },
    awaitingApproval: {
      on: {
        approve: "ready",
        reject: { target: "cancelled", actions: "noteRejected" },
        "source.state": [closedIdle, { guard: "sourceOpen" }, { actions: "warnSource" }],
        cancel: { target: "cancelled", actions: "noteCancelled" },
      },
    },
    ready: {
      on: {
        claim: { guard: "mayClaim", target: "claimed", actions: newAttempt },
        "source.state": [closedIdle, heldIdle],
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
        "source.state": [closedRunning, { guard: "holdsOperator", actions: ["noteHeld", tellOperator(() => ({ type: "pause" }))] }, { guard: "sourceOpen", actions: "released" }, { actions: "warnSource" }],
        cancel: { target: "cancelling", actions: tellOperator(() => ({ type: "cancel" })) },
      },
    },
    /** The pipeline's head, checked once more as a whole: what was approved is what is published (I2). */
    verifying: {
      entry: ["release", { type: "effect", params: ({ context: c }) => ({ kind: "verify", repository: c.item.repository, base: c.workspace?.base ?? "", head: c.head }) }],
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
        "source.state": [closedIdle, { guard: "sourceOpen", actions: "release" }, { actions: "warnSource" }],
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
      entry: ["release", { type: "alarm", params: ({ context }) => ({ name: "retry", at: context.retryAt }) }],
      exit: ["clearRetry", { type: "alarm", params: { name: "retry", at: null } }],
      on: {
        "alarm.retry": goOn,
        retry: goOn,
        "source.state": [closedIdle, heldIdle],
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
        "source.state": [closedRunning, closedIdle, { guard: "sourceOpen", actions: "release" }, { actions: "warnSource" }],
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
        "source.state": [
          closedRunning, closedIdle,
          { guard: "freedRuns", target: "operating", actions: ["released", tellOperator(() => ({ type: "resume" }))] },
          { guard: "freedWorked", target: "verifying", actions: "released" },
          { guard: "freedByCommand", target: "claimed", actions: ["released", ...newAttempt] },
          { guard: "freed", target: "ready", actions: "released" },
        ],
        resume: [{ guard: "pipelineRuns", target: "operating", actions: ["takeDriver", "released", tellOperator(({ event }) => ({ type: "resume", ...(event.type === "resume" && event.session !== undefined ? { session: event.session } : {}) }))] }, ...goOnReleased],
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
