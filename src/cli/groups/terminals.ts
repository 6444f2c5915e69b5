/** `panes`, `attach`, `message`: agents as people watch them and speak to them. */
import type { Registrar } from "../registrar.ts";

export const terminalCommands = ({ program, add, run }: Registrar): void => {
  const terminals = () => import("../commands/terminals.ts");
  add(program, "panes", "the terminals of agents: who is in them, and where they can be looked at", "panes", "panes --all", "panes --json")
    .option("--all", "also those whose work has ended")
    .action((options: object, command) => run(async () => (await terminals()).panes)(command, options));
  add(program, "attach <address>", "be in an agent's terminal, read-only; leave it with Ctrl-B d", "attach LOC-3/coder", "attach LOC-3 --write")
    .option("--write", "type there too: each line is a message to the agent")
    .action((address: string, options: object, command) => run(async () => (await terminals()).attach)(command, { ...options, address }));
  add(program, "message <address> <text>", "say something to an agent: now if it can listen, else with its next turn", 'message LOC-3 "Use tabs."', 'message LOC-3/critic "Look at the tests too."', 'message LOC-3 "Stop, the API is wrong." --interrupt')
    .option("--interrupt", "end its turn; the next one begins with the message")
    .action((address: string, text: string, options: object, command) => run(async () => (await terminals()).message)(command, { ...options, address, text }));
};
