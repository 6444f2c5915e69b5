/** A chart as a page: diagram, transition table, invariants, size of its explored space. The same chart gives the same text. */
import type { CatalogEntry } from "../../machines/catalog.ts";
import { actionName, nameOf, rawConfig, stateNodes, transitionLists, type RawNode, type RawTransition } from "./config.ts";
import { explore } from "./explore.ts";

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A guard as a person would read it: `spent`, `not(spent)`, `and(a, b)`. */
export const guardName = (guard: unknown): string => {
  if (guard === undefined) return "";
  if (typeof guard === "string") return guard;
  if (typeof guard === "object" && guard !== null && "type" in guard) return String(guard.type);
  if (typeof guard !== "function") return "(inline)";
  if (!("check" in guard) || typeof guard.check !== "function") return guard.name || "(inline)";
  const operator = guard.check.name.replace(/^check/, "").toLowerCase();
  const inner: readonly unknown[] = "guards" in guard ? listOf(guard.guards) : [];
  return `${operator}(${inner.map(guardName).join(", ")})`;
};

/** An action with what it names, when that is written down rather than computed. */
const actionText = (action: unknown): string => {
  const name = actionName(action).replace(/^xstate\./, "");
  const params: unknown = typeof action === "object" && action !== null && "params" in action ? action.params : undefined;
  if (typeof params !== "object" || params === null) return name;
  const what: unknown = "kind" in params ? params.kind : "name" in params ? params.name : undefined;
  return typeof what === "string" ? `${name} ${what}` : name;
};

const targetsOf = (transition: RawTransition): readonly string[] =>
  (Array.isArray(transition.target) ? transition.target : [transition.target]).flatMap((target: unknown) => (typeof target === "string" ? [target] : []));

/** The path that a target written in the configuration of the state at `path` names. */
const resolve = (machineId: string, path: readonly string[], target: string): readonly string[] => {
  if (target.startsWith("#")) return target.slice(1).split(".").slice(target.slice(1).split(".")[0] === machineId ? 1 : 0);
  if (target.startsWith(".")) return [...path, ...target.slice(1).split(".")];
  return [...path.slice(0, -1), ...target.split(".")];
};

const nodeId = (path: readonly string[]): string => (path.length === 0 ? "anywhere" : path.join("__").replace(/[^A-Za-z0-9_]/g, "_"));

const diagram = (machineId: string, config: RawNode): string => {
  const lines: string[] = ["stateDiagram-v2"];
  const arrows = new Map<string, string[]>();
  for (const { path, trigger, list } of transitionLists(config)) for (const transition of list) for (const target of targetsOf(transition)) {
    const guard = guardName(transition.guard), arrow = `${nodeId(path)} --> ${nodeId(resolve(machineId, path, target))}`;
    const label = `${trigger}${guard ? ` [${guard}]` : ""}`.replaceAll(":", " ");
    arrows.set(arrow, [...(arrows.get(arrow) ?? []), label]);
  }
  const draw = (path: readonly string[], node: RawNode, indent: string): void => {
    if (typeof node.initial === "string") lines.push(`${indent}[*] --> ${nodeId([...path, node.initial])}`);
    for (const [key, child] of Object.entries(node.states ?? {})) {
      const at = [...path, key];
      lines.push(`${indent}state "${key}" as ${nodeId(at)}`);
      if (child.states && Object.keys(child.states).length > 0) {
        lines.push(`${indent}state ${nodeId(at)} {`);
        draw(at, child, `${indent}  `);
        lines.push(`${indent}}`);
      }
      if (child.type === "final") lines.push(`${indent}${nodeId(at)} --> [*]`);
    }
  };
  draw([], config, "  ");
  if ([...arrows.keys()].some((arrow) => arrow.startsWith("anywhere "))) lines.push('  state "any state" as anywhere');
  for (const [arrow, labels] of arrows) lines.push(`  ${arrow}: ${[...new Set(labels)].join("<br>")}`);
  return lines.join("\n");
};

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const table = (machineId: string, config: RawNode): string => {
  const rows: (readonly string[])[] = [];
  const lists = transitionLists(config);
  for (const { path, node } of stateNodes(config)) {
    for (const list of ["entry", "exit"] as const)
      if (node[list].length > 0) rows.push([nameOf(path), `(${list})`, "", "", node[list].map(actionText).join(", ")]);
    for (const { trigger, list } of lists.filter((each) => each.path.join(".") === path.join("."))) for (const transition of list)
      rows.push([nameOf(path), trigger, guardName(transition.guard), targetsOf(transition).map((target) => nameOf(resolve(machineId, path, target))).join(", ") || (transition.actions.length > 0 ? "(stays)" : "(ignored)"), transition.actions.map(actionText).join(", ")]);
  }
  return [["State", "Event", "Guard", "Target", "Actions"], ["---", "---", "---", "---", "---"], ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
};

const names = (list: readonly { readonly name: string }[]): string => (list.length === 0 ? "- none" : list.map(({ name }) => `- ${name}`).join("\n"));

export const renderChart = (entry: CatalogEntry): string => {
  const config = rawConfig(entry.machine), { exploration } = entry, { nodes, edges } = explore(entry);
  return `# ${entry.id}

<!-- Written by \`npm run charts\`; do not edit. -->

${entry.durable ? "Durable" : "Live"} chart, version ${entry.version}. Explored: ${nodes} abstract states, ${edges} edges, from ${exploration.inputs.length} inputs with ${exploration.events.length} events (caps are 2).

\`\`\`mermaid
${diagram(entry.machine.id, config)}
\`\`\`

## Transitions

${table(entry.machine.id, config)}

## Invariants

Of every state:

${names(exploration.states)}

Of the first step:

${names(exploration.first)}

Of every edge:

${names(exploration.edges)}

Checked for every chart: no dead state, no livelock, every state reached, every transition taken, terminals absorb, nothing throws. It may rest in: ${exploration.restStates.join(", ")}.
`;
};
