/** A chart as a page: diagram, transition table, invariants, size of its explored space. The same chart gives the same text. */
import type { CatalogEntry } from "../../machines/catalog.ts";
import { definitionOf } from "../../machines/definition.ts";
import { type ChartAction, type ChartDefinition, type ChartNode, pathOfTarget, transitionsOf } from "../../src/domain/chart.ts";
import { nameOf } from "./config.ts";
import { explore } from "./explore.ts";

/** An action with what it names, when that is written down rather than computed. */
const actionText = ({ type, params }: ChartAction): string => {
  const name = type.replace(/^xstate\./, "");
  if (typeof params !== "object" || params === null) return name;
  const what: unknown = "kind" in params ? params.kind : "name" in params ? params.name : undefined;
  return typeof what === "string" ? `${name} ${what}` : name;
};

interface Place { readonly path: readonly string[]; readonly node: ChartNode }

/** Every state with its path, parents before children, in document order. */
const placesIn = (node: ChartNode, path: readonly string[] = []): readonly Place[] => [{ path, node }, ...Object.entries(node.states ?? {}).flatMap(([key, child]) => placesIn(child, [...path, key]))];

const nodeId = (path: readonly string[]): string => (path.length === 0 ? "anywhere" : path.join("__").replace(/[^A-Za-z0-9_]/g, "_"));

const diagram = (chart: ChartDefinition): string => {
  const lines: string[] = ["stateDiagram-v2"];
  const arrows = new Map<string, string[]>();
  for (const { path, node } of placesIn(chart)) for (const { trigger, transition } of transitionsOf(node)) for (const target of transition.target ?? []) {
    const arrow = `${nodeId(path)} --> ${nodeId(pathOfTarget(chart.id, target).split("."))}`;
    const label = `${trigger}${transition.guard === undefined ? "" : ` [${transition.guard}]`}`.replaceAll(":", " ");
    arrows.set(arrow, [...(arrows.get(arrow) ?? []), label]);
  }
  const draw = (path: readonly string[], node: ChartNode, indent: string): void => {
    if (node.initial !== undefined) lines.push(`${indent}[*] --> ${nodeId([...path, node.initial])}`);
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
  draw([], chart, "  ");
  if ([...arrows.keys()].some((arrow) => arrow.startsWith("anywhere "))) lines.push('  state "any state" as anywhere');
  for (const [arrow, labels] of arrows) lines.push(`  ${arrow}: ${[...new Set(labels)].join("<br>")}`);
  return lines.join("\n");
};

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const table = (chart: ChartDefinition): string => {
  const rows: (readonly string[])[] = [];
  for (const { path, node } of placesIn(chart)) {
    for (const list of ["entry", "exit"] as const) {
      const actions = node[list] ?? [];
      if (actions.length > 0) rows.push([nameOf(path), `(${list})`, "", "", actions.map(actionText).join(", ")]);
    }
    for (const { trigger, transition: { guard = "", target = [], actions = [] } } of transitionsOf(node))
      rows.push([nameOf(path), trigger, guard, target.map((each) => nameOf(pathOfTarget(chart.id, each).split("."))).join(", ") || (actions.length > 0 ? "(stays)" : "(ignored)"), actions.map(actionText).join(", ")]);
  }
  return [["State", "Event", "Guard", "Target", "Actions"], ["---", "---", "---", "---", "---"], ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");
};

const names = (list: readonly { readonly name: string }[]): string => (list.length === 0 ? "- none" : list.map(({ name }) => `- ${name}`).join("\n"));

export const renderChart = (entry: CatalogEntry): string => {
  const chart = definitionOf(entry.machine), { exploration } = entry, { nodes, edges } = explore(entry);
  return `# ${entry.id}

<!-- Written by \`npm run charts\`; do not edit. -->

${entry.durable ? "Durable" : "Live"} chart, version ${entry.version}. Explored: ${nodes} abstract states, ${edges} edges, from ${exploration.inputs.length} inputs with ${exploration.events.length} events (caps are 2).

\`\`\`mermaid
${diagram(chart)}
\`\`\`

## Transitions

${table(chart)}

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
