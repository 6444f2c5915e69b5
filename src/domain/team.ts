import { z } from "zod";
import { AdapterName } from "./agent.ts";
import { WorkItemId } from "./ids.ts";
import { Cost } from "./spend.ts";
import { PlannedTask } from "./team-answers.ts";

/** Names of teams and members go into addresses, branches and terminals: generated or checked, never free text. */
export const TeamName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,29}$/, "a team's name is 1 to 30 of a-z, 0-9 and -, and begins with a letter or digit");
export type TeamName = z.infer<typeof TeamName>;

/** Workers, with one more task; or a run of lane ralph. */
export const menders = ["workers", "ralph"] as const;

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
  /** Who does what the checks or the review of the whole ask for; absent: workers. */
  mending: z.enum(menders).optional(),
});
export type TeamPolicy = z.infer<typeof TeamPolicy>;
export const defaultTeamPolicy: TeamPolicy = { workers: 3, leaseMs: 900_000, maxFixes: 3, memberRestarts: { max: 3, withinMs: 600_000 }, taskAttempts: 3 };

/** More workers than this no leader follows, and no two cores run. */
export const mostWorkers = 20;

/** What `team init` asks for. */
export const TeamSpec = z.object({
  name: TeamName,
  /** 0: as many as configured. */
  workers: z.int().min(0).max(20),
  /** Worker n runs adapter n modulo the length; empty: the configured coder's. */
  adapters: z.array(AdapterName),
  /** Empty: the leader plans. */
  tasks: z.array(PlannedTask),
  /** Workers are the CLIs' own screens. */
  interactive: z.boolean(),
});
export type TeamSpec = z.infer<typeof TeamSpec>;

export const teamPhases = ["preparing", "plan", "prd", "exec", "verify", "fix", "mending", "pausing", "paused", "draining", "done", "failed", "cancelled", "exhausted"] as const;
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
    costUsd: z.number(), cost: Cost.optional(), branch: z.string().nullable(), worktree: z.string().nullable(), address: z.string(), reason: z.string(), since: z.number(), question: z.string().nullable(),
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
  /** Address of the run that mends, while there is one. */
  leg: z.string().optional(),
  reason: z.string(),
});
export type TeamView = z.infer<typeof TeamView>;
