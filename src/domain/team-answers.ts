import { z } from "zod";

/** What the members of a team say in typed form: the leader's plan and criteria, and messages. */

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
/** What a planner owes. */
export type PlannerDuty = Extract<TeamDuty, "plan" | "criteria">;
