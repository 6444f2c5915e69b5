import { enqueueActions } from "xstate";
import type { PipelineEnded, PipelineFailure } from "./pipeline-context.ts";
import { lastWorker, type TeamContext, type TeamEvent } from "./team-context.ts";
import * as work from "./team-work.ts";
import type { UltraworkEvent } from "./ultrawork-context.ts";

/**
 * What the charts have in common that give the tasks of a board to workers: a team, and a run of lane `ultrawork`. Steps of team-work.ts by the
 * event that asks for them, what is heard of members in any phase, and the end as the owner hears it.
 */
export type CrewEvent = TeamEvent | UltraworkEvent;
interface Args { readonly context: TeamContext; readonly event: CrewEvent }
type Step = (args: Args) => work.Step;

/** A step as an action of a chart: what it changes, and what it asks of the host. */
export const actingIn = <C extends TeamContext, E extends CrewEvent>() => (step: Step) => enqueueActions<C, E, undefined, E, never, never, never, never, never>(({ context, event, enqueue }) => {
  const { context: next, asked } = step({ context, event });
  enqueue.assign(() => ({ ...context, ...next }));
  // Each is one of the four host actions; the helper's own type cannot name them.
  for (const each of asked) enqueue(each as never);
});

const only = (context: TeamContext): work.Step => ({ context, asked: [] });

/** The actions that both charts name. */
export const crewActionsIn = <C extends TeamContext, E extends CrewEvent>() => {
  const acting = actingIn<C, E>();
  return {
    takeWorkspace: acting(({ context, event }) => only(event.type === "workspace.ready" ? { ...context, workspace: event.workspace } : context)),
    takeStart: acting(({ context, event }) => only(event.type === "workspace.committed" ? { ...context, head: event.head } : context)),
    carryOn: acting(({ context, event }) => work.carryOn(context, event.at)),
    putBoard: acting(({ context }) => only(work.boardPut(context))),
    putFailedAgain: acting(({ context }) => only(work.failedPutAgain(context))),
    countFix: acting(({ context }) => only({ ...context, fixes: context.fixes + 1 })),
    // What members tell.
    takeReady: acting(({ context, event }) => only(event.type === "member.ready" ? work.ready(context, event) : context)),
    takeBegan: acting(({ context, event }) => only(event.type === "member.began" ? work.began(context, event) : context)),
    takeTurn: acting(({ context, event }) => (event.type === "member.turn" ? work.turned(context, event) : only(context))),
    takeRenewal: acting(({ context, event }) => only(event.type === "member.renew" ? work.renewed(context, event) : context)),
    refuseRenewal: acting(({ context, event }) => ({ context, asked: event.type === "member.renew" ? [work.say(context, event.member, { type: "member.revoked", task: event.task, token: event.token })] : [] })),
    takeEvidence: acting(({ context, event }) => (event.type === "member.evidence" ? work.evidenced(context, event) : only(context))),
    takeFailed: acting(({ context, event }) => (event.type === "member.failed" ? work.taskFailed(context, event) : only(context))),
    takeDeclined: acting(({ context, event }) => only(event.type === "member.declined" ? work.declined(context, event) : context)),
    takeDeath: acting(({ context, event }) => (event.type === "member.died" ? work.died(context, event) : only(context))),
    takeLeave: acting(({ context, event }) => (event.type === "member.ended" ? work.leftTeam(context, event) : only(context))),
    takeQuestion: acting(({ context, event }) => (event.type === "member.asks" ? work.asks(context, event) : only(context))),
    passAnswer: acting(({ context, event }) => (event.type === "answer" ? work.answered(context, event.text) : only(context))),
    hold: acting(({ context }) => work.held(context)),
    noteHold: acting(({ context }) => only({ ...context, held: true })),
    letGo: acting(({ context }) => only({ ...context, held: false })),
    putQuestion: acting(({ context }) => ({ context, asked: work.putQuestion(context) })),
    takeMerge: acting(({ context, event }) => (event.type === "workspace.merged" ? work.mergeTaken(context, event) : only(context))),
    takeConflict: acting(({ context, event }) => (event.type === "workspace.conflicted" ? work.conflictTaken(context, event) : only(context))),
    lapse: acting(({ context, event }) => work.lapsed(context, event.at)),
    takeMessage: acting(({ context, event }) => (event.type === "team.message" ? work.posted(context, { id: event.id, from: "you", to: event.to, text: event.text }) : only(context))),
    // The end.
    noteNothing: acting(({ context }) => only({ ...context, reason: "every task is done, and nothing in the repository changed" })),
    noteGivenUp: acting(({ context }) => only({ ...context, reason: `${context.fixes} of ${context.limits.maxFixes} fixes used; given up: ${context.board.tasks.filter(({ state, replacedBy }) => state === "failed" && replacedBy === null).map(({ id, reason }) => `task ${id} (${reason})`).join("; ").slice(0, 500)}` })),
    noteNoWorkers: acting(({ context }) => { const last = lastWorker(context); return only({ ...context, reason: `no worker is left: ${last?.name ?? "none"}: ${last?.reason || "it left"}`, failure: infraKinds[last?.failure ?? "crash"] }); }),
    noteEffect: acting(({ context, event }) => only(event.type === "effect.failed" ? { ...context, merging: null, checking: false, reason: event.mend ? `${event.message} (${event.mend})` : event.message, failure: event.class === "environment" || event.class === "refused" ? "environment" : "infra" } : context)),
    noteCancelled: acting(({ context }) => only({ ...context, reason: "cancelled", failure: null, force: true })),
    closeBoard: acting(({ context }) => only(context.ending === "done" ? context : work.boardClosed(context))),
    dismiss: acting(({ context }) => work.dismissed(context)),
    summarise: acting(({ context }) => only(context.summary === "" ? { ...context, summary: context.board.tasks.flatMap(({ id, title, evidence, state }) => (state === "done" && evidence ? [`${id}. ${title}: ${evidence.summary}`] : [])).join("\n").slice(0, 4_000) } : context)),
  };
};

