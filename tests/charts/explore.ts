/**
 * The generic explorer: visits every abstract state of a chart, with the step function of production, and judges the graph.
 *
 * Owns: the meaning of "this lifecycle is proven". Talks to: actors/chart.ts (steps), the catalog entry (inputs, alphabet, invariants).
 *
 * I1 Two inputs never share a node: a cap that differs must not hide behind an equal abstraction.
 * I2 A step is judged with the concrete states that led to it, on a shortest path from the input.
 * I3 Nothing is executed; a throw anywhere is a violation, never a crash of the explorer.
 */
import { performance } from "node:perf_hooks";
import { createHash } from "node:crypto";
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from "xstate";
import { createChart, type Chart } from "../../actors/chart.ts";
import type { CatalogEntry, StepAction } from "../../machines/catalog.ts";
import { mark } from "./config.ts";
import { backwards, type Graph } from "./graph.ts";
import { notJson, staticFaults } from "./static.ts";

/** DESIGN §12.1: a chart with more abstract states than this counts something without bound. */
const nodeLimit = 50_000;

export type Check = "limit" | "throws" | "dead state" | "livelock" | "unreached state" | "untaken transition" | "first step" | "state invariant" | "edge invariant" | "terminal absorbs" | "JSON context" | "rules of the house" | "alphabet";

export interface Violation {
  readonly check: Check;
  readonly what: string;
  /** Shortest sequence of events that shows it: the input's name, then events. Empty for what concerns the whole chart. */
  readonly path: readonly string[];
}

export interface Report {
  readonly id: string;
  readonly nodes: number;
  readonly edges: number;
  readonly nodesByInput: readonly number[];
  readonly ms: number;
  readonly violations: readonly Violation[];
  /** Equal for two charts that behaved alike on everything explored: states with their whole context, edges, actions. */
  readonly fingerprint: string;
}

export interface ExploreOptions {
  /** Stop at the first violation (for mutants). */
  readonly failFast?: boolean;
  readonly limit?: number;
  /** Another step function than that of production (for the explorer's own tests). */
  readonly run?: (machine: AnyStateMachine) => Pick<Chart, "start" | "step">;
  /** What the invariants are shown instead of the real snapshot. */
  readonly shown?: (snapshot: AnyMachineSnapshot) => AnyMachineSnapshot;
}

class Enough extends Error {}

