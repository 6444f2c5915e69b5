/**
 * The commands and their options. Only words: what a command does is loaded when it runs, so that help and usage errors cost nothing
 * (DESIGN §11).
 */
import { homedir } from "node:os";
import { Command, CommanderError } from "commander";
import type { LocalTools } from "../client/local-tools.ts";
import type { Command as Action, CommandContext } from "./context.ts";
import { registerHud } from "./groups/hud.ts";
import { registerInbox } from "./groups/inbox.ts";
import { inspectGroup } from "./groups/inspect.ts";
import { type GlobalOptions, placeOf } from "./place.ts";
import { exitCode, report } from "./problem.ts";
import { daemonCommands } from "./groups/daemon.ts";
import { receiptCommands } from "./groups/receipt.ts";
import { spendCommand } from "./groups/spend.ts";
import { terminalCommands } from "./groups/terminals.ts";
import { hooksCommands } from "./groups/hooks.ts";
import { notifyCommands } from "./groups/notify.ts";
import { sessionCommands } from "./groups/session.ts";
import { adapterCommands } from "./groups/adapters.ts";
import { agentCommands } from "./groups/agents.ts";
import { teamCommands } from "./groups/team.ts";
import type { Registrar, Run } from "./registrar.ts";
import { processTerminal, type Terminal } from "./screen.ts";

/** The bin's body: parses the arguments, runs the command, leaves with its code. */
export const main = async (tools: () => Promise<LocalTools>): Promise<void> => {
  // `enact-factory task list | head -1`: who listens no more needs no more, and it is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? exitCode.ok : exitCode.failed));
  const code = await runCli(process.argv.slice(2), processTerminal(homedir()), tools);
  // What is written to a pipe may still be on its way; nothing else is worth waiting for.
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
};

export const runCli = async (argv: readonly string[], terminal: Terminal, tools: () => Promise<LocalTools>): Promise<number> => {
  let code: number = exitCode.ok;
  const json = argv.includes("--json");
  const run = <Options extends object>(load: () => Promise<Action<Options>>) => async (command: Command, own: Options): Promise<void> => {
    const globals = command.optsWithGlobals<GlobalOptions>();
    const context: CommandContext = { terminal, tools: await tools(), place: placeOf(globals, terminal), json: globals.json === true };
    code = await (await load())(context, { ...own, ...globals });
  };
  const program = define(run, terminal);
  if (argv.length === 0) {
    program.outputHelp();
    return exitCode.ok;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error === versionAsked) {
      terminal.out.write(`${(await tools()).version}\n`);
      return exitCode.ok;
    }
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.failed;
    return report(error, terminal, json);
  }
};

/** Thrown by the option: the version is known to what is loaded only on demand. */
const versionAsked = Symbol("versionAsked");

