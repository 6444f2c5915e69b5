import { z } from "zod";

/**
 * A statechart as data: its configuration in XState's own form, functions replaced by their names, lists always lists, targets absolute
 * (`#pipeline.coding`). `createMachine` takes it, and so do the viewers of XState; ours draw from nothing else.
 */
export const ChartAction = z.object({ type: z.string(), params: z.unknown().optional() });
export type ChartAction = z.infer<typeof ChartAction>;

export const ChartTransition = z.object({
  target: z.array(z.string()).optional(),
  guard: z.string().optional(),
  actions: z.array(ChartAction).optional(),
  reenter: z.boolean().optional(),
  description: z.string().optional(),
});
export type ChartTransition = z.infer<typeof ChartTransition>;

const Transitions = z.array(ChartTransition);
const TransitionMap = z.record(z.string(), Transitions);

export const ChartInvoke = z.object({ id: z.string().optional(), src: z.string(), onDone: Transitions.optional(), onError: Transitions.optional(), onSnapshot: Transitions.optional() });
export type ChartInvoke = z.infer<typeof ChartInvoke>;

const node = {
  type: z.enum(["atomic", "compound", "parallel", "final", "history"]).optional(),
  initial: z.string().optional(),
  description: z.string().optional(),
  history: z.enum(["shallow", "deep"]).optional(),
  target: z.string().optional(),
  entry: z.array(ChartAction).optional(),
  exit: z.array(ChartAction).optional(),
  on: TransitionMap.optional(),
  after: TransitionMap.optional(),
  always: Transitions.optional(),
  onDone: Transitions.optional(),
  invoke: z.array(ChartInvoke).optional(),
};

export interface ChartNode extends z.infer<z.ZodObject<typeof node>> { readonly states?: Readonly<Record<string, ChartNode>> | undefined }

export const ChartNode: z.ZodType<ChartNode> = z.lazy(() => z.object({ ...node, states: z.record(z.string(), ChartNode).optional() }));

export const ChartDefinition = z.object({ ...node, id: z.string(), states: z.record(z.string(), ChartNode).optional() });
export type ChartDefinition = z.infer<typeof ChartDefinition>;

/** What makes a transition happen, in document order: `turn.ended`, `after 500`, `always`, `onDone`, `invoke 0 onError`. */
export interface Triggered { readonly trigger: string; readonly transition: ChartTransition }

export const transitionsOf = (of: ChartNode): readonly Triggered[] => {
  const triggered = (trigger: string, list: readonly ChartTransition[] | undefined): readonly Triggered[] => (list ?? []).map((transition) => ({ trigger, transition }));
  return [
    ...Object.entries(of.on ?? {}).flatMap(([event, list]) => triggered(event, list)),
    ...Object.entries(of.after ?? {}).flatMap(([delay, list]) => triggered(`after ${delay}`, list)),
    ...triggered("always", of.always),
    ...triggered("onDone", of.onDone),
    ...(of.invoke ?? []).flatMap((invoked, n) => (["onDone", "onError", "onSnapshot"] as const).flatMap((key) => triggered(`invoke ${n} ${key}`, invoked[key]))),
  ];
};

/** `#pipeline.coding.waiting` → `coding.waiting`; the chart itself is the empty text. */
export const pathOfTarget = (chart: string, target: string): string => (target === `#${chart}` ? "" : target.startsWith(`#${chart}.`) ? target.slice(chart.length + 2) : target);

/** Paths of the active states, outermost first: `{ alive: "streaming" }` → `alive`, `alive.streaming`. */
export const activePaths = (value: unknown): readonly string[] => {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => [key, ...activePaths(inner).map((path) => `${key}.${path}`)]);
};

/** A state in one word for people: `working`, `alive.streaming`; regions side by side are joined by a bar. */
export const valueText = (value: unknown): string => {
  const paths = activePaths(value);
  return paths.filter((path) => !paths.some((other) => other.startsWith(`${path}.`))).join(" | ");
};
