import { spawn } from "node:child_process";
import { terminalOf } from "../../client/address.ts";
import { ClientProblem, type TerminalState } from "../../client/contract.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { stopwatch } from "../../client/text/time-text.ts";
import { type Command, printJson, reading } from "../context.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { table } from "../table.ts";
import { terminalLog } from "./terminal-log.ts";

export const panes: Command<{ readonly all?: boolean }> = (context, { all }) => reading(context, async (client) => {
  const terminals = (await client.terminals()).filter(({ state }) => all === true || state !== "ended");
  if (context.json) {
    printJson(context, { panes: terminals });
    return exitCode.ok;
  }
  if (terminals.length === 0) {
    context.terminal.err.write(all === true ? "No agent has worked here yet.\n" : "No agent has a terminal now. Those whose work has ended: enact-factory panes --all\n");
    return exitCode.ok;
  }
  const now = context.tools.now();
  const row = ({ address, state, adapter, updatedAt, pane, attached, lastLine }: TerminalState): readonly string[] => [address, state, adapter, stopwatch(now - updatedAt), pane ?? "-", attached === 0 ? "-" : String(attached), lastLine];
  context.terminal.out.write(table(context.terminal.out, ["ADDRESS", "STATE", "ADAPTER", "AGE", "PANE", "LOOKING", "LAST LINE"], terminals.map(row)));
  return exitCode.ok;
});

/** Runs the real terminal client with the person's own terminal. Inside another tmux it works too: it does not know of it. */
const enter = (argv: readonly [string, ...string[]], env: Readonly<Record<string, string>>, own: Readonly<Record<string, string | undefined>>): Promise<number> => new Promise((ended, failed) => {
  const { TMUX: _, TMUX_PANE: __, ...rest } = own;
  const [program, ...rest_] = argv;
  const child = spawn(program, rest_, { stdio: "inherit", env: { ...rest, ...env } });
  child.once("error", failed);
  child.once("exit", (code, signal) => ended(code ?? (signal === null ? exitCode.failed : 128)));
});

export const attach: Command<{ readonly address: string; readonly write?: boolean }> = async (context, { address, write }) => {
  const found = await reading(context, async (client) => {
    const state = terminalOf(address, await client.terminals());
    try {
      return { state, real: await client.attachment(state.address, { write: write === true }) };
    } catch (error) {
      if (!(error instanceof ClientProblem)) throw error;
      return { state, why: error.message };
    }
  });
  if (found.real) {
    if (!context.terminal.canAsk) throw new CliProblem("A terminal can only be shown in a terminal.", `Read it with: enact-factory logs -f ${found.state.address}`);
    return enter(found.real.argv, found.real.env, context.terminal.env);
  }
  // Without a pane its log is the next best thing.
  if (write === true) throw new CliProblem(`${oneLine(found.why)}.`, `Say something with: enact-factory message ${found.state.address} TEXT`);
  context.terminal.err.write(`${oneLine(found.why)}; this follows its log instead. Ctrl-C ends it.\n`);
  return terminalLog(context, { address: found.state.address, follow: true });
};

export const message: Command<{ readonly address: string; readonly text: string; readonly interrupt?: boolean }> = (context, { address, text, interrupt }) => reading(context, async (client) => {
  const receipt = await client.message(address, text, { interrupt: interrupt === true });
  if (context.json) printJson(context, receipt);
  else context.terminal.out.write(`${receipt.state}: ${oneLine(receipt.detail)}\n`);
  return receipt.state === "undelivered" ? exitCode.failed : exitCode.ok;
});
