import { assign, setup } from "xstate";
import { laneAddress, progressAddress } from "../src/domain/ids.ts";
import { defaultLanePolicy } from "../src/domain/policy.ts";
import { type AutopilotContext, type AutopilotEvent, type AutopilotPhase, childAddress, executorOf, inOrder, legInput, planProblem, plannerInput, runInput, teamInput } from "./autopilot-context.ts";
import { autopilotGuards } from "./autopilot-guards.ts";
import { chartOptions, hostActions, tellTo } from "./durable.ts";
import { afterRule, afterStop, begunRun, claimedGates, endOf, escalatedTo, runActionsIn, shown, taken } from "./lane-run.ts";
import { failureOf, type PipelineEnded, type PipelineGates, type PipelineInput, strayed } from "./pipeline-context.ts";

/**
 * The operator of lane `autopilot`: a planner sets criteria and plans, a ralph run or a team does the plan's tasks, then the whole is checked and judged, and
 * mended until both hold.
 *
 * I1 Plans asked for, checks and judgements of the whole have a cap each; beyond it `exhausted`, which names the cap and never reads as done.
 * I2 Each phase begins on evidence, never on words: typed criteria, a plan that can be worked on, a run that is done and has a commit, good checks, an
 * approval. I3 The whole is done only by the end of the leg that judges it. I4 At most one child lives at a time, and it is always awaited. I5 A pause keeps
 * the phase; the run in `execution` is paused with it, every other child is ended and begun anew. A run that is resumed looks at its worktree again. I6 Escalation
 * happens once. I7 Trouble that is not of the work ends the run by its kind, and counts nowhere. I8 An item's source hears of `implementationComplete` on
 * entering validation, and that it is gone when the work is mended.
 */
type Args = { readonly context: AutopilotContext; readonly event: AutopilotEvent };

const itself = ({ item, attempt }: AutopilotContext) => laneAddress("autopilot", item.id, attempt);
const watcher = ({ item, attempt }: AutopilotContext) => progressAddress(item.id, attempt);

const tellOwner = tellTo<Args>(({ context }) => context.owner);
const tellChild = tellTo<Args>(({ context }) => childAddress(context));
const tellWatch = tellTo<Args>(({ context }) => watcher(context));
const seen = (what: (args: Args) => Readonly<Record<string, unknown>>) => tellWatch((args) => ({ type: "observe", seen: what(args) }));
const cancelChild = tellChild(() => ({ type: "cancel" }));
const rearm = tellWatch(() => ({ type: "reset" }));
const endWatch = tellWatch(() => ({ type: "end" }));

const tellGates = (gates: (args: Args) => PipelineGates["gates"]) => tellOwner((args) => {
  const event: PipelineGates = { type: "pipeline.gates", attempt: args.context.attempt, gates: gates(args) };
  return { ...event };
});
const tellEnded = (outcome: PipelineEnded["outcome"]) => tellOwner(({ context }) => ({ ...endOf(context, outcome) }));

const toPhase = (phase: AutopilotPhase) => ({ type: "toPhase" as const, params: { phase } });
const inPhase = (phase: AutopilotPhase) => ({ type: "in" as const, params: { phase } });
const beginPlanner = (duty: "criteria" | "plan") => ["countChild", { type: "spawn" as const, params: ({ context }: Args) => ({ address: childAddress(context), chart: "stage", input: { ...plannerInput(context, itself(context), duty) } }) }] as const;
const beginRun = ["countChild", { type: "spawn" as const, params: ({ context }: Args) => ({ address: childAddress(context), chart: executorOf(context), input: { ...(executorOf(context) === "team" ? teamInput : runInput)(context, itself(context)) } }) }] as const;
const beginLeg = ["countChild", { type: "spawn" as const, params: ({ context }: Args) => ({ address: childAddress(context), chart: "pipeline", input: { ...legInput(context, itself(context)) } }) }] as const;

const stale = { guard: "notCurrent" } as const;
const asksOwner = { guard: "isCurrent", actions: ["noteQuestion", tellOwner(({ event }) => ({ type: "pipeline.asks", question: event.type === "stage.asks" || event.type === "pipeline.asks" ? event.question : "" }))] } as const;

/** What may happen while a child is under way. */
const whileChild = {
  answer: { actions: [tellChild(({ event }) => ({ type: "answer", text: event.type === "answer" ? event.text : "" })), "clearQuestion"] },
  stuck: [
    // Who waits for a person's answer is not going round in circles.
    { guard: "hasQuestion", actions: rearm },
    { target: "settling", actions: ["noteStuck", cancelChild] },
  ],
  pause: { target: "pausing", actions: ["nextGeneration", cancelChild] },
  cancel: { target: "cancelling", actions: ["nextGeneration", cancelChild] },
} as const;

