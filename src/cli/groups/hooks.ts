/** `hooks`: entries in the settings of agent CLIs, so that agents in sessions of people's own ask before they stop. */
import { type Command, Option } from "commander";
import type { Registrar } from "../registrar.ts";

export const hooksCommands = ({ program, add, run }: Registrar): void => {
  const commands = () => import("../commands/hooks.ts");
  const hooks = add(program, "hooks", "let agent CLIs ask before their agents stop: entries in their settings", "hooks install", "hooks status");
  const chosen = (command: Command): Command => command
    .addOption(new Option("--cli <name>", "which CLI").choices(["claude", "codex"]).default("claude"))
    .addOption(new Option("--scope <scope>", "the project here, or every session of yours").choices(["project", "user"]).default("project"));
  chosen(add(hooks, "install", "add the entries, or bring them up to date; nothing else in the file changes", "hooks install", "hooks install --cli codex --scope user"))
    .option("--force", "even though Enact Operator is installed, which owns them")
    .action((options: { readonly cli: "claude" | "codex"; readonly scope: "project" | "user"; readonly force?: boolean }, command: Command) => run(async () => (await commands()).install)(command, options));
  add(hooks, "status", "which settings have them, and whether they work", "hooks status --json")
    .action((options: object, command: Command) => run(async () => (await commands()).status)(command, options));
  chosen(add(hooks, "remove", "take the entries out again; nothing else in the file changes", "hooks remove --scope user"))
    .action((options: { readonly cli: "claude" | "codex"; readonly scope: "project" | "user" }, command: Command) => run(async () => (await commands()).remove)(command, options));
};
