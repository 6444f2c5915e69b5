import { unfinished } from "../src/domain/board.ts";
import type { PipelineEnded } from "./pipeline-context.ts";
import type { CrewEvent } from "./crew.ts";
import { isLiving, lastWorker, memberOf, type TeamContext, workersOf } from "./team-context.ts";
import { allDone, holds, isSettled, planProblem, runName } from "./team-work.ts";

/** The guards of the team chart. Those `mayFix…` stand before their namesakes in the chart and ask for a fix that is left. */
interface Asked { readonly context: TeamContext; readonly event: CrewEvent }

const mayFix = ({ fixes, limits }: TeamContext): boolean => fixes < limits.maxFixes;
const isCurrent = ({ context, event }: Asked): boolean => event.type === "member.answered" && context.duty !== null && context.duty.given && event.token === context.duty.token;
const decides = (decision: "approve" | "revise" | "reject") => (asked: Asked): boolean => isCurrent(asked) && asked.event.type === "member.answered" && asked.event.verdict?.decision === decision;
const hasNewFailures = ({ event }: Asked): boolean => event.type === "verify.done" && event.report.newFailures.length > 0;
const workerLives = (context: TeamContext): boolean => workersOf(context).some(isLiving);
const living = ({ context, event }: Asked): boolean => { const known = event.type === "team.remove" ? memberOf(context, event.member) : undefined; return known !== undefined && isLiving(known) && known.state !== "draining"; };
/** Nobody is left to come, and nothing of the team's own is under way. */
const empty = ({ members, merging, checking, run }: TeamContext): boolean => !members.some(isLiving) && merging === null && !checking && !run;
const mends = ({ limits }: TeamContext): boolean => limits.mending === "ralph";
const runEnded = (outcome: PipelineEnded["outcome"]) => ({ event }: Asked): boolean => event.type === "pipeline.ended" && event.outcome === outcome;

const ofRun = ({ context, event }: Asked): boolean => context.run !== null && context.run !== undefined && (event.type === "pipeline.ended" ? event.leg?.n : event.type === "pipeline.asks" || event.type === "pipeline.paused" ? event.leg : undefined) === runName(context);

export const teamGuards = {
  /** Of somebody this team does not have, or who has left: it changes nothing. */
  ofStranger: ({ context, event }: Asked) => { const known = "member" in event ? memberOf(context, event.member) : undefined; return known === undefined || !isLiving(known); },
  isHeld: ({ context }: Asked) => context.held === true,
  /** Nobody works, and nothing of the team's own is under way. */
  isQuiet: ({ context: { members, merging, checking, run } }: Asked) => !members.some(({ state }) => state === "working" || state === "asking" || state === "merging" || state === "draining") && merging === null && !checking && (!run || run.paused),
  unplanned: ({ context }: Asked) => context.planned.length === 0,
  offBoard: ({ context }: Asked) => context.board.tasks.length === 0,
  fixing: ({ context }: Asked) => context.fixes > 0,
  // The run that mends.
  mayMendChecks: (asked: Asked) => hasNewFailures(asked) && mayFix(asked.context) && mends(asked.context),
  mayMendReview: (asked: Asked) => decides("revise")(asked) && mayFix(asked.context) && mends(asked.context),
  hasRun: ({ context }: Asked) => context.run !== null && context.run !== undefined,
  /** Late word of a run that was replaced; it changes nothing. */
  notOfRun: (asked: Asked) => !ofRun(asked),
  ofRun: (asked: Asked) => ofRun(asked),
  runDone: runEnded("done"),
  runCancelled: runEnded("cancelled"),
  runExhausted: runEnded("exhausted"),
  hasTasks: ({ context }: Asked) => context.planned.length > 0,
  needsCriteria: ({ context }: Asked) => context.spec.tasks.length === 0 && context.planned.some(({ acceptance }) => acceptance.length === 0),
  staleAnswer: (asked: Asked) => !isCurrent(asked),
  usablePlan: ({ event }: Asked) => event.type === "member.answered" && event.plan !== null && planProblem(event.plan.tasks) === "",
  criteria: ({ context, event }: Asked) => event.type === "member.answered" && event.criteria !== null && event.criteria.criteria.every(({ task }) => task <= context.planned.length),
  mayReask: ({ context }: Asked) => context.duty !== null && context.duty.asked < 2,
  approves: decides("approve"),
  rejects: decides("reject"),
  mayFixReview: (asked: Asked) => decides("revise")(asked) && mayFix(asked.context),
  revises: decides("revise"),
  renews: ({ context, event }: Asked) => event.type === "member.renew" && holds(context.board, event),
  /** Its work waits to be merged: there is no lease to renew, and nothing to take back. */
  brought: ({ context, event }: Asked) => event.type === "member.renew" && context.board.tasks.some(({ id, state, owner, fence }) => id === event.task && state === "merging" && owner === event.member && fence === event.token),
  nothingDone: ({ context }: Asked) => allDone(context) && context.head === context.workspace?.base,
  /** Its answer is awaited. */
  merges: ({ context }: Asked) => context.merging !== null,
  allDone: ({ context }: Asked) => allDone(context),
  mayFixGivenUp: ({ context }: Asked) => isSettled(context) && mayFix(context),
  givenUp: ({ context }: Asked) => isSettled(context),
  noWorkers: ({ context }: Asked) => !workerLives(context),
  /** A cap of the spending kept the last one from beginning; that reads as exhausted. */
  workersCapped: ({ context }: Asked) => !workerLives(context) && lastWorker(context)?.failure === "cap",
  leaderCapped: ({ context }: Asked) => { const leader = memberOf(context, "leader"); return leader !== undefined && !isLiving(leader) && leader.failure === "cap"; },
  leaderDown: ({ context }: Asked) => { const leader = memberOf(context, "leader"); return leader !== undefined && !isLiving(leader); },
  mayFixChecks: (asked: Asked) => hasNewFailures(asked) && mayFix(asked.context),
  newFailures: hasNewFailures,
  /** A leader, the last worker and strangers cannot be sent away. */
  mayRemove: (asked: Asked) => living(asked) && asked.event.type === "team.remove" && memberOf(asked.context, asked.event.member)?.role === "worker" && workersOf(asked.context).filter((each) => isLiving(each) && each.state !== "draining").length > 1,
  forced: ({ event }: Asked) => event.type === "team.shutdown" && event.force,
  /** The gate: open tasks keep a team from being shut down without force. */
  gated: ({ context }: Asked) => unfinished(context.board).length > 0,
  ends: ({ context }: Asked, params: { readonly as: NonNullable<TeamContext["ending"]> }) => empty(context) && context.ending === params.as,
};
