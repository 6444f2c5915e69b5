import { oneLine } from "../../client/text/safe-text.ts";
import { type Command, printJson, reading } from "../context.ts";
import { exitCode } from "../problem.ts";

/** Tells the sources at once what they are still to be told. */
export const drain: Command<object> = (context) => reading(context, async (client) => {
  const report = await client.drain();
  if (context.json) printJson(context, report);
  else {
    context.terminal.out.write(report.drained + report.errors.length === 0 ? "Nothing waits to be told.\n" : `${report.drained} told, ${report.errors.length} not.\n`);
    for (const error of report.errors) context.terminal.err.write(`  ${oneLine(error)}\n`);
  }
  return report.errors.length === 0 ? exitCode.ok : exitCode.failed;
});

/** One look at every source. */
export const sync: Command<object> = (context) => reading(context, async (client) => {
  const looks = await client.sync();
  if (context.json) printJson(context, looks);
  else {
    if (looks.length === 0) context.terminal.out.write("No source is configured.\n");
    for (const { source, taken, changed, malformed, trouble } of looks) {
      context.terminal.out.write(`${oneLine(source)}: ${taken} taken in, ${changed} changed\n`);
      for (const problem of malformed) context.terminal.err.write(`  no work item: ${oneLine(problem)}\n`);
      if (trouble !== null) context.terminal.err.write(`  ${oneLine(trouble)}\n`);
    }
  }
  return looks.every(({ trouble }) => trouble === null) ? exitCode.ok : exitCode.failed;
});