/** To whoever asked for the pause. */
export const tellPaused = {
  type: "tell" as const,
  params: ({ context: c }: { readonly context: TeamContext }) => ({ to: c.owner, event: { type: "pipeline.paused", attempt: c.attempt, ...(c.leg ? { leg: c.leg.n } : {}) } }),
};

export const infraKinds = { infra: "infra", crash: "infra", auth: "auth", environment: "environment", cap: "work" } as const satisfies Record<string, PipelineFailure>;

const stale = { guard: "ofStranger" } as const;

/** What members tell, and what is heard of their work, whatever the phase. */
export const crewNews = {
  "member.ready": [stale, { actions: ["takeReady", "carryOn"] }],
  "member.began": [stale, { actions: "takeBegan" }],
  "member.turn": [stale, { actions: "takeTurn" }],
  "member.renew": [stale, { guard: "renews", actions: ["takeRenewal", "carryOn"] }, { guard: "brought" }, { actions: "refuseRenewal" }],
  "member.evidence": [stale, { actions: ["takeEvidence", "carryOn"] }],
  "member.failed": [stale, { actions: ["takeFailed", "carryOn"] }],
  "member.declined": [stale, { actions: ["takeDeclined", "carryOn"] }],
  "member.died": [stale, { actions: ["takeDeath", "carryOn", "putQuestion"] }],
  "member.ended": [stale, { actions: ["takeLeave", "carryOn", "putQuestion"] }],
  "member.asks": [stale, { actions: ["takeQuestion", "carryOn"] }],
  answer: { actions: "passAnswer" },
  "alarm.lease": { actions: ["lapse", "carryOn", "putQuestion"] },
  "workspace.merged": { guard: "merges", actions: ["takeMerge", "carryOn"] },
  "workspace.conflicted": { guard: "merges", actions: ["takeConflict", "carryOn"] },
  "team.message": { actions: "takeMessage" },
} as const;

/** When nothing on the board is open any more, and when nobody is left who could do it. */
export const whenSettled = <const To extends string>(draining: To, verify: To, fix: To) => [
  { guard: "nothingDone", target: draining, actions: ["noteNothing", endAs("failed", "work")] },
  { guard: "allDone", target: verify },
  { guard: "mayFixGivenUp", target: fix, reenter: true, actions: ["countFix", "putFailedAgain"] },
  { guard: "givenUp", target: draining, actions: ["noteGivenUp", endAs("exhausted", "cap")] },
  { guard: "workersCapped", target: draining, actions: ["noteNoWorkers", endAs("exhausted")] },
  { guard: "noWorkers", target: draining, actions: ["noteNoWorkers", endAs("failed")] },
] as const;

export interface Ending { readonly outcome: PipelineEnded["outcome"]; readonly failure: PipelineFailure | null }
export const endAs = (outcome: Ending["outcome"], failure: Ending["failure"] = null) => ({ type: "endAs" as const, params: { outcome, failure } });

export const endedAs = (context: TeamContext, { outcome, failure }: Ending): Pick<TeamContext, "ending" | "failure" | "reason" | "force" | "asking" | "duty"> => ({
  ending: outcome, failure: failure ?? context.failure, reason: outcome === "done" ? "" : context.reason, asking: [], duty: null,
  // Who fails has no use for what is still being done; it is kept all the same.
  force: context.force || outcome === "failed" || outcome === "exhausted",
});

export const tellEnded = (outcome: PipelineEnded["outcome"]) => ({
  type: "tell" as const,
  params: ({ context: c }: { readonly context: TeamContext }) => {
    const event: PipelineEnded = {
      type: "pipeline.ended", attempt: c.attempt, outcome, failure: c.failure, reason: c.reason, workspace: c.workspace, head: c.head, iterations: c.fixes + 1, checks: c.checks, summary: c.summary, warnings: c.warnings, costUsd: c.costUsd,
      ...(c.leg ? { leg: { n: c.leg.n, feedback: "", findings: [], failing: [...c.newFailures], session: c.leg.session, diffHash: "", escalated: c.leg.escalated } } : {}),
    };
    return { to: c.owner, event: { ...event } };
  },
});
