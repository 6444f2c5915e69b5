import type { AdapterName } from "../src/domain/agent.ts";
import type { Board } from "../src/domain/board.ts";
import type { CheckReport } from "../src/domain/check.ts";
import type { WorkspaceRef } from "../src/domain/effects.ts";
import type { Mailbox } from "../src/domain/mailbox.ts";
import type { PlannedTask, TeamDuty } from "../src/domain/team-answers.ts";
import { defaultTeamPolicy, type memberStates, type TeamPolicy, type TeamSpec } from "../src/domain/team.ts";
import type { EffectFailed, Stamp } from "./durable.ts";
import type { MemberFailure, MemberNews } from "./member-context.ts";
import type { PipelineEnded, PipelineFailure, PipelineInput } from "./pipeline-context.ts";

/** What a team knows, hears and says; its chart is in team.ts, its guards in team-guards.ts, what it does with its board in team-work.ts. */
export interface Member {
  readonly name: string;
  readonly role: "leader" | "worker";
  readonly adapter: AdapterName;
  /** As far as the team is told; `idle`: it has asked for something to do. */
  readonly state: Extract<(typeof memberStates)[number], "starting" | "idle" | "working" | "merging" | "asking" | "waiting" | "draining" | "down" | "gone">;
  /** What it was granted; task 0 is a duty. */
  readonly task: number | null;
  readonly turns: number;
  readonly died: number;
  readonly costUsd: number;
  readonly question: string | null;
  readonly reason: string;
  readonly failure: MemberFailure | null;
  readonly since: number;
}

/** What the leader owes. `given`: it has been granted. */
export interface Duty { readonly kind: Exclude<TeamDuty, "work">; readonly token: number; readonly asked: number; readonly again: string; readonly given: boolean }

export interface TeamContext extends PipelineInput {
  /** Absent: a team. What else has a board and workers says so: there is no leader then, and no name. */
  readonly lane?: "ultrawork";
  readonly spec: TeamSpec;
  readonly limits: TeamPolicy;
  readonly workspace: WorkspaceRef | null;
  /** The team's branch: what has been merged. */
  readonly head: string;
  readonly members: readonly Member[];
  readonly planned: readonly PlannedTask[];
  readonly board: Board;
  readonly mailbox: Mailbox;
  /** Tasks whose work waits to be merged, in order. */
  readonly queue: readonly number[];
  /** The task whose merge is under way. */
  readonly merging: number | null;
  /** The checks of the whole are under way; without a leader, the leg that checks and judges it. */
  readonly checking: boolean;
  readonly duty: Duty | null;
  readonly duties: number;
  readonly fixes: number;
  readonly checks: { readonly base: string; readonly head: string } | null;
  readonly newFailures: readonly string[];
  /** Members that wait for an answer, in order; the first one's question is the item's. */
  readonly asking: readonly string[];
  /** The alarm as it is set. */
  readonly lapse: number | null;
  readonly letters: number;
  readonly events: readonly { readonly at: number; readonly text: string }[];
  readonly costUsd: number;
  readonly summary: string;
  readonly warnings: readonly string[];
  readonly ending: PipelineEnded["outcome"] | null;
  /** The run of lane ralph that mends the whole; null: none, absent in what an older version took in. */
  readonly run?: { readonly n: number; readonly paused: boolean } | null;
  /** It is being paused, or is: nothing is granted, and no lease runs. Absent in what an older version took in. */
  readonly held?: boolean;
  /** Members are told to stop at once. */
  readonly force: boolean;
  readonly reason: string;
  readonly failure: PipelineFailure | null;
}

export type TeamEvent = (
  | { readonly type: "workspace.ready"; readonly workspace: WorkspaceRef }
  | { readonly type: "workspace.committed"; readonly head: string }
  | { readonly type: "workspace.merged"; readonly head: string }
  | { readonly type: "workspace.conflicted"; readonly files: readonly string[] }
  | { readonly type: "verify.done"; readonly report: CheckReport }
  | { readonly type: "alarm.lease" }
  | MemberNews
  | PipelineEnded
  | { readonly type: "pipeline.asks"; readonly question: string; readonly leg?: string }
  | { readonly type: "pipeline.paused"; readonly attempt: number; readonly leg?: string }
  | { readonly type: "answer"; readonly text: string }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "cancel" }
  | { readonly type: "team.message"; readonly to: string; readonly text: string; readonly id: string }
  | { readonly type: "team.add"; readonly adapter: AdapterName | null }
  | { readonly type: "team.remove"; readonly member: string }
  | { readonly type: "team.shutdown"; readonly force: boolean }
  | EffectFailed
) & Stamp;

export const isLiving = ({ state }: Member): boolean => state !== "down" && state !== "gone";
export const workersOf = (context: Pick<TeamContext, "members">): readonly Member[] => context.members.filter(({ role }) => role === "worker");
/** Who of the workers has left last. */
export const lastWorker = (context: Pick<TeamContext, "members">): Member | undefined => workersOf(context).toSorted((a, b) => a.since - b.since).at(-1);
export const livingNames = (context: Pick<TeamContext, "members">): readonly string[] => context.members.filter(isLiving).map(({ name }) => name);
export const memberOf = (context: Pick<TeamContext, "members">, name: string): Member | undefined => context.members.find((member) => member.name === name);

/** An item that says nothing of its team gets the configured one, named after itself. */
export const specOf = ({ item, policy }: PipelineInput): TeamSpec =>
  item.team ? { ...item.team, workers: item.team.workers || (policy.team ?? defaultTeamPolicy).workers } : { name: item.id.toLowerCase(), workers: (policy.team ?? defaultTeamPolicy).workers, adapters: [], tasks: [], interactive: false };
