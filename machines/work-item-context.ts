import type { CheckReport } from "../src/domain/check.ts";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import { type Gate, type Gates, gates, pendingGates } from "../src/domain/gate.ts";
import { type Address, laneAddress, pipelineAddress, teamAddress } from "../src/domain/ids.ts";
import type { OperatorLane } from "../src/domain/lane.ts";
import type { Policy } from "../src/domain/policy.ts";
import type { LedgerEntry } from "../src/domain/view.ts";
import { type BlockedReason, canAutoClose, isTerminal, type Remembered, type Standing, type WorkItem } from "../src/domain/work-item.ts";
import type { EffectFailed, Stamp } from "./durable.ts";
import type { PipelineEnded, PipelineGates } from "./pipeline-context.ts";

/** What a work item knows, hears and asks for; its chart is in work-item.ts. */
export interface WorkItemInput { readonly item: WorkItem; readonly policy: Policy; /** First pipeline attempt of this lineage; part of its address. */ readonly attempt: number; /** What its source was told of it before the factory lost its state. */ readonly remembered?: Remembered }

/** How it had ended, when it had. */
export const endedBefore = ({ remembered }: Pick<WorkItemInput, "remembered">): string | undefined => (remembered?.status !== undefined && isTerminal(remembered.status) ? remembered.status : undefined);

export interface WorkItemContext {
  readonly item: WorkItem;
  readonly policy: Policy;
  readonly lineage: number;
  readonly operatorLane: OperatorLane;
  /** Chart of the operator under way or last ended: the lane at the time of the claim decides. */
  readonly operator?: Operator;
  /** Number of the pipeline under way or last ended. */
  readonly attempt: number;
  /** That pipeline has not told its end yet. */
  readonly running: boolean;
  /** The last claim was a command (I7). */
  readonly byCommand: boolean;
  readonly failures: number;
  readonly infraFailures: number;
  readonly iterations: number;
  /** The pipeline of this attempt is done; checking and publishing are left (I8). */
  readonly worked: boolean;
  readonly retryAt: number | null;
  readonly blocked: BlockedReason | null;
  readonly question: string | null;
  readonly reason: string;
  readonly workspace: WorkspaceRef | null;
  readonly head: string;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly failing: readonly string[];
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly costUsd: number;
  readonly published: string;
  /** The worktree was taken away; the branch stays. */
  readonly tidied: boolean;
  /** The session that does the work of this attempt. */
  readonly driver?: string | undefined;
  /** What a person said to do differently, when the last attempt was stuck. */
  readonly guidance?: string;
  /** It had ended so before the factory lost its state; its source said so. */
  readonly endedBefore?: string;
  /** The lane that its source named last. */
  readonly sourceLane?: OperatorLane;
  /** Its source keeps it from being worked on, and nothing else does. */
  readonly held?: boolean;
  /** Why its source has ended it. */
  readonly closed?: string;
  readonly gates: Gates;
  readonly ledger: readonly LedgerEntry[];
}

export type WorkItemEvent = (
  /** `session`: an agent CLI that does the rounds of work itself, in a lane that can be driven so. */
  | { readonly type: "claim"; readonly explicit: boolean; readonly session?: string; /** Its lane from then on: in one step, or somebody else claims it in between. */ readonly lane?: OperatorLane }
  | { readonly type: "approve" }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "retry" }
  | { readonly type: "pause" }
  | { readonly type: "resume"; readonly session?: string }
  | { readonly type: "cancel" }
  | { readonly type: "lane"; readonly lane: OperatorLane }
  /** A person closes what may not close by itself, and says why. */
  | { readonly type: "acknowledgeClose"; readonly reason: string }
  | { readonly type: "reconcile"; readonly reason: string }
  | PipelineEnded
  | PipelineGates
  | { readonly type: "pipeline.asks"; readonly question: string }
  /** The lane keeps its phase, and nothing of it runs. */
  | { readonly type: "pipeline.paused"; readonly attempt: number }
  | { readonly type: "verify.done"; readonly report: CheckReport }
  | { readonly type: "published"; readonly where: string }
  | { readonly type: "workspace.removed" }
  | { readonly type: "alarm.retry" }
  | { readonly type: "source.refused"; readonly message: string }
  /** Somebody names its lane there. */
  | { readonly type: "source.lane"; readonly lane: OperatorLane }
  /** Somebody moves it there; `says`: in the source's own words. */
  | { readonly type: "source.state"; readonly standing: Standing; readonly says: string }
  | EffectFailed
) & Stamp;

/** Who works on an item, by its lane at the time of the claim. */
export type Operator = "pipeline" | "team" | "ralph" | "autopilot" | "ultrawork";
export const operatorFor = (lane: OperatorLane): Operator => (lane === "team" || lane === "ralph" || lane === "autopilot" || lane === "ultrawork" ? lane : "pipeline");
/** It keeps its phase over a pause; the plain pipeline is paused only while it has not begun. */
export const canPause = (operator: Operator | undefined): boolean => operator !== undefined && operator !== "pipeline";

/** What an older version took in has pipelines only. */
export const operatorAddress = ({ operator, item, attempt }: WorkItemContext): Address => {
  switch (operator) {
    case "team": return teamAddress(item.id, attempt);
    case "ralph":
    case "autopilot":
    case "ultrawork": return laneAddress(operator, item.id, attempt);
    case "pipeline":
    case undefined: return pipelineAddress(item.id, attempt);
  }
};

/**
 * What it needs before it may close. Somebody judges the work when the policy says so, and in the lanes always. A lane that is
 * changed while work is under way, or done, asks nothing more of that work.
 */
export const neededGates = ({ policy, operator, operatorLane, item, running, worked }: WorkItemContext): readonly Gate[] => {
  const chosen = operator !== undefined && (running || worked) ? operator : operatorFor(operatorLane), team = chosen === "team";
  const needs: Readonly<Record<Gate, boolean>> = {
    implementationComplete: true, testsPassed: true,
    reviewPassed: chosen !== "pipeline" || policy.stages.critic !== undefined || policy.review === "human",
    docsUpdated: !team && policy.stages.documenter !== undefined,
    // What may close by itself is closed by its publication.
    closureEvidence: !canAutoClose(item),
  };
  return gates.filter((gate) => needs[gate]);
};

/** Open before the work may be published; what closes it comes with or after that. */
export const openGates = (context: WorkItemContext): readonly Gate[] => pendingGates(neededGates(context), context.gates).filter((gate) => gate !== "closureEvidence");

/** What a source has to be told after these gates have changed. */
export const changedGates = (before: Gates, after: Gates): Partial<Record<Gate, boolean>> =>
  Object.fromEntries(gates.filter((gate) => (before[gate] === undefined) !== (after[gate] === undefined)).map((gate) => [gate, after[gate] !== undefined]));
