import type { AdapterName, AgentFailure, CliSession, TurnOutcome } from "../src/domain/agent.ts";
import { infraKinds, refusedKinds } from "../src/domain/agent.ts";
import type { CheckReport } from "../src/domain/check.ts";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import type { Address } from "../src/domain/ids.ts";
import type { Policy } from "../src/domain/policy.ts";
import type { TurnPlace } from "../src/domain/routing.ts";
import type { Cost } from "../src/domain/spend.ts";
import type { TeamBrief } from "../src/domain/team-brief.ts";
import type { TeamCriteria, TeamDuty, TeamMessage, TeamPlan } from "../src/domain/team-answers.ts";
import type { TeamPolicy } from "../src/domain/team.ts";
import type { Verdict } from "../src/domain/verdict.ts";
import type { WorkItem } from "../src/domain/work-item.ts";
import type { EffectFailed, Stamp } from "./durable.ts";

/** What a team's member knows, hears and says; its chart is in member.ts, its guards in member-guards.ts. */
export interface MemberInput {
  readonly team: Address;
  /** null: who gives it work has no name. */
  readonly teamName: string | null;
  readonly name: string;
  readonly role: "leader" | "worker";
  readonly item: Pick<WorkItem, "id" | "title" | "body" | "kind">;
  readonly attempt: number;
  /** Names worktree and branch, as the item's own. */
  readonly lineage: number;
  readonly repository: string;
  readonly adapter: AdapterName;
  readonly model: string | null;
  readonly timeoutMs: number;
  readonly playbook: string | null;
  /** It works in its CLI's own screen. */
  readonly screen: boolean;
  /** Commit its branch begins at. */
  readonly base: string;
  readonly leaseMs: number;
  readonly restarts: TeamPolicy["memberRestarts"];
  readonly policy: Pick<Policy, "maxIterations" | "infraRetries" | "refusedRetries" | "retryBaseMs" | "retryMaxMs" | "stallMs">;
}

/** Something to do, from the team. Task 0: a duty of the leader; its token is the number of the duty. */
export interface Grant {
  readonly task: number;
  readonly token: number;
  readonly duty: TeamDuty;
  /** The team's head, which the worktree is brought to. */
  readonly head: string;
  /** Claims of the task so far, this one included; the first turn's try. */
  readonly attempt: number;
  /** Of a conflict: the task it is about, and its commit. */
  readonly conflict: { readonly task: number; readonly commit: string } | null;
  readonly brief: Pick<TeamBrief, "task" | "board" | "others">;
  /** Evidence for a verdict. */
  readonly checks: string;
  /** Why it is asked once more. */
  readonly again: string;
}

export interface Mail { readonly id: string; readonly from: string; readonly text: string }

export type MemberFailure = "infra" | "auth" | "environment" | "crash" | "cap";

export interface MemberContext extends MemberInput {
  readonly workspace: WorkspaceRef | null;
  readonly grant: Grant | null;
  /** The task its worktree was last used for. */
  readonly lastTask: number;
  /** Highest token taken, by task: a grant is taken once. */
  readonly seen: Readonly<Record<string, number>>;
  readonly conflicts: readonly string[];
  readonly head: string;
  readonly checks: string;
  readonly summary: string;
  readonly iteration: number;
  readonly tryNumber: number;
  /** Of the turn under way, where that is not with the adapter that was asked for or not begun yet. */
  readonly place?: TurnPlace | null;
  readonly infraFailures: number;
  /** Of these, refusals of the provider. */
  readonly refused?: number;
  /** When it died, within the time that counts. */
  readonly deaths: readonly number[];
  /** Deaths in all. */
  readonly died: number;
  readonly session: CliSession;
  readonly question: string | null;
  readonly answer: { readonly question: string; readonly answer: string } | null;
  readonly feedback: string;
  readonly failing: readonly string[];
  readonly inbox: readonly Mail[];
  /** Letters that the turn under way carries. */
  readonly carried: readonly string[];
  readonly turns: number;
  readonly costUsd: number;
  /** The same with what is unknown of it. */
  readonly cost?: Cost;
  /** Its turn has shown life since the lease was last renewed. */
  readonly alive: boolean;
  /** The claim was lost while something was under way. */
  readonly revoked: boolean;
  readonly stopping: "no" | "drain" | "force";
  /** Its worktree goes when it leaves: everything in it is merged. */
  readonly tidy: boolean;
  readonly retryAt: number | null;
  readonly ending: MemberEnded["outcome"] | null;
  readonly failure: MemberFailure | null;
  readonly reason: string;
  readonly since: number;
}

