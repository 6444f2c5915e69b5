import { z } from "zod";
import { AdapterName } from "./agent.ts";
import { Gate } from "./gate.ts";
import { Stage } from "./stage.ts";
import { WorkItemId } from "./ids.ts";
import { Said } from "./message.ts";
import { NoticeMessage } from "./notice.ts";
import { Usage } from "./spend.ts";
import { TeamBrief } from "./team-brief.ts";
import { TeamDuty } from "./team-answers.ts";
import { Finding } from "./verdict.ts";
import { WorkItemSource, WorkItemStatus } from "./work-item.ts";

export const WorkspaceRef = z.object({ path: z.string(), branch: z.string(), base: z.string() });
export type WorkspaceRef = z.infer<typeof WorkspaceRef>;

/** What a turn is told beyond the item itself. */
export const TurnBrief = z.object({
  feedback: z.string(),
  findings: z.array(Finding),
  failingChecks: z.array(z.string()),
  /** `3/4 → 4/4` evidence for the critic. */
  checks: z.string(),
  answer: z.object({ question: z.string(), answer: z.string() }).nullable(),
  /** Why the stage is asked once more (no verdict in the last answer). */
  again: z.string(),
  /** What people said to this agent and it does not have yet. */
  messages: z.array(Said).default([]),
  /** Of a team's member: its task, its mail, its team. */
  team: TeamBrief.optional(),
});
export type TurnBrief = z.infer<typeof TurnBrief>;
export const emptyBrief: TurnBrief = { feedback: "", findings: [], failingChecks: [], checks: "", answer: null, again: "", messages: [] };

/** Where a synchronised worktree begins: as it stands, at the team's head, or at a commit that could not be merged. */
export const SyncFrom = z.union([z.enum(["here", "team"]), z.object({ commit: z.string() })]);
export type SyncFrom = z.infer<typeof SyncFrom>;

/** What a source is told: only what has changed. */
export const SourceUpdate = z.object({ gates: z.partialRecord(Gate, z.boolean()).optional(), status: WorkItemStatus.optional(), /** Where the work is, once it is done. */ published: z.string().optional() });
export type SourceUpdate = z.infer<typeof SourceUpdate>;

/** Outward effects that durable charts ask for. Each is a row of the outbox; its result comes back as a journaled event. */
export const EffectRequest = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("workspace.prepare"), item: WorkItemId, attempt: z.number(), repository: z.string(), baseRef: z.string().nullable(), /** A team's member, with a worktree and branch of its own. */ member: z.string().optional() }),
  z.object({ kind: z.literal("workspace.commit"), item: WorkItemId, workspace: WorkspaceRef, message: z.string() }),
  z.object({ kind: z.literal("workspace.checkpoint"), item: WorkItemId, workspace: WorkspaceRef, why: z.string() }),
  z.object({ kind: z.literal("workspace.remove"), item: WorkItemId, workspace: WorkspaceRef, repository: z.string() }),
  z.object({ kind: z.literal("workspace.enforce"), item: WorkItemId, workspace: WorkspaceRef, since: z.string(), stage: Stage }),
  /** A member's worktree is brought to the team's branch; see the port. */
  z.object({ kind: z.literal("workspace.sync"), item: WorkItemId, workspace: WorkspaceRef, onto: z.string(), from: SyncFrom }),
  /** A member's commit goes into the team's branch. */
  z.object({ kind: z.literal("workspace.merge"), item: WorkItemId, workspace: WorkspaceRef, commit: z.string(), message: z.string() }),
  z.object({ kind: z.literal("verify"), repository: z.string(), base: z.string(), head: z.string() }),
  z.object({
    kind: z.literal("turn"),
    item: z.object({ id: WorkItemId, title: z.string(), body: z.string(), kind: z.string() }),
    attempt: z.number(), stage: Stage, iteration: z.number(), tryNumber: z.number(),
    adapter: AdapterName, model: z.string().nullable(),
    workspace: WorkspaceRef, repository: z.string(),
    sessionId: z.string().nullable(), sessionCostUsd: z.number(), sessionUsage: Usage.optional(), sessionAdapter: AdapterName.optional(),
    timeoutMs: z.number(), stallMs: z.number(), playbook: z.string().nullable(),
    brief: TurnBrief,
    /** Head before the stage began. */
    since: z.string().optional(),
    /** Name of the team whose member works; none for a pipeline's stage. */
    team: z.string().nullable().optional(),
    /** The leg whose progress watcher sees what it does; none: the pipeline's, or the lane's. */
    leg: z.string().optional(),
    /** Whose terminal it is; default: the stage. */
    seat: z.string().optional(),
    /** In the CLI's own screen. */
    screen: z.boolean().optional(),
    /** Of a team's member: why it works, on which task, and how often a turn that shows life says so (milliseconds). */
    duty: TeamDuty.optional(),
    task: z.number().optional(),
    aliveEveryMs: z.number().optional(),
  }),
  /** Ends the turn of this try. Without a number (as older versions asked): every turn of the actor. */
  z.object({ kind: z.literal("turn.cancel"), tryNumber: z.number().optional() }),
  /** Says something to the turn of this try. Answered when the agent has it, or it is certain that this turn never will. */
  z.object({ kind: z.literal("turn.message"), id: z.string(), text: z.string(), tryNumber: z.number() }),
  /** Tells the item's source what has become of it. Waits in the outbox until the source takes it; of one item in order. */
  z.object({ kind: z.literal("source.push"), item: WorkItemId, source: WorkItemSource, sourceId: z.string(), set: SourceUpdate }),
  /** Tells people something on a channel. Waits in the outbox until the channel takes it, nobody needs it any more, or a day has passed. */
  z.object({ kind: z.literal("notify"), channel: z.string(), message: NoticeMessage }),
  z.object({ kind: z.literal("publish"), item: WorkItemId, attempt: z.number(), repository: z.string(), branch: z.string(), base: z.string(), head: z.string(), summary: z.string() }),
]);
export type EffectRequest = z.infer<typeof EffectRequest>;
export type TurnEffect = Extract<EffectRequest, { kind: "turn" }>;

/** The name of an agent's terminal, for people and commands: `LOC-3/coder`, `alpha/worker-1`. */
export const seatOf = ({ item, stage, team, seat }: Pick<TurnEffect, "item" | "stage" | "team" | "seat">): string => `${team ?? item.id}/${seat ?? stage}`;

/** Why an effect could not be done, after its retries. */
export type EffectFailureClass =
  /** Disk, git, network: trying later may help. */
  | "io"
  /** A person has to mend something (repository, sandbox, configuration). */
  | "environment"
  /** The answer is final. */
  | "refused"
  /** A bug of ours. */
  | "defect";
