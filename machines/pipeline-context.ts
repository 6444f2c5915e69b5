import type { CliSession } from "../src/domain/agent.ts";
import type { CheckReport } from "../src/domain/check.ts";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import type { GateEvidence, Gates } from "../src/domain/gate.ts";
import type { Address } from "../src/domain/ids.ts";
import type { Message, Queue } from "../src/domain/message.ts";
import type { Policy, StagePlan } from "../src/domain/policy.ts";
import type { Stage } from "../src/domain/stage.ts";
import type { Finding } from "../src/domain/verdict.ts";
import type { WorkItem } from "../src/domain/work-item.ts";
import type { EffectFailed, Stamp } from "./durable.ts";
import type { StageEnded, StageFailure } from "./stage.ts";

/** What a pipeline knows, hears and says; its chart is in pipeline.ts, its guards in pipeline-guards.ts. */
export interface PipelineInput {
  readonly owner: Address;
  readonly item: WorkItem;
  /** Rises with every pipeline of the item; part of this actor's address. */
  readonly attempt: number;
  /** Names the worktree and branch: the same for all pipelines that continue one another's work. */
  readonly lineage: number;
  readonly policy: Policy;
  /** Failing checks found after an earlier run of this pipeline's work. */
  readonly failing: readonly string[];
  /** What a person said after an earlier attempt was stuck. */
  readonly guidance?: string;
  /** It is a step of a lane: its owner is the lane's actor. */
  readonly leg?: Leg;
}

/** What a lane gives a pipeline that is one of its steps, and what comes of it. */
export interface Leg {
  /** `3`; of a lane within a lane `2.3`. */
  readonly n: string;
  /** The lane's round: its only iteration. */
  readonly round: number;
  /** With the coder's turn, or with what is there already: committed, checked, and judged. */
  readonly begin: "work" | "review";
  /** For its first stage. */
  readonly feedback: string;
  readonly findings: readonly Finding[];
  readonly session: CoderSession;
  readonly escalated: boolean;
  /** The commit that was found wanting: work that leaves it as it is has changed nothing. Absent: anything beyond the base is a change. */
  readonly since?: string;
  /** What its agents do is seen by its own progress watcher; absent: by the lane's, over all its legs. */
  readonly watched?: true;
}
export interface LegEnd { readonly n: string; readonly feedback: string; readonly findings: readonly Finding[]; readonly failing: readonly string[]; readonly session: CoderSession; readonly diffHash: string; /** Of a lane's run that escalated: the session is of the coder's other adapter or model. */ readonly escalated?: boolean }
export type CoderSession = CliSession;

export interface PipelineContext extends PipelineInput {
  readonly workspace: WorkspaceRef | null;
  readonly iteration: number;
  /** Stage actors started so far; part of their address. */
  readonly started: number;
  readonly stage: Stage;
  readonly stageAddress: Address;
  readonly head: string;
  readonly changeSummary: string;
  readonly diffHash: string;
  readonly empty: boolean;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly newFailures: readonly string[];
  readonly feedback: string;
  readonly findings: readonly Finding[];
  /** What was wrong with each round, a line each; the last few. */
  readonly tried?: readonly string[];
  readonly approved: boolean;
  readonly escalated: boolean;
  readonly escalateNow: boolean;
  /** The documenter had its one new try. */
  readonly documenterRetried: boolean;
  /** Why there is no documentation, once the documenter has given up. */
  readonly undocumented?: string;
  readonly question: string | null;
  readonly coderSession: CoderSession;
  readonly costUsd: number;
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly rule: string;
  readonly reason: string;
  readonly failure: PipelineFailure | null;
  readonly messages: Queue;
}

export type PipelineFailure = "infra" | "environment" | "work" | "rejected" | "auth" | "stuck" | "cap";

export interface PipelineEnded {
  readonly type: "pipeline.ended";
  readonly attempt: number;
  readonly outcome: "done" | "failed" | "cancelled" | "exhausted";
  readonly failure: PipelineFailure | null;
  readonly reason: string;
  readonly workspace: WorkspaceRef | null;
  readonly head: string;
  readonly iterations: number;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly costUsd: number;
  /** Of a leg. */
  readonly leg?: LegEnd;
}

/** What the work has shown so far: told to the owner whenever that changes. */
export interface PipelineGates { readonly type: "pipeline.gates"; readonly attempt: number; readonly gates: Gates; /** The leg that tells it. */ readonly leg?: string }

export type PipelineEvent = (
  | { readonly type: "workspace.ready"; readonly workspace: WorkspaceRef }
  | { readonly type: "workspace.committed"; readonly head: string; readonly empty: boolean; readonly diffHash: string; readonly changed: readonly string[]; readonly summary: string }
  | { readonly type: "workspace.checkpointed"; readonly ref: string }
  | { readonly type: "verify.done"; readonly report: CheckReport }
  | StageEnded
  | { readonly type: "stage.asks"; readonly stage: Stage; readonly question: string; readonly heard?: readonly string[] }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "stuck"; readonly rule: string; readonly says: string }
  | { readonly type: "cancel" }
  | ({ readonly type: "message" } & Message)
  /** An agent has these messages. */
  | { readonly type: "stage.heard"; readonly ids: readonly string[] }
  | EffectFailed
) & Stamp;

