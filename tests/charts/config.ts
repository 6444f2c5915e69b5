/**
 * A chart's configuration in one plain shape, so that it can be walked, marked and mutated:
 * every transition list is an array of objects, every action list an array. Functions are kept by reference.
 */
import { StateMachine, type AnyStateMachine } from "xstate";

export interface RawTransition { target?: unknown; guard?: unknown; actions: unknown[]; [key: string]: unknown }
export interface RawInvoke { onDone?: RawTransition[]; onError?: RawTransition[]; onSnapshot?: RawTransition[]; [key: string]: unknown }
export interface RawNode {
  id?: string;
  type?: string;
  initial?: unknown;
  states?: Record<string, RawNode>;
  on?: Record<string, RawTransition[]>;
  after?: Record<string, RawTransition[]>;
  always?: RawTransition[];
  onDone?: RawTransition[];
  invoke?: RawInvoke[];
  entry: unknown[];
  exit: unknown[];
  [key: string]: unknown;
}

/** One list of transitions of one state node: what triggers it, and the list itself (to change in place). */
export interface TransitionList { readonly path: readonly string[]; readonly trigger: string; readonly list: RawTransition[] }

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const list = (value: unknown): unknown[] => (value === undefined ? [] : Array.isArray(value) ? [...value] : [value]);
const record = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});
const mapValues = <T>(value: unknown, to: (each: unknown) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(record(value)).map(([key, each]) => [key, to(each)]));

/** `undefined` in a transition map is a transition that forbids the event: one without target or actions. */
const transitions = (value: unknown): RawTransition[] =>
  (Array.isArray(value) ? value : [value]).map((each: unknown) =>
    isObject(each) ? { ...each, actions: list(each["actions"]) } : each === undefined ? { actions: [] } : { target: each, actions: [] });

const invoke = (value: unknown): RawInvoke => {
  const raw = record(value), out: RawInvoke = { ...raw, onDone: undefined, onError: undefined, onSnapshot: undefined };
  for (const key of ["onDone", "onError", "onSnapshot"] as const) if (raw[key] !== undefined) out[key] = transitions(raw[key]); else delete out[key];
  return out;
};

const node = (value: unknown): RawNode => {
  const raw = record(value);
  const { states, on, after, always, onDone, invoke: invoked, entry, exit, id, type, ...rest } = raw;
  return {
    ...rest,
    ...(typeof id === "string" ? { id } : {}),
    ...(typeof type === "string" ? { type } : {}),
    entry: list(entry),
    exit: list(exit),
    ...(states === undefined ? {} : { states: mapValues(states, node) }),
    ...(on === undefined ? {} : { on: mapValues(on, transitions) }),
    ...(after === undefined ? {} : { after: mapValues(after, transitions) }),
    ...(always === undefined ? {} : { always: transitions(always) }),
    ...(onDone === undefined ? {} : { onDone: transitions(onDone) }),
    ...(invoked === undefined ? {} : { invoke: list(invoked).map(invoke) }),
  };
};

/** A private copy of a machine's configuration. */
export const rawConfig = (machine: AnyStateMachine): RawNode => node(machine.config);

/** Every state node with its path from the root, parents before children, in document order. */
export const stateNodes = (root: RawNode): readonly { readonly path: readonly string[]; readonly node: RawNode }[] => {
  const out: { path: readonly string[]; node: RawNode }[] = [];
  const walk = (path: readonly string[], each: RawNode): void => {
    out.push({ path, node: each });
    for (const [key, child] of Object.entries(each.states ?? {})) walk([...path, key], child);
  };
  walk([], root);
  return out;
};

/** Every list of transitions in the chart, in document order. */
export const transitionLists = (root: RawNode): readonly TransitionList[] =>
  stateNodes(root).flatMap(({ path, node: each }) => [
    ...Object.entries(each.on ?? {}).map(([trigger, transitions]) => ({ path, trigger, list: transitions })),
    ...Object.entries(each.after ?? {}).map(([delay, transitions]) => ({ path, trigger: `after ${delay}`, list: transitions })),
    ...(each.always ? [{ path, trigger: "always", list: each.always }] : []),
    ...(each.onDone ? [{ path, trigger: "onDone", list: each.onDone }] : []),
    ...(each.invoke ?? []).flatMap((invoked, i) =>
      (["onDone", "onError", "onSnapshot"] as const).flatMap((key) => {
        const transitions = invoked[key];
        return transitions ? [{ path, trigger: `invoke ${i} ${key}`, list: transitions }] : [];
      })),
  ]);

export type Guards = Partial<AnyStateMachine["implementations"]["guards"]>;

export const nameOf = (path: readonly string[]): string => (path.length === 0 ? "(root)" : path.join("."));

/** A machine with this configuration (which names every key that the machine's own has) and the implementations of another. */
export const rebuild = (machine: AnyStateMachine, config: RawNode, guards: Guards = {}): AnyStateMachine => {
  const { implementations } = machine;
  return new StateMachine(Object.assign({}, machine.config, config), { ...implementations, guards: { ...implementations.guards, ...guards } });
};

const TAKEN = "explorer.taken", ENTERED = "explorer.entered";

export interface Marked {
  readonly machine: AnyStateMachine;
  /** All marks: a transition as `path trigger n`, a state as its path. */
  readonly transitions: readonly string[];
  readonly states: readonly string[];
  /** Separates a step's own actions from the marks that it left. */
  readonly split: <A extends { readonly type: string; readonly params: unknown }>(actions: readonly A[]) => { readonly own: readonly A[]; readonly taken: readonly string[]; readonly entered: readonly string[] };
}

/** A copy of the machine in which each transition taken and each state entered leaves an (unexecuted) action. */
export const mark = (machine: AnyStateMachine): Marked => {
  const config = rawConfig(machine), taken: string[] = [], entered: string[] = [];
  for (const { path, trigger, list } of transitionLists(config)) list.forEach((transition, i) => {
    const id = `${nameOf(path)} ${trigger} ${i}`;
    taken.push(id);
    transition.actions.push({ type: TAKEN, params: id });
  });
  for (const { path, node: each } of stateNodes(config)) if (each.type !== "history" && path.length > 0) {
    entered.push(nameOf(path));
    each.entry.push({ type: ENTERED, params: nameOf(path) });
  }
  const marks = (actions: readonly { readonly type: string; readonly params: unknown }[], type: string): readonly string[] =>
    actions.flatMap((action) => (action.type === type && typeof action.params === "string" ? [action.params] : []));
  return {
    machine: rebuild(machine, config),
    transitions: taken,
    states: entered,
    split: (actions) => ({ own: actions.filter(({ type }) => type !== TAKEN && type !== ENTERED), taken: marks(actions, TAKEN), entered: marks(actions, ENTERED) }),
  };
};
