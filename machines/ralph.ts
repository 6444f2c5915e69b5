import { assign, enqueueActions, setup } from "xstate";
import { laneAddress, pipelineAddress, progressAddress } from "../src/domain/ids.ts";
import { defaultLanePolicy } from "../src/domain/policy.ts";
import { storiesOf } from "../src/domain/story.ts";
import { chartOptions, hostActions, tellTo } from "./durable.ts";
import { afterRule, afterStop, begunRun, claimedGates, endOf, escalatedTo, runActionsIn, shown, taken } from "./lane-run.ts";
import { escalates, type PipelineEnded, type PipelineGates } from "./pipeline-context.ts";
import { isLast, legInput, legName, type RalphContext, type RalphEvent, type RalphInput, storyOf } from "./ralph-context.ts";
import { ralphGuards } from "./ralph-guards.ts";

/**
 * The loop operator of lane `ralph`: one story of the item after the other is worked on, claimed with evidence, and judged, until all have passed.
 *
 * Each round is a pipeline of its own (a leg): a turn of the coder with commit and checks, or a judgement of what is there.
 *
 * I1 At most `maxIterations` rounds of work; beyond them `exhausted`, which never reads as done. I2 Verifying begins on a commit with good
 * checks, never on what an agent says. I3 A story passes, and the whole is done, only by the approval that answers the open request. I4 At most one leg
 * lives at a time, and it is always awaited. I5 A pause keeps the phase, and can always be resumed or cancelled. I6 Escalation happens once. I7 Only
 * trouble with the work costs a round. I8 An item's source hears of `implementationComplete` on entering the last `verifying`. I9 A run that a session drives
 * is advanced by that session alone, and by what is found in the worktree, never by its word.
 */
type Args = { readonly context: RalphContext; readonly event: RalphEvent };

const itself = ({ item, attempt, leg }: RalphContext) => laneAddress("ralph", item.id, attempt, leg?.n);
const watcher = ({ item, attempt, leg }: RalphContext) => progressAddress(item.id, attempt, leg?.n);
const legAddress = (context: RalphContext) => pipelineAddress(context.item.id, context.attempt, legName(context));
/** In what the owner is told by one that is a step. */
const asLeg = ({ leg }: RalphContext) => (leg === undefined ? {} : { leg: leg.n });

const tellOwner = tellTo<Args>(({ context }) => context.owner);
const tellLeg = tellTo<Args>(({ context }) => legAddress(context));
const tellWatch = tellTo<Args>(({ context }) => watcher(context));
const seen = (what: (args: Args) => Readonly<Record<string, unknown>>) => tellWatch((args) => ({ type: "observe", seen: what(args) }));
const cancelLeg = tellLeg(() => ({ type: "cancel" }));
const rearm = tellWatch(() => ({ type: "reset" }));

const tellGates = (gates: (args: Args) => PipelineGates["gates"]) => tellOwner((args) => {
  const event: PipelineGates = { type: "pipeline.gates", attempt: args.context.attempt, gates: gates(args), ...asLeg(args.context) };
  return { ...event };
});

const beginLeg = [
  "countLeg",
  { type: "spawn" as const, params: ({ context }: Args) => ({ address: legAddress(context), chart: "pipeline", input: { ...legInput(context, itself(context)) } }) },
] as const;

/** A round of work; a session that drives the run begins its own. */
const beginWork = enqueueActions<RalphContext, RalphEvent, undefined, RalphEvent, never, never, never, never, never>(({ context, enqueue }) => {
  if (context.driver !== undefined) return;
  // Named actions of this chart; the helper's own type cannot name them.
  for (const each of beginLeg) enqueue(each as never);
});

const tellEnded = (outcome: PipelineEnded["outcome"]) => tellOwner(({ context }) => ({ ...endOf(context, outcome) }));
const endWatch = tellWatch(() => ({ type: "end" }));

const stale = { guard: "notCurrent" } as const;

/** What may happen while a leg is under way. */
const whileLeg = {
  "pipeline.asks": { guard: "isCurrent", actions: ["noteQuestion", tellOwner(({ context, event }) => ({ type: "pipeline.asks", question: event.type === "pipeline.asks" ? event.question : "", ...asLeg(context) }))] },
  answer: { guard: "legRuns", actions: [tellLeg(({ event }) => ({ type: "answer", text: event.type === "answer" ? event.text : "" })), "clearQuestion"] },
  stuck: [
    // Who waits for a person's answer is not going round in circles.
    { guard: "hasQuestion", actions: rearm },
    { target: "settling", actions: ["noteStuck", cancelLeg] },
  ],
  pause: { target: "pausing", actions: ["nextGeneration", cancelLeg] },
  cancel: { target: "cancelling", actions: ["nextGeneration", cancelLeg] },
} as const;
/** A round of work may be a session's: then no leg runs. */
const whileWork = {
  ...whileLeg,
  stuck: [{ guard: "nothingRuns", target: "exhausted", actions: ["noteStuck", "noteStuckEnd"] }, ...whileLeg.stuck],
  pause: [{ guard: "nothingRuns", target: "paused", actions: "nextGeneration" }, whileLeg.pause],
  cancel: [{ guard: "nothingRuns", target: "cancelled", actions: ["nextGeneration", "noteCancelled"] }, whileLeg.cancel],
  advance: { guard: "ofDriver", target: "verifying" },
} as const;

