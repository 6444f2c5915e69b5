/** `tree`, `doctor` and `store`: the factory itself rather than its items. */
import type { ProcessNode } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { block, indented, oneLine } from "../../client/text/safe-text.ts";
import { isoTime } from "../../client/text/time-text.ts";
import { type Command, printJson, reading } from "../context.ts";
import { pathFrom } from "../place.ts";
import { exitCode } from "../problem.ts";
import { paint, type Screen, type Tone } from "../screen.ts";

const lines = (screen: Screen, nodes: readonly ProcessNode[], now: number, stem: string): readonly string[] =>
  nodes.flatMap((node, index) => {
    const last = index === nodes.length - 1;
    const crash = node.lastCrash === undefined ? "" : paint(screen, "red", `, last crash: ${oneLine(node.lastCrash)}`);
    const restarts = node.restarts > 0 ? `, ${node.restarts} restart${node.restarts === 1 ? "" : "s"}` : "";
    const detail = node.detail === undefined || node.detail === "" ? "" : `: ${oneLine(node.detail)}`;
    return [
      `${stem}${last ? "└─" : "├─"} ${paint(screen, "bold", oneLine(node.id))} ${oneLine(node.kind)} ${oneLine(node.state)} (since ${relativeTime(node.since, now)}${restarts})${detail}${crash}`,
      ...lines(screen, node.children ?? [], now, `${stem}${last ? "   " : "│  "}`),
    ];
  });

/** The supervisor tree of the running factory. */
export const tree: Command<object> = (context) =>
  reading(context, async (client) => {
    const nodes = await client.tree();
    if (context.json) printJson(context, { tree: nodes.map(withIso) });
    else if (nodes.length === 0) context.terminal.out.write(`No factory is running with this state directory (${oneLine((await client.describe()).stateDirectory)}), so there is no tree.\n`);
    else context.terminal.out.write(`${lines(context.terminal.out, nodes, context.tools.now(), "").join("\n")}\n`);
    return exitCode.ok;
  });

const withIso = (node: ProcessNode): Readonly<Record<string, unknown>> => ({ ...node, since: isoTime(node.since), ...(node.children === undefined ? {} : { children: node.children.map(withIso) }) });

const marks: Readonly<Record<"ok" | "warning" | "failed", readonly [string, Tone]>> = { ok: ["ok     ", "green"], warning: ["warning", "yellow"], failed: ["failed ", "red"] };

/** Looks at everything the factory needs; changes nothing. */
export const doctor: Command<object> = async (context) => {
  const checks = await context.tools.doctor(context.place);
  const failed = checks.filter(({ state }) => state === "failed").length;
  if (context.json) printJson(context, { ready: failed === 0, checks });
  else {
    const { out } = context.terminal;
    for (const check of checks) {
      const [mark, tone] = marks[check.state];
      out.write(`${paint(out, tone, mark)} ${paint(out, "bold", oneLine(check.name))}: ${oneLine(check.detail)}\n`);
      if (check.state === "ok") continue;
      out.write(`        without it: ${oneLine(check.without)}\n`);
      if (check.mend !== undefined) out.write(`        to mend it:\n${indented(block(check.mend), "          ")}\n`);
    }
    out.write(failed === 0 ? "Ready.\n" : `Not ready: ${failed} check${failed === 1 ? "" : "s"} failed.\n`);
  }
  return failed === 0 ? exitCode.ok : exitCode.failed;
};

export interface StoreOptions { readonly file: string; readonly force?: boolean }

export const backup: Command<StoreOptions> = async (context, { file }) => {
  const to = await context.tools.backup({ ...context.place, to: pathFrom(context.place, file, context.terminal) });
  if (context.json) printJson(context, { backup: to });
  else context.terminal.out.write(`Backed up to ${oneLine(to)}\n`);
  return exitCode.ok;
};

export const restoreStore: Command<StoreOptions> = async (context, { file, force }) => {
  const said = await context.tools.restoreBackup({ ...context.place, from: pathFrom(context.place, file, context.terminal), force: force === true });
  if (context.json) printJson(context, { restored: said });
  else context.terminal.out.write(`Restored: ${oneLine(said)}\n`);
  return exitCode.ok;
};
