import type { AnyMachineSnapshot } from "xstate";
import type { Edge, First, StepAction } from "../catalog.ts";

/** How invariants read a step: what it asked of the host, and where it went. */

export type Fields = Readonly<Record<string, unknown>>;

const fields = (value: unknown): Fields => (typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {});

const params = (actions: readonly StepAction[], type: string): readonly Fields[] => actions.filter((action) => action.type === type).map((action) => fields(action.params));

export interface Told { readonly to: unknown; readonly event: Fields }

/** Messages of this type. */
export const told = ({ actions }: Pick<Edge, "actions">, type: string): readonly Told[] =>
  params(actions, "tell").map(({ to, event }) => ({ to, event: fields(event) })).filter(({ event }) => event["type"] === type);

/** Effects of this kind. */
export const asked = ({ actions }: Pick<Edge, "actions">, kind: string): readonly Fields[] => params(actions, "effect").filter((effect) => effect["kind"] === kind);

export interface Spawned { readonly address: unknown; readonly input: Fields }

/** New actors of this chart. */
export const spawned = ({ actions }: Pick<Edge, "actions">, chart: string): readonly Spawned[] =>
  params(actions, "spawn").filter((spawn) => spawn["chart"] === chart).map(({ address, input }) => ({ address, input: fields(input) }));

/** The last word on the alarm `name`: a time, null (cleared), or undefined when it was not touched. */
export const alarm = ({ actions }: Pick<Edge, "actions">, name: string): unknown => params(actions, "alarm").filter((each) => each["name"] === name).at(-1)?.["at"];

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** True when `b` holds wherever `a` does. */
export const implies = (a: boolean, b: () => boolean): boolean => !a || b();

export const at = (snapshot: AnyMachineSnapshot, ...states: readonly string[]): boolean => states.some((state) => snapshot.matches(state));

/** Nothing at all happened: same state, same data, nothing asked. */
export const ignored = ({ from, to, actions }: Edge): boolean => same(from.value, to.value) && same(from.context, to.context) && actions.length === 0;

/** The milliseconds at which every event of an alphabet is journaled: one instant, so that times abstract to none, future or due. */
export const now = 1_000_000;

/** An event of an alphabet, stamped as the host stamps it. */
export const stamped = <const E extends { readonly type: string }>(event: E): E & { readonly at: number } => ({ ...event, at: now });

/** A time as explorations tell it apart. */
export const when = (time: number | null): "none" | "future" | "due" => (time === null ? "none" : time > now ? "future" : "due");

/** For a chart that waits to be told something. */
export const asksNothing = { name: "the first step asks for nothing", holds: ({ actions }: First): boolean => actions.length === 0 };
