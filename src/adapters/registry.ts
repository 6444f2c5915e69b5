import { Layer } from "effect";
import type { AdapterName } from "../domain/agent.ts";
import { type Adapter, Adapters, type AdaptersShape } from "../ports/adapter.ts";

/** The adapters by name. One more adapter is one more element of `all`; two of one name are a mistake of the caller, so it throws. */
export const adapterRegistry = (all: readonly Adapter[]): AdaptersShape => {
  const byName = new Map<AdapterName, Adapter>();
  for (const adapter of all) {
    if (byName.has(adapter.name)) throw new Error(`two adapters are called ${adapter.name}`);
    byName.set(adapter.name, adapter);
  }
  return { get: (name) => byName.get(name), all: [...byName.values()] };
};

export const adaptersLayer = (all: readonly Adapter[]): Layer.Layer<Adapters> => Layer.succeed(Adapters, adapterRegistry(all));