const define = (run: Run, terminal: Terminal): Command => {
  const program = new Command("enact-factory")
    .description("Runs coding-agent CLIs unattended: work items in, reviewed and verified branches out.")
    .option("--config <file>", "configuration to use (default: config.toml from here upwards, then ~/.enact/config.toml)")
    .option("-C, --directory <dir>", "act as if started in this directory")
    .option("--json", "print the result as JSON on standard output")
    .option("-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: terminal.out.write,
      writeErr: terminal.err.write,
      getOutHelpWidth: () => Math.min(100, terminal.out.columns()),
      getErrHelpWidth: () => Math.min(100, terminal.err.columns()),
      getOutHasColors: () => terminal.out.colour,
      getErrHasColors: () => terminal.err.colour,
      outputError: (text, write) => write(text.replace(/^error: /, "enact-factory: ")),
    })
    .exitOverride();
  program.on("option:version", () => {
    throw versionAsked;
  });
  program.addHelpText("after", `
Start here:
  enact-factory demo                                       five work items on a throwaway repository
  enact-factory run "Fix the failing test" -p ~/my/repo    one piece of work on your own repository
  enact-factory doctor                                     what is missing on this machine

Exit codes: 0 done, 1 failed, 2 timeout or could not run, 130 interrupted.`);

  /** A command with its example; usage errors point at its help. */
  const add: Registrar["add"] = (parent, usage, description, ...examples) => {
    const command = parent.command(usage).description(description);
    const path = parent === program ? command.name() : `${parent.name()} ${command.name()}`;
    command.showHelpAfterError(`  Its options: enact-factory ${path} --help`);
    command.addHelpText("after", `\nExample${examples.length === 1 ? "" : "s"}:\n${examples.map((line) => `  enact-factory ${line}`).join("\n")}`);
    return command;
  };
  program.showHelpAfterError("  The commands: enact-factory --help");

  const work = (command: Command): Command => command
    .option("-a, --adapter <name>", "what runs the agents, for all stages (default: as configured)")
    .option("-m, --model <id>", "the coder's model; other stages keep theirs")
    .option("--playbook <file>", "what the scripted adapter plays")
    .option("--kind <kind>", "bug, feature, docs or chore", "chore")
    .option("--coder-only", "the coder alone, without review")
    .option("--executor-only", "the same, by its older name")
    .option("--pipeline", "coder, critic, tester and documenter, whatever is configured")
    .option("--verbose", "also show what the agents say and do")
    .option("--take-over", "take the state from a factory that hangs; nothing that one still does is written any more");

  work(add(program, "run <task>", "do one piece of work now; leaves a branch with commits and a summary",
    'run "Fix the failing test" -p ~/my/repo', 'run "Add --version" -p . --adapter claude -m opus --timeout 1800'))
    .option("-p, --path <dir>", "the repository", ".")
    .option("--timeout <seconds>", "cancel it after this long, exit 2 (default: never)")
    .action((task: string, options: object, command: Command) => run(async () => (await import("./commands/run.ts")).run)(command, { ...options, task }));
  work(add(program, "exec <task>", "the same by the daemon, which is started when none runs", 'exec "Fix the failing test" --path ~/my/repo', 'exec "Fix the failing test" --local --path ~/my/repo --pipeline'))
    .option("--local", "in this process, without a daemon")
    .option("--path <dir>", "the repository", ".")
    .option("--timeout <seconds>", "cancel it after this long, exit 2", "600")
    .action((task: string, options: object, command: Command) => run(async () => (await import("./commands/run.ts")).exec)(command, { ...options, task }));
  add(program, "resume [id]", "go on with an unfinished item, or with all that were begun", "resume", "resume RUN-3")
    .option("--verbose", "also show what the agents say and do")
    .option("--take-over", "take the state from a factory that hangs; nothing that one still does is written any more")
    .action((id: string | undefined, options: object, command: Command) => run(async () => (await import("./commands/resume.ts")).resume)(command, { ...options, ...(id === undefined ? {} : { id }) }));

  registerInbox({ program, add, run });
  registerHud({ program, add, run });

  const task = add(program, "task", "look at work items and tell them something", "task list", 'task answer RUN-3 "Round half to even."');
  const tasks = () => import("./commands/task.ts");
  add(task, "list", "all work items: state, stage, what each waits for", "task list --open", "task list --json")
    .option("--open", "only those that have not ended")
    .action((options: object, command: Command) => run(async () => (await tasks()).list)(command, options));
  const byId = (name: string, description: string, load: () => Promise<Action<{ readonly id: string }>>): Command =>
    add(task, `${name} <id>`, description, `task ${name} RUN-3`).action((id: string, _: object, command: Command) => run(load)(command, { id }));
  byId("show", "one work item: state, result, checkpoints", async () => (await tasks()).show);
  byId("cancel", "end it; its work is kept in a checkpoint", async () => (await tasks()).cancel);
  byId("retry", "try again what failed, was cancelled or waits", async () => (await tasks()).retry);
  byId("approve", "let it begin, or publish what was verified", async () => (await tasks()).approve);
  add(task, "reject <id>", "do not begin it, or do not publish it", 'task reject RUN-3 --reason "The API must not change."')
    .requiredOption("--reason <text>", "why; it is recorded with the item")
    .action((id: string, options: { readonly reason: string }, command: Command) => run(async () => (await tasks()).reject)(command, { ...options, id }));
  add(task, "answer <id> <text>", "answer what its agent asked", 'task answer RUN-3 "Round half to even."')
    .action((id: string, text: string, _: object, command: Command) => run(async () => (await tasks()).answer)(command, { id, text }));
  byId("pause", "keep it from being started", async () => (await tasks()).pause);
  byId("resume", "let a paused one be started again", async () => (await tasks()).unpause);
  add(task, "close <id>", "close an epic that spans several projects, which never closes by itself", 'task close LOC-2 --reason "All three parts are released."')
    .requiredOption("--reason <text>", "why it may be closed; it is recorded with the item")
    .action((id: string, options: { readonly reason: string }, command: Command) => run(async () => (await tasks()).close)(command, { ...options, id }));
  add(task, "restore <id>", "put the files of a checkpoint into a new directory", "task restore RUN-3 --list", "task restore RUN-3 --to ../rescued")
    .option("--ref <ref>", "which checkpoint (default: the newest)")
    .option("--to <dir>", "a directory that does not exist yet (default: ./ID-restored)")
    .option("--list", "only list the checkpoints")
    .action((id: string, options: object, command: Command) => run(async () => (await tasks()).restore)(command, { ...options, id }));

  add(program, "why <id>", "what an item waits for, the last evidence, which rule fires when", "why RUN-3")
    .action((id: string, _: object, command: Command) => run(async () => (await import("./commands/why.ts")).why)(command, { id }));
  add(program, "log <id>", "the journal of an item, an event a line", "log RUN-3", "log RUN-3 --follow --verbose")
    .option("-f, --follow", "go on until the item has ended")
    .option("--verbose", "each event whole")
    .action((id: string, options: object, command: Command) => run(async () => (await import("./commands/log.ts")).log)(command, { ...options, id }));
  const lane = add(program, "lane", "who drives a work item", "lane set LOC-2 ralph");
  add(lane, "set <id> <lane>", "manual, none, autopilot, ralph, ultrawork or team; the next claim goes by it", "lane set LOC-2 ralph", "lane set LOC-2 manual")
    .action((id: string, given: string, _: object, command: Command) => run(async () => (await tasks()).lane)(command, { id, lane: given }));
  add(lane, "status [id]", "runs of lanes with phases of their own; of one item with every part", "lane status", "lane status LOC-2")
    .action((id: string | undefined, _: object, command: Command) => run(async () => (await import("./commands/lane.ts")).status)(command, id === undefined ? {} : { id }));
  const push = add(program, "push", "what the sources are still to be told of their items", "push drain");
  add(push, "drain", "tell them now, one try each; exits 1 when something could not be told", "push drain", "push drain --json")
    .action((_: object, command: Command) => run(async () => (await import("./commands/push.ts")).drain)(command, {}));
  add(program, "sync", "look at the sources of work items now, once; exits 1 when one could not be read", "sync", "sync --once --json")
    .option("--once", "what it does anyway: the daemon looks again and again by itself")
    .action((_: object, command: Command) => run(async () => (await import("./commands/push.ts")).sync)(command, {}));
  receiptCommands({ program, add, run });
  spendCommand({ program, add, run });
  adapterCommands({ program, add, run });
  notifyCommands({ program, add, run });
  inspectGroup({ program, add, run });
  const surroundings = () => import("./commands/surroundings.ts");
  add(program, "tree", "the supervisor tree of the running factory", "tree")
    .action((_: object, command: Command) => run(async () => (await surroundings()).tree)(command, {}));
  add(program, "doctor", "check what the factory needs; changes nothing, exits 1 when something is missing", "doctor")
    .action((_: object, command: Command) => run(async () => (await surroundings()).doctor)(command, {}));

  add(program, "init", "write a commented config.toml; never overwrites one", "init", "init --postgres --path ~/my/repo")
    .option("--postgres", "with the conventional PostgreSQL URL")
    .option("--path <dir>", "where to", ".")
    .action((options: object, command: Command) => run(async () => (await import("./commands/config.ts")).init)(command, options));
  add(program, "validate [file]", "check the active config.toml, or the one named: every problem at once", "validate", "validate other/config.toml")
    .action((file: string | undefined, _: object, command: Command) => run(async () => (await import("./commands/config.ts")).validate)(command, file === undefined ? {} : { file }));

  const store = add(program, "store", "back up and restore the factory's state", "store backup ~/factory-backup");
  add(store, "backup <file>", "write a consistent copy, also while a factory runs", "store backup ~/factory-backup")
    .action((file: string, _: object, command: Command) => run(async () => (await surroundings()).backup)(command, { file }));
  add(store, "restore <file>", "put a backup in place of the state; refuses to replace work without --force", "store restore ~/factory-backup")
    .option("--force", "replace what is there")
    .action((file: string, options: object, command: Command) => run(async () => (await surroundings()).restoreStore)(command, { ...options, file }));

  daemonCommands({ program, add, run });
  terminalCommands({ program, add, run });
  teamCommands({ program, add, run });
  hooksCommands({ program, add, run });
  sessionCommands({ program, add, run });
  agentCommands({ program, add, run });

  add(program, "demo", "five work items on a throwaway repository, with scripted agents; proves its results", "demo", "demo --keep")
    .option("--keep", "leave the directory and say where")
    .option("-a, --adapter <name>", "what runs the agents instead of the script")
    .action((options: object, command: Command) => run(async () => (await import("./demo.ts")).demo)(command, options));
  return program;
};