/** Ends that are the same in every phase: nothing of them is about the work (I7). */
const otherwise = [
  { guard: "stuckMayEscalate", target: "fixing", reenter: true, actions: ["takeLeg", "escalate", rearm, "nextIteration"] },
  { guard: "cancelledLeg", target: "cancelled", actions: ["takeLeg", "noteCancelled"] },
  { guard: "exhaustedLeg", target: "exhausted", actions: ["takeLeg", "takeEnd"] },
  { target: "failed", actions: ["takeLeg", "takeEnd"] },
] as const;

const seenDiff = seen(shown.diff);

/** A session's work is first seen by the leg that judges it. */
const seenOfDriver = seen((args) => (args.context.driver === undefined ? { kind: "diff", hash: "" } : shown.diff(args)));
const seenJudged = seen((args) => (args.event.type === "pipeline.ended" && (args.event.leg?.failing.length ?? 0) > 0 ? shown.error(args) : shown.feedback(args)));

/** What the end of a round of work means. */
const afterWork = [
  stale,
  { guard: "legDone", target: "verifying", actions: ["takeLeg", seenDiff, seen(() => ({ kind: "fixed" }))] },
  { guard: "wrongWithinCap", target: "fixing", reenter: true, actions: ["takeLeg", "takeFeedback", seenDiff, seen(shown.error), "nextIteration"] },
  { guard: "wrong", target: "exhausted", actions: ["takeLeg", "takeFeedback", "noteCap"] },
  ...otherwise,
] as const;

