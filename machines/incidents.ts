import { assign, setup } from "xstate";
import type { Address } from "../src/domain/ids.ts";
import { chartOptions, type Stamp } from "./durable.ts";

/**
 * The journal of crashes: every exit of a live actor that was no end, and every defect of an effect.
 *
 * I1 Nothing is forgotten from the journal; the state keeps the last few and counts them all.
 */
export const incidentsAddress: Address = "incidents/factory";

export interface Incident { readonly where: string; readonly reason: string; readonly at: number }
export interface IncidentsContext { readonly count: number; readonly last: readonly Incident[] }
export type IncidentsEvent = { readonly type: "crashed"; readonly where: string; readonly reason: string } & Stamp;

/** Shown by `tree` and `doctor`; the journal has them all. */
const shown = 10;

export const incidentsMachine = setup({
  types: {} as { context: IncidentsContext; events: IncidentsEvent },
  actions: {
    note: assign(({ context, event }) => ({ count: context.count + 1, last: [...context.last, { where: event.where, reason: event.reason.slice(0, 500), at: event.at }].slice(-shown) })),
  },
}).createMachine({
  id: "incidents",
  options: chartOptions,
  context: { count: 0, last: [] },
  initial: "open",
  states: { open: { on: { crashed: { actions: "note" } } } },
});
