import { assign } from "xstate";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import type { Gates } from "../src/domain/gate.ts";
import type { Finding } from "../src/domain/verdict.ts";
import type { EffectFailed } from "./durable.ts";
import { changesCli, type CoderSession, firstFeedback, mayEscalate, type PipelineEnded, type PipelineFailure, type PipelineGates, type PipelineInput } from "./pipeline-context.ts";

/** What the charts of lanes have in common whose steps come one after the other: a run of lane `ralph`, and one of `autopilot`. */
export interface LaneRun extends PipelineInput {
  readonly workspace: WorkspaceRef | null;
  /** Rounds of work begun. */
  readonly iteration: number;
  /** The step begun last has not told its end yet. */
  readonly running: boolean;
  /** Rises with every pause, resume and cancel: what was meant for an earlier one is of the past. */
  readonly generation: number;
  readonly head: string;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly feedback: string;
  readonly findings: readonly Finding[];
  readonly session: CoderSession;
  readonly escalated: boolean;
  readonly escalateNow: boolean;
  readonly question: string | null;
  readonly costUsd: number;
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly rule: string;
  readonly reason: string;
  readonly failure: PipelineFailure | null;
}

export type LaneRunEvent =
  | { readonly type: "workspace.ready"; readonly workspace: WorkspaceRef }
  | PipelineEnded
  | PipelineGates
  | { readonly type: "pipeline.asks"; readonly question: string; readonly leg?: string }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "stuck"; readonly rule: string; readonly says: string }
  | { readonly type: "pause" }
  | { readonly type: "cancel" }
  | EffectFailed;

/** What one of the two charts hears alone. */
type Other = { readonly type: "stage.asks"; readonly question: string } | { readonly type: "stage.ended" | "pipeline.paused" | "resume" | "advance" };
interface Args { readonly context: LaneRun; readonly event: LaneRunEvent | Other }
type Change = Partial<Omit<LaneRun, Exclude<keyof PipelineInput, "failing">>>;

export const begunRun = (input: PipelineInput, iteration: number) => ({
  ...input, workspace: null, iteration, running: false, generation: 1, head: "", checks: null, feedback: firstFeedback(input), findings: [], session: { id: null, costUsd: 0 }, escalated: false, escalateNow: false,
  question: null, costUsd: 0, summary: "", warnings: [], rule: "", reason: "", failure: null,
} satisfies LaneRun);

const stopped = (why: string): Change => ({ feedback: `You were stopped: ${why}. Take another approach.`, findings: [] });

/** A pipeline stopped itself. */
export const afterStop = ({ event }: Args): Change => (event.type === "pipeline.ended" ? stopped(event.reason.slice(0, 500)) : {});
/** A rule fired. */
export const afterRule = ({ context, event }: Args): Change => (event.type === "stuck" ? {
  ...stopped(event.says), rule: event.rule, escalateNow: mayEscalate(context), reason: `stopped by rule ${event.rule}: ${event.says}${context.feedback === "" ? "" : `; the last time: ${context.feedback.slice(0, 500)}`}`,
} : {});

/** The actions that both charts name. */
export const runActionsIn = <C extends LaneRun, E extends LaneRunEvent | Other>() => {
  const changing = (change: (args: Args) => Change) => assign<C, E, undefined, E, never>(({ context, event }) => ({ ...context, ...change({ context, event }) }));
  return {
    takeWorkspace: changing(({ context, event }) => (event.type === "workspace.ready" ? { workspace: event.workspace, head: context.head || event.workspace.base } : {})),
    takeFeedback: changing(({ event }) => (event.type === "pipeline.ended" && event.leg ? { feedback: event.leg.feedback, findings: event.leg.findings, failing: event.leg.failing } : {})),
    noteStuckEnd: changing(() => ({ failure: "stuck" })),
    noteEffect: changing(({ event }) => (event.type === "effect.failed" ? { failure: event.class === "environment" || event.class === "refused" ? "environment" : "infra", reason: event.mend ? `${event.message} (${event.mend})` : event.message } : {})),
    noteQuestion: changing(({ event }) => (event.type === "stage.asks" || event.type === "pipeline.asks" ? { question: event.question } : {})),
    clearQuestion: changing(() => ({ question: null })),
    noteCancelled: changing(() => ({ reason: "cancelled", failure: null })),
    nextGeneration: changing(({ context }) => ({ generation: context.generation + 1 })),
  };
};

/** What the end of a step says of the whole. */
export const taken = (context: LaneRun, ended: PipelineEnded): Change => ({
  running: false, question: null, costUsd: context.costUsd + ended.costUsd, head: ended.head || context.head, checks: ended.checks ?? context.checks, summary: ended.summary || context.summary,
  workspace: ended.workspace ?? context.workspace, warnings: [...new Set([...context.warnings, ...ended.warnings])].slice(-20),
});

export const escalatedTo = (policy: PipelineInput["policy"], from: boolean, to: boolean): Change => ({ escalated: to, escalateNow: false, ...(changesCli(policy, from, to) ? { session: { id: null, costUsd: 0 } } : {}) });

/** Names of what failed, or what was said of it. */
const complaint = ({ event }: Args): string => (event.type === "pipeline.ended" && event.leg ? (event.leg.failing.length > 0 ? event.leg.failing.toSorted().join("\n") : event.leg.feedback).slice(0, 2_000) : "");
const words = (text: string): readonly string[] => [...new Set(text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [])].slice(0, 400);

/** What a run's progress watcher is shown of a step's end. */
export const shown = {
  diff: ({ event }: Args) => ({ kind: "diff", hash: event.type === "pipeline.ended" ? (event.leg?.diffHash ?? "") : "" }),
  error: (args: Args) => ({ kind: "error", fingerprint: complaint(args) }),
  feedback: ({ event }: Args) => ({ kind: "feedback", words: event.type === "pipeline.ended" && event.leg ? words([event.leg.feedback, ...event.leg.findings.map(({ message }) => message)].join(" ")) : [] }),
};

export const endOf = (c: LaneRun, outcome: PipelineEnded["outcome"]): PipelineEnded => ({
  type: "pipeline.ended", attempt: c.attempt, outcome, failure: c.failure, reason: c.reason, workspace: c.workspace, head: c.head, iterations: c.iteration,
  checks: c.checks, summary: c.summary, warnings: c.warnings, costUsd: c.costUsd,
  ...(c.leg ? { leg: { n: c.leg.n, feedback: c.feedback, findings: c.findings, failing: c.failing, session: c.session, diffHash: "", escalated: c.escalated } } : {}),
});

/** What an implementation shows that is claimed to be complete. */
export const claimedGates = ({ head }: Pick<LaneRun, "head">): Gates => ({ implementationComplete: { state: "met", evidence: `commit ${head.slice(0, 12)}` } });

const endedAs = ({ event }: Args, outcome: PipelineEnded["outcome"], failure?: PipelineFailure): boolean => event.type === "pipeline.ended" && event.outcome === outcome && (failure === undefined || event.failure === failure);
/** The work was wrong, and the leg said what of it. */
export const isWrong = (args: Args): boolean => endedAs(args, "exhausted", "cap");
export const isStuck = (args: Args): boolean => endedAs(args, "exhausted", "stuck");
