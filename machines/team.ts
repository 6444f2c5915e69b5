import { assign, setup } from "xstate";
import { emptyBoard, unfinished } from "../src/domain/board.ts";
import { passed } from "../src/domain/check.ts";
import { emptyMailbox } from "../src/domain/mailbox.ts";
import { defaultTeamPolicy } from "../src/domain/team.ts";
import { actingIn, crewActionsIn, crewNews, endAs, endedAs, type Ending, infraKinds, tellEnded, tellPaused, whenSettled } from "./crew.ts";
import { chartOptions, hostActions } from "./durable.ts";
import type { Gates } from "../src/domain/gate.ts";
import { type PipelineGates, type PipelineInput, required } from "./pipeline-context.ts";
import { memberOf, specOf, type TeamContext, type TeamEvent } from "./team-context.ts";
import { teamGuards } from "./team-guards.ts";
import * as work from "./team-work.ts";

/**
 * The collective operator of lane `team`: a leader that plans and judges, workers that claim tasks, and one branch their work is merged into.
 *
 * I1 Work reaches the team's branch only by evidence under a valid claim, one merge at a time, in order. I2 Entering `fix` counts; beyond the cap
 * the team is exhausted, which never reads as done. I3 Done means: every task done, no new failures of the checks, and the leader's verdict.
 * I4 Every member is awaited before the team ends, and so is what it has under way itself, the run that mends included. I5 Every death is an event, and a letter to the leader.
 * I6 A shutdown is refused while tasks are open, unless forced. I7 A question of any member reaches the item, one at a time, and its answer that member.
 * I8 Only a team that has a leader and a worker goes on. I9 A pause takes back what was granted, keeps what was done, and nothing is granted before it is over.
 */
type Args = { readonly context: TeamContext; readonly event: TeamEvent };

const acting = actingIn<TeamContext, TeamEvent>();
const changing = (change: (args: Args) => TeamContext) => assign<TeamContext, TeamEvent, undefined, TeamEvent, never>((args) => change(args));

/** What the team has shown so far; I3 is what it has to show. */
const tellGates = (shown: "nothing" | "work" | "review") => ({
  type: "tell" as const,
  params: ({ context: c }: Args) => {
    const met = (evidence: string): { readonly state: "met"; readonly evidence: string } => ({ state: "met", evidence });
    const gates: Gates = shown === "nothing" ? {} : {
      implementationComplete: met(`commit ${c.head.slice(0, 12)}: ${c.board.tasks.filter(({ state }) => state === "done").length} tasks done`), testsPassed: met(c.checks ? `before ${c.checks.base}, now ${c.checks.head}` : "there are no checks"),
      ...(shown === "review" ? { reviewPassed: met("approved by the team's leader") } : {}),
    };
    const event: PipelineGates = { type: "pipeline.gates", attempt: c.attempt, gates };
    return { to: c.owner, event: { ...event } };
  },
});
const askLeader = (kind: "plan" | "criteria" | "verdict") => ({ type: "askLeader" as const, params: { kind } });
const note = (text: string) => ({ type: "note" as const, params: { text } });
const stale = { guard: "ofStranger" } as const;

/** Ends of the run that mends, but for a good one. */
const runEnds = [
  { guard: "runCancelled", target: "#team.draining", actions: ["takeRun", "noteCancelled", endAs("cancelled")] },
  { guard: "runExhausted", target: "#team.draining", actions: ["takeRun", "noteRun", endAs("exhausted")] },
  { target: "#team.draining", actions: ["takeRun", "noteRun", endAs("failed")] },
] as const;
const staleRun = { guard: "notOfRun" } as const;

const settled = whenSettled("#team.draining", "verify", "fix");

