import { writeSync } from "node:fs";
import type { CommandContext } from "../context.ts";
import { reading } from "../context.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { CliProblem, exitCode } from "../problem.ts";

export interface TerminalLogOptions { readonly address: string; readonly follow: boolean }

/** What an agent's terminal shows, as bytes: from its oldest kept one on, up to now or until it ends. */
export const terminalLog = (context: CommandContext, { address, follow }: TerminalLogOptions): Promise<number> =>
  reading(context, async (client) => {
    using interrupts = listenForInterrupts();
    const terminals = await client.terminals();
    const state = terminals.find((terminal) => terminal.address === address);
    if (state === undefined) throw new CliProblem(`There is no terminal ${JSON.stringify(address.slice(0, 100))} here.`, terminals.length === 0 ? "No agent has one just now." : `There are ${terminals.slice(0, 8).map((terminal) => terminal.address).join(", ")}.`);
    if (!follow && state.size <= state.from) return exitCode.ok;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const stop = client.watchTerminal(address, { from: state.from }, (frame) => {
      if (frame.type === "bytes" || frame.type === "keyframe") writeSync(1, frame.data);
      if (frame.type === "ended" || (frame.type === "bytes" && !follow && frame.offset + frame.data.length >= state.size)) resolve();
    });
    interrupts.first.addEventListener("abort", () => resolve());
    if (interrupts.first.aborted) resolve();
    await over;
    stop();
    return exitCode.ok;
  });
