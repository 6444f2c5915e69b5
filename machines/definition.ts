import type { AnyStateMachine } from "xstate";
import type { ChartAction, ChartDefinition, ChartInvoke, ChartNode, ChartTransition } from "../src/domain/chart.ts";

/**
 * A chart as data (src/domain/chart.ts), for whoever draws it or sends it to a viewer.
 *
 * XState's own `machine.definition` will not do: it leaves out `always`, and guards put together with `not` or `and` vanish from its JSON,
 * which shows a guarded transition as a free one.
 */
export const definitionOf = (machine: AnyStateMachine): ChartDefinition => {
  const known = made.get(machine);
  if (known) return known;
  const definition: ChartDefinition = { id: machine.id, ...nodeOf(machine.id, [], machine.config) };
  made.set(machine, definition);
  return definition;
};

const made = new WeakMap<AnyStateMachine, ChartDefinition>();

type Raw = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Raw => typeof value === "object" && value !== null;
const listOf = (value: unknown): readonly unknown[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** A guard as a person would read it: `spent`, `not(spent)`, `and(a, b)`. */
export const guardName = (guard: unknown): string => {
  if (typeof guard === "string") return guard;
  if (isRecord(guard) && "type" in guard) return String(guard["type"]);
  if (typeof guard !== "function") return "(inline)";
  if (!("check" in guard) || typeof guard.check !== "function") return guard.name || "(inline)";
  const operator = guard.check.name.replace(/^check/, "").toLowerCase();
  return `${operator}(${("guards" in guard ? listOf(guard.guards) : []).map(guardName).join(", ")})`;
};

/** An action as it is named in the configuration. */
export const actionName = (action: unknown): string => {
  if (typeof action === "string") return action;
  if (typeof action === "function") return "type" in action && typeof action.type === "string" ? action.type : action.name || "(inline)";
  return isRecord(action) && "type" in action ? String(action["type"]) : "(inline)";
};

/** Parameters only where they are written down; computed ones are known when the action is. */
const actionOf = (action: unknown): ChartAction => {
  const params = isRecord(action) ? action["params"] : undefined;
  return { type: actionName(action), ...(params === undefined || typeof params === "function" ? {} : { params }) };
};

const actionsOf = (value: unknown): { readonly actions?: ChartAction[] } => {
  const actions = listOf(value).map(actionOf);
  return actions.length === 0 ? {} : { actions };
};

/** The absolute form of a target written in the configuration of the state at `path`. */
const absolute = (chart: string, path: readonly string[], target: string): string => {
  if (target.startsWith("#")) return target;
  return `#${[chart, ...(target.startsWith(".") ? [...path, target.slice(1)] : [...path.slice(0, -1), target])].join(".")}`;
};

/** `undefined` in a transition map forbids the event: a transition without target or actions. */
const transitionsIn = (chart: string, path: readonly string[], value: unknown): ChartTransition[] => (Array.isArray(value) ? value : [value]).map((each: unknown): ChartTransition => {
  const raw: Raw = isRecord(each) ? each : { target: each };
  const targets = listOf(raw["target"]).flatMap((target) => (typeof target === "string" ? [absolute(chart, path, target)] : []));
  return {
    ...(targets.length === 0 ? {} : { target: targets }),
    ...(raw["guard"] === undefined ? {} : { guard: guardName(raw["guard"]) }),
    ...actionsOf(raw["actions"]),
    ...(raw["reenter"] === true ? { reenter: true } : {}),
    ...(typeof raw["description"] === "string" ? { description: raw["description"] } : {}),
  };
});

const invokeOf = (chart: string, path: readonly string[], value: unknown): ChartInvoke => {
  const raw: Raw = isRecord(value) ? value : {};
  const id = text(raw["id"]);
  const list = (key: "onDone" | "onError" | "onSnapshot"): { readonly [K in typeof key]?: ChartTransition[] } => (raw[key] === undefined ? {} : { [key]: transitionsIn(chart, path, raw[key]) });
  return { src: text(raw["src"]) ?? "(inline)", ...(id === undefined ? {} : { id }), ...list("onDone"), ...list("onError"), ...list("onSnapshot") };
};

const types = new Set(["atomic", "compound", "parallel", "final", "history"] as const);
const isType = (value: unknown): value is NonNullable<ChartNode["type"]> => (types as ReadonlySet<unknown>).has(value);

const nodeOf = (chart: string, path: readonly string[], raw: Raw): ChartNode => {
  const map = (value: unknown): Record<string, ChartTransition[]> => Object.fromEntries(Object.entries(isRecord(value) ? value : {}).map(([key, each]) => [key, transitionsIn(chart, path, each)]));
  const initial = isRecord(raw["initial"]) ? listOf(raw["initial"]["target"])[0] : raw["initial"];
  const target = text(raw["target"]);
  const entry = actionsOf(raw["entry"]).actions, exit = actionsOf(raw["exit"]).actions;
  return {
    ...(isType(raw["type"]) ? { type: raw["type"] } : {}),
    ...(typeof initial === "string" ? { initial: initial.replace(/^\./, "") } : {}),
    ...(typeof raw["description"] === "string" ? { description: raw["description"] } : {}),
    ...(raw["type"] === "history" ? { history: raw["history"] === "deep" ? "deep" as const : "shallow" as const } : {}),
    ...(target === undefined ? {} : { target: absolute(chart, path, target) }),
    ...(entry === undefined ? {} : { entry }),
    ...(exit === undefined ? {} : { exit }),
    ...(raw["on"] === undefined ? {} : { on: map(raw["on"]) }),
    ...(raw["after"] === undefined ? {} : { after: map(raw["after"]) }),
    ...(raw["always"] === undefined ? {} : { always: transitionsIn(chart, path, raw["always"]) }),
    ...(raw["onDone"] === undefined ? {} : { onDone: transitionsIn(chart, path, raw["onDone"]) }),
    ...(raw["invoke"] === undefined ? {} : { invoke: listOf(raw["invoke"]).map((each) => invokeOf(chart, path, each)) }),
    ...(isRecord(raw["states"]) ? { states: Object.fromEntries(Object.entries(raw["states"]).map(([key, child]) => [key, nodeOf(chart, [...path, key], isRecord(child) ? child : {})])) } : {}),
  };
};
