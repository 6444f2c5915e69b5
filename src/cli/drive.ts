/**
 * Runs items to their end with somebody watching: the body of `run`, `exec` and `resume`.
 *
 * I1 An interrupt never loses work: as the owner everything is suspended, as a client only these items are cancelled.
 * I2 A timeout cancels only these items; a process that lost the state touches nothing. I3 However it ends, the connection is closed and the screen is whole.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { FactoryClient, ItemState } from "../client/contract.ts";
import type { Connection } from "../client/local-tools.ts";
import { oneLine, shellWord } from "../client/text/safe-text.ts";
import type { WorkItemId } from "../domain/ids.ts";
import { isTerminal } from "../domain/work-item.ts";
import { launched } from "./commands/daemon.ts";
import type { CommandContext } from "./context.ts";
import { follow, only } from "./follow.ts";
import { codeOf, type Interrupts, listenForInterrupts } from "./interrupts.ts";
import { itemJson, summaryText } from "./item-text.ts";
import { again } from "./place.ts";
import { exitCode } from "./problem.ts";
import { progressView, type ProgressView } from "./progress-view.ts";
import { asksPerson, questions } from "./questions.ts";
import { paint } from "./screen.ts";

export interface DriveOptions {
  readonly timeoutSeconds?: number;
  readonly verbose: boolean;
  /** From an owner that hangs. */
  readonly takeOver: boolean;
  /** `own`: this process, unless somebody owns the state already. `daemon`: the daemon, started when none runs. */
  readonly through?: "own" | "daemon";
  /** Nobody waits: once the item is handed in, this says what goes on, and the command is over. */
  readonly leave?: (id: WorkItemId) => Promise<void>;
  /** Hands in or wakes up the items; called once connected. */
  readonly begin: (client: FactoryClient) => Promise<readonly Begun[]>;
  /** The result as JSON. */
  readonly json: (items: readonly Readonly<Record<string, unknown>>[]) => unknown;
}

/** An item to watch. `mailedAt`: its last change when a command for it was left in the store; until it changes again, it is not settled. */
export interface Begun { readonly id: WorkItemId; readonly mailedAt?: number }

type Ending = "settled" | "timeout" | { readonly signal: unknown } | { readonly lost: unknown };

/** How long agents get to end after a cancel before the command leaves them to the owner; four steps of the interrupt ladder and some. */
const cancelWaitMs = 60_000;

/** A store that is gone may not even close. */
const giveUpWaitMs = 5_000;

/** Nothing more will happen here without another command. */
const isSettled = (state: ItemState, unattended: boolean): boolean =>
  isTerminal(state.item.status) || state.item.status === "paused" || (state.item.status === "blocked" && state.item.blocked !== "needsHuman") || (unattended && asksPerson(state));

export const drive = async (context: CommandContext, options: DriveOptions): Promise<number> => {
  using interrupts = listenForInterrupts();
  if (options.through === "daemon") await haveDaemon(context, interrupts.first);
  const connection = await context.tools.connect({ ...context.place, as: options.through ?? "own", automation: false, takeOver: options.takeOver });
  const view = progressView(context.terminal.err, context.tools.now);
  let left = false;
  try {
    const { role, store, sandbox } = await connection.client.describe();
    view.say(paint(context.terminal.err, "dim", oneLine(`${role === "client" ? "handed to the running factory" : "factory in this process"}; store ${store}${sandbox === "" ? "" : `; sandbox ${sandbox}`}`)));
    const begun = await options.begin(connection.client);
    const ids = begun.map(({ id }) => id);
    if (ids.length === 0) {
      view.end();
      if (context.json) context.terminal.out.write(`${JSON.stringify(options.json([]))}\n`);
      else context.terminal.out.write("Nothing is unfinished.\n");
      return exitCode.ok;
    }
    const [first] = ids;
    if (options.leave && first !== undefined) {
      view.end();
      await options.leave(first);
      left = true;
      await connection.close("abandon");
      return exitCode.ok;
    }
    const ending = await watchItems(context, connection.client, begun, view, options, interrupts);
    if (ending === "settled") return await finish(context, connection.client, ids, view, options, exitCode.ok);
    if (ending === "timeout") {
      view.say(`Not done after ${options.timeoutSeconds} s: cancelling ${ids.join(", ")}.`);
      await cancelItems(connection.client, ids, view, interrupts.first);
      return await finish(context, connection.client, ids, view, options, exitCode.notRun);
    }
    left = true;
    if ("lost" in ending) return await giveUp(context, connection, ids, view, options, ending.lost);
    // A client becomes the owner when that one is gone.
    return await leave(context, connection, (await connection.client.describe()).role === "owner", ids, view, options, ending.signal, interrupts.second);
  } finally {
    view.end();
    if (!left) await connection.close("suspend");
  }
};

