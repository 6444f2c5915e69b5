/** The chart that measures the machinery and not itself: twelve states in a ring, a counter, two events. */
import { assign, setup } from "xstate";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { chartOptions } from "../../machines/durable.ts";
import { type Address, itemAddress, WorkItemId } from "../../src/domain/ids.ts";

const states = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`s${i}`, { on: { NEXT: { target: `s${(i + 1) % 12}`, actions: "count" as const }, BACK: `s${(i + 11) % 12}` } }]));

export const ring = setup({ types: { context: {} as { readonly n: number } }, actions: { count: assign({ n: ({ context }) => context.n + 1 }) } })
  .createMachine({ id: "ring", options: chartOptions, context: { n: 0 }, initial: "s0", states });

export const ringEntry: CatalogEntry = {
  id: "ring", version: 1, machine: ring, durable: true, migrate: (state) => state, view: () => null,
  exploration: { inputs: [], events: [], unattended: [], abstraction: () => null, restStates: [], states: [], first: [], edges: [] },
};

export const startRing = { type: "actor.start", chart: "ring", version: 1, input: {} };

/** `count` addresses; `attempt` keeps the actors of several rounds apart. */
export const ringAddresses = (count: number, attempt = 1): readonly Address[] => Array.from({ length: count }, (_, i) => itemAddress(WorkItemId.parse(`LOC-${i + 1}`), attempt));
