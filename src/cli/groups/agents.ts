/** `mcp`, `skills`, `agents`: what agents of other programs get from the factory. */
import { Option } from "commander";
import type { Registrar } from "../registrar.ts";

export const agentCommands = ({ program, add, run }: Registrar): void => {
  add(program, "mcp", "the factory's tools for an agent, over MCP on standard input and output", "mcp", "mcp --tools read", "-C ~/my/repo mcp")
    .addOption(new Option("--tools <scope>", "which tools: read looks only; session is for agents that the factory runs; all is for a person's agent (default: all)").choices(["read", "session", "all"]))
    .action((options: object, command) => run(async () => (await import("../commands/mcp.ts")).mcp)(command, options));
  const skills = add(program, "skills", "texts that say how each kind of work is done here", "skills list", "skills show executor");
  add(skills, "list", "the packaged skills, in this repository's own version where it has one", "skills list")
    .action((_: object, command) => run(async () => (await import("../commands/skills.ts")).list)(command, {}));
  add(skills, "show <name>", "the text of one; .enact/skills/NAME.md of this repository replaces the packaged one", "skills show executor", "-C ~/my/repo skills show reviewer")
    .action((name: string, _: object, command) => run(async () => (await import("../commands/skills.ts")).show)(command, { name }));
  const agents = add(program, "agents", "tell agents in a repository how to talk to the factory", "agents install --path ~/my/repo");
  add(agents, "install", "write the factory's region into AGENTS.md; the rest of it is never touched", "agents install", "agents install --path ~/my/repo --check", "agents install --remove")
    .option("--path <dir>", "the repository", ".")
    .option("--check", "change nothing; exit 1 when the region is not there or not current")
    .option("--remove", "take the region out again")
    .action((options: object, command) => run(async () => (await import("../commands/agents.ts")).install)(command, options));
};