export const ralphMachine = setup({
  types: {} as { context: RalphContext; events: RalphEvent; input: RalphInput },
  actions: {
    ...hostActions,
    ...runActionsIn<RalphContext, RalphEvent>(),
    countLeg: assign(({ context }) => ({ legs: context.legs + 1, running: true })),
    toPhase: assign((_, params: { readonly phase: RalphContext["phase"] }) => ({ phase: params.phase })),
    nextIteration: assign(({ context }) => ({ iteration: context.iteration + 1, reason: "", ...escalatedTo(context.policy, context.escalated, context.escalated || escalates(context)) })),
    takeLeg: assign(({ context, event }) => (event.type === "pipeline.ended" ? { ...taken(context, event), request: null, ...(event.leg && context.phase !== "verifying" ? { session: event.leg.session } : {}) } : {})),
    openRequest: assign(({ context }) => ({ request: { id: context.legs, head: context.head } })),
    takeDriver: assign(({ event }) => (event.type === "resume" ? { driver: event.session } : {})),
    passStory: assign(({ context, event }) => {
      const story = storyOf(context);
      return { reason: "", feedback: "", findings: [], failing: [], stories: context.stories.map((each) => (each.id === story?.id ? { ...each, passes: true, evidence: `request ${context.request?.id ?? 0}, commit ${(event.type === "pipeline.ended" ? event.head : "").slice(0, 12)}` } : each)) };
    }),
    takeEnd: assign(({ event }) => (event.type === "pipeline.ended" ? { failure: event.failure, reason: event.reason } : {})),
    escalate: assign((args) => ({ ...afterStop(args), escalateNow: true })),
    noteStuck: assign((args) => afterRule(args)),
    noteCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.iteration} of ${context.maxIterations} rounds used; last feedback: ${context.feedback.slice(0, 500)}` })),
    noteStoryCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.iteration} of ${context.maxIterations} rounds used; ${context.stories.filter(({ passes }) => passes).length} of ${context.stories.length} parts have passed` })),
  },
  guards: ralphGuards,
}).createMachine({
  id: "ralph",
  options: chartOptions,
  context: ({ input }) => ({
    ...begunRun(input, 1), maxIterations: (input.policy.lanes ?? defaultLanePolicy).ralph.maxIterations, stories: input.stories === undefined ? [...storiesOf(input.item)] : input.stories.map(({ title, details }, n) => ({ id: n + 1, title, details, passes: false, evidence: "" })), legs: 0, phase: "executing" as const, request: null,
  }),
  initial: "starting",
  entry: { type: "spawn", params: ({ context }) => ({ address: watcher(context), chart: "progress", input: { pipeline: itself(context), limits: context.policy.progress } }) },
  states: {
    /** The worktree has to be there before anything is claimed of it. */
    starting: {
      entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.prepare", item: c.item.id, attempt: c.lineage, repository: c.item.repository, baseRef: c.policy.baseRef }) },
      on: {
        "workspace.ready": { target: "executing", actions: "takeWorkspace" },
        "effect.failed": { target: "failed", actions: "noteEffect" },
        pause: { target: "pausing", actions: "nextGeneration" },
        cancel: { target: "cancelling", actions: "nextGeneration" },
      },
    },
    executing: {
      entry: [{ type: "toPhase", params: { phase: "executing" } }, beginWork],
      on: { ...whileWork, "pipeline.ended": afterWork },
    },
    fixing: {
      entry: [{ type: "toPhase", params: { phase: "fixing" } }, tellGates(() => ({})), beginWork],
      on: { ...whileWork, "pipeline.ended": afterWork },
    },
    verifying: {
      entry: [{ type: "toPhase", params: { phase: "verifying" } }, ...beginLeg, "openRequest", tellGates(({ context }) => (context.driver === undefined && isLast(context) ? claimedGates(context) : {}))],
      on: {
        ...whileLeg,
        "pipeline.gates": { guard: "judgesWhole", actions: tellGates(({ event }) => (event.type === "pipeline.gates" ? event.gates : {})) },
        "pipeline.ended": [
          stale,
          { guard: "wholePasses", target: "done", actions: ["passStory", "takeLeg"] },
          { guard: "storyPassesWithinCap", target: "executing", actions: ["passStory", "takeLeg", rearm, "nextIteration"] },
          { guard: "legDone", target: "exhausted", actions: ["passStory", "takeLeg", "noteStoryCap"] },
          { guard: "wrongWithinCap", target: "fixing", actions: ["takeLeg", "takeFeedback", seenOfDriver, seenJudged, "nextIteration"] },
          { guard: "wrong", target: "exhausted", actions: ["takeLeg", "takeFeedback", "noteCap"] },
          ...otherwise,
        ],
      },
    },
    /** A rule fired: the leg ends first (I4), then another approach, or the end. */
    settling: {
      on: {
        "pipeline.ended": [
          stale,
          { guard: "verifiedWhole", target: "done", actions: ["passStory", "takeLeg"] },
          { guard: "mayGoOn", target: "fixing", actions: ["takeLeg", rearm, "nextIteration"] },
          { target: "exhausted", actions: ["takeLeg", "noteStuckEnd"] },
        ],
        pause: { target: "pausing", actions: "nextGeneration" },
        cancel: { target: "cancelling", actions: "nextGeneration" },
      },
    },
    pausing: {
      on: {
        "pipeline.ended": [
          stale,
          // It was quicker than the pause: what it has shown counts.
          { guard: "verifiedWhole", target: "done", actions: ["passStory", "takeLeg"] },
          { guard: "settlesAndMayGoOn", target: "paused", actions: ["takeLeg", rearm, "nextIteration", { type: "toPhase", params: { phase: "fixing" } }] },
          { guard: "settles", target: "exhausted", actions: ["takeLeg", "noteStuckEnd"] },
          { guard: "verifiedStory", target: "paused", actions: ["passStory", "takeLeg", { type: "toPhase", params: { phase: "executing" } }] },
          { guard: "claimed", target: "paused", actions: ["takeLeg", { type: "toPhase", params: { phase: "verifying" } }] },
          { target: "paused", actions: "takeLeg" },
        ],
        // Without a leg only the worktree's preparation can be under way.
        "workspace.ready": { guard: "nothingRuns", target: "paused", actions: "takeWorkspace" },
        "effect.failed": { guard: "nothingRuns", target: "failed", actions: "noteEffect" },
        cancel: { target: "cancelling", actions: "nextGeneration" },
      },
    },
    paused: {
      entry: tellOwner(({ context }) => ({ type: "pipeline.paused", attempt: context.attempt, ...asLeg(context) })),
      on: {
        resume: [
          { guard: "verifies", target: "verifying", actions: ["nextGeneration", "takeDriver"] },
          { guard: "mends", target: "fixing", actions: ["nextGeneration", "takeDriver"] },
          { target: "executing", actions: ["nextGeneration", "takeDriver"] },
        ],
        cancel: { target: "cancelled", actions: ["nextGeneration", "noteCancelled"] },
      },
    },
    cancelling: {
      on: {
        // Without a leg only the worktree's preparation can be under way.
        "workspace.ready": { guard: "nothingRuns", target: "cancelled", actions: ["takeWorkspace", "noteCancelled"] },
        "effect.failed": { guard: "nothingRuns", target: "cancelled", actions: "noteCancelled" },
        "pipeline.ended": [stale, { target: "cancelled", actions: ["takeLeg", "noteCancelled"] }],
      },
    },
    done: { type: "final", entry: [endWatch, tellEnded("done")] },
    failed: { type: "final", entry: [endWatch, tellEnded("failed")] },
    cancelled: { type: "final", entry: [endWatch, tellEnded("cancelled")] },
    // What was claimed and never approved does not stand.
    exhausted: { type: "final", entry: [endWatch, tellGates(() => ({})), tellEnded("exhausted")] },
  },
});
