import { assign, enqueueActions, setup } from "xstate";
import { laneAddress, pipelineAddress, progressAddress } from "../src/domain/ids.ts";
import { defaultLanePolicy } from "../src/domain/policy.ts";
import { storiesOf } from "../src/domain/story.ts";
import { chartOptions, hostActions } from "./durable.ts";
import { firstFeedback, mayEscalate, type PipelineEnded, type PipelineGates, runnerOf } from "./pipeline-context.ts";
import { claimedGates, isLast, legInput, legName, type RalphContext, type RalphEvent, type RalphInput, storyOf } from "./ralph-context.ts";
import { ralphGuards } from "./ralph-guards.ts";

/**
 * The loop operator of lane `ralph`: one story of the item after the other is worked on, claimed with evidence, and judged, until all have passed.
 *
 * Each round is a pipeline of its own (a leg): a turn of the coder with commit and checks, or a judgement of what is there.
 *
 * I1 At most `maxIterations` rounds of work; beyond them `exhausted`, which never reads as done. I2 Verifying begins on a commit with good
 * checks, never on what an agent says. I3 A story passes, and the whole is done, only by the approval that answers the open request. I4 At most one leg
 * lives at a time, and it is always awaited. I5 A pause keeps the phase, and can always be resumed or cancelled. I6 Escalation happens once. I7 Only
 * trouble with the work costs a round. I9 A run that a session drives is advanced by that session alone, and by what is found in the worktree, never by its word.
 * I8 An item's source hears of `implementationComplete` on entering the last `verifying`.
 */
type Args = { readonly context: RalphContext; readonly event: RalphEvent };

const itself = ({ item, attempt, leg }: RalphContext) => laneAddress("ralph", item.id, attempt, leg?.n);
const watcher = ({ item, attempt, leg }: RalphContext) => progressAddress(item.id, attempt, leg?.n);
const legAddress = (context: RalphContext) => pipelineAddress(context.item.id, context.attempt, legName(context));
/** In what the owner is told by one that is a step. */
const asLeg = ({ leg }: RalphContext) => (leg === undefined ? {} : { leg: leg.n });

const words = (text: string): readonly string[] => [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [])].slice(0, 400);

const tellOwner = (event: (args: Args) => { readonly type: string } & Readonly<Record<string, unknown>>) => ({ type: "tell" as const, params: (args: Args) => ({ to: args.context.owner, event: event(args) }) });
const tellLeg = (event: (args: Args) => { readonly type: string } & Readonly<Record<string, unknown>>) => ({ type: "tell" as const, params: (args: Args) => ({ to: legAddress(args.context), event: event(args) }) });
const tellWatch = (event: (args: Args) => { readonly type: string } & Readonly<Record<string, unknown>>) => ({ type: "tell" as const, params: (args: Args) => ({ to: watcher(args.context), event: event(args) }) });
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

const tellEnded = (outcome: PipelineEnded["outcome"]) => tellOwner(({ context: c }) => {
  const event: PipelineEnded = {
    type: "pipeline.ended", attempt: c.attempt, outcome, failure: c.failure, reason: c.reason, workspace: c.workspace, head: c.head, iterations: c.iteration,
    checks: c.checks, summary: c.summary, warnings: c.warnings, costUsd: c.costUsd,
    ...(c.leg ? { leg: { n: c.leg.n, feedback: c.feedback, findings: c.findings, failing: c.failing, session: c.session, diffHash: "", escalated: c.escalated } } : {}),
  };
  return { ...event };
});
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

const seenDiff = seen(({ event }) => ({ kind: "diff", hash: event.type === "pipeline.ended" ? (event.leg?.diffHash ?? "") : "" }));
const mended = ({ event }: Args): string => (event.type === "pipeline.ended" && event.leg ? (event.leg.failing.length > 0 ? event.leg.failing.toSorted().join("\n") : event.leg.feedback).slice(0, 2_000) : "");

/** A session's work is first seen by the leg that judges it. */
const seenOfDriver = seen(({ context, event }) => ({ kind: "diff", hash: event.type === "pipeline.ended" && context.driver !== undefined ? (event.leg?.diffHash ?? "") : "" }));
const judged = (args: Args): Readonly<Record<string, unknown>> => {
  const { event } = args;
  if (event.type !== "pipeline.ended" || !event.leg) return { kind: "feedback", words: [] };
  return event.leg.failing.length > 0 ? { kind: "error", fingerprint: mended(args) } : { kind: "feedback", words: words([event.leg.feedback, ...event.leg.findings.map(({ message }) => message)].join(" ")) };
};

/** What the end of a round of work means. */
const afterWork = [
  stale,
  { guard: "legDone", target: "verifying", actions: ["takeLeg", seenDiff, seen(() => ({ kind: "fixed" }))] },
  { guard: "wrongWithinCap", target: "fixing", reenter: true, actions: ["takeLeg", "takeFeedback", seenDiff, seen((args) => ({ kind: "error", fingerprint: mended(args) })), "nextIteration"] },
  { guard: "wrong", target: "exhausted", actions: ["takeLeg", "takeFeedback", "noteCap"] },
  ...otherwise,
] as const;

