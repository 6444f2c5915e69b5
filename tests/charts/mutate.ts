/**
 * Makes faulty variants of a chart, to test the explorer and the invariants: a fault that nothing notices is a hole in them.
 *
 * Owns: the list of mutation operators. Every mutant is one change, named by operator and place.
 *
 * Equivalent mutants, the one rule: a mutant whose exploration has the same fingerprint as the original's is excluded. That means
 * that on every explored path it had the same states with the same whole context, the same edges and the same actions with the
 * same parameters. (Typical: dropping a guard that no reachable state makes false.) They are counted and can be listed.
 */
import { not, type AnyMachineSnapshot, type AnyStateMachine } from "xstate";
import { createChart } from "../../actors/chart.ts";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { actionName } from "../../machines/definition.ts";
import { nameOf, rawConfig, rebuild, stateNodes, transitionLists, type Guards, type RawNode, type RawTransition } from "./config.ts";
import { explore, type ExploreOptions, type Violation } from "./explore.ts";
import { leafAt, numericLeaves, recordingReads, withLeaf, type LeafPath } from "./leaf.ts";

export type Operator =
  | "guard negated" | "guard always true" | "guard always false" | "target swapped" | "initial swapped"
  | "transition removed" | "always removed" | "action dropped" | "cap off by one";

export interface Mutant {
  readonly operator: Operator;
  readonly where: string;
  readonly entry: CatalogEntry;
  readonly shown?: ExploreOptions["shown"];
}

export type Fate =
  | { readonly outcome: "caught"; readonly by: Violation }
  | { readonly outcome: "equivalent" }
  | { readonly outcome: "survived" };

/** Changes a fresh copy of the configuration. */
type Change = (config: RawNode) => void;

const isGuardFunction = (guard: unknown): guard is (args: { context: unknown }, params: unknown) => boolean =>
  typeof guard === "function" && !("check" in guard);

const transitionChanges = (machine: AnyStateMachine): readonly (readonly [Operator, string, Change])[] => {
  const config = rawConfig(machine);
  return transitionLists(config).flatMap(({ path, trigger, list }, l) =>
    list.flatMap((transition, t) => {
      const where = `${nameOf(path)} ${trigger} ${t}`;
      const at = (change: (transition: RawTransition) => void): Change => (copy) => {
        const found = transitionLists(copy)[l]?.list[t];
        if (found) change(found);
      };
      const out: [Operator, string, Change][] = [];
      const { guard } = transition;
      if (guard !== undefined) {
        out.push(["guard negated", where, at((each) => { each.guard = negated(guard); })]);
        out.push(["guard always true", where, at((each) => { delete each.guard; })]);
        out.push(["guard always false", where, at((each) => { each.guard = () => false; })]);
      }
      const sibling = siblingOfTarget(machine, path, trigger, t);
      if (sibling) out.push(["target swapped", `${where} to ${sibling}`, at((each) => { each.target = `#${sibling}`; })]);
      out.push(["transition removed", where, (copy) => { transitionLists(copy)[l]?.list.splice(t, 1); }]);
      transition.actions.forEach((action, a) => out.push(["action dropped", `${where} action ${a} ${actionName(action)}`, at((each) => { each.actions.splice(a, 1); })]));
      return out;
    }));
};

const negated = (guard: unknown): unknown => {
  if (typeof guard === "string") return not(guard);
  if (isGuardFunction(guard)) return (args: { context: unknown }, params: unknown) => !guard(args, params);
  return not(Object.assign({ type: "" }, guard));
};

const nodeChanges = (machine: AnyStateMachine): readonly (readonly [Operator, string, Change])[] =>
  stateNodes(rawConfig(machine)).flatMap(({ path, node }, n) => {
    const at = (change: (node: RawNode) => void): Change => (copy) => { const found = stateNodes(copy)[n]?.node; if (found) change(found); };
    const out: [Operator, string, Change][] = [];
    if (node.always && node.always.length > 0) out.push(["always removed", nameOf(path), at((each) => { each.always = []; })]);
    const { initial } = node, keys = Object.keys(node.states ?? {});
    if (typeof initial === "string" && keys.length > 1) {
      const other = keys[(keys.indexOf(initial) + 1) % keys.length];
      out.push(["initial swapped", `${nameOf(path)} to ${other}`, at((each) => { each.initial = other; })]);
    }
    for (const list of ["entry", "exit"] as const)
      node[list].forEach((action, a) => out.push(["action dropped", `${nameOf(path)} ${list} ${a} ${actionName(action)}`, at((each) => { each[list].splice(a, 1); })]));
    return out;
  });

/** The id of the next sibling of the state that a transition goes to. */
const siblingOfTarget = (machine: AnyStateMachine, path: readonly string[], trigger: string, index: number): string | undefined => {
  const source = path.reduce<AnyStateMachine["root"] | undefined>((node, key) => node?.states[key], machine.root);
  if (!source) return undefined;
  const definition = trigger === "always" ? source.always?.[index] : source.transitions.get(trigger === "onDone" ? `xstate.done.state.${source.id}` : trigger)?.[index];
  const target = definition?.target?.[0], parent: AnyStateMachine["root"] | undefined = target?.parent;
  if (!target || !parent) return undefined;
  const siblings = Object.values<AnyStateMachine["root"]>(parent.states).filter(({ type }) => type !== "history");
  const at = siblings.findIndex(({ id }) => id === target.id), next = siblings[(at + 1) % siblings.length];
  return next && next.id !== target.id ? next.id : undefined;
};

