/**
 * The owner's live half of the contract, put together of its parts: each part has one owner in the code.
 * What an owner does not have (terminals without a fabric, an inspector) answers as if there were none.
 */
import { ClientProblem, type FactoryStatus, type LiveFactory } from "../client/contract.ts";
import { offlineLive } from "../client/offline-live.ts";

export interface LiveParts {
  readonly status: () => Promise<Omit<FactoryStatus, "terminals">>;
  /** Begins to stop; absent where the owner is a command that ends by itself. */
  readonly stop?: (options: { readonly keepAgents: boolean }) => void;
  readonly drain: LiveFactory["drain"];
  readonly sync: LiveFactory["sync"];
  readonly terminals?: Pick<LiveFactory, "terminals" | "watchTerminal" | "attachment"> & { readonly backend: () => FactoryStatus["terminals"] };
  readonly inspector?: Pick<LiveFactory, "actors" | "actor" | "inspect">;
}

export const makeLive = ({ status, stop, drain, sync, terminals, inspector }: LiveParts): LiveFactory => {
  const { backend, ...fabric } = terminals ?? { backend: (): FactoryStatus["terminals"] => ({ backend: "none", detail: "agents run without terminals", panes: 0 }) };
  return {
    ...offlineLive,
    ...fabric,
    ...inspector,
    drain,
    sync,
    status: async () => ({ ...await status(), terminals: backend() }),
    stop: async (options) => {
      if (stop === undefined) throw new ClientProblem(`this factory is a command in process ${process.pid}, which ends with its items`, "stop it where it was started, with Ctrl-C");
      stop(options);
    },
  };
};
