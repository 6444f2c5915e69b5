import type { AnyMachineSnapshot } from "xstate";
import type { Exploration } from "../catalog.ts";
import type { ProviderContext } from "../provider.ts";
import { asksNothing, now, stamped } from "./reading.ts";

const contextOf = (snapshot: AnyMachineSnapshot): ProviderContext => snapshot.context;
const choices = [stamped({ type: "choose" as const, adapter: "codex" as const }), stamped({ type: "choose" as const, adapter: "claude" as const }), stamped({ type: "choose" as const, adapter: null })];

export const exploration: Exploration = {
  inputs: [{ name: "the configured one", input: {} }],
  events: [...choices],
  unattended: [],
  abstraction: (snapshot) => ({ ...contextOf(snapshot) }),
  restStates: ["open"],
  states: [{ name: "nothing was chosen at first", holds: (s) => contextOf(s).since !== 0 || contextOf(s).adapter === null }],
  first: [asksNothing],
  edges: [{ name: "I1 the last choice holds, from when it was made", holds: (e) => { const event = choices.find((each) => each === e.event); return event !== undefined && contextOf(e.to).adapter === event.adapter && contextOf(e.to).since === now && e.actions.length === 0; } }],
};
