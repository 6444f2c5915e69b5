import { defaultRefusedRetries } from "../src/domain/policy.ts";
import { failureOf, isHopeless, isInfra, isRefused, type MemberContext, type MemberEvent } from "./member-context.ts";

/** The guards of the member chart. Those `…WithinCap` stand before their namesakes in the chart and ask for an iteration that is left. */
interface Asked { readonly context: MemberContext; readonly event: MemberEvent }

const isFresh = ({ context, event }: Asked): boolean => event.type === "member.granted" && event.grant.token > (context.seen[event.grant.task] ?? 0);
const isCurrent = ({ context, event }: Asked): boolean => (event.type === "member.revoked" || event.type === "member.settled" || event.type === "member.life") && event.task === context.grant?.task && event.token === context.grant.token;
const mayIterate = ({ context }: Asked): boolean => context.iteration < context.policy.maxIterations && context.stopping === "no";
const isUnresolved = ({ event }: Asked): boolean => event.type === "workspace.committed" && (event.unresolved ?? []).length + (event.dropped ?? []).length > 0;
const hasNewFailures = ({ event }: Asked): boolean => event.type === "verify.done" && event.report.newFailures.length > 0;

export const memberGuards = {
  fresh: isFresh,
  /** Leaders have duties, workers tasks. */
  takes: (asked: Asked) => isFresh(asked) && asked.event.type === "member.granted" && (asked.event.grant.duty === "work") === (asked.context.role === "worker"),
  current: isCurrent,
  /** The lease is kept by what is done outside turns, and by turns that show life. */
  leased: ({ context }: Asked) => context.role === "worker" && context.grant !== null,
  leasedAlive: ({ context }: Asked) => context.role === "worker" && context.alive,
  currentAlive: (asked: Asked) => isCurrent(asked) && asked.context.alive,
  forced: ({ event }: Asked) => event.type === "member.stop" && event.force,
  /** What is under way is of no use any more. */
  moot: ({ context }: Asked) => context.revoked || context.stopping === "force",
  stopping: ({ context }: Asked) => context.stopping !== "no",
  ended: ({ context }: Asked) => context.ending !== null,
  completedDuty: ({ context, event }: Asked) => context.role === "leader" && event.type === "turn.ended" && event.outcome.ended.how === "completed",
  completed: ({ event }: Asked) => event.type === "turn.ended" && event.outcome.ended.how === "completed",
  /** Nobody will be asked for an agent that is about to leave. */
  asksTooLate: ({ context, event }: Asked) => event.type === "turn.ended" && event.outcome.ended.how === "question" && context.stopping !== "no",
  asks: ({ event }: Asked) => event.type === "turn.ended" && event.outcome.ended.how === "question",
  ofThisTry: ({ context, event }: Asked) => event.type === "turn.placed" && event.tryNumber === context.tryNumber,
  wasInterrupted: ({ event }: Asked) => failureOf(event)?.kind === "interrupted",
  refusedWithinCap: ({ context, event }: Asked) => isRefused(event) && (context.refused ?? 0) < (context.policy.refusedRetries ?? defaultRefusedRetries) && context.stopping === "no",
  infraWithinCap: ({ context, event }: Asked) => isInfra(event) && !isRefused(event) && context.infraFailures - (context.refused ?? 0) < context.policy.infraRetries && context.stopping === "no",
  isInfra: ({ event }: Asked) => isInfra(event),
  isCapped: ({ event }: Asked) => failureOf(event)?.kind === "capReached",
  isHopeless: ({ event }: Asked) => isHopeless(event),
  turnGaveUp: ({ event }: Asked) => event.type === "effect.failed" && event.kind === "turn",
  /** A person has to mend something. */
  needsEnvironment: ({ event }: Asked) => event.type === "effect.failed" && event.class === "environment",
  refused: ({ event }: Asked) => event.type === "effect.failed" && event.class === "refused",
  unresolvedWithinCap: (asked: Asked) => isUnresolved(asked) && mayIterate(asked),
  unresolved: isUnresolved,
  /** Asked once more; who says it again means it, and the team's verdict will tell. */
  unchangedOnce: (asked: Asked) => asked.event.type === "workspace.committed" && asked.event.head === asked.context.grant?.head && asked.context.iteration === 1 && mayIterate(asked),
  newFailuresWithinCap: (asked: Asked) => hasNewFailures(asked) && mayIterate(asked),
  newFailures: hasNewFailures,
  overIntensity: ({ context }: Asked) => context.deaths.length > context.restarts.max,
  hasWorkspace: ({ context }: Asked) => context.workspace !== null,
  tidiesUp: ({ context }: Asked) => context.workspace !== null && context.tidy && context.ending === "done",
  ends: ({ context }: Asked, params: { readonly as: NonNullable<MemberContext["ending"]> }) => context.ending === params.as,
};
