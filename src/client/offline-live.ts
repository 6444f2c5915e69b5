import { ClientProblem, type LiveFactory } from "./contract.ts";

const start = "start it with: enact-factory start";
const refuse = (what: string): never => { throw new ClientProblem(`no factory runs here that could ${what}`, start); };
/** A refusal is a rejected promise, never a throw out of the call. */
const refused = (what: string) => async (): Promise<never> => refuse(what);

/** The live half of the contract where nobody owns the state: nothing lives, and what would need an owner says so. */
export const offlineLive: LiveFactory = {
  status: refused("tell its status"),
  stop: refused("be stopped"),
  drain: refused("tell the sources anything"),
  sync: refused("look at its sources"),
  terminals: async () => [],
  watchTerminal: (_address, _options, onFrame) => {
    onFrame({ type: "ended" });
    return () => {};
  },
  attachment: refused("show a terminal"),
  message: refused("deliver a message"),
  actors: async () => [],
  actor: async () => undefined,
  inspect: () => () => {},
};
