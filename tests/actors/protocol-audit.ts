/** Judges a life by its journal alone: every actor is replayed from its first event, all in the order in which they were committed. */
import type { AnyMachineSnapshot, EventObject } from "xstate";
import { type Chart, createChart } from "../../actors/chart.ts";
import { catalog } from "../../machines/index.ts";
import type { PipelineContext } from "../../machines/pipeline-context.ts";
import type { StageContext } from "../../machines/stage.ts";
import type { WorkItemContext } from "../../machines/work-item.ts";
import { type Address, parseAddress } from "../../src/domain/ids.ts";
import type { MemoryState } from "../../src/store/memory.ts";

interface Replayed { readonly id: string; readonly chart: Chart; state: AnyMachineSnapshot; seq: number }

const charts = new Map(catalog.filter(({ durable }) => durable).map(({ id, machine }) => [id, createChart(machine)]));

const eventOf = (json: string): EventObject & { readonly chart?: unknown; readonly input?: unknown } => JSON.parse(json);

/** A message as its pipeline knows it in the end. */
export interface Told { readonly id: string; readonly state: string; readonly pipeline: Address; readonly over: boolean; readonly warned: boolean }

export interface Audit { readonly faults: readonly string[]; /** Every message that a pipeline took. */ readonly messages: readonly Told[]; /** As `Lived.believed`. */ readonly replayed: ReadonlyMap<Address, string>; readonly turns: number }

export const audit = (state: MemoryState): Audit => {
  const faults = new Set<string>(), actors = new Map<Address, Replayed>();
  /** Actors of a chart that have not ended, by item. */
  const alive = new Map<string, Set<Address>>(), coderTurns = new Map<Address, Set<Address>>();
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
    const actor = actors.get(row.actor), item = parseAddress(row.actor)?.item;
    if (!actor || !item) continue;
    const key = `${actor.id} of ${item}`, living = alive.get(key) ?? new Set();
    alive.set(key, living);
    if (actor.state.status === "active") living.add(row.actor);
    else living.delete(row.actor);
    if ((actor.id === "stage" || actor.id === "pipeline") && living.size > 1) faults.add(`${living.size} live at once: ${[...living].join(", ")}`);
    if (actor.id === "pipeline") {
      const { context }: { context: PipelineContext } = actor.state;
      if (context.iteration > context.policy.maxIterations) faults.add(`${row.actor} is at iteration ${context.iteration}`);
    }
    if (actor.id === "stage") {
      const { context }: { context: StageContext } = actor.state;
      if (context.infraFailures > context.policy.infraRetries || context.crashes > context.policy.crashRetries) faults.add(`${row.actor} is over its caps`);
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
