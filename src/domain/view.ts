import { z } from "zod";
import { Gate, Gates } from "./gate.ts";
import { WorkItemId } from "./ids.ts";
import { OperatorLane } from "./lane.ts";
import { MessageState } from "./message.ts";
import { defaultRefusedRetries, ProgressLimits } from "./policy.ts";
import { Cost } from "./spend.ts";
import { Stage } from "./stage.ts";
import { Story } from "./story.ts";
import { memberStates } from "./team.ts";
import { BlockedReason, WorkItemKind, WorkItemStatus } from "./work-item.ts";

/** `deferred`: it may not close by itself. `acknowledged`: a person closed it, and said why. */
export const LedgerEntry = z.object({ at: z.number(), what: z.enum(["deferred", "acknowledged"]), reason: z.string() });
export type LedgerEntry = z.infer<typeof LedgerEntry>;

/** What clients see of a work item actor; the store keeps it beside the journal. Titles are cut for display here, whole in the journal. */
export const WorkItemView = z.object({
  id: WorkItemId,
  source: z.string(),
  sourceId: z.string(),
  title: z.string(),
  kind: WorkItemKind,
  priority: z.number(),
  createdAt: z.number(),
  project: z.string(),
  repository: z.string(),
  operatorLane: OperatorLane,
  status: WorkItemStatus,
  lineage: z.number(),
  attempt: z.number(),
  iterations: z.number(),
  /** Each counter with its cap behind it. */
  failures: z.number(),
  itemFailures: z.number(),
  infraFailures: z.number(),
  infraRetries: z.number(),
  retryAt: z.number().nullable(),
  blocked: BlockedReason.nullable(),
  question: z.string().nullable(),
  reason: z.string(),
  branch: z.string().nullable(),
  worktree: z.string().nullable(),
  base: z.string().nullable(),
  head: z.string().nullable(),
  checks: z.object({ base: z.string(), head: z.string() }).nullable(),
  summary: z.string(),
  warnings: z.array(z.string()),
  costUsd: z.number(),
  published: z.string(),
  /** Something works on it, or waits for an answer to go on. */
  running: z.boolean().default(false),
  /** Gates it needs before it may close, and those that are settled. */
  needs: z.array(Gate).default([]),
  gates: Gates.default({}),
  /** What was decided about its closing, oldest first. */
  ledger: z.array(LedgerEntry).default([]),
});
export type WorkItemView = z.infer<typeof WorkItemView>;

/** A run of a lane that has phases of its own. */
export const LaneRunView = z.object({
  lane: z.enum(["ralph", "autopilot", "ultrawork"]),
  address: z.string(),
  /** `starting`, a phase of the lane, `pausing`, `paused`, or how it ended. */
  state: z.string(),
  /** Where it is, or goes on after a pause. */
  phase: z.string(),
  generation: z.number(),
  /** Rounds so far and at most; of a lane with several caps, those of its phase. */
  iteration: z.number(),
  maxIterations: z.number(),
  /** Every cap of a lane with several. */
  counters: z.array(z.object({ id: z.string(), now: z.number(), limit: z.number(), says: z.string() })).optional(),
  stories: z.array(Story),
  /** The open request for approval; none where a leg judges the whole alone. */
  request: z.object({ id: z.number(), head: z.string() }).nullable(),
  /** Address of what is at work, or was last (a pipeline, the run of another lane, a planner's stage); empty before the first, and while workers are at work. */
  leg: z.string(),
  running: z.boolean(),
  /** The session of an agent CLI that does the rounds of work; null: the factory's own agents do. */
  session: z.string().nullable().default(null),
  worktree: z.string().nullable().default(null),
  feedback: z.string(),
  failing: z.array(z.string()).default([]),
  question: z.string().nullable(),
  rule: z.string(),
  reason: z.string(),
  costUsd: z.number(),
  /** Lane `ultrawork`: who works on its parts; those who left are not among them. */
  workers: z.array(z.object({ name: z.string(), state: z.enum(memberStates), adapter: z.string(), task: z.number().nullable() })).optional(),
  /** Of those who were there from the start, or since it was last resumed: who is not started any more. */
  down: z.array(z.object({ name: z.string(), adapter: z.string(), restarts: z.number(), reason: z.string(), since: z.number() })).optional(),
});
export type LaneRunView = z.infer<typeof LaneRunView>;

export const PipelineView = z.object({
  state: z.string(),
  stage: Stage,
  stageAddress: z.string(),
  iteration: z.number(),
  maxIterations: z.number(),
  branch: z.string().nullable(),
  worktree: z.string().nullable(),
  head: z.string().nullable(),
  changeSummary: z.string(),
  checks: z.object({ base: z.string(), head: z.string() }).nullable(),
  newFailures: z.array(z.string()),
  feedback: z.string(),
  escalated: z.boolean(),
  question: z.string().nullable(),
  costUsd: z.number(),
  rule: z.string(),
  reason: z.string(),
  /** What people said to the agents, oldest first; texts are cut for display. */
  messages: z.array(z.object({ id: z.string(), text: z.string(), to: Stage.nullable(), state: MessageState })).optional(),
  /** The stages that this pipeline has agents for. */
  stages: z.array(Stage).optional(),
});
export type PipelineView = z.infer<typeof PipelineView>;

export const StageView = z.object({
  state: z.string(),
  stage: Stage,
  iteration: z.number(),
  tryNumber: z.number(),
  /** Who its turn is with: the one that was asked for, or who took over. */
  adapter: z.string(),
  model: z.string().nullable(),
  waitsForPlace: z.boolean().default(false),
  infraFailures: z.number(),
  infraRetries: z.number(),
  /** Of those, the provider's refusals, which have a cap of their own. Absent in what an older version wrote. */
  refused: z.number().default(0),
  refusedRetries: z.number().default(defaultRefusedRetries),
  crashes: z.number(),
  crashRetries: z.number(),
  retryAt: z.number().nullable(),
  question: z.string().nullable(),
  reason: z.string(),
  costUsd: z.number(),
});
export type StageView = z.infer<typeof StageView>;

export const MemberView = z.object({
  name: z.string(), role: z.enum(["leader", "worker"]), state: z.enum(memberStates), adapter: z.string(), task: z.number().nullable(), iteration: z.number(), turns: z.number(), restarts: z.number(), costUsd: z.number(), cost: Cost.optional(),
  branch: z.string().nullable(), worktree: z.string().nullable(), retryAt: z.number().nullable(), reason: z.string(), since: z.number(), question: z.string().nullable(),
});
export type MemberView = z.infer<typeof MemberView>;

export const ProgressView = z.object({ state: z.string(), rule: z.string(), says: z.string(), facts: z.record(z.string(), z.unknown()), limits: ProgressLimits });
export type ProgressView = z.infer<typeof ProgressView>;
