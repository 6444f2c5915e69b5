/** `mcp`, `skills`, `agents`: what agents of other programs get from the factory. */
import { Option } from "commander";
import type { Registrar } from "../registrar.ts";

export const agentCommands = ({ program, add, run }: Registrar): void => {
  add(program, "mcp", "the factory's tools for an agent, over MCP on standard input and output", "mcp", "mcp --tools read", "-C ~/my/repo mcp")
    .addOption(new Option("--tools <scope>", "which tools: read looks only; session is for agents that the factory runs; all is for a person's agent (default: all)").choices(["read", "session", "all"]))
    .action((options: object, command) => run(async () => (await import("../commands/mcp.ts")).mcp)(command, options));
};
