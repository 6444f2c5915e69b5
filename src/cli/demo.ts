/** `demo`: five work items on a throwaway repository, two at a time, and a proof of the results. */
import type { ItemState, JournalLine } from "../client/contract.ts";
import type { Connection } from "../client/local-tools.ts";
import { iterationsOf } from "../client/text/item-text.ts";
import { oneLine, shellWord } from "../client/text/safe-text.ts";
import { stopwatch } from "../client/text/time-text.ts";
import { AdapterName } from "../domain/agent.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { Command, CommandContext } from "./context.ts";
import { type DemoPlace, makeDemoPlace } from "./demo-place.ts";
import { prove, type Proof } from "./demo-proof.ts";
import { follow } from "./follow.ts";
import { codeOf, listenForInterrupts } from "./interrupts.ts";
import { CliProblem, exitCode } from "./problem.ts";
import { progressView, type ProgressView } from "./progress-view.ts";
import { paint, type Screen } from "./screen.ts";
import { table } from "./table.ts";

export interface DemoOptions { readonly keep?: boolean; readonly adapter?: string }

const itemCount = 5;
/** What the demo's human says. */
const humanAnswer = "To the even neighbour, as our bank does.";
/** Scripted agents need seconds; something hangs when it takes this long. Real agents get all the time they want. */
const scriptedLimitMs = 180_000;

export const demo: Command<DemoOptions> = async (context, options) => {
  const adapter = AdapterName.safeParse(options.adapter ?? "scripted");
  if (!adapter.success) throw new CliProblem(`${JSON.stringify(options.adapter)} is no adapter.`, `Write one of ${AdapterName.options.join(", ")}.`);
  using interrupts = listenForInterrupts();
  const place = await makeDemoPlace(context.terminal.env);
  const view = progressView(context.terminal.err, context.tools.now);
  try {
    return await play(context, place, adapter.data, view, interrupts.first);
  } catch (error) {
    if (!interrupts.first.aborted) throw error;
    view.say("Interrupted.");
    return codeOf(interrupts.first.reason);
  } finally {
    view.end();
    if (options.keep === true) context.terminal.err.write(`Kept: ${place.directory}\n  Look around: enact-factory -C ${shellWord(place.directory)} task list\n`);
    else place.remove();
  }
};

const play = async (context: CommandContext, place: DemoPlace, adapter: AdapterName, view: ProgressView, interrupted: AbortSignal): Promise<number> => {
  const { err } = context.terminal;
  const startedAt = context.tools.now();
  const connection = await connectWithSandbox(context, place, adapter, view);
  let states: readonly ItemState[];
  let times: ReadonlyMap<string, number>;
  let events: ReadonlyMap<string, readonly JournalLine[]>;
  try {
    interrupted.throwIfAborted();
    view.say(paint(err, "dim", `${itemCount} work items, two at a time, on ${oneLine(place.repository)}`));
    const limit = adapter === "scripted" ? AbortSignal.timeout(scriptedLimitMs) : undefined;
    ({ states, times } = await watchAll(context, connection, view, limit === undefined ? interrupted : AbortSignal.any([interrupted, limit])));
    events = new Map(await Promise.all(states.map(async ({ item }) => [item.id, await connection.client.journal({ id: item.id })] as const)));
  } finally {
    await connection.close("suspend");
  }
  view.say(paint(err, "dim", "running the repository's own tests on base and on every result"));
  const proof = await prove(place, states, context.terminal.env);
  view.end();
  const screen = context.json ? err : context.terminal.out;
  const problems = [...unproven(states, proof), ...(adapter === "scripted" ? unplayed(states, events) : [])];
  printTable(screen, states, times);
  printProof(screen, states, proof);
  for (const problem of problems) screen.write(`${paint(screen, "red", "not as it should be:")} ${oneLine(problem)}\n`);
  screen.write(`${problems.length === 0 ? paint(screen, "green", `All ${itemCount} work items are done`) : "The demo failed"} after ${stopwatch(context.tools.now() - startedAt)}.\n`);
  if (context.json) context.terminal.out.write(`${JSON.stringify({ workItems: states.map((state) => ({ id: state.item.id, status: state.item.status, iterations: iterationsOf(state), branch: state.item.branch, commit: state.item.head, checks: state.item.checks })) })}\n`);
  return problems.length === 0 ? exitCode.ok : exitCode.failed;
};

/** Checks run in a sandbox where one works. This repository is the demo's own, so it may go without; that is said. */
const connectWithSandbox = async (context: CommandContext, place: DemoPlace, adapter: AdapterName, view: ProgressView): Promise<Connection> => {
  const open = (overrides: Readonly<Record<string, unknown>>): Promise<Connection> =>
    context.tools.connect({ configFile: place.configFile, directory: place.directory, as: "own", automation: true, overrides: { adapter, ...overrides } });
  const { checks, why } = await sandboxOf(context, place);
  if (checks) return open({});
  view.say(`${paint(context.terminal.err, "yellow", "NO SANDBOX works here")} (${oneLine(why)}).\n  The demo's own tests run without one. Your repositories would be refused until one works, or verify.sandbox is "off".`);
  return open({ "verify.sandbox": "off" });
};

