import type { FactoryClient, JournalLine } from "../../client/contract.ts";
import { journalLine } from "../../client/text/journal-text.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { isoTime } from "../../client/text/time-text.ts";
import type { WorkItemId } from "../../domain/ids.ts";
import { isTerminal } from "../../domain/work-item.ts";
import { type Command, type CommandContext, itemId, itemState, printJson, reading } from "../context.ts";
import { follow, only } from "../follow.ts";
import { codeOf, listenForInterrupts } from "../interrupts.ts";
import { exitCode } from "../problem.ts";

export interface LogOptions { readonly id: string; readonly follow?: boolean; readonly verbose?: boolean }

const pageSize = 500;

/** The journal of one item, an event a line; with --follow until the item has ended. With --json a JSON object a line. */
export const log: Command<LogOptions> = (context, options) => {
  const id = itemId(options.id);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    let position = await printFrom(context, client, item.id, 0, options.verbose === true);
    if (options.follow !== true || isTerminal(item.status)) return exitCode.ok;
    using interrupts = listenForInterrupts();
    try {
      return await follow<number>({
        client,
        pick: only([item.id]),
        stop: interrupts.first,
        onChange: (change) => {
          if (change.type === "agent" && change.item === item.id && options.verbose === true && !context.json) context.terminal.out.write(`  ${oneLine(change.stage)} | ${oneLine(change.line)}\n`);
        },
        decide: async (states) => {
          position = await printFrom(context, client, item.id, position, options.verbose === true);
          return states.every((state) => isTerminal(state.item.status)) ? exitCode.ok : undefined;
        },
      });
    } catch (error) {
      if (interrupts.first.aborted) return codeOf(interrupts.first.reason);
      throw error;
    }
  });
};

const printFrom = async (context: CommandContext, client: FactoryClient, id: WorkItemId, after: number, verbose: boolean): Promise<number> => {
  let position = after;
  for (;;) {
    const lines = await client.journal({ id, after: position, limit: pageSize });
    for (const line of lines) print(context, line, verbose);
    position = lines.at(-1)?.position ?? position;
    if (lines.length < pageSize) return position;
  }
};

const print = (context: CommandContext, line: JournalLine, verbose: boolean): void => {
  if (context.json) printJson(context, { ...line, at: isoTime(line.at) });
  else context.terminal.out.write(`${journalLine(line)}\n${verbose ? `  ${oneLine(JSON.stringify(line.event))}\n` : ""}`);
};
