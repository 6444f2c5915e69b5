import { z } from "zod";
import { AdapterName } from "./agent.ts";
import { Stage } from "./stage.ts";
import { mostWorkers, TeamPolicy } from "./team.ts";

/** How one stage runs. */
export const StagePlan = z.object({
  adapter: AdapterName,
  /** null: the CLI's own default. Passed on verbatim. */
  model: z.string().nullable(),
  /** What the coder changes to when it escalates; both null: it never does. A change of adapter alone takes that CLI's own default model. */
  escalateModel: z.string().nullable(),
  escalateAdapter: AdapterName.nullable(),
  /** Iterations 1..n run as planned, n+1 and later escalated (CONF-17). */
  escalateAfterIteration: z.number().int().positive(),
  timeoutMs: z.number().int().positive(),
});
export type StagePlan = z.infer<typeof StagePlan>;

/** Thresholds of the progress chart; see docs/progress.md for why each can fire within the default caps. */
export const ProgressLimits = z.object({
  sameError: z.number().int().min(2),
  /** This many feedbacks in a row, each near-equal to the one before. */
  sameFeedback: z.number().int().min(2),
  /** Jaccard similarity of the word sets, 0..1. */
  feedbackSimilarity: z.number().min(0).max(1),
  repeatedTool: z.number().int().min(2),
  monologue: z.number().int().min(2),
  /** The same diff after this many iterations in a row. */
  sameDiff: z.number().int().min(2),
  costWithoutChangeUsd: z.number().positive(),
});
export type ProgressLimits = z.infer<typeof ProgressLimits>;

/** Lanes that a run of `autopilot` may begin for its plan. */
export const executors = ["ralph", "team"] as const;

/** Caps of the lanes, fixed when the item is taken in. */
export const LanePolicy = z.object({
  /** Rounds of work before the run is exhausted. */
  ralph: z.object({ maxIterations: z.number().int().positive() }),
  /** Plans asked for, checks of the whole, and judgements of the whole; absent in what an older version took in. */
  autopilot: z.object({ /** Whose run does the plan's tasks; absent: ralph's. */ execution: z.enum(executors).optional(), plans: z.number().int().positive(), qaCycles: z.number().int().positive(), validationRounds: z.number().int().positive() }).optional(),
  /** Workers at once, and how often work is sent back before the run is exhausted. Absent in what an older version took in. */
  ultrawork: z.object({ concurrency: z.number().int().min(1).max(mostWorkers), maxFixes: z.number().int().nonnegative() }).optional(),
});
export type LanePolicy = z.infer<typeof LanePolicy>;
export const defaultLanePolicy = { ralph: { maxIterations: 10 }, autopilot: { plans: 3, qaCycles: 5, validationRounds: 3 }, ultrawork: { concurrency: 3, maxFixes: 3 } } as const satisfies LanePolicy;

/** Everything the charts of one work item need from the configuration, fixed when the item is taken in. */
export const Policy = z.object({
  /** Enabled stages only; coder is always there. */
  stages: z.partialRecord(Stage, StagePlan).refine((s) => s.coder !== undefined, "the coder stage cannot be turned off"),
  baseRef: z.string().nullable(),
  /** false: the worktree goes once its work is published; the branch and its checkpoints stay. */
  keepWorktree: z.boolean(),
  requireApproval: z.boolean(),
  review: z.enum(["none", "human"]),
  /** Turns of the coder before the item is exhausted. */
  maxIterations: z.number().int().positive(),
  /** New tries of the whole item after its work failed. */
  itemFailures: z.number().int().nonnegative(),
  /** Waits for the network, the disk or a CLI that does not start before giving up, per stage and per item. */
  infraRetries: z.number().int().nonnegative(),
  /** Waits of one stage for a provider that refuses: for its limit, or for being overloaded. Absent in what an older version took in. */
  refusedRetries: z.number().int().nonnegative().optional(),
  crashRetries: z.number().int().nonnegative(),
  /** Backoff of infra retries: base · 2^n, up to max; milliseconds. */
  retryBaseMs: z.number().int().positive(),
  retryMaxMs: z.number().int().positive(),
  stallMs: z.number().int().positive(),
  progress: ProgressLimits,
  /** Absent in what an older version took in. */
  team: TeamPolicy.optional(),
  lanes: LanePolicy.optional(),
});
export type Policy = z.infer<typeof Policy>;

/** With the longest delays of the defaults, a day. */
export const defaultRefusedRetries = 288;

/** The delay before infra retry number `failures` (1-based). A time the provider named wins when it is later. */
export const backoffMs = (policy: Pick<Policy, "retryBaseMs" | "retryMaxMs">, failures: number): number =>
  Math.min(policy.retryMaxMs, policy.retryBaseMs * 2 ** Math.min(failures - 1, 30));