/** A command that owns the state (`run`, `demo`) takes the work as well; then no daemon can be started. */
const haveDaemon = async (context: CommandContext, interrupted: AbortSignal): Promise<void> => {
  const { daemon } = context.tools;
  const owner = await daemon.find(context.place) ?? await daemon.owner(context.place);
  if (owner !== undefined && !("daemon" in owner && owner.daemon)) return;
  const { started, pid, host, port } = await launched(context, undefined, interrupted);
  if (started) context.terminal.err.write(`${paint(context.terminal.err, "dim", `started a daemon: process ${pid}, http://${host}:${port}`)}\n`);
};

const watchItems = async (context: CommandContext, client: FactoryClient, begun: readonly Begun[], view: ProgressView, options: DriveOptions, interrupts: Interrupts): Promise<Ending> => {
  const mailed = new Map(begun.map(({ id, mailedAt }) => [id, mailedAt]));
  const claimed = new Set<string>();
  /** Who runs an item wants it done now; the queue's order is for automation. */
  const claimReady = async ({ item }: ItemState): Promise<void> => {
    const key = `${item.id}/${item.attempt}`;
    if (item.status !== "ready" || claimed.has(key)) return;
    claimed.add(key);
    await client.command(item.id, { type: "claim" });
  };
  const asking = questions(context, client, view);
  const timeout = new AbortController();
  const lost = new AbortController();
  const timer = options.timeoutSeconds === undefined ? undefined : setTimeout(() => timeout.abort("timeout"), options.timeoutSeconds * 1_000);
  try {
    return await follow<Ending>({
      client,
      pick: only([...mailed.keys()]),
      stop: AbortSignal.any([interrupts.first, timeout.signal, lost.signal, asking.failed]),
      onChange: (change) => {
        if (change.type === "lost") lost.abort(change.reason);
        if (change.type === "notice") view.say(`${paint(context.terminal.err, change.level === "info" ? "dim" : "yellow", change.level)} ${oneLine(change.text)}`);
        if (change.type === "agent" && options.verbose) view.say(paint(context.terminal.err, "dim", `${change.item} ${oneLine(change.stage)} | ${oneLine(change.line)}`));
      },
      decide: async (states) => {
        view.show(states);
        for (const state of states) await claimReady(state);
        if (states.length === begun.length && states.every((state) => mailed.get(state.item.id) !== state.updatedAt && isSettled(state, context.json))) return "settled";
        await asking.consider(states);
        return undefined;
      },
    });
  } catch (error) {
    if (interrupts.first.aborted) return { signal: interrupts.first.reason };
    if (timeout.signal.aborted) return "timeout";
    if (lost.signal.aborted) return { lost: lost.signal.reason };
    throw error;
  } finally {
    clearTimeout(timer);
    asking.stop();
  }
};

const cancelItems = async (client: FactoryClient, ids: readonly WorkItemId[], view: ProgressView, stop: AbortSignal): Promise<void> => {
  const open = (await client.items()).filter(({ item }) => ids.includes(item.id) && !isTerminal(item.status));
  for (const { item } of open) await client.command(item.id, { type: "cancel" });
  const limit = AbortSignal.any([stop, AbortSignal.timeout(cancelWaitMs)]);
  await follow({
    client,
    pick: only(ids),
    stop: limit,
    decide: (states) => {
      view.show(states);
      return states.every(({ item }) => isTerminal(item.status)) ? true : undefined;
    },
  }).catch((error: unknown) => {
    if (!limit.aborted) throw error;
    view.say("Its agents have not ended yet; the factory goes on ending them.");
  });
};

/** Prints the results. `otherwise` is the code when nothing failed but not everything is done. */
const finish = async (context: CommandContext, client: FactoryClient, ids: readonly WorkItemId[], view: ProgressView, options: DriveOptions, cut: number): Promise<number> => {
  const states = only(ids)(await client.items());
  view.show(states);
  view.end();
  const items: Readonly<Record<string, unknown>>[] = [];
  for (const state of states) {
    const next = await nextSteps(context, state);
    items.push({ ...itemJson(state), next });
    if (!context.json) context.terminal.out.write(summaryText(context.terminal.out, state) + next.map((line) => `  ${paint(context.terminal.out, "dim", "next".padEnd(11))}${line}\n`).join(""));
  }
  if (context.json) context.terminal.out.write(`${JSON.stringify(options.json(items))}\n`);
  if (states.length > 0 && states.every(({ item }) => item.status === "done")) return exitCode.ok;
  return cut === exitCode.ok ? exitCode.failed : cut;
};

/** Commands that go on from here. */
const nextSteps = async (context: CommandContext, state: ItemState): Promise<readonly string[]> => {
  const { item } = state;
  const words: string[][] = [];
  if (item.status === "done") return item.branch === null ? [] : [`git -C ${shellWord(item.repository)} log -p ${item.base?.slice(0, 12) ?? ""}..${item.branch}`];
  if (asksPerson(state)) words.push(...(item.status === "blocked" ? [["task", "answer", item.id, "…"]] : [["task", "approve", item.id]]), ["resume", item.id]);
  else if (!isTerminal(item.status)) words.push(["why", item.id], ["resume", item.id]);
  else words.push(["why", item.id], ["task", "retry", item.id]);
  return Promise.all(words.map((line) => again(context.place, context.terminal, context.tools, line)));
};

/** The state went to another process, or away: what runs is the next owner's. */
const giveUp = async (context: CommandContext, connection: Connection, ids: readonly WorkItemId[], view: ProgressView, options: DriveOptions, reason: unknown): Promise<number> => {
  const { err, out } = context.terminal;
  const resume = await again(context.place, context.terminal, context.tools, ids.length === 1 ? ["resume", ...ids] : ["resume"]);
  view.end();
  // Nothing of it is this process's any more; what the next owner needs is in the store.
  await Promise.race([connection.close("abandon").catch(() => {}), sleep(giveUpWaitMs)]);
  err.write(`This process works on nothing any more: ${oneLine(String(reason))}\nAgents were left to the factory that goes on. Watch it, or go on with: ${resume}\n`);
  if (context.json) out.write(`${JSON.stringify(options.json(ids.map((id) => ({ id, status: "interrupted", next: [resume] }))))}\n`);
  return exitCode.notRun;
};

const leave = async (context: CommandContext, connection: Connection, owner: boolean, ids: readonly WorkItemId[], view: ProgressView, options: DriveOptions, signal: unknown, second: AbortSignal): Promise<number> => {
  const { err, out } = context.terminal;
  const resume = await again(context.place, context.terminal, context.tools, ids.length === 1 ? ["resume", ...ids] : ["resume"]);
  const atOnce = new Promise<"atOnce">((resolve) => {
    if (second.aborted) resolve("atOnce");
    second.addEventListener("abort", () => resolve("atOnce"));
  });
  view.say(owner ? "Stopping: agents are asked to end, their work is kept. Once more leaves at once." : `Cancelling ${ids.join(", ")}; other items of the running factory go on. Once more leaves at once.`);
  const polite = owner ? connection.close("suspend") : cancelItems(connection.client, ids, view, second).then(() => connection.close("abandon"));
  const how = await Promise.race([polite.then(() => "polite" as const), atOnce]);
  view.end();
  if (how === "atOnce") {
    err.write(owner ? "Left at once: agents may go on by themselves; the next command with this factory takes them over.\n" : "Left at once: the running factory may still be ending its agents.\n");
    // Who asked twice is told above what goes on without them; a close that fails or hangs must not keep them.
    polite.catch(() => {});
    await Promise.race([connection.close("abandon").catch(() => {}), sleep(1_000)]);
  }
  if (owner) err.write(`Resume with: ${resume}\n`);
  else err.write(`${ids.join(", ")} was cancelled; try again with: ${await again(context.place, context.terminal, context.tools, ["task", "retry", ...ids.slice(0, 1)])}\n`);
  if (context.json) out.write(`${JSON.stringify(options.json(ids.map((id) => ({ id, status: "interrupted", next: [resume] }))))}\n`);
  return codeOf(signal);
};
