/** Which adapter runs a turn, as the owner puts it together from the configuration and the choice that was made at run time. */
import { AdapterGate } from "../../actors/adapter-gate.ts";
import type { Change } from "../../actors/durable-actor.ts";
import type { DurableHost } from "../../actors/durable-host.ts";
import { type ProviderContext, providerAddress } from "../../machines/provider.ts";
import type { Config } from "../domain/config.ts";
import { adapters } from "./ports.ts";
import { systemClock } from "./system-clock.ts";

export const adapterGate = (config: Config): AdapterGate => new AdapterGate({
  usual: config.adapter, clock: systemClock,
  known: (name) => adapters.some((adapter) => adapter.name === name),
  settings: (name) => config.adapters[name],
  effort: (stage) => config.autonomous.defaultStages[stage].effort,
  efforts: (name) => adapters.find((adapter) => adapter.name === name)?.capabilities.effort ?? [],
  fallback: (stage) => config.autonomous.defaultStages[stage].fallback ?? config.routing.fallback,
});

/** Once, when the choice is there. */
export const learnProvider = async (routing: AdapterGate, host: DurableHost): Promise<void> => {
  const chosen: ProviderContext | undefined = (await host.state(providerAddress))?.state.context;
  if (chosen) routing.choose(chosen.adapter);
};

/** A choice counts from its commit on. */
export const hearProvider = (routing: AdapterGate, { state }: Change, say: (text: string) => void): void => {
  const { adapter }: ProviderContext = state.context;
  routing.choose(adapter);
  say(adapter === null ? "new turns are the configured adapter's" : `new turns are ${adapter}'s, in place of the configured adapter's`);
};
