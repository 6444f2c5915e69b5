import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from "xstate";

/** One action that a step produced, as the host sees it: unexecuted. */
export interface StepAction { readonly type: string; readonly params: unknown }

/** One edge of the explored state space. */
export interface Edge { readonly from: AnyMachineSnapshot; readonly event: EventObject; readonly to: AnyMachineSnapshot; readonly actions: readonly StepAction[] }

/** The very first step: where a chart begins, and what it asks for at once. */
export type First = Pick<Edge, "to" | "actions">;

/** How a chart is explored: finite inputs and events, and what makes two states the same. Caps are 2 in `inputs`. */
export interface Exploration {
  readonly inputs: readonly { readonly name: string; readonly input: unknown }[];
  /** Every event that may arrive in any state, duplicates and stale ones included. */
  readonly events: readonly EventObject[];
  /** The subset that needs no person: from every state these alone must be able to reach a rest state. */
  readonly unattended: readonly EventObject[];
  /** A JSON value; equal values are one node. Counters stay, times become none / future / due. */
  readonly abstraction: (snapshot: AnyMachineSnapshot) => unknown;
  /** States where the chart may stay for good without a person: finals, and those that wait for one. */
  readonly restStates: readonly string[];
  /** Must hold in every reachable state. */
  readonly states: readonly { readonly name: string; readonly holds: (snapshot: AnyMachineSnapshot) => boolean }[];
  /** Must hold of the first step from every input. */
  readonly first: readonly { readonly name: string; readonly holds: (first: First) => boolean }[];
  /** Must hold on every edge. */
  readonly edges: readonly { readonly name: string; readonly holds: (edge: Edge) => boolean }[];
}

/** One chart of the house. `machines/index.ts` lists them all. */
export interface CatalogEntry {
  readonly id: string;
  /** Raised with every change that an old snapshot would not survive. */
  readonly version: number;
  readonly machine: AnyStateMachine;
  readonly durable: boolean;
  /** Brings a stored state of an older version to this one. */
  readonly migrate: (state: unknown, from: number) => unknown;
  /** What clients see; compared by its JSON, so keep it small. */
  readonly view: (snapshot: AnyMachineSnapshot) => unknown;
  readonly exploration: Exploration;
}
