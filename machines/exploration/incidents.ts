import type { AnyMachineSnapshot } from "xstate";
import type { Exploration } from "../catalog.ts";
import type { IncidentsContext } from "../incidents.ts";
import { asksNothing, at, implies, stamped } from "./reading.ts";

const contextOf = (snapshot: AnyMachineSnapshot): IncidentsContext => snapshot.context;
const crash = stamped({ type: "crashed" as const, where: "factory/agents/run", reason: "it threw" });
/** The list is full from here on; the count goes on, so it leaves the key. */
const full = 10;

export const exploration: Exploration = {
  inputs: [{ name: "empty", input: {} }],
  events: [crash],
  unattended: [crash],
  abstraction: (snapshot) => [Math.min(contextOf(snapshot).count, full + 1), contextOf(snapshot).last.length],
  restStates: ["open"],
  states: [{ name: "the last few are kept", holds: (s) => contextOf(s).last.length === Math.min(contextOf(s).count, full) }],
  first: [asksNothing],
  edges: [
    { name: "I1 each crash counts once and is the newest shown", holds: (e) => contextOf(e.to).count === contextOf(e.from).count + 1 && contextOf(e.to).last.at(-1)?.where === crash.where },
    { name: "the list never closes", holds: (e) => implies(at(e.from, "open"), () => at(e.to, "open")) },
  ],
};
