import { assign, setup } from "xstate";
import { type Address, itemAddress, WorkItemId } from "../src/domain/ids.ts";
import type { Policy } from "../src/domain/policy.ts";
import type { Remembered, WorkItem } from "../src/domain/work-item.ts";
import { chartOptions, hostActions, type Stamp } from "./durable.ts";

/**
 * Gives every offered piece of work its id, once. The only owner of the numbering.
 *
 * I1 The same (source, sourceId) never gets a second id. I2 A number is never given twice. I3 What its source remembers keeps its number, unless another item has it.
 */
export const intakeAddress: Address = "intake/factory";

export interface IntakeContext {
  /** Last number given, by prefix. */
  readonly last: Readonly<Record<string, number>>;
  /** `source:sourceId` of everything ever taken in. */
  readonly known: Readonly<Record<string, WorkItemId>>;
}

export type IntakeEvent = (
  | { readonly type: "offer"; readonly item: Omit<WorkItem, "id">; readonly policy: Policy; readonly claim: boolean; /** What its source was told of it before the factory lost its state. */ readonly remembered?: Remembered }
  /** A new lineage for an item that ended: the whole item, its policy as it is now, and the first unused attempt. */
  | { readonly type: "again"; readonly item: WorkItem; readonly policy: Policy; readonly attempt: number; readonly claim: boolean }
) & Stamp;

const prefixes: Readonly<Record<WorkItem["source"], string>> = { local: "LOC", github: "GH", azdo: "AZ", command: "RUN" };

const keyOf = (item: Pick<WorkItem, "source" | "sourceId">): string => `${item.source}:${item.sourceId}`;

/** The source's own ids of all that was ever taken in from there. */
export const takenFrom = (state: { readonly context: IntakeContext } | undefined, source: WorkItem["source"]): ReadonlySet<string> =>
  new Set(Object.keys(state?.context.known ?? {}).flatMap((key) => (key.startsWith(`${source}:`) ? [key.slice(source.length + 1)] : [])));

type Offer = Extract<IntakeEvent, { type: "offer" }>;

/** The id the offered item gets: pure, so that the step that records it and the step that spawns agree. */
const idFor = (context: IntakeContext, { item, remembered }: Offer): WorkItemId => {
  const prefix = prefixes[item.source], once = remembered?.id;
  // I3.
  if (once?.startsWith(`${prefix}-`) === true && !Object.values(context.known).includes(once)) return once;
  return WorkItemId.parse(`${prefix}-${(context.last[prefix] ?? 0) + 1}`);
};

export const intakeMachine = setup({
  types: {} as { context: IntakeContext; events: IntakeEvent },
  actions: {
    ...hostActions,
    record: assign(({ context, event }) => {
      if (event.type !== "offer") return {};
      const id = idFor(context, event);
      const prefix = prefixes[event.item.source];
      return { last: { ...context.last, [prefix]: Math.max(context.last[prefix] ?? 0, Number(id.slice(prefix.length + 1))) }, known: { ...context.known, [keyOf(event.item)]: id } };
    }),
  },
  guards: {
    isNew: ({ context, event }) => event.type === "offer" && !Object.hasOwn(context.known, keyOf(event.item)),
    isNewNow: ({ context, event }) => event.type === "offer" && event.claim && !Object.hasOwn(context.known, keyOf(event.item)),
    claimNow: ({ event }) => event.type === "again" && event.claim,
  },
}).createMachine({
  id: "intake",
  options: chartOptions,
  context: { last: {}, known: {} },
  initial: "open",
  states: {
    open: {
      on: {
        offer: [
          { guard: "isNewNow", actions: [spawnOffered(), claimOffered(), "record"] },
          { guard: "isNew", actions: [spawnOffered(), "record"] },
        ],
        again: [
          { guard: "claimNow", actions: [spawnAgain(), { type: "tell", params: ({ event }) => ({ to: event.type === "again" ? itemAddress(event.item.id, event.attempt) : intakeAddress, event: { type: "claim", explicit: true } }) }] },
          { actions: spawnAgain() },
        ],
      },
    },
  },
});

function spawnOffered() {
  return {
    type: "spawn" as const,
    params: ({ context, event }: { readonly context: IntakeContext; readonly event: IntakeEvent }) => {
      if (event.type !== "offer") throw new Error("only an offer is taken in");
      const id = idFor(context, event), { remembered } = event;
      return { address: itemAddress(id, 1), chart: "work-item", input: { item: { ...event.item, id }, policy: event.policy, attempt: 1, ...(remembered === undefined ? {} : { remembered }) } };
    },
  };
}

function claimOffered() {
  return {
    type: "tell" as const,
    params: ({ context, event }: { readonly context: IntakeContext; readonly event: IntakeEvent }) => {
      if (event.type !== "offer") throw new Error("only an offer is taken in");
      return { to: itemAddress(idFor(context, event), 1), event: { type: "claim", explicit: true } };
    },
  };
}

function spawnAgain() {
  return {
    type: "spawn" as const,
    params: ({ event }: { readonly event: IntakeEvent }) => {
      if (event.type !== "again") throw new Error("only an item that ended is taken in again");
      return { address: itemAddress(event.item.id, event.attempt), chart: "work-item", input: { item: event.item, policy: event.policy, attempt: event.attempt } };
    },
  };
}
