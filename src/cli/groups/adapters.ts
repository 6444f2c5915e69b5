/** `provider` and `adapters`: what runs the agents. */
import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

export const adapterCommands = ({ program, add, run }: Registrar): void => {
  add(program, "provider [name]", "which adapter new turns of the usual one are given to; with a name that one from now on, also in a running factory", "provider", "provider codex", "provider --reset")
    .option("--reset", "the configured one again")
    .action((name: string | undefined, options: { readonly reset?: boolean }, command: Command) => run(async () => (await import("../commands/provider.ts")).provider)(command, { ...options, ...(name === undefined ? {} : { name }) }));
};
