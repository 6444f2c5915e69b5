import { assign, setup } from "xstate";
import type { AdapterName } from "../src/domain/agent.ts";
import type { Address } from "../src/domain/ids.ts";
import { chartOptions, type Stamp } from "./durable.ts";

/**
 * Which adapter stands in for the configured one, as a person chose while the factory runs. Turns under way finish as they are.
 *
 * I1 The last choice holds, over restarts, until another one; null is the configured one.
 */
export const providerAddress: Address = "provider/factory";

export interface ProviderContext { readonly adapter: AdapterName | null; readonly since: number }
export type ProviderEvent = { readonly type: "choose"; readonly adapter: AdapterName | null } & Stamp;

export const providerMachine = setup({
  types: {} as { context: ProviderContext; events: ProviderEvent },
  actions: { take: assign(({ event }) => ({ adapter: event.adapter, since: event.at })) },
}).createMachine({
  id: "provider",
  options: chartOptions,
  context: { adapter: null, since: 0 },
  initial: "open",
  states: { open: { on: { choose: { actions: "take" } } } },
});
