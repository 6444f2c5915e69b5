/** `run` and `exec`: one piece of work, now. */
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import type { Submission } from "../../client/contract.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { AdapterName } from "../../domain/agent.ts";
import { WorkItemKind } from "../../domain/work-item.ts";
import type { Command, CommandContext } from "../context.ts";
import { drive } from "../drive.ts";
import { pathFrom, placeForRepository } from "../place.ts";
import { CliProblem } from "../problem.ts";

export interface WorkOptions {
  readonly task: string;
  readonly path?: string;
  readonly adapter?: string;
  readonly model?: string;
  readonly playbook?: string;
  readonly kind?: string;
  /** Seconds, as typed. */
  readonly timeout?: string;
  readonly coderOnly?: boolean;
  readonly executorOnly?: boolean;
  readonly pipeline?: boolean;
  readonly verbose?: boolean;
  readonly takeOver?: boolean;
}
export interface ExecOptions extends WorkOptions { readonly local?: boolean }

/** A title longer than this is a text with a body. */
const titleLength = 200;
const taskLength = 1_000_000;

export const run: Command<WorkOptions> = (context, options) => work(context, options, "own");

/** `through`: who does it. The daemon is started when none runs; a command that owns the state already is as good. */
const work = async (context: CommandContext, options: WorkOptions, through: "own" | "daemon"): Promise<number> => {
  const repository = directoryOf(context, options.path ?? ".");
  const playbook = options.playbook === undefined ? undefined : fileOf(context, options.playbook);
  const submission = submissionOf(options, repository, playbook, context.tools.now());
  const timeoutSeconds = options.timeout === undefined ? undefined : secondsOf(options.timeout);
  const place = await placeForRepository(context.place, repository, context.tools);
  return drive({ ...context, place }, {
    verbose: options.verbose === true,
    takeOver: options.takeOver === true,
    through,
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    begin: async (client) => [{ id: await client.submit(submission) }],
    json: (items) => items[0] ?? null,
  });
};

export const exec: Command<ExecOptions> = (context, options) => work(context, options, options.local === true || options.takeOver === true ? "own" : "daemon");

const submissionOf = (options: WorkOptions, repository: string, playbook: string | undefined, at: number): Submission => {
  const task = options.task.trim();
  if (task === "") throw new CliProblem("The task is empty.", 'Say what to do: enact-factory run "Fix the failing test" -p .');
  if (task.length > taskLength) throw new CliProblem(`The task is longer than ${taskLength} characters.`, "Put what is long into a file of the repository and name that.");
  const single = task.length <= titleLength && !task.includes("\n");
  const adapter = options.adapter === undefined ? undefined : oneOf(AdapterName, "adapter", options.adapter);
  const coder = options.coderOnly === true || options.executorOnly === true;
  if (coder && options.pipeline === true) throw new CliProblem("--coder-only and --pipeline say opposite things.", "Leave one of them out.");
  return {
    title: single ? task : `${oneLine(task).slice(0, titleLength - 1)}…`,
    body: single ? "" : task,
    kind: oneOf(WorkItemKind, "kind", options.kind ?? "chore"),
    priority: 1,
    repository,
    sourceId: `${at}-${randomUUID()}`,
    // Automation has no say in what was asked for explicitly.
    lane: "manual",
    claim: true,
    ...(adapter === undefined ? {} : { adapter }),
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(playbook === undefined ? {} : { playbook }),
    stages: coder ? "coder" : options.pipeline === true ? "full" : "configured",
  };
};

const oneOf = <T extends string>(choices: { readonly options: readonly T[]; readonly safeParse: (value: unknown) => { readonly success: true; readonly data: T } | { readonly success: false } }, what: string, value: string): T => {
  const parsed = choices.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CliProblem(`${JSON.stringify(value.slice(0, 80))} is no ${what}.`, `Write one of ${choices.options.join(", ")}.`);
};

/** Node's timers take no more than 2^31 - 1 milliseconds. */
const longest = Math.floor((2 ** 31 - 1) / 1_000);
const secondsOf = (text: string): number => {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > longest) throw new CliProblem(`--timeout ${JSON.stringify(text.slice(0, 40))} is no number of seconds.`, `Write a number from 1 to ${longest}, e.g. --timeout 600.`);
  return seconds;
};

const directoryOf = (context: CommandContext, given: string): string => {
  const path = pathFrom(context.place, given, context.terminal);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliProblem(`There is no directory ${path}.`, "Name the repository to work on with -p PATH.");
  return path;
};

const fileOf = (context: CommandContext, given: string): string => {
  const path = pathFrom(context.place, given, context.terminal);
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) throw new CliProblem(`There is no playbook ${path}.`, "Its form is described in docs/adapters/scripted.md.");
  return path;
};
