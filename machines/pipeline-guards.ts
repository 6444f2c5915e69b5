import { anyWaits, hasRoom, isNew } from "../src/domain/message.ts";
import type { Stage } from "../src/domain/stage.ts";
import { nextAfter, type PipelineContext, type PipelineEvent } from "./pipeline-context.ts";
import type { StageFailure } from "./stage.ts";

/** The guards of the pipeline chart. Those `…WithinCap` stand before their namesakes in the chart and ask for an iteration that is left (I1). */
interface Asked { readonly context: PipelineContext; readonly event: PipelineEvent }

const isCritical = ({ event }: Asked): boolean => event.type === "stage.ended" && event.outcome === "done" && (event.audit?.findings.some((f) => f.severity === "critical") ?? false);

/** Too much for one turn, in time or in words: costs a round, and the next one is told. */
const workTrouble: ReadonlySet<StageFailure | null> = new Set<StageFailure | null>(["timeout", "stalled", "context", "overlong"]);
const isWorkTrouble = ({ event }: Asked): boolean => event.type === "stage.ended" && event.outcome === "failed" && workTrouble.has(event.failure);

const isUnchanged = ({ context, event }: Asked): boolean => event.type === "workspace.committed" && (event.empty || event.head === context.leg?.since);

export const pipelineGuards = {
  /** Late word of a stage that was replaced; it changes nothing. */
  notCurrent: ({ context, event }: Asked) => event.type === "stage.ended" && (event.stage !== context.stage || event.iteration !== context.iteration),
  beginsWithReview: ({ context }: Asked) => context.leg?.begin === "review",
  hasWorkspace: ({ context }: Asked) => context.workspace !== null,
  hasQuestion: ({ context }: Asked) => context.question !== null,
  stageDone: ({ event }: Asked) => event.type === "stage.ended" && event.outcome === "done",
  approves: ({ event }: Asked) => event.type === "stage.ended" && event.outcome === "done" && event.verdict?.decision === "approve",
  rejects: ({ event }: Asked) => event.type === "stage.ended" && event.outcome === "done" && event.verdict?.decision === "reject",
  stageTroubleIsWork: isWorkTrouble,
  workTroubleMayIterate: (asked: Asked) => isWorkTrouble(asked) && asked.context.iteration < asked.context.policy.maxIterations,
  /** DESIGN §5: the documenter gets one new try, then a warning. */
  documenterMayRetry: (asked: Asked) => isWorkTrouble(asked) && !asked.context.documenterRetried,
  revisesWithinCap: ({ context, event }: Asked) => event.type === "stage.ended" && event.outcome === "done" && event.verdict?.decision === "revise" && context.iteration < context.policy.maxIterations,
  revises: ({ event }: Asked) => event.type === "stage.ended" && event.outcome === "done" && event.verdict?.decision === "revise",
  exhaustedStage: ({ event }: Asked) => event.type === "stage.ended" && event.outcome === "exhausted",
  criticalWithinCap: (asked: Asked) => isCritical(asked) && asked.context.iteration < asked.context.policy.maxIterations,
  critical: isCritical,
  /** Only the coder owes a new diff; a tester or documenter that finds nothing to do is not going round in circles. */
  laterStage: ({ context }: Asked) => context.stage !== "coder",
  nothingChanged: (asked: Asked) => isUnchanged(asked),
  nothingChangedWithinCap: (asked: Asked) => isUnchanged(asked) && asked.context.iteration < asked.context.policy.maxIterations,
  newFailuresWithinCap: ({ context, event }: Asked) => event.type === "verify.done" && event.report.newFailures.length > 0 && context.iteration < context.policy.maxIterations,
  newFailures: ({ event }: Asked) => event.type === "verify.done" && event.report.newFailures.length > 0,
  needsReview: ({ context }: Asked) => !context.approved && context.policy.stages.critic !== undefined,
  next: ({ context }: Asked, params: { readonly stage: Stage }) => nextAfter(context) === params.stage,
  isNewMessage: ({ context, event }: Asked) => event.type === "message" && isNew(context.messages, event),
  /** For the agent at work now. */
  stageMayHear: ({ context, event }: Asked) => event.type === "message" && isNew(context.messages, event) && hasRoom(context.messages) && (event.to === null || event.to === context.stage),
  newlyHeard: ({ context, event }: Asked) => event.type === "stage.heard" && anyWaits(context.messages, event.ids),
  mayGoOn: ({ context }: Asked) => context.escalateNow && context.iteration < context.policy.maxIterations,
};
