/** A small sound chart, and four that each carry one planted fault: what the explorer itself is tested on. */
import { assign, setup, type AnyMachineSnapshot, type AnyStateMachine, type EventObject } from "xstate";
import type { CatalogEntry, Exploration } from "../../machines/catalog.ts";

interface Context { readonly failures: number; readonly cap: number }
type Event = { readonly type: "go" | "ok" | "fail" | "ask" | "answer" | "cancel" };

const errand = setup({
  types: {} as { context: Context; events: Event; input: { cap: number } },
  guards: { spent: ({ context }) => context.failures >= context.cap },
  actions: { count: assign({ failures: ({ context }) => context.failures + 1 }), forget: assign({ failures: 0 }), accept: () => {}, work: () => {}, report: () => {} },
});

const options = { maxIterations: 100 };
const context = ({ input }: { input: { cap: number } }): Context => ({ failures: 0, cap: input.cap });
const finals = { done: { type: "final", entry: "report" }, cancelled: { type: "final", entry: "report" }, exhausted: { type: "final", entry: "report" } } as const;

export const soundMachine = errand.createMachine({
  id: "errand", options, context, initial: "ready", entry: "accept",
  states: {
    ready: { on: { go: "working", cancel: "cancelled" } },
    working: { entry: "work", on: { ok: "done", fail: { target: "judging", actions: "count" }, ask: "waiting", cancel: "cancelled" } },
    judging: { always: [{ guard: "spent", target: "exhausted" }, { target: "working" }] },
    waiting: { on: { answer: "working", cancel: "cancelled" } },
    ...finals,
  },
});

/** `ask` leads where nothing leads out. */
const deadState = errand.createMachine({
  id: "errand", options, context, initial: "ready",
  states: { ready: { on: { go: "working", cancel: "cancelled" } }, working: { on: { ok: "done", fail: "exhausted", ask: "limbo" } }, limbo: {}, ...finals },
});

/** Work bounces between two states until a person cancels it. */
const livelock = errand.createMachine({
  id: "errand", options, context, initial: "ready",
  states: { ready: { on: { go: "working" } }, working: { on: { fail: "again", cancel: "cancelled" } }, again: { on: { go: "working", cancel: "cancelled" } }, cancelled: finals.cancelled },
});

/** Asking starts the count of failures from anew, and failing is never judged while waiting: it grows without bound. */
const unbounded = errand.createMachine({
  id: "errand", options, context, initial: "ready",
  states: { ready: { on: { go: "working", cancel: "cancelled" } }, working: { on: { ok: "done", fail: [{ guard: "spent", target: "exhausted" }, { actions: "count" }], ask: "waiting" } }, waiting: { on: { fail: { actions: "count" }, answer: "working", cancel: "cancelled" } }, ...finals },
});

/** A final state that still listens, because of a handler at the root. */
const leak = errand.createMachine({
  id: "errand", options, context, initial: "ready", on: { cancel: ".cancelled" },
  states: { ready: { on: { go: "working" } }, working: { on: { ok: "done", fail: "exhausted" } }, ...finals },
});

const types = ["go", "ok", "fail", "ask", "answer", "cancel"];
const machineEvents = (names: readonly string[]): readonly EventObject[] => names.map((type) => ({ type }));
const failures = (snapshot: AnyMachineSnapshot): number => { const { context }: { context: Context } = snapshot; return context.failures; };
const cap = (snapshot: AnyMachineSnapshot): number => { const { context }: { context: Context } = snapshot; return context.cap; };

const exploration: Exploration = {
  inputs: [{ name: "cap 2", input: { cap: 2 } }],
  events: machineEvents(types),
  unattended: machineEvents(["go", "ok", "fail"]),
  abstraction: (snapshot) => ({ failures: failures(snapshot) }),
  restStates: ["waiting", "done", "cancelled", "exhausted"],
  states: [
    { name: "failures stay within the cap", holds: (snapshot) => failures(snapshot) <= cap(snapshot) },
    { name: "exhausted only at the cap", holds: (snapshot) => !snapshot.matches("exhausted") || failures(snapshot) === cap(snapshot) },
  ],
  first: [{ name: "it is accepted once, before anything is done", holds: ({ to, actions }) => to.matches("ready") && actions.map(({ type }) => type).join(" ") === "accept" }],
  edges: [
    { name: "entering work does the work", holds: ({ from, to, actions }) => !to.matches("working") || from === to || actions.some(({ type }) => type === "work") },
    { name: "every end is reported", holds: ({ from, to, actions }) => from.status !== "active" || to.status === "active" || actions.some(({ type }) => type === "report") },
    { name: "ok is done, cancel is cancelled", holds: ({ from, event, to }) => from.status !== "active" || ((event.type !== "ok" || from.matches("ready") || from.matches("waiting") || to.matches("done")) && (event.type !== "cancel" || to.matches("cancelled"))) },
    { name: "failures only grow", holds: ({ from, event, to }) => failures(to) === failures(from) + (event.type === "fail" && from.matches("working") ? 1 : 0) },
    { name: "ask waits, answer resumes", holds: ({ from, event, to }) => (!(event.type === "ask" && from.matches("working")) || to.matches("waiting")) && (!(event.type === "answer" && from.matches("waiting")) || to.matches("working")) },
  ],
};

const entry = (machine: AnyStateMachine, change: Partial<Exploration> = {}): CatalogEntry => ({
  id: "errand", version: 1, machine, durable: true, migrate: (state) => state, view: (snapshot) => snapshot.value, exploration: { ...exploration, ...change },
});

const none = { states: [], first: [], edges: [] };
export const sound = entry(soundMachine);
export const planted = {
  deadState: entry(deadState, none), livelock: entry(livelock, none), unbounded: entry(unbounded, none), leak: entry(leak, none),
  /** The same fault as `unbounded`, seen by the invariant rather than by the size of the space. */
  overCap: entry(unbounded, { first: [], edges: [] }),
  /** A terminal by name that forgot to be final. */
  leakByName: entry(errand.createMachine({ id: "errand", options, context, initial: "ready", states: { ready: { on: { ok: "done", cancel: "cancelled" } }, done: { on: { go: "ready" } }, cancelled: finals.cancelled } }), none),
  /** What must be asked for at the very start is not. */
  unaccepted: entry(errand.createMachine({ id: "errand", options, context, initial: "ready", states: { ready: { on: { go: "done" } }, done: finals.done } }), { states: [], edges: [] }),
  throws: entry(soundMachine.provide({ guards: { spent: () => { throw new Error("boom"); } } }), none),
} as const;
