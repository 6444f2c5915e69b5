import { z } from "zod";
import { AdapterName } from "./agent.ts";
import { WorkItemId } from "./ids.ts";

/** Names of teams and members go into addresses, branches and terminals: generated or checked, never free text. */
export const TeamName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,29}$/, "a team's name is 1 to 30 of a-z, 0-9 and -, and begins with a letter or digit");
export type TeamName = z.infer<typeof TeamName>;

/** A task as a plan gives it. */
export const PlannedTask = z.strictObject({
  title: z.string().min(1).max(200),
  description: z.string().max(20_000).default(""),
  /** When it is done, each criterion a sentence. */
  acceptance: z.array(z.string().min(1).max(500)).max(20).default([]),
  /** 1-based numbers of other tasks of the same plan. */
  dependsOn: z.array(z.int().positive()).max(50).default([]),
});
export type PlannedTask = z.infer<typeof PlannedTask>;

/** A leader's plan, as it answers. */
export const TeamPlan = z.strictObject({ tasks: z.array(PlannedTask).min(1).max(50) });
export type TeamPlan = z.infer<typeof TeamPlan>;

/** A leader's acceptance criteria for the tasks of a plan. */
export const TeamCriteria = z.strictObject({ criteria: z.array(z.strictObject({ task: z.int().positive(), acceptance: z.array(z.string().min(1).max(500)).min(1).max(20) })).min(1).max(50) });
export type TeamCriteria = z.infer<typeof TeamCriteria>;

/** What an agent says to another member of its team. */
export const TeamMessage = z.object({ to: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "a message goes to a member's name, leader or all"), text: z.string().min(1) });
export type TeamMessage = z.infer<typeof TeamMessage>;

/** Why a member works: the leader plans, sets criteria and judges, the workers work. */
export const TeamDuty = z.enum(["plan", "criteria", "work", "verdict"]);
export type TeamDuty = z.infer<typeof TeamDuty>;

/** What the team lane needs from the configuration, fixed when the item is taken in. */
export const TeamPolicy = z.object({
  workers: z.int().min(1).max(20),
  leaseMs: z.int().positive(),
  /** How often work is sent back before the team is exhausted. */
  maxFixes: z.int().nonnegative(),
  /** Restarts of one member within a time; beyond them it is down. */
  memberRestarts: z.object({ max: z.int().nonnegative(), withinMs: z.int().positive() }),
  /** Claims of one task before it is failed. */
  taskAttempts: z.int().positive(),
});
export type TeamPolicy = z.infer<typeof TeamPolicy>;
export const defaultTeamPolicy: TeamPolicy = { workers: 3, leaseMs: 900_000, maxFixes: 3, memberRestarts: { max: 3, withinMs: 600_000 }, taskAttempts: 3 };

/** More workers than this no leader follows, and no two cores run. */
export const mostWorkers = 20;

/** What `team init` asks for. */
export const TeamSpec = z.object({
  name: TeamName,
  workers: z.int().min(1).max(20),
  /** Worker n runs adapter n modulo the length; empty: the configured coder's. */
  adapters: z.array(AdapterName),
  /** Empty: the leader plans. */
  tasks: z.array(PlannedTask),
  /** Workers are the CLIs' own screens. */
  interactive: z.boolean(),
});
export type TeamSpec = z.infer<typeof TeamSpec>;

export const teamPhases = ["preparing", "plan", "prd", "exec", "verify", "fix", "draining", "done", "failed", "cancelled", "exhausted"] as const;
export const memberStates = ["starting", "idle", "working", "committing", "checking", "merging", "waiting", "asking", "draining", "down", "gone"] as const;
export const taskStates = ["open", "claimed", "merging", "done", "failed", "cancelled"] as const;

/** What clients see of a team. */
export const TeamView = z.object({
  name: TeamName,
  item: WorkItemId,
  attempt: z.number(),
  phase: z.enum(teamPhases),
  fixes: z.number(),
  maxFixes: z.number(),
  members: z.array(z.object({
    name: z.string(), role: z.enum(["leader", "worker"]), state: z.enum(memberStates), adapter: z.string(), task: z.number().nullable(), turns: z.number(), restarts: z.number(),
    costUsd: z.number(), branch: z.string().nullable(), worktree: z.string().nullable(), address: z.string(), reason: z.string(), since: z.number(), question: z.string().nullable(),
  })),
  tasks: z.array(z.object({
    id: z.number(), title: z.string(), kind: z.enum(["work", "fix", "conflict"]), state: z.enum(taskStates), dependsOn: z.array(z.number()), owner: z.string().nullable(),
    leaseUntil: z.number().nullable(), attempts: z.number(), evidence: z.object({ commit: z.string(), checks: z.string(), summary: z.string() }).nullable(), reason: z.string(),
  })),
  /** Newest last, at most 50. */
  messages: z.array(z.object({ id: z.string(), from: z.string(), to: z.string(), text: z.string(), state: z.enum(["queued", "delivered", "acknowledged", "undelivered"]), deliveries: z.number() })),
  /** What happened to the team, newest last, at most 30. */
  events: z.array(z.object({ at: z.number(), text: z.string() })),
  branch: z.string().nullable(),
  head: z.string().nullable(),
  checks: z.object({ base: z.string(), head: z.string() }).nullable(),
  costUsd: z.number(),
  interactive: z.boolean(),
  reason: z.string(),
});
export type TeamView = z.infer<typeof TeamView>;