/** What the team hears of its members. */
export type MemberNews =
  | { readonly type: "member.ready"; readonly member: string }
  /** A turn has begun that carries these letters. */
  | { readonly type: "member.began"; readonly member: string; readonly mail: readonly string[] }
  /** A turn has ended. Turns and cost are totals. */
  | { readonly type: "member.turn"; readonly member: string; readonly turns: number; readonly costUsd: number; readonly well: boolean; readonly mail: readonly string[]; readonly messages: readonly TeamMessage[] }
  | { readonly type: "member.renew"; readonly member: string; readonly task: number; readonly token: number }
  | { readonly type: "member.evidence"; readonly member: string; readonly task: number; readonly token: number; readonly commit: string; readonly checks: string; readonly summary: string }
  | { readonly type: "member.failed"; readonly member: string; readonly task: number; readonly token: number; readonly reason: string }
  | { readonly type: "member.declined"; readonly member: string; readonly task: number; readonly token: number }
  | { readonly type: "member.answered"; readonly member: string; readonly token: number; readonly plan: TeamPlan | null; readonly criteria: TeamCriteria | null; readonly verdict: Verdict | null; readonly text: string }
  | { readonly type: "member.asks"; readonly member: string; readonly question: string }
  /** Its agent died and it begins anew. Deaths are a total. */
  | { readonly type: "member.died"; readonly member: string; readonly died: number; readonly reason: string }
  | MemberEnded;

export interface MemberEnded { readonly type: "member.ended"; readonly member: string; readonly outcome: "done" | "failed" | "cancelled" | "exhausted"; readonly failure: MemberFailure | null; readonly reason: string; readonly costUsd: number }

export type MemberEvent = (
  | { readonly type: "workspace.ready"; readonly workspace: WorkspaceRef }
  | { readonly type: "workspace.synced"; readonly head: string; readonly conflicts: readonly string[] }
  | { readonly type: "workspace.committed"; readonly head: string; readonly unresolved?: readonly string[]; readonly dropped?: readonly string[] }
  | { readonly type: "workspace.checkpointed"; readonly ref: string }
  | { readonly type: "workspace.removed" }
  | { readonly type: "verify.done"; readonly report: CheckReport }
  | { readonly type: "turn.ended"; readonly outcome: TurnOutcome }
  | { readonly type: "turn.cancel.sent" }
  | { readonly type: "turn.placed"; readonly tryNumber: number; readonly place: TurnPlace }
  /** The turn shows output or CPU use. */
  | { readonly type: "turn.alive" }
  | { readonly type: "alarm.renew" }
  | { readonly type: "alarm.retry" }
  | { readonly type: "member.granted"; readonly grant: Grant }
  /** The claim is lost: what it does for this task is of no use any more. */
  | { readonly type: "member.revoked"; readonly task: number; readonly token: number }
  /** The evidence was taken and dealt with. */
  | { readonly type: "member.settled"; readonly task: number; readonly token: number }
  /** The lease ran out: is there life? */
  | { readonly type: "member.life"; readonly task: number; readonly token: number }
  | { readonly type: "member.mail"; readonly mail: Mail }
  | { readonly type: "member.stop"; readonly force: boolean; readonly tidy: boolean }
  | { readonly type: "answer"; readonly text: string }
  | EffectFailed
) & Stamp;

export const failureOf = (event: MemberEvent): AgentFailure | undefined =>
  event.type === "turn.ended" && event.outcome.ended.how === "failed" ? event.outcome.ended.failure : undefined;

/** Beginning anew would not help: account and model are what they are. */
const hopeless: ReadonlySet<AgentFailure["kind"]> = new Set(["auth", "model"]);
export const isHopeless = (event: MemberEvent): boolean => { const failure = failureOf(event); return failure !== undefined && hopeless.has(failure.kind); };
export const isInfra = (event: MemberEvent): boolean => { const failure = failureOf(event); return failure !== undefined && infraKinds.has(failure.kind); };

export const isRefused = (event: MemberEvent): boolean => { const failure = failureOf(event); return failure !== undefined && refusedKinds.has(failure.kind); };

export const reasonOf = (event: MemberEvent): string => {
  const failure = failureOf(event);
  if (event.type === "effect.failed") return event.mend === undefined ? event.message : `${event.message} (${event.mend})`;
  if (failure === undefined) return "its turn was ended";
  switch (failure.kind) {
    case "timeout": return `the turn took longer than ${Math.round(failure.afterMs / 1000)} s`;
    case "stalled": return `no output and no CPU use for ${Math.round(failure.afterMs / 1000)} s`;
    case "interrupted": return "the factory was stopped";
    default: return failure.message;
  }
};

/** Deaths that still count at this time. */
export const recentDeaths = (context: Pick<MemberContext, "deaths" | "restarts">, at: number): readonly number[] => context.deaths.filter((time) => at - time < context.restarts.withinMs);
