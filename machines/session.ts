import { assign, setup } from "xstate";
import { type SessionChange, sessionAfter, type SessionStart, sessionStarted, type SessionView } from "../src/domain/session.ts";
import { chartOptions, type Stamp } from "./durable.ts";

/**
 * One session of an agent CLI: what it works on, what was decided about its stops, whether a person silenced that. It lives at `session/KEY`.
 * What each event does to the record is domain/session.ts, with its invariants I1 to I3.
 *
 * I4 An ended session still takes what came late, and begins again when the CLI resumes it: a session has no final state.
 */
export type SessionContext = SessionView;
export type SessionInput = SessionStart;
export type SessionEvent = SessionChange & Stamp;

const kept = { actions: "keep" } as const;

export const sessionMachine = setup({
  types: {} as { context: SessionContext; events: SessionEvent; input: SessionInput },
  actions: { keep: assign(({ context, event }) => sessionAfter(context, event)) },
}).createMachine({
  id: "session",
  options: chartOptions,
  context: ({ input }) => sessionStarted(input),
  initial: "open",
  on: { link: kept, unlink: kept, "stop.denied": kept, "stop.allowed": kept, acknowledge: kept, warned: kept, waits: kept },
  states: {
    open: { on: { started: kept, end: { ...kept, target: "ended" } } },
    ended: { on: { started: { ...kept, target: "open" } } },
  },
});
