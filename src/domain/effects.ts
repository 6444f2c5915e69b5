import { z } from "zod";
import { AdapterName } from "./agent.ts";
import { Stage } from "./stage.ts";
import { WorkItemId } from "./ids.ts";
import { Said } from "./message.ts";
import { Finding } from "./verdict.ts";

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
});
export type TurnBrief = z.infer<typeof TurnBrief>;
export const emptyBrief: TurnBrief = { feedback: "", findings: [], failingChecks: [], checks: "", answer: null, again: "", messages: [] };

/** Outward effects that durable charts ask for. Each is a row of the outbox; its result comes back as a journaled event. */
export const EffectRequest = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("workspace.prepare"), item: WorkItemId, attempt: z.number(), repository: z.string(), baseRef: z.string().nullable() }),
  z.object({ kind: z.literal("workspace.commit"), item: WorkItemId, workspace: WorkspaceRef, message: z.string() }),
  z.object({ kind: z.literal("workspace.checkpoint"), item: WorkItemId, workspace: WorkspaceRef, why: z.string() }),
  z.object({ kind: z.literal("workspace.remove"), item: WorkItemId, workspace: WorkspaceRef, repository: z.string() }),
  z.object({ kind: z.literal("workspace.enforce"), item: WorkItemId, workspace: WorkspaceRef, since: z.string(), stage: Stage }),
  z.object({ kind: z.literal("verify"), repository: z.string(), base: z.string(), head: z.string() }),
  z.object({
    kind: z.literal("turn"),
    item: z.object({ id: WorkItemId, title: z.string(), body: z.string(), kind: z.string() }),
    attempt: z.number(), stage: Stage, iteration: z.number(), tryNumber: z.number(),
    adapter: AdapterName, model: z.string().nullable(),
    workspace: WorkspaceRef, repository: z.string(),
    sessionId: z.string().nullable(), sessionCostUsd: z.number(),
    timeoutMs: z.number(), stallMs: z.number(), playbook: z.string().nullable(),
    brief: TurnBrief,
    /** Name of the team whose member works; none for a pipeline's stage. */
    team: z.string().nullable().optional(),
    /** Whose terminal it is; default: the stage. */
    seat: z.string().optional(),
  }),
  /** Ends the turn of this try. Without a number (as older versions asked): every turn of the actor. */
  z.object({ kind: z.literal("turn.cancel"), tryNumber: z.number().optional() }),
  /** Says something to the turn of this try. Answered when the agent has it, or it is certain that this turn never will. */
  z.object({ kind: z.literal("turn.message"), id: z.string(), text: z.string(), tryNumber: z.number() }),
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
