/** `hud`: the terminal dashboard; or one frame of it, or a frame after every change, as text or JSON. */
import { spawn } from "node:child_process";
import { ReadStream, WriteStream } from "node:tty";
import type { FactoryClient, ProcessNode } from "../../client/contract.ts";
import { inbox } from "../../client/inbox.ts";
import { isoTime } from "../../client/text/time-text.ts";
import { frame, frameText } from "../../hud/frame.ts";
import type { Colour } from "../../hud/line.ts";
import { begin } from "../../hud/model.ts";
import { readKnown } from "../../hud/reading.ts";
import { runHud } from "../../hud/session.ts";
import type { Known } from "../../hud/state.ts";
import { watchKnown } from "../../hud/watching.ts";
import { type Command, type CommandContext, printJson, reading } from "../context.ts";
import { inboxJson } from "../inbox-text.ts";
import { codeOf, listenForInterrupts } from "../interrupts.ts";
import { itemJson } from "../item-text.ts";
import { exitCode } from "../problem.ts";

export interface HudOptions { readonly once?: boolean; readonly watch?: boolean }

export const hud: Command<HudOptions> = (context, options) =>
  reading(context, async (client) => {
    const { terminal } = context;
    if (options.watch === true) return watch(context, client);
    const interactive = options.once !== true && !context.json && terminal.out.isTty && terminal.canAsk && terminal.env["TERM"] !== "dumb";
    if (!interactive) {
      print(context, await readKnown(client));
      return exitCode.ok;
    }
    return interact(context, client);
  });

const interact = async (context: CommandContext, client: FactoryClient): Promise<number> => {
  const { terminal } = context;
  // `canAsk` and `isTty` said so; a test's terminal has no screen of its own.
  if (!(terminal.input instanceof ReadStream) || !(process.stdout instanceof WriteStream)) {
    print(context, await readKnown(client));
    return exitCode.ok;
  }
  using interrupts = listenForInterrupts();
  await runHud({
    client, version: context.tools.version, now: context.tools.now, input: terminal.input, output: process.stdout, colour: terminal.out.colour, stop: interrupts.first,
    launch: ([program, ...argv], env) => new Promise((resolve, reject) => {
      const child = spawn(program, argv, { stdio: "inherit", env: { ...terminal.env, ...env } });
      child.on("error", reject);
      child.on("close", (code) => resolve(code ?? exitCode.failed));
    }),
  });
  return interrupts.first.aborted ? codeOf(interrupts.first.reason) : exitCode.ok;
};

const watch = async (context: CommandContext, client: FactoryClient): Promise<number> => {
  using interrupts = listenForInterrupts();
  const { out } = context.terminal;
  const clear = !context.json && out.isTty && context.terminal.env["TERM"] !== "dumb";
  let first = true;
  await watchKnown(client, interrupts.first, (known) => {
    if (clear) out.write("\u001b[H\u001b[2J");
    else if (!first && !context.json) out.write("\n");
    first = false;
    print(context, known);
  });
  return codeOf(interrupts.first.reason);
};

/** Wide enough for titles beside what is waited for, and still one column of panels. */
const fileColumns = 118;

const print = (context: CommandContext, known: Known): void => {
  const now = context.tools.now();
  if (context.json) {
    printJson(context, modelJson(known, now));
    return;
  }
  const { out, env } = context.terminal;
  const asked = Number(env["COLUMNS"]);
  const columns = out.isTty ? out.columns() : Number.isInteger(asked) && asked > 0 ? asked : fileColumns;
  const colour: Colour = out.colour ? "full" : out.isTty && env["TERM"] !== "dumb" ? "mono" : "none";
  out.write(frameText(frame(begin(context.tools.version, known, now), { columns, rows: Infinity }, { interactive: false }), colour));
};

/** What the HUD knows; instants in ISO. */
const modelJson = (known: Known, now: number): Readonly<Record<string, unknown>> => ({
  at: isoTime(now), factory: known.description, owner: known.status === null ? null : { ...known.status, startedAt: isoTime(known.status.startedAt) },
  inbox: inbox(known, now).map(inboxJson), workItems: known.items.map(itemJson),
  teams: known.teams.map(({ team, updatedAt }) => ({ ...team, updatedAt: isoTime(updatedAt) })), terminals: known.terminals.map((terminal) => ({ ...terminal, updatedAt: isoTime(terminal.updatedAt) })),
  tree: known.tree.map(nodeJson), events: known.journal.map((line) => ({ ...line, at: isoTime(line.at) })),
});

const nodeJson = (node: ProcessNode): Readonly<Record<string, unknown>> => ({ ...node, since: isoTime(node.since), ...(node.children === undefined ? {} : { children: node.children.map(nodeJson) }) });