export const ralphMachine = setup({
  types: {} as { context: RalphContext; events: RalphEvent; input: RalphInput },
  actions: {
    ...hostActions,
    takeWorkspace: assign(({ event }) => (event.type === "workspace.ready" ? { workspace: event.workspace, head: event.workspace.base } : {})),
    countLeg: assign(({ context }) => ({ legs: context.legs + 1, running: true })),
    toPhase: assign((_, params: { readonly phase: RalphContext["phase"] }) => ({ phase: params.phase })),
    nextIteration: assign(({ context }) => {
      const plan = context.policy.stages.coder;
      const escalated = context.escalated || (mayEscalate(context) && (context.escalateNow || context.iteration + 1 > (plan?.escalateAfterIteration ?? Infinity)));
      // A session belongs to the CLI that opened it.
      const changed = plan !== undefined && runnerOf({ stage: "coder", escalated }, plan).adapter !== runnerOf({ stage: "coder", escalated: context.escalated }, plan).adapter;
      return { iteration: context.iteration + 1, reason: "", escalated, escalateNow: false, ...(changed ? { session: { id: null, costUsd: 0 } } : {}) };
    }),
    takeLeg: assign(({ context, event }) => {
      if (event.type !== "pipeline.ended") return {};
      return {
        running: false, question: null, costUsd: context.costUsd + event.costUsd, head: event.head || context.head, checks: event.checks ?? context.checks, summary: event.summary || context.summary,
        request: null, workspace: event.workspace ?? context.workspace, warnings: [...new Set([...context.warnings, ...event.warnings])].slice(-20), ...(event.leg && context.phase !== "verifying" ? { session: event.leg.session } : {}),
      };
    }),
    openRequest: assign(({ context }) => ({ request: { id: context.legs, head: context.head } })),
    takeDriver: assign(({ event }) => (event.type === "resume" ? { driver: event.session } : {})),
    passStory: assign(({ context, event }) => {
      const story = storyOf(context);
      return { reason: "", feedback: "", findings: [], failing: [], stories: context.stories.map((each) => (each.id === story?.id ? { ...each, passes: true, evidence: `request ${context.request?.id ?? 0}, commit ${(event.type === "pipeline.ended" ? event.head : "").slice(0, 12)}` } : each)) };
    }),
    takeFeedback: assign(({ event }) => (event.type === "pipeline.ended" && event.leg ? { feedback: event.leg.feedback, findings: event.leg.findings, failing: event.leg.failing } : {})),
    takeEnd: assign(({ event }) => (event.type === "pipeline.ended" ? { failure: event.failure, reason: event.reason } : {})),
    escalate: assign(({ event }) => ({ escalateNow: true, feedback: event.type === "pipeline.ended" ? `You were stopped: ${event.reason.slice(0, 500)}. Take another approach.` : "", findings: [] })),
    noteStuck: assign(({ context, event }) => (event.type === "stuck" ? { rule: event.rule, escalateNow: mayEscalate(context), feedback: `You were stopped: ${event.says}. Take another approach.`, findings: [], reason: `stopped by rule ${event.rule}: ${event.says}${context.feedback === "" ? "" : `; the last time: ${context.feedback.slice(0, 500)}`}` } : {})),
    noteStuckEnd: assign({ failure: "stuck" as const }),
    noteCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.iteration} of ${context.maxIterations} rounds used; last feedback: ${context.feedback.slice(0, 500)}` })),
    noteStoryCap: assign(({ context }) => ({ failure: "cap" as const, reason: `${context.iteration} of ${context.maxIterations} rounds used; ${context.stories.filter(({ passes }) => passes).length} of ${context.stories.length} parts have passed` })),
    noteEffect: assign(({ event }) => (event.type === "effect.failed" ? { failure: event.class === "environment" || event.class === "refused" ? "environment" as const : "infra" as const, reason: event.mend ? `${event.message} (${event.mend})` : event.message } : {})),
    noteQuestion: assign(({ event }) => (event.type === "pipeline.asks" ? { question: event.question } : {})),
    clearQuestion: assign({ question: null }),
    noteCancelled: assign({ reason: "cancelled", failure: null }),
    nextGeneration: assign(({ context }) => ({ generation: context.generation + 1 })),
  },
  guards: ralphGuards,
}).createMachine({
  id: "ralph",
  options: chartOptions,
  context: ({ input }) => ({
    ...input, maxIterations: (input.policy.lanes ?? defaultLanePolicy).ralph.maxIterations, workspace: null, stories: input.stories === undefined ? [...storiesOf(input.item)] : input.stories.map(({ title, details }, n) => ({ id: n + 1, title, details, passes: false, evidence: "" })), iteration: 1, legs: 0, running: false, phase: "executing" as const, generation: 1, request: null, head: "",
    checks: null, feedback: firstFeedback(input), findings: [], failing: input.failing, session: { id: null, costUsd: 0 }, escalated: false, escalateNow: false,
    question: null, costUsd: 0, summary: "", warnings: [], rule: "", reason: "", failure: null,
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
          { guard: "wrongWithinCap", target: "fixing", actions: ["takeLeg", "takeFeedback", seenOfDriver, seen(judged), "nextIteration"] },
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
    exhausted: { type: "final", entry: [endWatch, tellEnded("exhausted")] },
  },
});
