/** What can be said of a chart without running it: the rules of the house that XState itself does not enforce. */
import type { CatalogEntry } from "../../machines/catalog.ts";
import { nameOf, rawConfig, stateNodes, transitionLists } from "./config.ts";

/** The terminals of durable charts (DESIGN §5). A top-level state of such a name must be final. */
const terminals: ReadonlySet<string> = new Set(["done", "failed", "cancelled", "exhausted"]);

export interface StaticFault { readonly check: "rules of the house" | "terminal absorbs"; readonly what: string }

export const staticFaults = (entry: CatalogEntry): readonly StaticFault[] => {
  const faults: StaticFault[] = [], config = rawConfig(entry.machine);
  const rule = (what: string): void => { faults.push({ check: "rules of the house", what }); };
  const { maxIterations } = entry.machine.options ?? {};
  if (maxIterations === undefined || !Number.isFinite(maxIterations)) rule("maxIterations is not set: an `always` loop would hang the process");
  for (const { path, trigger } of transitionLists(config)) {
    if (trigger === "*") rule(`${nameOf(path)} has a bare * handler, which swallows crashes of children`);
    if (entry.durable && trigger.startsWith("after ")) rule(`${nameOf(path)} uses \`after\`, which does not survive a restart`);
  }
  for (const { path, node } of stateNodes(config)) {
    if (entry.durable && (node.invoke?.length ?? 0) > 0) rule(`${nameOf(path)} invokes an actor: a durable chart names effects instead`);
    const name = path.at(-1);
    if (entry.durable && path.length === 1 && name !== undefined && terminals.has(name) && node.type !== "final")
      faults.push({ check: "terminal absorbs", what: `${name} is a terminal by name but not a final state` });
  }
  return faults;
};

/** The first place in a value that would not survive JSON; undefined when all of it does. An undefined property counts as absent. */
export const notJson = (value: unknown, at = "context"): string | undefined => {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${at} is ${value}`;
  if (typeof value !== "object") return `${at} is a ${typeof value}`;
  if (Array.isArray(value)) {
    const odd = value.findIndex((each) => each === undefined || notJson(each) !== undefined);
    return odd < 0 ? undefined : (notJson(value[odd], `${at}[${odd}]`) ?? `${at}[${odd}] is undefined`);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${at} is a ${value.constructor.name}`;
  for (const [key, each] of Object.entries(value)) {
    const odd = notJson(each, `${at}.${key}`);
    if (odd) return odd;
  }
  return undefined;
};
