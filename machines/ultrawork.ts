import { assign, setup } from "xstate";
import { actingIn, crewActionsIn, crewNews, endAs, endedAs, type Ending, tellEnded, tellPaused, whenSettled } from "./crew.ts";
import { chartOptions, hostActions, tellTo } from "./durable.ts";
import { type PipelineGates, type PipelineInput, required } from "./pipeline-context.ts";
import * as work from "./team-work.ts";
import { begun, legAddress, legInput, mergedGates, type UltraworkContext, type UltraworkEvent } from "./ultrawork-context.ts";
import { ultraworkGuards } from "./ultrawork-guards.ts";

/**
 * The parallel operator of lane `ultrawork`: the item's parts are worked on at the same time by workers that claim them, merged one at a time, and
 * judged as a whole by a leg, a pipeline that begins with a review. What is asked for then is one more part.
 *
 * I1 At most as many workers live as configured, each with one part. I2 Work reaches the branch only by evidence under a valid claim, one merge at a
 * time, in order. I3 Done means: no part is open, and a leg that checked and judged the merged head is done. I4 Entering `fixing` counts; beyond the cap
 * the run is exhausted, which never reads as done. I5 Workers, the leg and the merge under way are awaited before it ends or is paused. I6 A pause keeps
 * the phase and the board; what a worker held is open again, its work in a checkpoint. I7 A question of a worker or of the leg reaches the item, its
 * answer that one. I8 The source hears of `implementationComplete` on entering `verifying`.
 */
type Args = { readonly context: UltraworkContext; readonly event: UltraworkEvent };

const acting = actingIn<UltraworkContext, UltraworkEvent>();

const tellOwner = tellTo<Args>(({ context }) => context.owner);
const tellLeg = tellTo<Args>(({ context }) => legAddress(context));
const tellGates = (gates: (args: Args) => PipelineGates["gates"]) => tellOwner((args) => {
  const event: PipelineGates = { type: "pipeline.gates", attempt: args.context.attempt, gates: gates(args) };
  return { ...event };
});
const relayGates = { guard: "isCurrent", actions: tellGates(({ event }) => (event.type === "pipeline.gates" ? event.gates : {})) } as const;
const cancelLeg = tellLeg(() => ({ type: "cancel" }));
const clearLease = { type: "alarm" as const, params: { name: "lease", at: null } };
const toPhase = (phase: UltraworkContext["phase"]) => ({ type: "toPhase" as const, params: { phase } });
const stale = { guard: "notCurrent" } as const;
const staleNews = { guard: "ofStranger" } as const;
const cancelled = ["nextGeneration", "noteCancelled", endAs("cancelled")] as const;

const settled = whenSettled("#ultrawork.draining", "#ultrawork.working.verifying", "#ultrawork.working.fixing");