export const teamMachine = setup({
  types: {} as { context: TeamContext; events: TeamEvent; input: PipelineInput },
  actions: {
    ...hostActions,
    ...crewActionsIn<TeamContext, TeamEvent>(),
    gather: acting(({ context, event }) => work.gather(context, event.at)),
    note: assign(({ context, event }, params: { readonly text: string }) => ({ events: work.noted(context, event.at, params.text).events })),
    askLeader: assign(({ context }, params: { readonly kind: "plan" | "criteria" | "verdict" }) => work.dutyPut(context, params.kind)),
    askAgain: changing(({ context, event }) => work.dutyPutAgain(context, whyAgain(context, event))),
    takePlan: changing(({ context, event }) => (event.type === "member.answered" && event.plan ? work.planTaken(work.dutyDone(context), event.plan.tasks) : context)),
    takeCriteria: changing(({ context, event }) => {
      if (event.type !== "member.answered") return context;
      const given = new Map(event.criteria?.criteria.map(({ task, acceptance }) => [task, acceptance]));
      return { ...work.dutyDone(context), planned: context.planned.map((task, n) => ({ ...task, acceptance: given.get(n + 1) ?? task.acceptance })) };
    }),
    takeVerdict: changing(({ context, event }) => (event.type === "member.answered" ? { ...work.dutyDone(context), summary: event.text.slice(0, 4_000) } : context)),
    putReview: changing(({ context, event }) => (event.type === "member.answered" && event.verdict ? work.reviewPut(context, event.verdict.feedback, event.verdict.findings) : context)),
    putChecks: changing(({ context }) => work.checksPut(context)),
    // Who is in it.
    addMember: acting(({ context, event }) => (event.type === "team.add" ? work.added(context, event) : { context, asked: [] })),
    removeMember: acting(({ context, event }) => (event.type === "team.remove" ? work.removed(context, event) : { context, asked: [] })),
    noteGate: assign(({ context, event }) => ({ events: work.noted(context, event.at, `the shutdown was refused: open are ${unfinished(context.board).slice(0, 10).map(({ id, title }) => `task ${id} (${title})`).join(", ")}`).events })),
    // The whole.
    // What mends the whole.
    beginRun: acting(({ context, event }) => work.runBegun(context, event.type === "member.answered" ? event.verdict : null)),
    answerRun: acting(({ context, event }) => work.runTold(context, { type: "answer", text: event.type === "answer" ? event.text : "" })),
    pauseRun: acting(({ context }) => work.runTold(context, { type: "pause" })),
    resumeRun: acting(({ context }) => { const { run } = context; return work.runTold({ ...context, run: run ? { ...run, paused: false } : null }, { type: "resume" }); }),
    endRun: acting(({ context }) => work.runTold(context, { type: "cancel" })),
    noteRunPaused: changing(({ context }) => (context.run ? { ...context, run: { ...context.run, paused: true } } : context)),
    takeRun: changing(({ context, event }) => (event.type === "pipeline.ended" ? work.runTaken(context, event) : context)),
    noteRun: assign(({ event }) => (event.type === "pipeline.ended" ? { failure: event.failure ?? "work" as const, reason: `what mended the whole ended: ${event.reason}` } : {})),
    beginChecks: assign({ checking: true }),
    takeChecks: assign(({ context, event }) => (event.type === "verify.done" ? {
      checking: false, checks: { base: passed(event.report.base.results), head: passed(event.report.head.results) }, newFailures: event.report.newFailures.slice(0, 50),
      warnings: [...new Set([...context.warnings, ...event.report.warnings])].slice(-20),
    } : {})),
    forgetEffect: assign({ merging: null, checking: false }),
    forgetChecks: assign({ checking: false }),
    noteNoPlan: assign(({ context, event }) => ({ reason: `the leader gave no usable plan: ${whyAgain(context, event)}` })),
    noteNoVerdict: assign({ reason: "the leader gave no valid verdict, twice" }),
    noteReview: assign(({ event }) => (event.type === "member.answered" && event.verdict ? { reason: `${event.verdict.decision === "reject" ? "rejected in review" : "the review still asks for changes"}: ${event.verdict.feedback}` } : {})),
    noteChecks: assign(({ context }) => ({ reason: `${context.fixes} of ${context.limits.maxFixes} fixes used; the checks still fail: ${context.newFailures.slice(0, 3).join("; ")}` })),
    noteLeaderDown: assign(({ context }) => { const leader = memberOf(context, "leader"); return { reason: `the leader is down: ${leader?.reason ?? ""}`, failure: infraKinds[leader?.failure ?? "crash"] }; }),
    noteShutdown: assign(({ event }) => ({ reason: "shut down", force: event.type === "team.shutdown" && event.force })),
    force: assign({ force: true }),
    endAs: assign(({ context }, params: Ending) => endedAs(context, params)),
  },
  guards: teamGuards,
}).createMachine({
  id: "team",
  options: chartOptions,
  context: ({ input }) => {
    const spec = specOf(input);
    return {
      ...input, spec, limits: input.policy.team ?? defaultTeamPolicy, workspace: null, head: "", members: [], planned: spec.tasks, board: emptyBoard, mailbox: emptyMailbox, queue: [], merging: null, checking: false, run: null, held: false, duty: null, duties: 0, fixes: 0,
      checks: null, newFailures: input.failing, asking: [], lapse: null, letters: 0, events: [], costUsd: 0, summary: "", warnings: [], ending: null, force: false, reason: "", failure: null,
    };
  },
  initial: "preparing",
  states: {
    preparing: {
      initial: "worktree",
      states: {
        worktree: {
          entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.prepare", item: c.item.id, attempt: c.lineage, repository: c.item.repository, baseRef: c.policy.baseRef }) },
          on: { "workspace.ready": { target: "branch", actions: "takeWorkspace" } },
        },
        /** Where the branch stands: an earlier attempt may have come far. */
        branch: {
          entry: { type: "effect", params: ({ context: c }) => ({ kind: "workspace.commit", item: c.item.id, workspace: required(c.workspace), message: `${c.item.id}: what was left in the worktree` }) },
          on: { "workspace.committed": { target: "#team.alive", actions: ["takeStart", "gather"] } },
        },
      },
      on: {
        "effect.failed": { target: "draining", actions: ["noteEffect", endAs("failed")] },
        pause: { actions: "noteHold" },
        resume: { actions: "letGo" },
        cancel: { target: "stopping", actions: "noteCancelled" },
        "team.shutdown": { target: "stopping", actions: "noteShutdown" },
      },
    },
    /** Ended before it began: what prepares the worktree is awaited. */
    stopping: {
      entry: endAs("cancelled"),
      on: {
        "workspace.ready": { target: "draining", actions: "takeWorkspace" },
        "workspace.committed": "draining",
        "effect.failed": "draining",
      },
    },
    alive: {
      initial: "plan",
      on: {
        ...crewNews,
        "effect.failed": { target: "draining", actions: ["noteEffect", endAs("failed")] },
        "team.add": { actions: "addMember" },
        "team.remove": [{ guard: "mayRemove", actions: "removeMember" }, { actions: note("nobody was removed: only a worker that is not the last one can be") }],
        "team.shutdown": [
          { guard: "forced", target: "draining", actions: ["noteShutdown", endAs("cancelled")] },
          { guard: "gated", actions: "noteGate" },
          { guard: "allDone", target: "draining", actions: ["noteShutdown", endAs("done")] },
          { target: "draining", actions: ["noteShutdown", endAs("cancelled")] },
        ],
        pause: ".pausing",
        cancel: { target: "draining", actions: ["noteCancelled", endAs("cancelled")] },
      },
      always: [
        { guard: "leaderCapped", target: "draining", actions: ["noteLeaderDown", endAs("exhausted")] },
        { guard: "leaderDown", target: "draining", actions: ["noteLeaderDown", endAs("failed")] },
      ],
      states: {
        plan: {
          initial: "deciding",
          states: {
            deciding: { always: [{ guard: "isHeld", target: "#team.alive.pausing" }, { guard: "hasTasks", target: "#team.alive.prd", actions: note("no plan was asked for: the tasks were given") }, { target: "asking" }] },
            asking: { entry: [askLeader("plan"), "carryOn"] },
          },
          on: {
            "member.answered": [
              { guard: "staleAnswer" },
              { guard: "usablePlan", target: "prd", actions: ["takePlan", note("the leader gave a plan")] },
              { guard: "mayReask", actions: ["askAgain", "carryOn"] },
              { target: "#team.draining", actions: ["noteNoPlan", endAs("failed", "work")] },
            ],
          },
        },
        prd: {
          initial: "deciding",
          states: {
            deciding: { always: [{ guard: "needsCriteria", target: "asking" }, { target: "#team.alive.exec", actions: note("no criteria were asked for: the tasks have them, or were given as they are") }] },
            asking: { entry: [askLeader("criteria"), "carryOn"] },
          },
          on: {
            "member.answered": [
              { guard: "staleAnswer" },
              { guard: "criteria", target: "exec", actions: ["takeCriteria", note("the leader gave acceptance criteria")] },
              { guard: "mayReask", actions: ["askAgain", "carryOn"] },
              { target: "exec", actions: ["takeCriteria", note("the leader gave no usable criteria; the tasks stand as they are")] },
            ],
          },
        },
        exec: {
          entry: ["putBoard", "carryOn"],
          always: settled,
        },
        verify: {
          initial: "checks",
          states: {
            checks: {
              entry: ["beginChecks", { type: "effect", params: ({ context: c }) => ({ kind: "verify", repository: c.item.repository, base: required(c.workspace).base, head: c.head }) }],
              on: {
                "verify.done": [
                  { guard: "mayMendChecks", target: "#team.alive.mending", actions: ["takeChecks", "countFix", "beginRun"] },
                  { guard: "mayFixChecks", target: "#team.alive.fix", actions: ["takeChecks", "countFix", "putChecks"] },
                  { guard: "newFailures", target: "#team.draining", actions: ["takeChecks", "noteChecks", endAs("exhausted", "cap")] },
                  { target: "verdict", actions: "takeChecks" },
                ],
              },
            },
            verdict: {
              entry: [tellGates("work"), askLeader("verdict"), "carryOn"],
              on: {
                "member.answered": [
                  { guard: "staleAnswer" },
                  { guard: "approves", target: "#team.draining", actions: ["takeVerdict", tellGates("review"), endAs("done")] },
                  { guard: "rejects", target: "#team.draining", actions: ["takeVerdict", "noteReview", endAs("failed", "rejected")] },
                  { guard: "mayMendReview", target: "#team.alive.mending", actions: ["takeVerdict", "countFix", "beginRun"] },
                  { guard: "mayFixReview", target: "#team.alive.fix", actions: ["takeVerdict", "countFix", "putReview"] },
                  { guard: "revises", target: "#team.draining", actions: ["takeVerdict", "noteReview", endAs("exhausted", "cap")] },
                  { guard: "mayReask", actions: ["askAgain", "carryOn"] },
                  { target: "#team.draining", actions: ["noteNoVerdict", endAs("failed", "work")] },
                ],
              },
            },
          },
        },
        /** Entered only with something to mend on the board (I2). */
        fix: {
          entry: [tellGates("nothing"), "carryOn"],
          always: settled,
        },
        /** A run of lane ralph does what the checks or the leader asked for; what leads here has begun it, or lets it go on. */
        mending: {
          entry: tellGates("nothing"),
          on: {
            answer: { actions: "answerRun" },
            pause: { target: "pausing", actions: "pauseRun" },
            "pipeline.asks": { guard: "ofRun", actions: { type: "tell", params: ({ context: c, event }) => ({ to: c.owner, event: { type: "pipeline.asks", question: event.question, ...(c.leg ? { leg: c.leg.n } : {}) } }) } },
            "pipeline.ended": [staleRun, { guard: "runDone", target: "verify", actions: "takeRun" }, ...runEnds],
          },
        },
        /** I9. */
        pausing: {
          entry: ["hold", "carryOn"],
          on: {
            pause: {},
            "verify.done": { actions: "forgetChecks" },
            "pipeline.paused": { guard: "ofRun", actions: "noteRunPaused" },
            // It was quicker than the pause.
            "pipeline.ended": [staleRun, { guard: "runDone", actions: "takeRun" }, ...runEnds],
          },
          always: { guard: "isQuiet", target: "paused" },
        },
        /** Members are there, and have nothing to do. */
        paused: {
          entry: tellPaused,
          on: {
            pause: {},
            resume: [
              { guard: "hasRun", target: "mending", actions: ["letGo", "resumeRun"] },
              { guard: "unplanned", target: "plan", actions: "letGo" },
              { guard: "offBoard", target: "prd", actions: "letGo" },
              { guard: "fixing", target: "fix", actions: "letGo" },
              { target: "exec", actions: "letGo" },
            ],
          },
        },
      },
    },
    /** I4: what runs may finish, unless it is forced; what everybody did is kept. */
    draining: {
      entry: ["closeBoard", "dismiss", "endRun", "summarise", { type: "alarm", params: { name: "lease", at: null } }],
      on: {
        "member.turn": [stale, { actions: "takeTurn" }],
        "member.ended": [stale, { actions: "takeLeave" }],
        "workspace.merged": { guard: "merges", actions: "takeMerge" },
        "workspace.conflicted": { actions: "forgetEffect" },
        "verify.done": { actions: "forgetEffect" },
        "effect.failed": { actions: "forgetEffect" },
        "pipeline.ended": [staleRun, { actions: "takeRun" }],
        cancel: { actions: ["noteCancelled", endAs("cancelled"), "dismiss"] },
        "team.shutdown": { guard: "forced", actions: ["force", "dismiss"] },
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

/** Why the leader's answer cannot be used. */
function whyAgain(context: TeamContext, event: TeamEvent): string {
  if (event.type !== "member.answered" || !context.duty) return "";
  switch (context.duty.kind) {
    case "plan": return event.plan === null ? "your last answer carried no valid plan" : `your last plan cannot be followed: ${work.planProblem(event.plan.tasks)}`;
    case "criteria": return event.criteria === null ? "your last answer carried no valid criteria" : "your last criteria name tasks that are not there";
    case "verdict": return "your last answer carried no valid verdict";
  }
}
