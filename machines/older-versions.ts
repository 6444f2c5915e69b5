/** Brings states that older versions saved to the present one. A state is XState's persisted snapshot; only its context is ours to change. */

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

const inContext = (state: unknown, change: (context: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>): unknown => {
  if (!isObject(state) || !isObject(state["context"])) throw new Error("a saved state has no context");
  return { ...state, context: change(state["context"]) };
};

/** A chart that never had an older version: a stored state that claims one is not ours to guess at. */
export const noOlderVersion = (id: string) => (_state: unknown, from: number): never => {
  throw new Error(`chart ${id}: a state of version ${from} cannot be read by this factory`);
};

/** 1: before people could speak to agents. */
export const olderPipeline = (state: unknown, from: number): unknown =>
  from === 1 ? inContext(state, (context) => ({ messages: [], ...context })) : from === 2 ? inContext(state, withNamedLeg) : noOlderVersion("pipeline")(state, from);

/** 2: the steps of a lane had numbers. */
const withNamedLeg = (context: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  isObject(context["leg"]) ? { ...context, leg: { ...context["leg"], n: String(context["leg"]["n"]) } } : context;

/** 1: before people could speak to agents. */
export const olderStage = (state: unknown, from: number): unknown =>
  from === 1 ? inContext(state, (context) => ({ heard: [], ...context, brief: { messages: [], ...(isObject(context["brief"]) ? context["brief"] : {}) } })) : noOlderVersion("stage")(state, from);