const label = (event: EventObject): string => {
  const text = Object.keys(event).length === 1 ? event.type : JSON.stringify(event);
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const keyOf = (entry: CatalogEntry, snapshot: AnyMachineSnapshot): string => JSON.stringify([snapshot.value, entry.exploration.abstraction(snapshot)]);

export const explore = (entry: CatalogEntry, options: ExploreOptions = {}): Report => {
  const started = performance.now();
  const { exploration } = entry, limit = options.limit ?? nodeLimit, shown = options.shown ?? ((snapshot) => snapshot);
  const marked = mark(entry.machine), chart = (options.run ?? createChart)(marked.machine);
  const violations: Violation[] = [], seen = new Set<string>();
  const untaken = new Set(marked.transitions), unreached = new Set(marked.states);
  const hash = createHash("sha256");
  const graph: Graph = { nodes: [], eventCount: exploration.events.length, targets: [] };
  const nodesByInput: number[] = [];

  /** One violation of each kind is enough: the first is on a shortest path. */
  const fault = (check: Check, what: string, path: readonly string[]): void => {
    if (seen.has(`${check} ${what}`)) return;
    seen.add(`${check} ${what}`);
    violations.push({ check, what, path });
    if (options.failFast) throw new Enough();
  };
  const pathTo = (index: number, then?: EventObject): readonly string[] => {
    const out: string[] = then ? [label(then)] : [];
    for (let node = graph.nodes[index]; node; node = node.parent === undefined ? undefined : graph.nodes[node.parent]) out.unshift(node.by);
    return out;
  };
  const judge = (check: Check, name: string, holds: () => boolean, path: () => readonly string[]): void => {
    try {
      if (!holds()) fault(check, name, path());
    } catch (error) {
      if (error instanceof Enough) throw error;
      fault(check, `${name} threw: ${messageOf(error)}`, path());
    }
  };
  const settle = (actions: readonly StepAction[]): readonly StepAction[] => {
    const { own, taken, entered } = marked.split(actions);
    for (const id of taken) untaken.delete(id);
    for (const id of entered) unreached.delete(id);
    return own;
  };

  const visitInput = (input: (typeof exploration.inputs)[number]): void => {
    const index = new Map<string, number>(), queue: number[] = [];
    const nodesBefore = graph.nodes.length;
    const add = (snapshot: AnyMachineSnapshot, key: string, parent: number | undefined, by: string): number => {
      const found = index.get(key);
      if (found !== undefined) return found;
      const at = graph.nodes.length;
      index.set(key, at);
      queue.push(at);
      const rest = snapshot.status !== "active" || exploration.restStates.some((state) => snapshot.matches(state));
      graph.nodes.push({ snapshot, parent, by, rest });
      hash.update(`${key}${JSON.stringify(snapshot.context)}${snapshot.status}\n`);
      if (snapshot.status === "error") fault("throws", `the chart is in error: ${messageOf(snapshot.error)}`, pathTo(at));
      const odd = notJson(snapshot.context);
      if (odd) fault("JSON context", odd, pathTo(at));
      for (const { name, holds } of exploration.states) judge("state invariant", name, () => holds(shown(snapshot)), () => pathTo(at));
      if (graph.nodes.length > limit) {
        fault("limit", `more than ${limit} nodes: something counts without bound; the last node is ${key}`, pathTo(at));
        throw new Enough();
      }
      return at;
    };
    try {
      const { state, actions } = chart.start(input.input);
      const own = settle(actions);
      hash.update(JSON.stringify(own));
      const first = add(state, keyOf(entry, state), undefined, `[${input.name}]`);
      for (const { name, holds } of exploration.first) judge("first step", name, () => holds({ to: shown(state), actions: own }), () => pathTo(first));
    } catch (error) {
      if (error instanceof Enough) throw error;
      return fault("throws", `start: ${messageOf(error)}`, [`[${input.name}]`]);
    }
    for (let head = 0; head < queue.length; head++) {
      const at = queue[head] ?? 0, from = graph.nodes[at]?.snapshot;
      if (from) exploration.events.forEach((event, e) => { graph.targets[at * graph.eventCount + e] = follow(at, from, event, add); });
    }
    nodesByInput.push(graph.nodes.length - nodesBefore);
  };

  const follow = (at: number, from: AnyMachineSnapshot, event: EventObject, add: (snapshot: AnyMachineSnapshot, key: string, parent: number, by: string) => number): number => {
    try {
      const { state: to, actions: all } = chart.step(from, event);
      const actions = settle(all), key = keyOf(entry, to);
      const target = add(to, key, at, label(event));
      hash.update(`${at}>${target}${actions.length > 0 ? JSON.stringify(actions) : ""}`);
      if (from.status !== "active" && (target !== at || actions.length > 0))
        fault("terminal absorbs", `${JSON.stringify(from.value)} reacts to ${event.type}`, pathTo(at, event));
      for (const { name, holds } of exploration.edges)
        judge("edge invariant", name, () => holds({ from: shown(from), event, to: shown(to), actions }), () => pathTo(at, event));
      return target;
    } catch (error) {
      if (error instanceof Enough) throw error;
      fault("throws", `${event.type} in ${JSON.stringify(from.value)}: ${messageOf(error)}`, pathTo(at, event));
      return at;
    }
  };

  const judgeGraph = (): void => {
    const all = exploration.events.map((_, e) => e);
    const alphabet = exploration.events.map((event) => JSON.stringify(event));
    const unattended = exploration.unattended.flatMap((event) => {
      const e = alphabet.indexOf(JSON.stringify(event));
      if (e < 0) fault("alphabet", `the unattended event ${label(event)} is not in the alphabet`, []);
      return e < 0 ? [] : [e];
    });
    for (const [check, events, why] of [
      ["dead state", all, "no event sequence leads to a rest state"],
      ["livelock", unattended, "without a person no rest state can be reached"],
    ] as const) {
      const ok = backwards(graph, events);
      graph.nodes.forEach((node, at) => { if (!ok[at]) fault(check, `${JSON.stringify(node.snapshot.value)}: ${why}`, pathTo(at)); });
    }
    for (const state of unreached) fault("unreached state", state, []);
    for (const transition of untaken) fault("untaken transition", transition, []);
  };

  try {
    for (const { check, what } of staticFaults(entry)) fault(check, what, []);
    for (const input of exploration.inputs) visitInput(input);
    judgeGraph();
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return {
    id: entry.id, nodes: graph.nodes.length, edges: graph.targets.length, nodesByInput,
    ms: Math.round(performance.now() - started), violations, fingerprint: hash.digest("hex"),
  };
};

/** A readable account of what was found, for assertion messages. */
export const describeViolations = (report: Report): string =>
  report.violations.map(({ check, what, path }) => `${report.id}: ${check}: ${what}${path.length > 0 ? `\n    by ${path.join(" → ")}` : ""}`).join("\n");
