/** `session`: sessions of agent CLIs. `hook`: what those CLIs call. */
import type { Command } from "commander";
import { Argument, Option } from "commander";
import type { Registrar } from "../registrar.ts";

export const sessionCommands = ({ program, add, run }: Registrar): void => {
  const commands = () => import("../commands/session.ts");
  const session = add(program, "session", "sessions of agent CLIs: what they work on, and whether they may stop", "session status", "session list");
  const named = (id: string | undefined, options: object): object => ({ ...options, ...(id === undefined ? {} : { id }) });
  add(session, "status [id]", "the session of this directory, or the one named: item, lane, phase, last try to stop", "session status", "session status 5f1c --json")
    .action((id: string | undefined, options: object, command: Command) => run(async () => (await commands()).status)(command, named(id, options)));
  add(session, "list", "open sessions, newest first", "session list", "session list --all")
    .option("--all", "also those that have ended")
    .action((options: object, command: Command) => run(async () => (await commands()).list)(command, options));
  add(session, "start", "note a session; prints its id, and the denied stop of an earlier one here", "session start --item LOC-3", "session start --id 5f1c… --cli codex")
    .option("--id <id>", "the id that its CLI gave it (default: a new one)")
    .option("--item <id>", "the work item it works on")
    .option("--cli <name>", "which CLI it is", "other")
    .action((options: object, command: Command) => run(async () => (await commands()).start)(command, options));
  add(session, "end [id]", "note that it has ended", "session end")
    .action((id: string | undefined, options: object, command: Command) => run(async () => (await commands()).end)(command, named(id, options)));
  add(session, "link <item>", "it works on this item; one at a time", "session link LOC-3")
    .option("--id <id>", "another session than that of this directory")
    .action((item: string, options: object, command: Command) => run(async () => (await commands()).link)(command, { ...options, item }));
  add(session, "unlink [id]", "it works on nothing any more", "session unlink")
    .action((id: string | undefined, options: object, command: Command) => run(async () => (await commands()).unlink)(command, named(id, options)));
  add(session, "acknowledge [id]", "let it stop although something is missing; for this session only", 'session acknowledge --reason "The rest waits for the release."')
    .requiredOption("--reason <text>", "why; it is kept with the session")
    .action((id: string | undefined, options: { readonly reason: string }, command: Command) => run(async () => (await commands()).acknowledge)(command, { ...options, ...named(id, {}) }));

  add(program, "hook", "what agent CLIs call by their hooks; JSON on standard input", "hook stop < payload.json")
    .addArgument(new Argument("<event>", "what happens").choices(["stop", "session-start", "session-end", "notification"]))
    .option("--cli <name>", "which CLI calls", "claude")
    .addOption(new Option("--run", "in a turn that the factory runs").hideHelp())
    .action((event: string, options: { readonly cli: string; readonly run?: boolean }, command: Command) => run(async () => (await import("../commands/hook.ts")).hook)(command, { ...options, event }));
};