/** A cap, by the contract of the catalog: a number 2 in an input, with the places in the context where the chart keeps it. */
interface Cap { readonly input: LeafPath; readonly kept: readonly LeafPath[] }

const capsOf = (entry: CatalogEntry): readonly Cap[] => {
  const caps = new Map<string, Cap>(), chart = createChart(entry.machine);
  for (const { input } of entry.exploration.inputs) {
    const before = chart.start(input).state.context;
    for (const path of numericLeaves(input).filter((path) => leafAt(input, path) === 2)) {
      const after = chart.start(withLeaf(input, path, 3)).state.context;
      const kept = numericLeaves(after).filter((leaf) => leafAt(after, leaf) === 3 && leafAt(before, leaf) === 2);
      if (kept.length > 0) caps.set(path.join("."), { input: path, kept });
    }
  }
  return [...caps.values()];
};

/** The chart believes in another cap than the invariants: every comparison with it is off by one. */
const wholeCapMutants = (entry: CatalogEntry): readonly Mutant[] =>
  capsOf(entry).flatMap(({ input: path, kept }) => [1, 3].map((value): Mutant => {
    const inputs = entry.exploration.inputs.map((each) => (leafAt(each.input, path) === 2 ? { ...each, input: withLeaf(each.input, path, value) } : each));
    const shown = (snapshot: AnyMachineSnapshot): AnyMachineSnapshot => {
      const context: unknown = kept.reduce<unknown>((context, leaf) => (leafAt(context, leaf) === value ? withLeaf(context, leaf, 2) : context), snapshot.context);
      return Object.create(snapshot, { context: { value: context, enumerable: true } });
    };
    return { operator: "cap off by one", where: `${path.join(".")} taken for ${value} everywhere`, entry: { ...entry, exploration: { ...entry.exploration, inputs } }, shown };
  }));

/** One guard sees the cap one too low or one too high. Only guards that read that cap are worth a mutant. */
const guardCapMutants = (entry: CatalogEntry): readonly Mutant[] => {
  const caps = capsOf(entry), guards: Record<string, unknown> = entry.machine.implementations.guards;
  const named = Object.entries(guards).flatMap(([name, guard]) => (isGuardFunction(guard) ? [{ name, guard }] : []));
  const reads = new Map<string, Set<string>>(named.map(({ name }) => [name, new Set()]));
  const recorded = Object.fromEntries(named.map(({ name, guard }) => [name, (args: { context: unknown }, params: unknown) =>
    guard({ ...args, context: recordingReads(args.context, (path) => reads.get(name)?.add(path.join("."))) }, params)]));
  explore({ ...entry, machine: withGuards(entry, recorded) });
  return named.flatMap(({ name, guard }) => caps.flatMap(({ kept }) => kept.filter((leaf) => reads.get(name)?.has(leaf.join("."))).flatMap((leaf) => [-1, 1].map((by): Mutant => {
    const off = (args: { context: unknown }, params: unknown) => {
      const value = leafAt(args.context, leaf);
      return guard({ ...args, context: typeof value === "number" ? withLeaf(args.context, leaf, value + by) : args.context }, params);
    };
    return { operator: "cap off by one", where: `guard ${name} sees ${leaf.join(".")} ${by > 0 ? "+1" : "-1"}`, entry: { ...entry, machine: withGuards(entry, { [name]: off }) } };
  }))));
};

const withGuards = (entry: CatalogEntry, guards: Guards): AnyStateMachine => rebuild(entry.machine, rawConfig(entry.machine), guards);

/** Every mutant of a chart, in a fixed order. */
export const mutantsOf = (entry: CatalogEntry): readonly Mutant[] => [
  ...[...transitionChanges(entry.machine), ...nodeChanges(entry.machine)].map(([operator, where, change]): Mutant => {
    const config = rawConfig(entry.machine);
    change(config);
    return { operator, where, entry: { ...entry, machine: rebuild(entry.machine, config) } };
  }),
  ...wholeCapMutants(entry),
  ...guardCapMutants(entry),
];

/** What becomes of a mutant; `original` is the fingerprint of the unchanged chart. */
export const tryMutant = (mutant: Mutant, original: string): Fate => {
  const report = explore(mutant.entry, { failFast: true, ...(mutant.shown ? { shown: mutant.shown } : {}) });
  const by = report.violations[0];
  if (by) return { outcome: "caught", by };
  return report.fingerprint === original ? { outcome: "equivalent" } : { outcome: "survived" };
};

export interface Score { readonly tried: number; readonly caught: number; readonly equivalent: readonly Mutant[]; readonly survivors: readonly Mutant[] }

/** Tries these mutants of one chart. Share caught = caught / (tried − equivalent). */
export const score = (entry: CatalogEntry, mutants: readonly Mutant[]): Score => {
  const original = explore(entry).fingerprint, equivalent: Mutant[] = [], survivors: Mutant[] = [];
  let caught = 0;
  for (const mutant of mutants) {
    const { outcome } = tryMutant(mutant, original);
    if (outcome === "caught") caught++;
    else (outcome === "equivalent" ? equivalent : survivors).push(mutant);
  }
  return { tried: mutants.length, caught, equivalent, survivors };
};

export const shareCaught = (scores: readonly Score[]): number => {
  const judged = scores.reduce((sum, { tried, equivalent }) => sum + tried - equivalent.length, 0);
  return judged === 0 ? 1 : scores.reduce((sum, { caught }) => sum + caught, 0) / judged;
};
