import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

export const registerHud = ({ program, add, run }: Registrar): void => {
  add(program, "hud", "the factory at a glance: what needs you, what runs, what it waits for, what it costs", "hud", "hud --once", "hud --watch")
    .option("--once", "print one frame as text; so does a terminal that is none")
    .option("--watch", "print a frame after every change")
    .action((options: object, command: Command) => run(async () => (await import("../commands/hud.ts")).hud)(command, options));
};
