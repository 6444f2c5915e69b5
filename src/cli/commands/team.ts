/** `team …`: puts a team on work, shows it, and tells it something. */
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { text as wholeText } from "node:stream/consumers";
import { parse as parseToml, TomlError } from "smol-toml";
import { z } from "zod";
import type { FactoryClient, TeamCommand, TeamState } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { memberCost } from "../../client/item-cost.ts";
import { freshTeamName, type GivenPlan, longestTask, longestTitle, planProblem, runningTeam, teamSubmission } from "../../client/team-request.ts";
import { block, indented, oneLine } from "../../client/text/safe-text.ts";
import { AdapterName } from "../../domain/agent.ts";
import { costText, isNothing } from "../../domain/spend.ts";
import { PlannedTask } from "../../domain/team-answers.ts";
import { mostWorkers, TeamName, type TeamSpec } from "../../domain/team.ts";
import { type Command, type CommandContext, printJson, reading } from "../context.ts";
import { drive } from "../drive.ts";
import { again, pathFrom, placeForRepository } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint, type Screen, type Tone } from "../screen.ts";
import { table } from "../table.ts";

export interface InitOptions {
  readonly name?: string;
  readonly workers?: string;
  readonly adapter?: string;
  readonly task?: string;
  readonly plan?: string;
  readonly path?: string;
  readonly playbook?: string;
  readonly follow?: boolean;
  readonly local?: boolean;
  readonly timeout?: string;
  readonly verbose?: boolean;
  readonly interactive?: boolean;
}

const Plan = z.union([
  z.array(PlannedTask).transform((tasks) => ({ tasks, title: undefined, body: undefined })),
  z.strictObject({ title: z.string().min(1).max(longestTitle).optional(), body: z.string().max(longestTask).optional(), tasks: z.array(PlannedTask) }),
]);

