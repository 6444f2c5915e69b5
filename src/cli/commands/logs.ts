/** `logs`: the daemon's log, or an agent's terminal. */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, type CommandContext, printJson } from "../context.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { again } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { block } from "../../client/text/safe-text.ts";

export interface LogsOptions { readonly address?: string; readonly follow?: boolean; readonly lines?: string }

const lookMs = 250, tailBytes = 1_048_576;

export const logs: Command<LogsOptions> = async (context, options) => {
  if (options.address !== undefined) return (await import("./terminal-log.ts")).terminalLog(context, { address: options.address, follow: options.follow === true });
  const count = Number(options.lines ?? "100");
  if (!Number.isInteger(count) || count < 0) throw new CliProblem(`--lines ${JSON.stringify((options.lines ?? "").slice(0, 40))} is no number of lines.`, "Write a whole number, e.g. --lines 100.");
  const file = await context.tools.daemon.logFile(context.place);
  if (!existsSync(file) && options.follow !== true) throw new CliProblem(`There is no log yet: no daemon was ever started here (${file}).`, await again(context.place, context.terminal, context.tools, ["start"]));
  using interrupts = listenForInterrupts();
  let at = tail(context, file, count);
  while (options.follow === true && !interrupts.first.aborted) {
    // Ends early when somebody wants to leave, which the loop sees.
    await sleep(lookMs, undefined, { signal: interrupts.first }).catch(() => undefined);
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    // Cut: what it holds now is new.
    if (size < at) at = 0;
    if (size > at) at = print(context, file, at);
  }
  return exitCode.ok;
};

const linesOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");

const write = (context: CommandContext, lines: readonly string[]): void => {
  if (context.json) for (const line of lines) printJson(context, { line });
  else if (lines.length > 0) context.terminal.out.write(`${block(lines.join("\n"))}\n`);
};

/** The last lines; gives where the file ended. */
const tail = (context: CommandContext, file: string, count: number): number => {
  if (!existsSync(file)) return 0;
  const size = statSync(file).size;
  const text = read(file, Math.max(0, size - tailBytes), size);
  write(context, count === 0 ? [] : linesOf(text).slice(-count));
  return size;
};

/** Whole lines from `at` on; gives where the next one begins. */
const print = (context: CommandContext, file: string, at: number): number => {
  const text = read(file, at, Math.min(statSync(file).size, at + tailBytes));
  const end = text.lastIndexOf("\n") + 1;
  write(context, linesOf(text.slice(0, end)));
  return at + Buffer.byteLength(text.slice(0, end));
};

const read = (file: string, from: number, to: number): string => {
  const fd = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(to, fstatSync(fd).size) - from));
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, from));
  } finally {
    closeSync(fd);
  }
};
