import type { Command } from "commander";
import type { Registrar } from "../registrar.ts";

/** `inspect`: the statecharts that run. */
export const inspectGroup = ({ program, add, run }: Registrar): void => {
  add(program, "inspect [address]", "the statecharts that run; with an address, or an item's id, one of them drawn in its state", "inspect", "inspect RUN-3", "inspect stage/RUN-3/1/coder.1 --follow", "inspect --receiver ws://localhost:8080")
    .option("-f, --follow", "go on as it moves: redrawn in place on a terminal, a line for each step elsewhere")
    .option("--receiver <url|file>", "send every step to a receiver of XState inspection messages: ws://…, or a file that gets one a line")
    .action((address: string | undefined, options: object, command: Command) => run(async () => (await import("../commands/inspect.ts")).inspect)(command, { ...options, ...(address === undefined ? {} : { address }) }));
};