const whilePlanner = { ...whileChild, "stage.asks": asksOwner } as const;
const whileLeg = { ...whileChild, "pipeline.asks": asksOwner } as const;

/** Ends that are the same in every phase: nothing of them is about the work (I7). */
const otherwise = [
  { guard: "cancelledChild", target: "cancelled", actions: ["takeChild", "noteCancelled"] },
  { guard: "exhaustedChild", target: "exhausted", actions: ["takeChild", "takeEnd"] },
  { target: "failed", actions: ["takeChild", "takeEnd"] },
] as const;

const seenError = seen(shown.error), seenDiff = seen(shown.diff), seenFeedback = seen(shown.feedback);

/** A child's end that came before a rule, or a person, could stop it. */
const quicker = { guard: "validated", target: "done", actions: "takeChild" } as const;

export const autopilotMachine = setup({
  types: {} as { context: AutopilotContext; events: AutopilotEvent; input: PipelineInput },
  actions: {
    ...hostActions,
    ...runActionsIn<AutopilotContext, AutopilotEvent>(),
    countChild: assign(({ context }) => ({ children: context.children + 1, running: true })),
    toPhase: assign((_, params: { readonly phase: AutopilotPhase }) => ({ phase: params.phase })),
    takeCriteria: assign(({ event }) => (event.type === "stage.ended" ? { criteria: [...new Set((event.criteria?.criteria ?? []).flatMap(({ acceptance }) => acceptance))].slice(0, 50) } : {})),
    takePlan: assign(({ event }) => (event.type === "stage.ended" ? { tasks: inOrder(event.plan?.tasks ?? []), planProblem: "" } : {})),
    notePlan: assign(({ event }) => (event.type === "stage.ended" ? { planProblem: planProblem(event.plan?.tasks ?? []) } : {})),
    nextPlan: assign(({ context }) => ({ plans: context.plans + 1 })),
    notePlanCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.plans} of ${context.caps.plans} plans used; the last one: ${context.planProblem}` })),
    takeChild: assign(({ context, event }) => {
      if (event.type === "stage.ended") {
        return { running: false, question: null, costUsd: context.costUsd + event.costUsd, planner: event.session, warnings: [...context.warnings, ...strayed(event)].slice(-20) };
      }
      if (event.type !== "pipeline.ended") return {};
      return {
        ...taken(context, event), iteration: Math.max(context.iteration, event.iterations),
        ...(event.leg && (context.phase === "execution" || context.phase === "mending") ? { session: event.leg.session, escalated: context.escalated || event.leg.escalated === true } : {}),
      };
    }),
    takeEnd: assign(({ event }) => {
      if (event.type === "pipeline.ended") return { failure: event.failure ?? "work" as const, reason: event.reason || "it ended without a commit" };
      return event.type === "stage.ended" ? { failure: failureOf(event.failure), reason: `planner: ${event.reason || "it gave no usable answer"}` } : {};
    }),
    nextMending: assign(({ context }) => ({ iteration: context.iteration + 1, reason: "" })),
    nextCycle: assign(({ context }) => ({ cycles: context.cycles + 1 })),
    nextRound: assign(({ context }) => ({ rounds: context.rounds + 1 })),
    escalate: assign(({ context }) => escalatedTo(context.policy, false, true)),
    feedbackStuck: assign((args) => afterStop(args)),
    noteStuck: assign((args) => ({ ...afterRule(args), ...(args.context.phase === "mending" ? {} : { escalateNow: false }) })),
    noteCycleCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.cycles} of ${context.caps.qaCycles} checks of the whole used (lanes.autopilot.qaCycles); last feedback: ${context.feedback.slice(0, 500)}` })),
    noteRoundCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.rounds} of ${context.caps.validationRounds} judgements of the whole used (lanes.autopilot.validationRounds); last feedback: ${context.feedback.slice(0, 500)}` })),
  },
  guards: autopilotGuards,
}).createMachine({
  id: "autopilot",
  options: chartOptions,
  context: ({ input }) => ({
    ...begunRun(input, 0), feedback: "", caps: input.policy.lanes?.autopilot ?? defaultLanePolicy.autopilot, phase: "expansion" as const, criteria: [], tasks: [], planProblem: "", plans: 1, cycles: 1, rounds: 1, children: 0, planner: { id: null, costUsd: 0 },
  }),
  initial: "starting",
  entry: { type: "spawn", params: ({ context }) => ({ address: watcher(context), chart: "progress", input: { pipeline: itself(context), limits: context.policy.progress } }) },
  states: {
    /** The worktree has to be there before anything is claimed of it: at the beginning, and after a pause (I5). */
    starting: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.prepare", item: c.item.id, attempt: c.lineage, repository: c.item.repository, baseRef: c.policy.baseRef }) },
      on: {
        "workspace.ready": [
          { guard: inPhase("planning"), target: "planning", actions: "takeWorkspace" },
          { guard: inPhase("execution"), target: "execution", actions: ["takeWorkspace", ...beginRun] },
          { guard: inPhase("qa"), target: "qa", actions: "takeWorkspace" },
          { guard: inPhase("mending"), target: "mending", actions: "takeWorkspace" },
          { guard: inPhase("validation"), target: "validation", actions: "takeWorkspace" },
          { target: "expansion", actions: "takeWorkspace" },
        ],
        "effect.failed": { target: "failed", actions: "noteEffect" },
        pause: { target: "pausing", actions: "nextGeneration" },
        cancel: { target: "cancelling", actions: "nextGeneration" },
      },
    },
    expansion: {
      entry: [toPhase("expansion"), ...beginPlanner("criteria")],
      on: { ...whilePlanner, "stage.ended": [stale, { guard: "criteriaGiven", target: "planning", actions: ["takeChild", "takeCriteria", rearm] }, ...otherwise] },
    },
    planning: {
      entry: [toPhase("planning"), ...beginPlanner("plan")],
      on: {
        ...whilePlanner,
        "stage.ended": [
          stale,
          { guard: "planGiven", target: "execution", actions: ["takeChild", "takePlan", rearm, toPhase("execution"), ...beginRun] },
          { guard: "unusableWithinCap", target: "planning", reenter: true, actions: ["takeChild", "notePlan", "nextPlan"] },
          { guard: "unusable", target: "exhausted", actions: ["takeChild", "notePlan", "notePlanCap"] },
          ...otherwise,
        ],
      },
    },
    /** The run is begun by what leads here: after a pause the same one goes on. It has a watch of its own. */
    execution: {
      on: {
        ...whileLeg,
        stuck: { actions: rearm },
        pause: { target: "pausing", actions: ["nextGeneration", tellChild(() => ({ type: "pause" }))] },
        "pipeline.ended": [stale, { guard: "legDone", target: "qa", actions: ["takeChild", rearm] }, ...otherwise],
      },
    },
    qa: {
      entry: [toPhase("qa"), ...beginLeg],
      on: {
        ...whileLeg,
        "pipeline.ended": [
          stale,
          { guard: "legDone", target: "validation", actions: ["takeChild", seen(() => ({ kind: "fixed" }))] },
          { guard: "wrongWithinCycles", target: "mending", actions: ["takeChild", "takeFeedback", seenError, "nextMending", "nextCycle"] },
          { guard: "wrong", target: "exhausted", actions: ["takeChild", "takeFeedback", "noteCycleCap"] },
          ...otherwise,
        ],
      },
    },
    mending: {
      entry: [toPhase("mending"), tellGates(() => ({})), ...beginLeg],
      on: {
        ...whileLeg,
        "pipeline.ended": [
          stale,
          { guard: "legDone", target: "qa", actions: ["takeChild", seenDiff] },
          { guard: "wrongWithinCycles", target: "mending", reenter: true, actions: ["takeChild", "takeFeedback", seenDiff, seenError, "nextMending", "nextCycle"] },
          { guard: "wrong", target: "exhausted", actions: ["takeChild", "takeFeedback", "noteCycleCap"] },
          { guard: "stuckMayEscalate", target: "mending", reenter: true, actions: ["takeChild", "feedbackStuck", "escalate", rearm, "nextMending"] },
          ...otherwise,
        ],
      },
    },
    validation: {
      entry: [toPhase("validation"), ...beginLeg, tellGates(({ context }) => claimedGates(context))],
      on: {
        ...whileLeg,
        "pipeline.gates": { guard: "isCurrent", actions: tellGates(({ event }) => (event.type === "pipeline.gates" ? event.gates : {})) },
        "pipeline.ended": [
          stale,
          { guard: "legDone", target: "done", actions: "takeChild" },
          { guard: "wrongWithinCaps", target: "mending", actions: ["takeChild", "takeFeedback", seenFeedback, "nextMending", "nextCycle", "nextRound"] },
          { guard: "wrongWithinRounds", target: "exhausted", actions: ["takeChild", "takeFeedback", "noteCycleCap"] },
          { guard: "wrong", target: "exhausted", actions: ["takeChild", "takeFeedback", "noteRoundCap"] },
          ...otherwise,
        ],
      },
    },
    /** A rule fired: the child ends first (I4), then another approach, or the end. */
    settling: {
      on: {
        "stage.ended": [stale, { target: "exhausted", actions: ["takeChild", "noteStuckEnd"] }],
        "pipeline.ended": [
          stale,
          quicker,
          { guard: "mayGoOn", target: "mending", actions: ["takeChild", "escalate", rearm, "nextMending"] },
          { target: "exhausted", actions: ["takeChild", "noteStuckEnd"] },
        ],
        cancel: { target: "cancelling", actions: "nextGeneration" },
      },
    },
    pausing: {
      on: {
        "stage.ended": [
          stale,
          { guard: "expanded", target: "paused", actions: ["takeChild", "takeCriteria", toPhase("planning")] },
          { guard: "planned", target: "paused", actions: ["takeChild", "takePlan", toPhase("execution")] },
          { target: "paused", actions: "takeChild" },
        ],
        "pipeline.ended": [
          stale,
          quicker,
          { guard: "ran", target: "paused", actions: ["takeChild", toPhase("qa")] },
          // A run that has ended is not begun again: its caps would not hold.
          { guard: "runCancelled", target: "cancelled", actions: ["takeChild", "noteCancelled"] },
          { guard: "runExhausted", target: "exhausted", actions: ["takeChild", "takeEnd"] },
          { guard: inPhase("execution"), target: "failed", actions: ["takeChild", "takeEnd"] },
          { guard: "checked", target: "paused", actions: ["takeChild", toPhase("validation")] },
          { guard: "mended", target: "paused", actions: ["takeChild", toPhase("qa")] },
          { target: "paused", actions: "takeChild" },
        ],
        "pipeline.paused": { guard: "runPaused", target: "paused", actions: "clearQuestion" },
        // Without a child only the worktree's preparation can be under way.
        "workspace.ready": { guard: "nothingRuns", target: "paused", actions: "takeWorkspace" },
        "effect.failed": { guard: "nothingRuns", target: "failed", actions: "noteEffect" },
        cancel: [{ guard: "nothingRuns", target: "cancelling", actions: "nextGeneration" }, { target: "cancelling", actions: ["nextGeneration", cancelChild] }],
      },
    },
    /** Only the run that does the tasks outlives a pause, and waits as well; a team may be shut down meanwhile. */
    paused: {
      entry: tellOwner(({ context }) => ({ type: "pipeline.paused", attempt: context.attempt })),
      on: {
        "pipeline.ended": [
          stale,
          { guard: "ran", actions: ["takeChild", toPhase("qa")] },
          { guard: "runCancelled", target: "cancelled", actions: ["takeChild", "noteCancelled"] },
          { guard: "runExhausted", target: "exhausted", actions: ["takeChild", "takeEnd"] },
          { target: "failed", actions: ["takeChild", "takeEnd"] },
        ],
        resume: [
          { guard: "somethingRuns", target: "execution", actions: ["nextGeneration", tellChild(() => ({ type: "resume" }))] },
          { target: "starting", actions: "nextGeneration" },
        ],
        cancel: [
          { guard: "somethingRuns", target: "cancelling", actions: ["nextGeneration", cancelChild] },
          { target: "cancelled", actions: ["nextGeneration", "noteCancelled"] },
        ],
      },
    },
    cancelling: {
      on: {
        // Without a child only the worktree's preparation can be under way.
        "workspace.ready": { guard: "nothingRuns", target: "cancelled", actions: ["takeWorkspace", "noteCancelled"] },
        "effect.failed": { guard: "nothingRuns", target: "cancelled", actions: "noteCancelled" },
        "stage.ended": [stale, { target: "cancelled", actions: ["takeChild", "noteCancelled"] }],
        "pipeline.ended": [stale, { target: "cancelled", actions: ["takeChild", "noteCancelled"] }],
      },
    },
    done: { type: "final", entry: [endWatch, tellEnded("done")] },
    failed: { type: "final", entry: [endWatch, tellEnded("failed")] },
    cancelled: { type: "final", entry: [endWatch, tellEnded("cancelled")] },
    exhausted: { type: "final", entry: [endWatch, tellEnded("exhausted")] },
  },
});
