/** Judges a life by its journal alone: every actor is replayed from its first event, all in the order in which they were committed. */
import type { AnyMachineSnapshot, EventObject } from "xstate";
import { type Chart, createChart } from "../../actors/chart.ts";
import { catalog } from "../../machines/index.ts";
import type { PipelineContext } from "../../machines/pipeline-context.ts";
import type { MemberContext } from "../../machines/member-context.ts";
import { type SpendContext, spendAddress } from "../../machines/spend.ts";
import type { StageContext } from "../../machines/stage.ts";
import type { TeamContext } from "../../machines/team-context.ts";
import type { WorkItemContext } from "../../machines/work-item-context.ts";
import { type Address, memberAddress, parseAddress } from "../../src/domain/ids.ts";
import { defaultRefusedRetries } from "../../src/domain/policy.ts";
import type { Charge } from "../../src/domain/spend.ts";
import type { MemoryState } from "../../src/store/memory.ts";

interface Replayed { readonly id: string; readonly chart: Chart; state: AnyMachineSnapshot; seq: number }

export const charts = new Map(catalog.filter(({ durable }) => durable).map(({ id, machine }) => [id, createChart(machine)]));

export const eventOf = (json: string): EventObject & { readonly chart?: unknown; readonly input?: unknown } => JSON.parse(json);

/** A message as its pipeline knows it in the end. */
export interface Told { readonly id: string; readonly state: string; readonly pipeline: Address; readonly over: boolean; readonly warned: boolean }

export interface Audit { readonly faults: readonly string[]; /** Every message that a pipeline took. */ readonly messages: readonly Told[]; /** As `Lived.believed`. */ readonly replayed: ReadonlyMap<Address, string>; readonly turns: number }
const overWaits = ({ infraFailures, refused = 0, policy }: Pick<StageContext | MemberContext, "infraFailures" | "refused" | "policy">): boolean => infraFailures - refused > policy.infraRetries || refused > (policy.refusedRetries ?? defaultRefusedRetries);

/** What must hold of a team after every event, besides what its exploration says. */
const teamFaults = (context: TeamContext, before: ReadonlyMap<number, string>): readonly string[] => {
  const faults: string[] = [], owners = context.board.tasks.flatMap(({ state, owner }) => (state === "claimed" ? [owner ?? "nobody"] : []));
  if (new Set(owners).size !== owners.length) faults.push(`a member has two tasks: ${owners.join(", ")}`);
  if (context.fixes > context.limits.maxFixes) faults.push(`${context.fixes} fixes`);
  for (const [id, state] of before) {
    const now = context.board.tasks.find((task) => task.id === id);
    if (!now) faults.push(`task ${id} is gone`);
    // Merged exactly once: done is for good, and comes from merging alone.
    else if ((state === "done" || state === "failed" || state === "cancelled") && now.state !== state) faults.push(`task ${id} was ${state} and is ${now.state}`);
    else if (now.state === "done" && state !== "done" && state !== "merging") faults.push(`task ${id} is done without a merge`);
  }
  for (const task of context.board.tasks) if (task.attempts > context.limits.taskAttempts) faults.push(`task ${task.id} had ${task.attempts} attempts`);
  return faults;
};

