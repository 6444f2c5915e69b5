import { assign, setup } from "xstate";
import type { TurnOutcome } from "../src/domain/agent.ts";
import type { Address } from "../src/domain/ids.ts";
import { type Caps, charge, emptyLedger, type Keep, type Ledger } from "../src/domain/ledger.ts";
import type { Charge } from "../src/domain/spend.ts";
import { chartOptions, type Stamp } from "./durable.ts";

/**
 * The ledger: what the agents of this factory have used up. Stages and members tell it, in the transaction that takes in the end of a turn;
 * what a turn asks before it begins is answered from its state (actors/spend-gate.ts).
 *
 * I1 Each run is charged once: a duplicate changes nothing. I2 What never had a process is not charged. I3 Its memory is bounded (`keep`); the
 * journal has every charge. I4 The caps are those of the configuration in use: told by the owner when they have changed, and looked at by others.
 */
export const spendAddress: Address = "spend/factory";

/** A ledger of its own keeps this much; the journal keeps all. */
export const ledgerKeeps: Keep = { items: 500, days: 31, runs: 1_000, warnings: 8 };

export interface SpendInput { readonly keep: Keep }
export interface SpendContext extends Ledger {
  readonly keep: Keep;
  /** Those charged last, oldest first. */
  readonly runs: readonly string[];
}

export type SpendEvent = (
  /** `charge` null: the turn never had a process. */
  | { readonly type: "spent"; readonly charge: Charge | null }
  | { readonly type: "caps"; readonly caps: Caps }
) & Stamp;

/** Beside what takes in a turn's end. */
export const tellSpent = {
  type: "tell" as const,
  params: ({ event }: { readonly event: { readonly type: string; readonly outcome?: TurnOutcome } }) => ({ to: spendAddress, event: { type: "spent", charge: event.outcome?.spend ?? null } }),
};

export const spendMachine = setup({
  types: {} as { context: SpendContext; events: SpendEvent; input: SpendInput },
  actions: {
    charge: assign(({ context, event }) => (event.type === "spent" && event.charge !== null ? { ...charge(context, event.charge, context.keep), runs: [...context.runs, event.charge.run].slice(-context.keep.runs) } : {})),
    takeCaps: assign(({ event }) => (event.type === "caps" ? { caps: event.caps } : {})),
  },
  guards: {
    isNew: ({ context, event }) => event.type === "spent" && event.charge !== null && !context.runs.includes(event.charge.run),
  },
}).createMachine({
  id: "spend",
  options: chartOptions,
  context: ({ input }) => ({ ...emptyLedger, keep: input.keep, runs: [] }),
  initial: "open",
  states: {
    open: {
      on: {
        spent: { guard: "isNew", actions: "charge" },
        caps: { actions: "takeCaps" },
      },
    },
  },
});
