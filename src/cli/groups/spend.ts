/** `spend`: what agents used, against the caps. */
import { spendKinds } from "../../client/contract.ts";
import type { Registrar } from "../registrar.ts";

export const spendCommand = ({ program, add, run }: Registrar): void => {
  add(program, "spend", "tokens and cost of agents, the caps and what is left", "spend", "spend --by stage --since 7d", "spend --by run --item RUN-3 --json")
    .option("--by <what>", `a row for each ${spendKinds.join(", ")}`, "day")
    .option("--since <day>", "the first day that counts: 2026-11-30, today, or 7d (default: the last 30 days)")
    .option("--item <id>", "only this item")
    .action((options: object, command) => run(async () => (await import("../commands/spend.ts")).spend)(command, options));
};
