/** `factory_team_…`: several agents on one piece of work. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { ClientProblem, type TeamState } from "../client/contract.ts";
import { freshTeamName, planProblem, runningTeam, teamSubmission } from "../client/team-request.ts";
import { isoTime } from "../client/text/time-text.ts";
import { AdapterName } from "../domain/agent.ts";
import { mostTasks } from "../domain/board.ts";
import { PlannedTask } from "../domain/team-answers.ts";
import { mostWorkers, TeamName, TeamView } from "../domain/team.ts";
import { WorkItemStatus } from "../domain/work-item.ts";
import { mustRun, repositoryOf } from "./surroundings.ts";
import { delivered, instant, InvalidInput, strangers, tool } from "./tool.ts";

const name = TeamName.describe("Name of the team: a-z, 0-9 and -.");

const init = tool({
  name: "factory_team_init", title: "New team", scope: "all", readOnly: false, destructive: false, idempotent: false,
  description: "Puts a team (a leader that plans and reviews, workers that share the tasks) on one piece of work, in operator lane team, and starts it. It needs a running factory. Use it for work that divides into parts; for one change use factory_workItem_create.",
  input: z.strictObject({
    task: z.string().max(100_000).optional().describe("What is to be done; the leader divides it."),
    tasks: z.array(PlannedTask).max(mostTasks).default([]).describe("The parts, instead of a plan by the leader."),
    name: name.optional().describe("What the team is called; one is made up when absent."),
    workers: z.int().min(1).max(mostWorkers).optional().describe("How many workers; as configured when absent."),
    adapters: z.array(AdapterName).max(mostWorkers).default([]).describe("What runs the agents; several take turns among the workers. As configured when empty."),
    interactive: z.boolean().default(false).describe("Workers in the CLI's own screens (claude, scripted)."),
    repository: z.string().max(4_096).optional().describe("Absolute path of the git repository; the one that the server was started in when absent."),
  }),
  output: z.object({ team: z.string(), workItemId: z.string() }),
  answer: async (input, context) => {
    const { client, now } = context;
    if (input.task === undefined && input.tasks.length === 0) throw new InvalidInput("task", "there is nothing to do: give task, tasks or both");
    if (input.task !== undefined && input.task.trim() === "") throw new InvalidInput("task", "it is empty");
    const wrong = input.tasks.length === 0 ? undefined : planProblem(input.tasks);
    if (wrong !== undefined) throw new InvalidInput("tasks", wrong);
    const repository = repositoryOf(input.repository, context);
    await mustRun(client, "start a team");
    const known = await client.teams();
    const team = input.name ?? freshTeamName(known);
    const running = runningTeam(known, team);
    if (running) throw new ClientProblem(`team ${team} works already, on ${running.team.item}`, "give the new one another name, or look at it with factory_team_status");
    const id = await client.submit(teamSubmission({
      task: input.task, plan: input.tasks.length === 0 ? undefined : { tasks: input.tasks }, repository, playbook: undefined, at: now(),
      team: { name: team, workers: input.workers ?? 0, adapters: input.adapters, tasks: input.tasks, interactive: input.interactive },
    }));
    return { structured: { team, workItemId: id }, text: `team ${team} works on ${id}` };
  },
});

const shape = TeamView.shape;
const TeamAnswer = TeamView.extend({
  members: z.array(shape.members.element.extend({ since: instant })),
  tasks: z.array(shape.tasks.element.extend({ leaseUntil: instant.nullable() })),
  events: z.array(shape.events.element.extend({ at: instant })),
  itemStatus: WorkItemStatus.nullable(),
  updatedAt: instant,
});

const teamAnswer = ({ team, item, updatedAt }: TeamState): z.input<typeof TeamAnswer> => ({
  ...team,
  members: team.members.map((member) => ({ ...member, since: isoTime(member.since) })),
  tasks: team.tasks.map((task) => ({ ...task, leaseUntil: task.leaseUntil === null ? null : isoTime(task.leaseUntil) })),
  events: team.events.map(({ at, text }) => ({ at: isoTime(at), text })),
  itemStatus: item?.status ?? null, updatedAt: isoTime(updatedAt),
});

const mostTeams = 20;

const status = tool({
  name: "factory_team_status", title: "Teams", scope: "read", readOnly: true, destructive: false, idempotent: true,
  description: `Teams, running ones first: phase, members and what each does, tasks, messages, last events. One team with \`name\`. ${strangers}`,
  input: z.strictObject({ name: name.optional() }),
  output: z.object({ teams: z.array(TeamAnswer), total: z.number() }),
  answer: async ({ name: wanted }, { client }) => {
    const all = await client.teams();
    const found = wanted === undefined ? all : all.filter(({ team }) => team.name === wanted);
    if (wanted !== undefined && found.length === 0) throw new ClientProblem(`there is no team ${JSON.stringify(wanted)}`, all.length === 0 ? "there is none at all yet; factory_team_init makes one" : `there are ${all.slice(0, 10).map(({ team }) => team.name).join(", ")}`);
    return { structured: { teams: found.slice(0, mostTeams).map(teamAnswer), total: found.length }, text: found.length === 0 ? "there are no teams yet" : found.slice(0, 5).map(({ team }) => `${team.name} is in phase ${team.phase} on ${team.item}`).join("; ") };
  },
});

const message = tool({
  name: "factory_team_message", title: "Message to a team", scope: "all", readOnly: false, destructive: false, idempotent: false,
  description: "Says something to one member of a team, to `leader` or to `all`; it is in their next turn, as words of a person. With `messageId`, a second call with the same one says it once.",
  input: z.strictObject({ name, to: z.string().min(1).max(100).describe("A member's name, leader or all."), text: z.string().min(1).max(10_000), messageId: z.string().min(1).max(200).optional() }),
  output: z.object({ team: z.string(), to: z.string(), messageId: z.string(), delivered }),
  answer: async ({ name: team, to, text, messageId = randomUUID() }, { client }) => {
    if (text.trim() === "") throw new InvalidInput("text", "it is empty");
    const receipt = await client.team(team, { type: "message", to, text: text.trim(), id: messageId });
    return { structured: { team, to, messageId, delivered: receipt.delivered }, text: receipt.delivered === "now" ? `said to ${to} of ${team}; it is in the next turn` : "noted; it waits until a factory runs" };
  },
});

const shutdown = tool({
  name: "factory_team_shutdown", title: "End a team", scope: "all", readOnly: false, destructive: true, idempotent: true,
  description: "Ends a team. While tasks are open it is refused and they are listed; with `force` turns are ended at once and all work is kept in checkpoints.",
  input: z.strictObject({ name, force: z.boolean().default(false) }),
  output: z.object({ team: z.string(), delivered }),
  answer: async ({ name: team, force }, { client }) => {
    const receipt = await client.team(team, { type: "shutdown", force });
    return { structured: { team, delivered: receipt.delivered }, text: receipt.delivered === "now" ? `team ${team} ends` : "noted; it waits until a factory runs" };
  },
});

export const teamTools = [init, status, message, shutdown];
