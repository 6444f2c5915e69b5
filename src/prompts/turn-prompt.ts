/**
 * What the agent of one turn is told: its duty first, then material, and last how the answer must look, where models weigh it most.
 * Titles, bodies, diffs, answers and messages are texts of others: each stands in a fence (page.ts).
 */
import type { TurnEffect } from "../domain/effects.ts";
import type { Language } from "../domain/language.ts";
import type { Stage } from "../domain/stage.ts";
import type { TeamBrief } from "../domain/team-brief.ts";
import type { TeamDuty } from "../domain/team-answers.ts";
import type { Finding } from "../domain/verdict.ts";
import type { PromptCut, PromptMaterial, TurnPrompt } from "../ports/prompts.ts";
import { pageOf, type Section } from "./page.ts";
import { type Say, wordsIn } from "./words.ts";

/** Messages that one page has room for; a queue holds as many. */
const mostMessages = 20;

/** Duty and form of one kind of turn. */
interface Told { readonly duty: string; readonly form: readonly string[] }

const toldTo = (say: Say, stage: Stage, duty: TurnEffect["duty"]): Told => {
  switch (stage) {
    case "coder": return { duty: say("coder", "duty"), form: [say("answers", "question")] };
    case "critic": return { duty: say("critic", "duty"), form: [`${say("answers", "verdict")}\n${say("critic", "decisions")}`] };
    case "tester": return { duty: say("tester", "duty"), form: [say("answers", "question")] };
    case "documenter": return { duty: say("documenter", "duty"), form: [] };
    case "auditor": return { duty: say("auditor", "duty"), form: [say("answers", "audit")] };
    case "stage-documenter": return { duty: say("stage-documenter", "duty"), form: [] };
    case "planner": return duty === "plan"
      ? { duty: say("planner", "plan"), form: [say("answers", "question"), say("answers", "plan")] }
      : { duty: say("planner", "criteria"), form: [say("answers", "question"), `${say("answers", "criteria")}\n${say("planner", "wholeIsOne")}`] };
  }
};

const toldToMember = (say: Say, duty: TeamDuty): Told => {
  switch (duty) {
    case "plan": return { duty: say("team", "plan"), form: [say("answers", "plan")] };
    case "criteria": return { duty: say("team", "criteria"), form: [say("answers", "criteria")] };
    case "work": return { duty: say("team", "work"), form: [say("answers", "question")] };
    case "verdict": return { duty: say("team", "verdict"), form: [`${say("answers", "verdict")}\n${say("team", "decisions")}`] };
  }
};

const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n");
const findingLine = ({ severity, message, file, line }: Finding): string => `${severity}: ${message}${file === undefined ? "" : ` (${file}${line === undefined ? "" : `:${line}`})`}`;

/** What a team adds between the work item and the change. */
const ofTeam = (say: Say, { task, conflicts, board }: TeamBrief, rest: string): readonly Section[] => [
  ...(task === null ? [] : [{
    name: "task", intro: say("team", "task"), rest,
    text: [`${say("team", "taskHead", { id: task.id, kind: task.kind })} ${task.title}`, task.description, ...(task.acceptance.length === 0 ? [] : [`${say("team", "doneWhen")}\n${list(task.acceptance)}`])].filter((text) => text !== "").join("\n\n"),
  } as const]),
  ...(conflicts.length === 0 ? [] : [{ name: "conflicts", intro: say("team", "conflicts"), rest, text: list(conflicts) } as const]),
  ...(board.length === 0 ? [] : [{ name: "board", intro: say("team", "board"), rest, text: list(board.map(({ id, title, state, owner, reason, summary }) => `task ${id}, ${state}${owner === null ? "" : ` (${owner})`}: ${title}${summary === "" ? "" : `\n  ${summary}`}${reason === "" ? "" : `\n  ${reason}`}`)) } as const]),
];

interface Letter { readonly from?: string | undefined; readonly text: string }
/** As a team's mail names a person. */
const person = "you";

/** The newest that there is room for; each in a fence of its own, so that none can speak for another. */
const messages = (say: Say, letters: readonly Letter[], rest: string): { readonly sections: readonly Section[]; readonly cuts: readonly PromptCut[] } => {
  if (letters.length === 0) return { sections: [], cuts: [] };
  const left = Math.max(0, letters.length - mostMessages);
  return {
    sections: [
      say("material", "messages"),
      ...(left === 0 ? [] : [say("material", "cutMessages", { left, all: letters.length, most: mostMessages, where: rest })]),
      ...letters.slice(left).map(({ from, text }) => ({ name: "message", intro: from === undefined || from === person ? say("material", "personSays") : say("material", "agentSays", { name: from }), text, rest } as const)),
    ],
    cuts: left === 0 ? [] : [{ name: "message", left, of: letters.length }],
  };
};

/** The whole prompt. */
export const promptOf = (language: Language, maxBytes: number, turn: TurnEffect, { runId, diff, agentsFiles }: PromptMaterial): TurnPrompt => {
  const { say, version } = wordsIn(language), { brief, stage, item, workspace } = turn, { team } = brief;
  const told = team === undefined ? toldTo(say, stage, turn.duty) : toldToMember(say, team.duty);
  const works = team === undefined ? stage === "coder" : team.duty === "work", looks = team === undefined ? stage !== "coder" : team.duty === "verdict";
  const rest = say("material", "restInJournal", { id: item.id });
  const letters = messages(say, [...(team?.messages ?? []), ...brief.messages], rest);
  const page = pageOf(say, runId, maxBytes, told.duty, [
    { name: "work-item", intro: say("material", "workItem"), text: `${item.id} (${item.kind}): ${item.title}\n\n${item.body}`, rest },
    ...(team === undefined ? [] : ofTeam(say, team, rest)),
    ...(looks && diff !== "" ? [{ name: "change", intro: say("material", "change"), text: diff, rest: say("material", "restOfChange", { base: workspace.base }), open: true } as const] : []),
    ...(works && turn.iteration > 1 ? [say("material", "attempt", { n: turn.iteration })] : []),
    ...(brief.feedback === "" ? [] : [{ name: "feedback", intro: say("material", "feedback"), text: brief.feedback, rest } as const]),
    ...(brief.findings.length === 0 ? [] : [{ name: "findings", intro: say("material", "findings"), text: list(brief.findings.map(findingLine)), rest } as const]),
    ...(brief.failingChecks.length === 0 ? [] : [{ name: "failing-checks", intro: say("material", "failingChecks"), text: list(brief.failingChecks), rest } as const]),
    ...(brief.checks === "" ? [] : [say("material", "checks", { checks: brief.checks })]),
    ...(brief.answer === null ? [] : [{ name: "question", intro: say("material", "youAsked"), text: brief.answer.question, rest } as const, { name: "answer", intro: say("material", "answered"), text: brief.answer.answer, rest } as const]),
    ...letters.sections,
    ...(brief.again === "" ? [] : [{ name: "reason", intro: say("material", "again"), text: brief.again, rest } as const]),
    ...(agentsFiles ? [say("material", "agentsFiles")] : []),
    ...(team === undefined || team.others.length === 0 ? [] : [`${say("team", "letters", { names: team.others.join(", ") })}\n\`\`\`enact-message to=NAME\n${say("team", "letter")}\n\`\`\``]),
    ...told.form,
  ]);
  return { text: page.text, version: version(team === undefined ? stage : "team"), language, cuts: [...page.cuts, ...letters.cuts] };
};
