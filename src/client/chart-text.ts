import { activePaths, ChartDefinition, type ChartNode, pathOfTarget, transitionsOf } from "../domain/chart.ts";
import { cut, pad, widthOf } from "./text/width.ts";

/**
 * A statechart drawn with characters: every state that holds others is a box, every other state a line with the states it can go to.
 * Pure: the definition and the value in, lines out; who shows them chooses the colours.
 *
 * I1 No line is wider than `columns`. I2 Without colours the active states can be told as well: `●` against `○`.
 */
export interface ChartLine {
  /** Frames to the left and right of the text; `left + text + right` is the whole line. */
  readonly left: string;
  readonly text: string;
  readonly right: string;
  readonly tone: ChartTone;
}

/** active: the chart is in this state. around: in one inside it. ended: a final state it is not in. */
export type ChartTone = "active" | "around" | "ended" | "plain";

/** What the signs mean, for people; in the order in which they should be told. */
export const chartLegend = "● active   ○ other   ◎ final   ▸ first   ↺ begins anew";

export const lineText = ({ left, text, right }: ChartLine): string => left + text + right;

/** Lines of the drawing; none when `definition` is not a chart's. */
export const chartText = (definition: unknown, value: unknown, options: { readonly columns: number }): readonly ChartLine[] => {
  const parsed = ChartDefinition.safeParse(definition);
  if (!parsed.success) return [];
  const chart = parsed.data;
  return boxOf({ chart: chart.id, active: new Set(activePaths(value)) }, chart.id, chart, "", Math.max(narrowest, options.columns), false);
};

/** One way out of where the chart is. */
export interface PossibleEvent {
  /** An event's type, or `always`, `after 500`, `onDone`. */
  readonly trigger: string;
  /** The active state that would take it; the chart itself is the empty text. */
  readonly from: string;
  readonly guard: string | null;
  /** Empty: it stays. */
  readonly targets: readonly string[];
}

/** What can happen in this state, inner states first, as XState would ask them; nothing once it has ended. Guards are named, not judged: they need an event. */
export const possibleEvents = (definition: unknown, value: unknown): readonly PossibleEvent[] => {
  const parsed = ChartDefinition.safeParse(definition);
  if (!parsed.success) return [];
  const chart = parsed.data;
  if (activePaths(value).some((path) => chart.states?.[path]?.type === "final")) return [];
  const depth = (path: string): number => (path === "" ? 0 : path.split(".").length);
  const paths = ["", ...activePaths(value)].toSorted((a, b) => depth(b) - depth(a));
  return paths.flatMap((from) => transitionsOf(nodeAt(chart, from)).map(({ trigger, transition }) => ({
    trigger, from, guard: transition.guard ?? null, targets: (transition.target ?? []).map((target) => pathOfTarget(chart.id, target)),
  })));
};

const nodeAt = (chart: ChartNode, path: string): ChartNode => (path === "" ? chart : path.split(".").reduce<ChartNode>((node, key) => node.states?.[key] ?? {}, chart));

/** Below it there is no room for a box in a box. */
const narrowest = 20;
/** Names are padded to the longest of their box, so that the arrows stand in a column; longer ones just push theirs. */
const nameColumns = 18;

interface Drawing { readonly chart: string; readonly active: ReadonlySet<string> }

const widthOfLine = ({ left, text, right }: ChartLine): number => widthOf(left) + widthOf(text) + widthOf(right);

const boxOf = (drawing: Drawing, name: string, node: ChartNode, path: string, columns: number, first: boolean): readonly ChartLine[] => {
  const children = Object.entries(node.states ?? {});
  const within = path === "" ? "" : `${path}.`;
  const inner = columns - 4;
  const names = Math.min(nameColumns, Math.max(0, ...children.filter(([, child]) => !hasStates(child)).map(([key]) => widthOf(key))));
  const lines = children.flatMap(([key, child]) => {
    const at = within + key;
    const isFirst = node.initial === key && node.type !== "parallel";
    return hasStates(child) && inner >= narrowest ? boxOf(drawing, key, child, at, inner, isFirst) : [stateOf(drawing, key, child, at, inner, names, isFirst)];
  });
  const title = cut(`${first ? "▸ " : ""}${name}${node.type === "parallel" ? " (parallel)" : ""}${arrowsOf(drawing, node, path, path === "" ? " " : "  ")}`, inner - 2);
  const width = Math.max(widthOf(title) + 2, ...lines.map(widthOfLine));
  const isAround = path !== "" && drawing.active.has(path);
  return [
    { left: "┌─ ", text: title, right: ` ${"─".repeat(width - widthOf(title) - 2)}─┐`, tone: isAround ? "around" : "plain" },
    ...lines.map((line): ChartLine => ({ ...line, left: `│ ${line.left}`, right: `${line.right}${" ".repeat(width - widthOfLine(line))} │` })),
    { left: `└${"─".repeat(width + 2)}┘`, text: "", right: "", tone: "plain" },
  ];
};

const hasStates = (node: ChartNode): boolean => Object.keys(node.states ?? {}).length > 0;

const stateOf = (drawing: Drawing, name: string, node: ChartNode, path: string, columns: number, names: number, first: boolean): ChartLine => {
  const isActive = drawing.active.has(path), isFinal = node.type === "final";
  const sign = isActive ? "●" : isFinal ? "◎" : "○";
  const arrows = arrowsOf(drawing, node, path, "  ");
  const text = cut(`${first ? "▸" : " "}${sign} ${arrows === "" ? name : pad(name, names)}${arrows}`, columns);
  return { left: "", text, right: "", tone: isActive ? "active" : isFinal ? "ended" : "plain" };
};

/** Where a state can go, each target once, in the order of the chart; a sibling by its own name, any other by its path. */
const arrowsOf = ({ chart }: Drawing, node: ChartNode, path: string, before: string): string => {
  const parent = path.includes(".") ? path.slice(0, path.lastIndexOf(".") + 1) : "";
  const shown = (target: string): string => (target === path ? "↺" : target.startsWith(parent) ? target.slice(parent.length) : target);
  const targets = new Set(transitionsOf(node).flatMap(({ transition }) => (transition.target ?? []).map((target) => shown(pathOfTarget(chart, target)))));
  return targets.size === 0 ? "" : `${before}→ ${[...targets].join(", ")}`;
};
