/** `task …`: looks at work items and sends them commands. Works with or without a running factory. */
import { existsSync } from "node:fs";
import type { FactoryDescription, ItemCommand } from "../../client/contract.ts";
import { relativeTime } from "../../client/explain.ts";
import { gateLines } from "../../client/text/gates-text.ts";
import { iterationsOf, stageText, waitText } from "../../client/text/item-text.ts";
import { block, indented, oneLine } from "../../client/text/safe-text.ts";
import { localTime } from "../../client/text/time-text.ts";
import { OperatorLane } from "../../domain/lane.ts";
import { capText } from "../../domain/ledger.ts";
import { costText } from "../../domain/spend.ts";
import { isTerminal } from "../../domain/work-item.ts";
import { type Command, type CommandContext, itemId, itemState, printJson, reading } from "../context.ts";
import { itemJson, summaryText } from "../item-text.ts";
import { again, pathFrom } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint } from "../screen.ts";
import { table } from "../table.ts";

export interface ListOptions { readonly open?: boolean }

export const list: Command<ListOptions> = (context, options) =>
  reading(context, async (client) => {
    const [description, all] = await Promise.all([client.describe(), client.items()]);
    const states = options.open === true ? all.filter(({ item }) => !isTerminal(item.status)) : all;
    if (context.json) {
      printJson(context, { factory: description, workItems: states.map(itemJson) });
      return exitCode.ok;
    }
    header(context, description);
    const { out } = context.terminal;
    if (states.length === 0) {
      out.write(all.length === 0 ? 'There are no work items yet. Start one: enact-factory run "Fix the failing test" -p .\n' : "Every work item has ended.\n");
      return exitCode.ok;
    }
    const now = context.tools.now();
    out.write(table(out, ["ID", "STATUS", "STAGE", "LANE", "ITER", "CHANGED", "TITLE", "WAITS"], states.map((state) => [
      state.item.id, state.item.status, stageText(state), state.item.operatorLane, String(iterationsOf(state)), relativeTime(state.updatedAt, now), state.item.title.slice(0, 60), isTerminal(state.item.status) ? "" : waitText(state, now),
    ])));
    return exitCode.ok;
  });

/** Where the items are kept; beside the result, not in it. */
const header = (context: CommandContext, { role, store, stateDirectory }: FactoryDescription): void => {
  const { err } = context.terminal;
  err.write(`${paint(err, "dim", oneLine(`${role === "client" ? "a factory is running; " : ""}store ${store}; state ${stateDirectory}`))}\n`);
};

export interface IdOptions { readonly id: string }

export const show: Command<IdOptions> = (context, { id: given }) => {
  const id = itemId(given);
  return reading(context, async (client) => {
    const state = await itemState(client, id);
    const [checkpoints, spend] = await Promise.all([client.checkpoints(state.item.id), client.spend({ item: state.item.id })]);
    const caps = spend.caps.filter(({ of, day }) => day === null || of === "" || of === state.item.project);
    if (context.json) {
      printJson(context, { ...itemJson(state), checkpoints, spend: { today: spend.today, day: spend.day, caps } });
      return exitCode.ok;
    }
    const { out } = context.terminal;
    const { item } = state;
    const rows: readonly (readonly [string, string])[] = [
      ["state", `${item.status}${stageText(state) === "" ? "" : `, ${stageText(state)}`}${isTerminal(item.status) ? "" : `; ${waitText(state, context.tools.now())}`}`],
      ["kind", `${item.kind}, priority ${item.priority}, lane ${item.operatorLane}`],
      ["project", `${item.project} (${item.repository})`],
      ["from", `${item.source} ${item.sourceId}`],
      ["created", localTime(item.createdAt)],
      ["changed", localTime(state.updatedAt)],
      ...gateLines(item).map(({ name, state: settled, evidence }, n) => [n === 0 ? "gates" : "", `${name} ${settled}${evidence === "" ? "" : `: ${evidence}`}`] as const),
      ...item.ledger.map(({ at, what, reason }) => ["closing", `${localTime(at)} ${what}: ${reason}`] as const),
      ["today", `${costText(spend.day.cost)} by all agents`],
      ...caps.map((cap) => ["cap", capText(cap)] as const),
      ...(item.worktree === null ? [] : [["worktree", item.worktree] as const]),
      ...checkpoints.slice(-5).map(({ ref, commit }) => ["checkpoint", `${ref} ${commit.slice(0, 12)}`] as const),
    ];
    out.write(summaryText(out, state));
    out.write(rows.map(([name, value]) => `  ${paint(out, "dim", name.padEnd(11))}${oneLine(value)}\n`).join(""));
    return exitCode.ok;
  });
};