/** What the first turn is told of earlier attempts. */
export const firstFeedback = ({ failing, guidance }: Pick<PipelineInput, "failing" | "guidance">): string =>
  [failing.length > 0 ? "The final check of your work found new failures." : "", guidance === undefined ? "" : `An earlier attempt was stuck. A person says: ${guidance}`].filter((text) => text !== "").join("\n\n");

/** Optional stages after approval, in their order. */
const afterApproval = ["tester", "documenter", "auditor", "stage-documenter"] as const satisfies readonly Stage[];

/** The next enabled stage after the current one. */
export const nextAfter = (context: PipelineContext): Stage | undefined => {
  const from = (afterApproval as readonly Stage[]).indexOf(context.stage);
  return afterApproval.slice(from + 1).find((stage) => context.policy.stages[stage] !== undefined);
};

/** What work shows whose checks hold: nothing is asked about work that is still being made. */
export const gatesOf = ({ head, changeSummary, checks, approved, iteration, stage, policy, undocumented }: PipelineContext): Gates => {
  const met = (evidence: string): GateEvidence => ({ state: "met", evidence });
  const isPast = (each: (typeof afterApproval)[number]): boolean => policy.stages[each] !== undefined && (afterApproval as readonly Stage[]).indexOf(stage) >= afterApproval.indexOf(each);
  const changed = changeSummary.trim().split("\n").at(-1)?.trim() ?? "";
  return {
    implementationComplete: met(`commit ${head.slice(0, 12)}${changed === "" ? "" : `: ${changed.slice(0, 200)}`}`),
    ...(policy.stages.tester === undefined || isPast("tester") ? { testsPassed: met(checks ? `before ${checks.base}, now ${checks.head}` : "there are no checks") } : {}),
    ...(approved ? { reviewPassed: met(`approved by the critic in iteration ${iteration}`) } : {}),
    ...(isPast("documenter") ? { docsUpdated: undocumented === undefined ? met(`commit ${head.slice(0, 12)}`) : { state: "waived", evidence: undocumented } } : {}),
  };
};

/** The coder's plan has something else to offer, and it was not used yet (I4). */
export const mayEscalate = ({ escalated, policy: { stages: { coder } } }: Pick<PipelineContext, "escalated" | "policy">): boolean => !escalated && (coder?.escalateModel ?? coder?.escalateAdapter ?? null) !== null;

/** CONF-17: iterations 1..n run as planned, later ones escalated; evidence may bring it forward, once (I4). */
export const escalates = (context: Pick<PipelineContext, "escalated" | "escalateNow" | "iteration" | "policy">): boolean =>
  mayEscalate(context) && (context.escalateNow || context.iteration + 1 > (context.policy.stages.coder?.escalateAfterIteration ?? Infinity));

/** What runs a stage. Another adapter does not know the first one's models. */
export const runnerOf = ({ escalated, stage }: Pick<PipelineContext, "escalated" | "stage">, plan: StagePlan): Pick<StagePlan, "adapter" | "model"> => {
  if (stage !== "coder" || !escalated) return { adapter: plan.adapter, model: plan.model };
  const adapter = plan.escalateAdapter ?? plan.adapter;
  return { adapter, model: plan.escalateModel ?? (adapter === plan.adapter ? plan.model : null) };
};

/** Whether the coder's CLI is another one then: a session belongs to the CLI that opened it. */
export const changesCli = ({ stages: { coder } }: Policy, from: boolean, to: boolean): boolean =>
  coder !== undefined && runnerOf({ stage: "coder", escalated: to }, coder).adapter !== runnerOf({ stage: "coder", escalated: from }, coder).adapter;

/** For what only happens once there is a workspace; its absence is a bug of ours. */
export const required = (workspace: WorkspaceRef | null): WorkspaceRef => {
  if (!workspace) throw new Error("there is no workspace yet");
  return workspace;
};

/** What a stage did or wanted and may not, for people. */
export const strayed = ({ stage, undone, denials, touched = [] }: StageEnded): readonly string[] => [
  ...(undone.length === 0 ? [] : [`${stage} changed what it may not; undone: ${undone.slice(0, 5).join(", ")}`]),
  ...(denials.length === 0 ? [] : [`${stage} was not let: ${denials.slice(0, 5).join("; ").slice(0, 500)}`]),
  // Who did it cannot be told: the agent, somebody else, or an agent beside it.
  ...(touched.length === 0 ? [] : [`git's own files changed while the ${stage} worked: ${touched.slice(0, 5).map((name) => `.git/${name}`).join(", ")}${touched.length > 5 ? ` and ${touched.length - 5} more` : ""}; git may run other programs now, so look at them before you use it there`]),
];

/** What a stage's trouble is to whoever began the stage. */
export const failureOf = (failure: StageFailure | null): PipelineFailure => {
  switch (failure) {
    case "environment": return "environment";
    case "auth":
    case "model": return "auth";
    case "infra":
    case "crash": return "infra";
    default: return "work";
  }
};
