import { z } from "zod";

/** What the model does now, in the order a pipeline runs them; a planner is in none: lanes ask it. */
export const stages = ["coder", "critic", "tester", "documenter", "auditor", "stage-documenter", "planner"] as const;
export const Stage = z.enum(stages);
export type Stage = z.infer<typeof Stage>;

/** What a stage may change in the worktree. Enforced after the turn, by path. */
export type WriteScope = "all" | "nothing" | "tests" | "docs";
export const writeScope: Readonly<Record<Stage, WriteScope>> = {
  coder: "all",
  critic: "nothing",
  tester: "tests",
  documenter: "docs",
  auditor: "nothing",
  "stage-documenter": "nothing",
  planner: "nothing",
};

/** Old configuration names and what replaced them. */
export const renamedStages: Readonly<Record<string, Stage>> = { executor: "coder", reviewer: "critic", "skill-documenter": "stage-documenter" };