export const ultraworkMachine = setup({
  types: {} as { context: UltraworkContext; events: UltraworkEvent; input: PipelineInput },
  actions: {
    ...hostActions,
    ...crewActionsIn<UltraworkContext, UltraworkEvent>(),
    hire: acting(({ context, event }) => work.hired({ ...context, force: false }, event.at)),
    // The judging leg.
    beginLeg: assign(({ context }) => ({ legs: context.legs + 1, checking: true })),
    takeLeg: assign(({ context, event }) => (event.type === "pipeline.ended" ? {
      checking: false, costUsd: context.costUsd + event.costUsd, checks: event.checks ?? context.checks, newFailures: event.leg?.failing ?? [], warnings: [...new Set([...context.warnings, ...event.warnings])].slice(-20),
      // One that checked nothing has seen nothing of the branch.
      head: event.checks === null ? context.head : event.head,
    } : {})),
    putAsked: acting(({ context, event }) => ({ context: event.type !== "pipeline.ended" || !event.leg ? context : context.newFailures.length > 0 ? work.checksPut(context) : work.reviewPut(context, event.leg.feedback, event.leg.findings), asked: [] })),
    takeFeedback: assign(({ event }) => (event.type === "pipeline.ended" && event.leg ? { feedback: [event.leg.feedback, ...event.leg.failing].join("\n").slice(0, 2_000) } : {})),
    noteCap: assign(({ context }) => ({ reason: `${context.fixes} of ${context.limits.maxFixes} fixes used; last feedback: ${context.feedback.slice(0, 500)}` })),
    takeEnd: assign(({ event }) => (event.type === "pipeline.ended" ? { failure: event.failure, reason: event.reason } : {})),
    // The end, and the pause.
    toPhase: assign((_, params: { readonly phase: UltraworkContext["phase"] }) => ({ phase: params.phase })),
    nextGeneration: assign(({ context }) => ({ generation: context.generation + 1 })),
    holdOff: acting(({ context }) => work.dismissed({ ...context, force: true, lapse: null })),
    forgetMerge: assign({ merging: null }),
    endAs: assign(({ context }, params: Ending) => endedAs(context, params)),
  },
  guards: ultraworkGuards,
}).createMachine({
  id: "ultrawork",
  options: chartOptions,
  context: ({ input }) => begun(input),
  initial: "starting",
  states: {
    starting: {
      initial: "worktree",
      states: {
        worktree: {
          entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.prepare", item: c.item.id, attempt: c.lineage, repository: c.item.repository, baseRef: c.policy.baseRef }) },
          on: { "workspace.ready": { target: "branch", actions: "takeWorkspace" } },
        },
        /** Where the branch stands: an earlier attempt may have come far. */
        branch: {
          entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.commit", item: c.item.id, workspace: required(c.workspace), message: `${c.item.id}: what was left in the worktree` }) },
          on: { "workspace.committed": [{ guard: "isHeld", target: "#ultrawork.paused", actions: ["takeStart", "letGo"] }, { target: "#ultrawork.working", actions: ["takeStart", "hire"] }] },
        },
      },
      on: {
        "effect.failed": { target: "draining", actions: ["noteEffect", endAs("failed")] },
        pause: { actions: ["nextGeneration", "noteHold"] },
        cancel: { target: "stopping", actions: cancelled },
      },
    },
    /** Cancelled before it began: what prepares the worktree is awaited. */
    stopping: {
      on: {
        "workspace.ready": { target: "draining", actions: "takeWorkspace" },
        "workspace.committed": "draining",
        "effect.failed": "draining",
      },
    },
    working: {
      initial: "executing",
      on: {
        ...crewNews,
        "effect.failed": { guard: "merges", target: "draining", actions: ["noteEffect", endAs("failed")] },
        pause: { target: "pausing", actions: "nextGeneration" },
        cancel: { target: "draining", actions: cancelled },
      },
      states: {
        executing: {
          entry: [toPhase("executing"), "putBoard", "carryOn"],
          always: settled,
        },
        /** The merged whole, checked and judged (I3). */
        verifying: {
          entry: [toPhase("verifying"), "beginLeg", { type: "spawn", params: ({ context }) => ({ address: legAddress(context), chart: "pipeline", input: { ...legInput(context) } }) }, tellGates(({ context }) => mergedGates(context))],
          on: {
            "pipeline.gates": relayGates,
            "pipeline.asks": { guard: "isCurrent", actions: tellOwner(({ event }) => ({ type: "pipeline.asks", question: event.type === "pipeline.asks" ? event.question : "" })) },
            answer: { actions: tellLeg(({ event }) => ({ type: "answer", text: event.type === "answer" ? event.text : "" })) },
            "pipeline.ended": [
              stale,
              { guard: "legDone", target: "#ultrawork.draining", actions: ["takeLeg", endAs("done")] },
              { guard: "wrongMayFix", target: "fixing", actions: ["takeLeg", "takeFeedback", "countFix", "putAsked"] },
              { guard: "wrong", target: "#ultrawork.draining", actions: ["takeLeg", "takeFeedback", "noteCap", endAs("exhausted", "cap")] },
              { guard: "legExhausted", target: "#ultrawork.draining", actions: ["takeLeg", "takeEnd", endAs("exhausted")] },
              { guard: "legCancelled", target: "#ultrawork.draining", actions: ["takeLeg", "noteCancelled", endAs("cancelled")] },
              { target: "#ultrawork.draining", actions: ["takeLeg", "takeEnd", endAs("failed")] },
            ],
            pause: { target: "#ultrawork.pausing", actions: ["nextGeneration", cancelLeg] },
            cancel: { target: "#ultrawork.draining", actions: [cancelLeg, ...cancelled] },
          },
        },
        /** Entered only with something to mend on the board (I4). */
        fixing: {
          entry: [toPhase("fixing"), tellGates(() => ({})), "carryOn"],
          always: settled,
        },
      },
    },
    /** I6: turns are ended; what was brought before counts. */
    pausing: {
      entry: ["holdOff", clearLease],
      on: {
        "member.turn": [staleNews, { actions: "takeTurn" }],
        "member.evidence": [staleNews, { actions: "takeEvidence" }],
        "member.failed": [staleNews, { actions: "takeFailed" }],
        "member.declined": [staleNews, { actions: "takeDeclined" }],
        "member.died": [staleNews, { actions: "takeDeath" }],
        "member.ended": [staleNews, { actions: "takeLeave" }],
        "workspace.merged": { guard: "merges", actions: "takeMerge" },
        "workspace.conflicted": { guard: "merges", actions: "takeConflict" },
        "effect.failed": { guard: "merges", target: "draining", actions: ["noteEffect", endAs("failed")] },
        "pipeline.gates": relayGates,
        "pipeline.ended": [
          stale,
          // It was quicker than the pause.
          { guard: "legDone", target: "draining", actions: ["takeLeg", endAs("done")] },
          { actions: "takeLeg" },
        ],
        cancel: { target: "draining", actions: cancelled },
      },
      always: { guard: "isQuiet", target: "paused" },
    },
    paused: {
      entry: tellPaused,
      on: {
        resume: [
          { guard: "verifies", target: "#ultrawork.working.verifying", actions: ["nextGeneration", "hire"] },
          { guard: "mends", target: "#ultrawork.working.fixing", actions: ["nextGeneration", "hire"] },
          { target: "working", actions: ["nextGeneration", "hire"] },
        ],
        cancel: { target: "draining", actions: cancelled },
      },
    },
    /** I5: what everybody did is kept. */
    draining: {
      entry: ["closeBoard", "dismiss", "summarise", clearLease],
      on: {
        "member.turn": [staleNews, { actions: "takeTurn" }],
        "member.ended": [staleNews, { actions: "takeLeave" }],
        "workspace.merged": { guard: "merges", actions: "takeMerge" },
        "workspace.conflicted": { actions: "forgetMerge" },
        "effect.failed": { actions: "forgetMerge" },
        "pipeline.ended": [stale, { actions: "takeLeg" }],
        cancel: { actions: [...cancelled, "dismiss"] },
      },
      always: [
        { guard: { type: "ends", params: { as: "done" } }, target: "done" },
        { guard: { type: "ends", params: { as: "cancelled" } }, target: "cancelled" },
        { guard: { type: "ends", params: { as: "exhausted" } }, target: "exhausted" },
        { guard: { type: "ends", params: { as: "failed" } }, target: "failed" },
      ],
    },
    done: { type: "final", entry: tellEnded("done") },
    failed: { type: "final", entry: tellEnded("failed") },
    cancelled: { type: "final", entry: tellEnded("cancelled") },
    exhausted: { type: "final", entry: tellEnded("exhausted") },
  },
});