/** Sends one command and says when it takes effect. What makes no sense for the item's state is refused by the client itself. */
const send = (context: CommandContext, given: string, command: ItemCommand, said: string): Promise<number> => {
  const id = itemId(given);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    const { delivered } = await client.command(item.id, command);
    const goOn = await again(context.place, context.terminal, context.tools, ["resume", item.id]);
    if (context.json) printJson(context, { id: item.id, command: command.type, delivered, ...(delivered === "queued" ? { next: goOn } : {}) });
    else context.terminal.out.write(delivered === "now" ? `${item.id}: ${said}.\n` : `${item.id}: ${said}, noted. A running factory takes it up at once; without one it waits for: ${goOn}\n`);
    return exitCode.ok;
  });
};

export const cancel: Command<IdOptions> = (context, { id }) => send(context, id, { type: "cancel" }, "to be cancelled, its work kept");
export const retry: Command<IdOptions> = (context, { id }) => send(context, id, { type: "retry" }, "to be tried again");
export const approve: Command<IdOptions> = (context, { id }) => send(context, id, { type: "approve" }, "approved");
export const pause: Command<IdOptions> = (context, { id }) => send(context, id, { type: "pause" }, "paused");
export const unpause: Command<IdOptions> = (context, { id }) => send(context, id, { type: "resume" }, "waits for its turn again");

export interface AnswerOptions extends IdOptions { readonly text: string }
export const answer: Command<AnswerOptions> = (context, { id, text }) => {
  if (text.trim() === "") throw new CliProblem("The answer is empty.", `enact-factory task answer ${itemId(id)} "your answer"`);
  return send(context, id, { type: "answer", text }, "answered");
};

export interface RejectOptions extends IdOptions { readonly reason: string }
export const reject: Command<RejectOptions> = (context, { id, reason }) => send(context, id, { type: "reject", reason }, "rejected");

export const close: Command<RejectOptions> = (context, { id, reason }) => send(context, id, { type: "acknowledgeClose", reason }, "closed by you");

export interface LaneOptions extends IdOptions { readonly lane: string }
export const lane: Command<LaneOptions> = (context, { id, lane: given }) => {
  const parsed = OperatorLane.safeParse(given);
  if (!parsed.success) throw new CliProblem(parsed.error.issues[0]?.message ?? "no operator lane", `For example: enact-factory lane set ${itemId(id)} manual`);
  return send(context, id, { type: "lane", lane: parsed.data }, `in lane ${parsed.data}`);
};

export interface RestoreOptions extends IdOptions { readonly ref?: string; readonly to?: string; readonly list?: boolean }

/** Puts the files of a checkpoint into a new directory; the newest when none is named. */
export const restore: Command<RestoreOptions> = (context, options) => {
  const id = itemId(options.id);
  return reading(context, async (client) => {
    const { item } = await itemState(client, id);
    const checkpoints = await client.checkpoints(item.id);
    const { out } = context.terminal;
    if (options.list === true) {
      if (context.json) printJson(context, { id: item.id, checkpoints });
      else out.write(checkpoints.length === 0 ? `${item.id} has no checkpoints.\n` : table(out, ["REF", "COMMIT"], checkpoints.map(({ ref, commit }) => [ref, commit])));
      return exitCode.ok;
    }
    const chosen = options.ref === undefined ? checkpoints.at(-1) : checkpoints.find(({ ref, commit }) => ref === options.ref || ref.endsWith(`/${options.ref}`) || commit === options.ref);
    if (chosen === undefined) throw new CliProblem(checkpoints.length === 0 ? `${item.id} has no checkpoints.` : `${item.id} has no checkpoint ${JSON.stringify(options.ref)}.`, checkpoints.length === 0 ? `Its commits, if any, are on ${item.branch ?? `enact/${item.id}`}.` : `enact-factory task restore ${item.id} --list shows them.`);
    const to = pathFrom(context.place, options.to ?? `${item.id}-restored`, context.terminal);
    if (existsSync(to)) throw new CliProblem(`${to} exists already; nothing was changed.`, "Name a new directory with --to DIR.");
    const restored = await client.restore(item.id, chosen.ref, to);
    if (context.json) printJson(context, { id: item.id, ref: chosen.ref, commit: chosen.commit, directory: restored });
    else out.write(`${indented(block(`Put ${chosen.ref} (${chosen.commit.slice(0, 12)}) into ${restored}`), "")}\n`);
    return exitCode.ok;
  });
};
