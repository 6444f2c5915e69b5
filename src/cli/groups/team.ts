/** `team …`: several agents on one piece of work. */
import type { Registrar } from "../registrar.ts";

export const teamCommands = ({ program, add, run }: Registrar): void => {
  const commands = () => import("../commands/team.ts");
  const team = add(program, "team", "several agents on one piece of work: a leader plans and reviews, workers share the tasks", 'team init --workers 3 --task "Add a --json option everywhere" --path .', "team status");
  add(team, "init", "put a team on a piece of work; the daemon does it, started when none runs", 'team init --name alpha --workers 3 --task "Port the parser to TypeScript"', "team init --plan tasks.toml --adapter claude --follow", "git log -1 --format=%B | enact-factory team init --task -")
    .option("--name <name>", "what the team is called: a-z, 0-9 and - (default: one is made up)")
    .option("--workers <count>", "how many workers, 1 to 20 (default: team.workers)")
    .option("-a, --adapter <names>", "what runs the agents; several, with commas, take turns among the workers (default: as configured)")
    .option("--task <text>", "what is to be done; the leader divides it. - reads it from standard input")
    .option("--plan <file>", "tasks as TOML or JSON instead of a plan by the leader")
    .option("--path <dir>", "the repository", ".")
    .option("--playbook <file>", "what the scripted adapter plays")
    .option("--follow", "watch until it has ended; its exit code is the result")
    .option("--local", "in this process instead of the daemon; it is followed")
    .option("--timeout <seconds>", "with --follow or --local: cancel it after this long, exit 2")
    .option("--verbose", "also show what the agents say and do")
    .option("--interactive", "workers in the CLI's own screens (claude, scripted)")
    .action((options: object, command) => run(async () => (await commands()).init)(command, options));
  add(team, "status [name]", "teams, their members and tasks, and where their terminals are", "team status", "team status alpha --json")
    .action((name: string | undefined, options: object, command) => run(async () => (await commands()).status)(command, { ...options, ...(name === undefined ? {} : { name }) }));
  add(team, "add <name>", "one more worker", "team add alpha", "team add alpha --adapter codex")
    .option("-a, --adapter <name>", "what runs it (default: as configured)")
    .action((name: string, options: object, command) => run(async () => (await commands()).addWorker)(command, { ...options, name }));
  add(team, "remove <name> <member>", "send a worker away; its turn may finish, its task goes to another", "team remove alpha worker-2")
    .action((name: string, member: string, options: object, command) => run(async () => (await commands()).removeWorker)(command, { ...options, name, member }));
  add(team, "message <name> <to> <text>", "say something to a member, to leader or to all; it is in their next turn", 'team message alpha worker-1 "Leave the old names as aliases."', 'team message alpha all "The API is frozen."')
    .action((name: string, to: string, text: string, options: object, command) => run(async () => (await commands()).message)(command, { ...options, name, to, text }));
  add(team, "shutdown <name>", "end a team; refused while tasks are open", "team shutdown alpha", "team shutdown alpha --force")
    .option("--force", "also with open tasks: turns are ended, all work is kept in checkpoints")
    .action((name: string, options: object, command) => run(async () => (await commands()).shutdown)(command, { ...options, name }));
};
