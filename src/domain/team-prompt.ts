import type { TurnEffect } from "./effects.ts";
import { criteriaForm, planForm, question, quoted, verdictForm } from "./prompt-parts.ts";
import type { TeamBrief } from "./team-brief.ts";
import type { TeamDuty } from "./team-answers.ts";

/** What the members of a team are told: the leader's three duties, and a worker's task. Data of strangers is quoted, as everywhere. */

const duty: Readonly<Record<TeamDuty, string>> = {
  plan: "You are the leader of a team of coding agents. Read the work item and the code, and divide the work into tasks that different workers can do at the same time, each in a worktree of its own. Prefer few tasks that touch different files; name what must come first. Change nothing.",
  criteria: "You are the leader of a team of coding agents. For each task of your plan say when it is done: one to five criteria a reviewer can check. Change nothing.",
  work: "You are a worker of a team of coding agents, in a worktree of your own. Do your task, and only that; others do the rest at the same time. Run the project's own tests before you finish. Do not commit; everything in the worktree is committed and merged for you. Finish with a short summary of what you changed and why: it is the evidence for your task.",
  verdict: "You are the leader of a team of coding agents. Its tasks are done and merged. Judge whether the whole change below does what the work item asks, completely and without harm. Look at the code around it where the diff is not enough. Change nothing. A green check is not yet a good change.",
};

const form: Readonly<Record<TeamDuty, string>> = {
  plan: planForm,
  criteria: criteriaForm,
  work: question,
  verdict: `${verdictForm}\n\`revise\` puts what you say on the board as a task; \`reject\` ends the work; both need feedback or findings.`,
};

const letters = (names: readonly string[]): string => [
  `You may write to ${names.join(", ")} or all: put blocks like this at the very end of your answer, before any other block that is asked for. They are read at the beginning of the reader's next turn.`,
  "```enact-message to=NAME",
  "what they should know",
  "```",
].join("\n");

export const teamPrompt = (turn: TurnEffect, team: TeamBrief, diff: string): string => {
  const { brief, item } = turn, { task } = team;
  const parts = [duty[team.duty], quoted("work-item", `${item.id} (${item.kind}): ${item.title}\n\n${item.body}`)];
  if (task) parts.push(quoted("task", [`Task ${task.id} (${task.kind}): ${task.title}`, task.description, ...(task.acceptance.length === 0 ? [] : [`It is done when:\n${task.acceptance.map((each) => `- ${each}`).join("\n")}`])].filter((text) => text !== "").join("\n\n")));
  if (team.conflicts.length > 0) parts.push(`Both sides are in the worktree, with conflict markers in these files:\n${team.conflicts.slice(0, 50).map((file) => `- ${file}`).join("\n")}\nResolve every marker, then run the tests.`);
  if (team.board.length > 0) parts.push(quoted("board", team.board.map(({ id, title, state, owner, reason, summary }) => `- task ${id}, ${state}${owner === null ? "" : ` (${owner})`}: ${title}${summary === "" ? "" : `\n  ${summary}`}${reason === "" ? "" : `\n  ${reason}`}`).join("\n")));
  if (team.duty === "verdict" && diff !== "") parts.push(quoted("change", diff));
  if (team.duty === "work" && turn.iteration > 1) parts.push(`This is attempt ${turn.iteration}. Your earlier change is in the worktree; build on it.`);
  for (const { from, text } of team.messages) parts.push(quoted("message", `from ${from}:\n${text}`));
  if (brief.feedback !== "") parts.push(quoted("feedback", brief.feedback));
  if (brief.failingChecks.length > 0) parts.push(quoted("failing-checks", brief.failingChecks.map((name) => `- ${name}`).join("\n")));
  if (brief.checks !== "") parts.push(`Checks: ${brief.checks}.`);
  if (brief.answer) parts.push(quoted("answer", `You asked: ${brief.answer.question}\nA person answered: ${brief.answer.answer}`));
  if (brief.again !== "") parts.push(`You are asked once more: ${brief.again}. Give it now, in the form asked for.`);
  if (team.others.length > 0) parts.push(letters(team.others));
  parts.push(form[team.duty]);
  return parts.join("\n\n");
};
