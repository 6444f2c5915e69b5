/** `provider` and `adapters`: what runs the agents. */
import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

export const adapterCommands = ({ program, add, run }: Registrar): void => {
  add(program, "provider [name]", "which adapter new turns of the usual one are given to; with a name that one from now on, also in a running factory", "provider", "provider codex", "provider --reset")
    .option("--reset", "the configured one again")
    .action((name: string | undefined, options: { readonly reset?: boolean }, command: Command) => run(async () => (await import("../commands/provider.ts")).provider)(command, { ...options, ...(name === undefined ? {} : { name }) }));
  const commands = () => import("../commands/adapters.ts");
  const adapters = add(program, "adapters", "what runs the agents: installed, signed in, what each can, whether it works", "adapters list", "adapters verify codex");
  add(adapters, "list", "every adapter of this version with its limits and what a running factory knows of it; exits 1 when the usual one cannot run", "adapters list", "adapters list --json")
    .action((_: object, command: Command) => run(async () => (await commands()).list)(command, {}));
  add(adapters, "verify [names...]", "one small turn of each, for real, which asks its model once; of the usual one when none is named; exits 1 when one does not work", "adapters verify", "adapters verify claude codex --json")
    .option("-m, --model <model>", "instead of the configured one")
    .action((names: readonly string[], options: { readonly model?: string }, command: Command) => run(async () => (await commands()).verify)(command, { ...options, names }));
  add(adapters, "login-help <name>", "how to sign in", "adapters login-help codex")
    .action((name: string, _: object, command: Command) => run(async () => (await commands()).loginHelp)(command, { name }));
};