const sandboxOf = async (context: CommandContext, place: DemoPlace): Promise<{ readonly checks: boolean; readonly why: string }> => {
  const found = (await context.tools.doctor({ configFile: place.configFile, directory: place.directory })).find(({ name }) => name === "sandbox");
  return { checks: found?.state === "ok", why: found?.detail ?? "not probed" };
};

interface Watched { readonly states: readonly ItemState[]; readonly times: ReadonlyMap<string, number> }

const watchAll = async (context: CommandContext, { client }: Connection, view: ProgressView, stop: AbortSignal): Promise<Watched> => {
  const { err } = context.terminal;
  const begun = new Map<string, number>();
  const times = new Map<string, number>();
  const answered = new Set<string>();
  return follow<Watched>({
    client,
    pick: (items) => items,
    stop,
    onChange: (change) => {
      if (change.type === "notice" && change.level !== "info") view.say(`${paint(err, "yellow", change.level)} ${oneLine(change.text)}`);
    },
    decide: async (states) => {
      const now = context.tools.now();
      for (const { item } of states) {
        if (!begun.has(item.id) && item.status !== "discovered" && item.status !== "ready") begun.set(item.id, now);
        if (isTerminal(item.status) && !times.has(item.id)) times.set(item.id, now - (begun.get(item.id) ?? now));
      }
      view.show(states);
      for (const { item } of states) {
        if (item.status !== "blocked" || item.blocked !== "needsHuman" || answered.has(item.id)) continue;
        answered.add(item.id);
        view.say(`${paint(err, "yellow", `${item.id} asks a human:`)} ${oneLine(item.question ?? "")}\n  the demo answers as one: ${humanAnswer}`);
        await client.command(item.id, { type: "answer", text: humanAnswer });
      }
      const over = states.length >= itemCount && states.every(({ item }) => isTerminal(item.status) || (item.status === "blocked" && item.blocked !== "needsHuman"));
      return over ? { states, times } : undefined;
    },
  });
};

/** What the repository's own tests say against the claim that all is done. */
const unproven = (states: readonly ItemState[], proof: Proof): readonly string[] => {
  const problems: string[] = [];
  if (proof.base.fail === 0) problems.push("the base has no failing test, so the demo shows nothing");
  for (const { item } of states) {
    if (item.status !== "done") problems.push(`${item.id} is ${item.status}: ${item.reason}`);
    const result = proof.branches.get(item.id);
    if (item.status === "done" && result === undefined) problems.push(`${item.id} has no branch`);
    if (result === undefined) continue;
    if (item.head !== result.commit) problems.push(`${item.id}: its branch is at ${result.commit.slice(0, 12)}, its item says ${item.head?.slice(0, 12) ?? "nothing"}`);
    if (result.fail >= proof.base.fail) problems.push(`${item.id}: ${result.fail} tests fail, as many as on base`);
    const broken = result.failed.filter((name) => !proof.base.failed.includes(name));
    if (broken.length > 0) problems.push(`${item.id} broke ${broken.join(", ")}`);
  }
  return problems;
};

/** The script has a review that says revise, a crash and a question; each must have left its trace in the journal. */
const unplayed = (states: readonly ItemState[], events: ReadonlyMap<string, readonly JournalLine[]>): readonly string[] => {
  const all = [...events.values()].flat();
  const problems: string[] = [];
  if (!states.some((state) => iterationsOf(state) > 1)) problems.push("no review sent work back");
  if (!all.some(({ type, event }) => type === "turn.ended" && JSON.stringify(event).includes('"kind":"crashed"'))) problems.push("no agent crashed");
  if (!all.some(({ type }) => type === "answer")) problems.push("no agent asked");
  return problems;
};

const printTable = (screen: Screen, states: readonly ItemState[], times: ReadonlyMap<string, number>): void => {
  screen.write("\n");
  screen.write(table(screen, ["ITEM", "STATUS", "ITERATIONS", "COMMIT", "CHECKS", "TIME", "TITLE"], states.map((state) => [
    state.item.id, state.item.status, String(iterationsOf(state)), state.item.head?.slice(0, 10) ?? "-",
    state.item.checks === null ? "-" : `${state.item.checks.base} → ${state.item.checks.head}`, stopwatch(times.get(state.item.id) ?? 0), state.item.title,
  ])));
};

const printProof = (screen: Screen, states: readonly ItemState[], proof: Proof): void => {
  screen.write(`\n${paint(screen, "bold", "The repository's own tests (node --test), run on each result:")}\n`);
  const line = (name: string, count: { readonly pass: number; readonly tests: number } | null | undefined): void =>
    screen.write(`  ${name.padEnd(10)}${count === undefined ? "no result" : count === null ? "the results do not merge without conflicts" : `${count.pass} of ${count.tests} pass`}\n`);
  line("base", proof.base);
  for (const { item } of states) line(item.id, proof.branches.get(item.id));
  line("together", proof.together);
};