export const init: Command<InitOptions> = async (context, options) => {
  const interactive = options.interactive === true;
  if (interactive && options.local === true) throw new CliProblem("--interactive workers need the terminals of a daemon.", "Leave out --local; --follow watches the team until its end.");
  const repository = pathFrom(context.place, options.path ?? ".", context.terminal);
  if (statSync(repository, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliProblem(`There is no directory ${repository}.`, "Name the repository to work on with --path DIR.");
  const task = options.task === "-" ? await wholeText(context.terminal.input) : options.task;
  const plan = options.plan === undefined ? undefined : planIn(pathFrom(context.place, options.plan, context.terminal));
  if (task === undefined && plan === undefined) throw new CliProblem("There is nothing to do yet.", 'Say it with --task "…", or give the tasks with --plan FILE.');
  const adapters = (options.adapter ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "").map(adapterOf);
  const place = await placeForRepository(context.place, repository, context.tools);
  const inPlace = { ...context, place };
  const known = await reading(inPlace, (client) => client.teams());
  const name = options.name === undefined ? freshTeamName(known) : teamName(options.name);
  const running = runningTeam(known, name);
  if (running) throw new CliProblem(`Team ${name} works already, on ${running.team.item}.`, `Give the new one another name, or look at it: ${await again(place, context.terminal, context.tools, ["team", "status", name])}`);
  const spec: TeamSpec = { name, workers: workersOf(options.workers) ?? 0, adapters, tasks: [...(plan?.tasks ?? [])], interactive };
  const submission = teamSubmission({ task, plan, team: spec, repository, playbook: options.playbook === undefined ? undefined : playbookIn(context, options.playbook), at: context.tools.now() });
  const seconds = options.timeout === undefined ? undefined : secondsOf(options.timeout);
  const follows = options.follow === true || options.local === true;
  if (seconds !== undefined && !follows) throw new CliProblem("--timeout needs somebody who waits.", "Add --follow.");
  const through = options.local === true ? "own" as const : "daemon" as const;
  return drive(inPlace, {
    verbose: options.verbose === true, takeOver: false, through,
    ...(seconds === undefined ? {} : { timeoutSeconds: seconds }),
    ...(follows ? {} : { leave: (id) => tellBegun(inPlace, name, id) }),
    begin: async (client) => [{ id: await client.submit(submission) }],
    json: (items) => (items[0] === undefined ? null : { team: name, ...items[0] }),
  });
};

const tellBegun = async (context: CommandContext, name: string, id: string): Promise<void> => {
  const say = (...words: string[]): Promise<string> => again(context.place, context.terminal, context.tools, words);
  const next = [await say("team", "status", name), await say("attach", `${name}/worker-1`), await say("log", id, "--follow")];
  if (context.json) return printJson(context, { team: name, id, next });
  context.terminal.out.write(`Team ${name} works on ${id}.\n${next.map((line) => `  ${paint(context.terminal.out, "dim", "next".padEnd(8))} ${line}\n`).join("")}`);
};

const planIn = (file: string): GivenPlan => {
  const problem = (what: string): CliProblem => new CliProblem(`${file} is no plan: ${what}`, 'A plan is TOML ([[tasks]] with title, description, dependsOn, acceptance) or the same as JSON; docs/teams.md shows one.');
  let source: string;
  try { source = readFileSync(file, "utf8"); } catch { throw new CliProblem(`The plan ${file} cannot be read.`, "Name a file of tasks, TOML or JSON."); }
  let value: unknown;
  try {
    value = /^\s*[[{]/.test(source) && !/^\s*\[+\w/.test(source) ? JSON.parse(source) : parseToml(source);
  } catch (error) {
    throw problem(error instanceof TomlError ? `line ${error.line}: ${error.message.split("\n")[0] ?? ""}` : error instanceof Error ? error.message : String(error));
  }
  const parsed = Plan.safeParse(value);
  if (!parsed.success) throw problem(z.prettifyError(parsed.error).replaceAll("\n", " "));
  const wrong = planProblem(parsed.data.tasks);
  if (wrong !== undefined) throw problem(wrong);
  return parsed.data;
};

const playbookIn = (context: CommandContext, given: string): string => {
  const path = pathFrom(context.place, given, context.terminal);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw new CliProblem(`There is no playbook ${path}.`, "Its form is described in docs/adapters/scripted.md.");
  return path;
};

const teamName = (given: string): string => {
  const parsed = TeamName.safeParse(given);
  if (!parsed.success) throw new CliProblem(`${JSON.stringify(given.slice(0, 80))}: ${parsed.error.issues[0]?.message ?? "no name of a team"}.`, "For example: --name alpha");
  return parsed.data;
};
const adapterOf = (name: string): AdapterName => {
  const parsed = AdapterName.safeParse(name);
  if (!parsed.success) throw new CliProblem(`${JSON.stringify(name.slice(0, 80))} is no adapter.`, `Write one of ${AdapterName.options.join(", ")}, several with commas between them.`);
  return parsed.data;
};

const workersOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > mostWorkers) throw new CliProblem(`--workers ${JSON.stringify(text.slice(0, 40))} is no number of workers.`, `Write a number from 1 to ${mostWorkers}.`);
  return count;
};

/** Node's timers take no more than 2^31 - 1 milliseconds. */
const longest = Math.floor((2 ** 31 - 1) / 1_000);
const secondsOf = (text: string): number => {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > longest) throw new CliProblem(`--timeout ${JSON.stringify(text.slice(0, 40))} is no number of seconds.`, `Write a number from 1 to ${longest}, e.g. --timeout 3600.`);
  return seconds;
};

// ---- Looking

const tones: Readonly<Record<string, Tone>> = { done: "green", failed: "red", exhausted: "red", down: "red", cancelled: "dim", gone: "dim", asking: "yellow", waiting: "yellow", open: "dim", claimed: "cyan", merging: "cyan", working: "cyan", committing: "cyan", checking: "cyan" };
const toned = (screen: Screen, word: string): string => { const tone = tones[word]; return tone === undefined ? word : paint(screen, tone, word); };

export interface StatusOptions { readonly name?: string }

/** Three distinct things: a pane with a living agent, one without, and no tmux at all (SURF-09). */
const terminalsText = async (client: FactoryClient): Promise<{ readonly text: string; readonly panes: ReadonlyMap<string, string> }> => {
  const terminals = await client.terminals();
  const panes = new Map(terminals.map((each) => [each.address, each.pane === null ? "not shown" : each.pane.startsWith("pty-") ? `${each.pane}, ${each.state}` : `pane ${each.pane}, ${each.state}`]));
  // Only a gateway tells; the store's answer to this question is that nothing runs.
  const status = await client.status().catch(() => undefined);
  if (status === undefined) return { panes, text: "no factory runs here now, so no agent works and nothing is shown; start it with: enact-factory start" };
  const { backend, detail } = status.terminals;
  if (backend === "tmux") return { panes, text: `tmux is ready (server ${detail}); look with: enact-factory attach NAME/MEMBER` };
  return { panes, text: backend === "pty" ? `no tmux: ${detail}; agents run in pseudo-terminals, look with: enact-factory logs NAME/MEMBER --follow` : `no terminals: ${detail}` };
};

export const status: Command<StatusOptions> = (context, { name }) =>
  reading(context, async (client) => {
    const all = await client.teams();
    const states = name === undefined ? all : all.filter(({ team }) => team.name === name);
    if (name !== undefined && states.length === 0) throw new CliProblem(`There is no team ${JSON.stringify(name)}.`, all.length === 0 ? "There is none at all yet; see: enact-factory team init --help" : `There are ${all.map(({ team }) => team.name).join(", ")}.`);
    const { text, panes } = await terminalsText(client);
    if (context.json) {
      printJson(context, { terminals: text, teams: states.map(({ team, item, updatedAt }) => ({ ...team, members: team.members.map((member) => ({ ...member, terminal: panes.get(`${team.name}/${member.name}`) ?? null })), itemStatus: item?.status ?? null, updatedAt: new Date(updatedAt).toISOString() })) });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    if (states.length === 0) {
      out.write('There are no teams yet. Start one: enact-factory team init --task "…" --path .\n');
      return exitCode.ok;
    }
    const now = context.tools.now();
    out.write(states.map((state) => teamText(out, state, panes, now)).join("\n"));
    out.write(`${paint(out, "dim", oneLine(`terminals: ${text}`))}\n`);
    return exitCode.ok;
  });

const teamText = (out: Screen, { team, item, cost }: TeamState, panes: ReadonlyMap<string, string>, now: number): string => {
  const done = team.tasks.filter(({ state }) => state === "done").length;
  const facts = [
    team.tasks.length === 0 ? "" : `${done} of ${team.tasks.length} tasks done`, team.fixes === 0 ? "" : `fix ${team.fixes} of ${team.maxFixes}`, team.checks === null ? "" : `checks ${team.checks.base} → ${team.checks.head}`, isNothing(cost) ? "" : costText(cost),
  ].filter((fact) => fact !== "");
  const lines = [`${paint(out, "bold", team.name)} ${toned(out, team.phase)}: ${team.item}${item === null ? "" : ` ${oneLine(item.title)}`}${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`];
  if (team.reason !== "") lines.push(`  ${paint(out, "dim", "reason")} ${oneLine(team.reason)}`);
  const members = table(out, ["MEMBER", "STATE", "ADAPTER", "TASK", "TURNS", "RESTARTS", "COST", "SINCE", "TERMINAL", "NOTE"], team.members.map((member) => [
    member.name, member.state, member.adapter, member.task === null ? "" : String(member.task), String(member.turns), String(member.restarts), isNothing(memberCost(member)) ? "" : costText(memberCost(member)), relativeTime(member.since, now), panes.get(`${team.name}/${member.name}`) ?? "", member.question === null ? member.reason : `asks: ${member.question}`,
  ]));
  const tasks = team.tasks.length === 0 ? "" : table(out, ["TASK", "STATE", "KIND", "OWNER", "AFTER", "TRIES", "TITLE"], team.tasks.map((task) => [String(task.id), task.state, task.kind, task.owner ?? "", task.dependsOn.join(","), String(task.attempts), task.reason === "" ? task.title : `${task.title}: ${task.reason}`]));
  const events = team.events.slice(-5).map(({ at, text }) => `  ${paint(out, "dim", relativeTime(at, now))} ${oneLine(text)}\n`).join("");
  return `${lines.join("\n")}\n${indented(members.trimEnd(), "  ")}\n${tasks === "" ? "" : `${indented(tasks.trimEnd(), "  ")}\n`}${events}`;
};

// ---- Telling

const tell = (context: CommandContext, name: string, command: TeamCommand, said: string): Promise<number> =>
  reading(context, async (client) => {
    const { delivered } = await client.team(name, command);
    const resume = await again(context.place, context.terminal, context.tools, ["start"]);
    if (context.json) printJson(context, { team: name, command: command.type, delivered, ...(command.type === "message" ? { id: command.id } : {}), ...(delivered === "queued" ? { next: resume } : {}) });
    else context.terminal.out.write(delivered === "now" ? `${name}: ${said}.\n` : `${name}: ${said}, noted. A running factory takes it up at once; without one it waits for: ${resume}\n`);
    return exitCode.ok;
  });

export const addWorker: Command<{ readonly name: string; readonly adapter?: string }> = (context, { name, adapter }) =>
  tell(context, name, { type: "add", adapter: adapter === undefined ? null : adapterOf(adapter) }, "one more worker");
export const removeWorker: Command<{ readonly name: string; readonly member: string }> = (context, { name, member }) => tell(context, name, { type: "remove", member }, `${member} leaves when its turn is over; its task goes to another`);
export const message: Command<{ readonly name: string; readonly to: string; readonly text: string }> = (context, { name, to, text }) => {
  if (text.trim() === "") throw new CliProblem("The message is empty.", `enact-factory team message ${name} ${to} "what they should know"`);
  return tell(context, name, { type: "message", to, text: text.trim(), id: randomUUID() }, `said to ${block(to)}; it is in the next turn`);
};
export const shutdown: Command<{ readonly name: string; readonly force?: boolean }> = (context, { name, force }) => tell(context, name, { type: "shutdown", force: force === true }, force === true ? "ends now; its work is kept in checkpoints" : "ends; whoever has a turn may finish it");
