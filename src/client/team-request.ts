/** What becomes of the words with which somebody asks for a team, on the command line or by a tool. */
import { randomBytes, randomUUID } from "node:crypto";
import { boardOf, refusalText } from "../domain/board.ts";
import type { PlannedTask } from "../domain/team-answers.ts";
import type { TeamSpec } from "../domain/team.ts";
import { ClientProblem, type Submission, type TeamState } from "./contract.ts";
import { isRunning } from "./team-state.ts";
import { oneLine } from "./text/safe-text.ts";

export const longestTitle = 200;
export const longestTask = 1_000_000;

/** Tasks instead of a plan by the leader, with words for the whole where there are any. */
export interface GivenPlan { readonly title?: string | undefined; readonly body?: string | undefined; readonly tasks: readonly PlannedTask[] }

export interface TeamRequest {
  /** What is to be done; what the plan says when absent. */
  readonly task: string | undefined;
  readonly plan: GivenPlan | undefined;
  readonly team: TeamSpec;
  /** Absolute. */
  readonly repository: string;
  /** Absolute; for the scripted adapter. */
  readonly playbook: string | undefined;
  readonly at: number;
}

export const teamSubmission = ({ task: given, plan, team, repository, playbook, at }: TeamRequest): Submission => {
  const task = (given ?? [plan?.title, plan?.body].filter((part) => part !== undefined).join("\n\n")).trim() || `${plan?.tasks.length ?? 0} tasks: ${plan?.tasks.map(({ title }) => title).join(", ")}`;
  if (given !== undefined && given.trim() === "") throw new ClientProblem("The task is empty.", "Say what is to be done.");
  if (task.length > longestTask) throw new ClientProblem(`The task is longer than ${longestTask} characters.`, "Put what is long into a file of the repository and name that.");
  const single = task.length <= longestTitle && !task.includes("\n");
  return {
    title: single ? task : `${oneLine(task).slice(0, longestTitle - 1)}…`, body: single ? "" : task, kind: "feature", priority: 1, repository, sourceId: `${at}-${randomUUID()}`, lane: "team", claim: true, stages: "configured", team,
    ...(team.adapters[0] === undefined ? {} : { adapter: team.adapters[0] }), ...(playbook === undefined ? {} : { playbook }),
  };
};

/** Why these tasks cannot be followed; `undefined` when they can. */
export const planProblem = (tasks: readonly PlannedTask[]): string | undefined => {
  const board = boardOf(tasks);
  return board.ok ? undefined : refusalText(board.refusal);
};

export const freshTeamName = (known: readonly TeamState[]): string => {
  for (;;) {
    const name = `team-${randomBytes(2).toString("hex")}`;
    if (!known.some(({ team }) => team.name === name)) return name;
  }
};

export const runningTeam = (known: readonly TeamState[], name: string): TeamState | undefined => known.find((state) => state.team.name === name && isRunning(state));