export const audit = (state: MemoryState): Audit => {
  const faults = new Set<string>(), actors = new Map<Address, Replayed>();
  /** Actors of a chart that have not ended, by item. */
  const alive = new Map<string, Set<Address>>(), coderTurns = new Map<Address, Set<Address>>();
  /** Which task of a team had its work merged how often; two merges of one task at most after another conflict. */
  const tasks = new Map<Address, Map<number, string>>();
  /** Runs whose end a stage or a member took in, by item: the ledger has each once. */
  const charged = new Map<string, Set<string>>();
  let turns = 0;
  for (const row of state.journal) {
    const event = eventOf(row.event), known = actors.get(row.actor);
    let actions: readonly { readonly type: string; readonly params: unknown }[] = [];
    if (known) {
      if (event.type !== "actor.start") ({ state: known.state, actions } = known.chart.step(known.state, event));
      if (row.seq !== known.seq + 1) faults.add(`the journal of ${row.actor} jumps from ${known.seq} to ${row.seq}`);
      known.seq = row.seq;
    } else {
      const id = String(event.chart), chart = charts.get(id);
      if (!chart || event.type !== "actor.start") { faults.add(`${row.actor} begins with ${event.type} of ${id}`); continue; }
      const step = chart.start(event.input);
      actors.set(row.actor, { id, chart, state: step.state, seq: row.seq });
      actions = step.actions;
    }
    turns += actions.filter(({ type, params }) => type === "effect" && JSON.stringify(params).startsWith('{"kind":"turn",')).length;
    for (const { type, params } of actions) {
      const told: { readonly event?: { readonly type?: unknown; readonly charge?: Charge | null } } = type === "tell" && typeof params === "object" && params !== null ? params : {};
      if (told.event?.type === "spent" && told.event.charge) charged.set(told.event.charge.item, (charged.get(told.event.charge.item) ?? new Set()).add(told.event.charge.run));
    }
    const actor = actors.get(row.actor), item = parseAddress(row.actor)?.item;
    if (!actor || !item) continue;
    const key = `${actor.id} of ${item}`, living = alive.get(key) ?? new Set();
    alive.set(key, living);
    if (actor.state.status === "active") living.add(row.actor);
    else living.delete(row.actor);
    if ((actor.id === "stage" || actor.id === "pipeline") && living.size > 1) faults.add(`${living.size} live at once: ${[...living].join(", ")}`);
    if (actor.id === "team") {
      const { context }: { context: TeamContext } = actor.state;
      for (const fault of teamFaults(context, tasks.get(row.actor) ?? new Map())) faults.add(`${row.actor}: ${fault}`);
      tasks.set(row.actor, new Map(context.board.tasks.map((task) => [task.id, task.state])));
      if (actor.state.status !== "active") for (const { name } of context.members) {
        const member = actors.get(memberAddress(item, context.attempt, name));
        if (member?.state.status === "active") faults.add(`${row.actor} ended before ${name}`);
      }
    }
    if (actor.id === "member") {
      const { context }: { context: MemberContext } = actor.state;
      if (context.iteration > context.policy.maxIterations || overWaits(context)) faults.add(`${row.actor} is over its caps`);
    }
    if (actor.id === "pipeline") {
      const { context }: { context: PipelineContext } = actor.state;
      if (context.iteration > context.policy.maxIterations) faults.add(`${row.actor} is at iteration ${context.iteration}`);
    }
    if (actor.id === "stage") {
      const { context }: { context: StageContext } = actor.state;
      if (overWaits(context) || context.crashes > context.policy.crashRetries) faults.add(`${row.actor} is over its caps`);
      if (context.stage === "coder") coderTurns.set(context.pipeline, (coderTurns.get(context.pipeline) ?? new Set()).add(row.actor));
    }
    if (actor.id === "work-item") {
      const { context }: { context: WorkItemContext } = actor.state;
      if (context.infraFailures > context.policy.infraRetries || context.failures > context.policy.itemFailures + (actor.state.matches("failed") ? 1 : 0)) faults.add(`${row.actor} is over its caps`);
      if (actor.state.matches("done") && (context.failing.length > 0 || context.published === "")) faults.add(`${row.actor} is done without a clean last check`);
    }
  }
  for (const [pipeline, stages] of coderTurns) {
    const found = actors.get(pipeline);
    if (!found) { faults.add(`stages of an unknown pipeline ${pipeline}`); continue; }
    const { context }: { context: PipelineContext } = found.state;
    if (stages.size > context.policy.maxIterations) faults.add(`${pipeline} had ${stages.size} coder stages`);
  }
  const ledger: SpendContext | undefined = actors.get(spendAddress)?.state.context;
  for (const [item, runs] of charged) {
    const found = ledger?.items.find(({ id }) => id === item)?.amount.turns;
    if (found !== runs.size) faults.add(`the ledger charged ${item} ${found} turns of ${runs.size}`);
  }
  for (const letter of state.deadLetters) faults.add(`dead letter: ${letter.actor} could not take ${letter.event}: ${letter.error}`);
  const messages = [...actors].flatMap(([pipeline, { id, state: replayed }]): Told[] => {
    if (id !== "pipeline") return [];
    const { context }: { context: PipelineContext } = replayed;
    return context.messages.map((message) => ({ id: message.id, state: message.state, pipeline, over: replayed.status !== "active", warned: context.warnings.some((warning) => warning.includes(message.text)) }));
  });
  // What was taken is remembered, in lives as short as these.
  const journaled = state.journal.filter(({ actor, event }) => actor.startsWith("pipeline/") && eventOf(event).type === "message");
  for (const { actor, event } of journaled) {
    const { id }: { id?: unknown } = JSON.parse(event);
    const taken = messages.filter((message) => message.pipeline === actor && message.id === id).length, closed = actors.get(actor)?.state.status !== "active";
    if (taken > 1 || (taken === 0 && !closed)) faults.add(`message ${String(id)} is ${taken} times in ${actor}`);
  }
  return { messages, faults: [...faults], turns, replayed: new Map([...actors].map(([address, { seq, state: { value, context } }]) => [address, JSON.stringify([seq, value, context])])) };
};
