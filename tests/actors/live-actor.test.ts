import { Effect } from "effect";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { assign, createMachine, fromCallback, sendTo, setup, type AnyActor, type AnyStateMachine } from "xstate";
import type { SupervisorEvent } from "../../actors/child.ts";
import { fromEffect } from "../../actors/effect-logic.ts";
import { liveActor } from "../../actors/live-actor.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { settled, SimulatedClock } from "../support/clock.ts";

let opened = 0, closed = 0;
const socket = fromCallback(() => { opened++; return () => { closed++; }; });
const boom = (): void => { throw new Error("boom"); };

/** Holds a socket; BOOM throws in an action, END ends. */
const holder = setup({ types: {} as { context: { n: number }; events: { type: "INC" | "BOOM" | "END" } }, actors: { socket }, actions: { boom } }).createMachine({
  id: "holder", context: { n: 0 }, options: { maxIterations: 100 }, invoke: { id: "socket", src: "socket" }, initial: "run",
  states: { run: { after: { 50: "late" } }, late: {}, end: { type: "final" } },
  on: { INC: { actions: assign({ n: ({ context }) => context.n + 1 }) }, BOOM: { actions: "boom" }, END: ".end" },
});

/** Its child is the holder; it survives the holder's crash. */
const keeper = setup({ types: {} as { events: { type: "BOOM" } }, actors: { holder } }).createMachine({
  id: "keeper", options: { maxIterations: 100 }, initial: "on",
  states: { on: { invoke: { id: "holder", src: "holder", onError: "hurt" }, on: { BOOM: { actions: sendTo("holder", { type: "BOOM" }) } } }, hurt: {} },
});

const uncaught: unknown[] = [];
const note = (error: unknown): void => { uncaught.push(error); };
beforeAll(() => { process.on("uncaughtException", note); process.on("unhandledRejection", note); });
afterAll(() => { process.off("uncaughtException", note); process.off("unhandledRejection", note); });

let supervisor: Supervisor | undefined;
beforeEach(() => { opened = 0; closed = 0; });
afterEach(async () => {
  await supervisor?.stop();
  expect(opened).toBe(closed);
  expect(uncaught).toEqual([]);
});

const under = (machine: AnyStateMachine, more: { readonly restart?: "temporary" | "transient"; readonly onStart?: (actor: AnyActor) => void; readonly shutdownMs?: number } = {}) => {
  const clock = new SimulatedClock(), events: SupervisorEvent[] = [];
  const child = liveActor({ id: "x", machine, clock, ...more });
  supervisor = new Supervisor({ id: "root", clock, strategy: "one_for_one", intensity: { max: 5, withinMs: 1_000 }, children: [child], observe: (event) => { events.push(event); }, onEscalate: () => {} });
  const root = supervisor;
  return { clock, child, events, tree: () => root.tree(), stop: () => root.stop() };
};

test("a machine that throws takes its children with it, is reported with its stack, and begins anew (I3)", async () => {
  const { child, events, tree } = under(holder);
  child.current()?.send({ type: "INC" });
  const first = child.current();
  first?.send({ type: "BOOM" });
  expect([opened, closed]).toEqual([1, 1]);
  await settled();
  expect([opened, closed]).toEqual([2, 1]);
  expect(child.current()).not.toBe(first);
  expect(child.current()?.getSnapshot()).toMatchObject({ context: { n: 0 } });
  expect(events.find(({ type }) => type === "crashed")).toMatchObject({ path: "root/x", reason: "Error: boom", stack: expect.stringContaining("live-actor.test") });
  expect(tree()).toMatchObject([{ state: "up", restarts: 1, detail: "run" }]);
});

test("the children of a crashed inner machine stop too, though its parent handles the crash (I3)", () => {
  const { child } = under(keeper);
  child.current()?.send({ type: "BOOM" });
  expect(child.current()?.getSnapshot()).toMatchObject({ value: "hurt", status: "active" });
  expect([opened, closed]).toEqual([1, 1]);
});

test("a throw in an entry action at the very start reaps as well", async () => {
  let attempts = 0;
  const early = setup({ actors: { socket }, actions: { boomOnce: () => { if (attempts++ === 0) throw new Error("at start"); } } }).createMachine({
    id: "early", options: { maxIterations: 100 }, initial: "a", invoke: { id: "socket", src: "socket" }, states: { a: { entry: "boomOnce" } },
  });
  const { events } = under(early);
  await settled();
  expect([opened - closed, attempts]).toEqual([1, 2]);
  expect(events.map(({ type }) => type)).toEqual(["started", "crashed", "started"]);
});

test("completion is an exit: a transient child that is done stays down", async () => {
  const { child, tree } = under(holder, { restart: "transient" });
  child.current()?.send({ type: "END" });
  await settled();
  expect(tree()).toMatchObject([{ state: "ended", restarts: 0 }]);
  expect(child.current()).toBeUndefined();
});

test("timers run on the Clock port, and stop with their actor", async () => {
  const { clock, child, stop } = under(holder);
  clock.advance(49);
  expect(child.current()?.getSnapshot()).toMatchObject({ value: "run" });
  clock.advance(1);
  expect(child.current()?.getSnapshot()).toMatchObject({ value: "late" });
  await stop();
  expect(clock.pending).toBe(0);
});

test("stop waits for the finalizers of this child's effects, after a crash too, and no longer than shutdownMs (I5)", async () => {
  const log: string[] = [];
  let letGo: () => void = () => {};
  const held = fromEffect<null, never, never>(Effect.runFork, () => Effect.sync(() => { log.push("open"); }).pipe(
    Effect.andThen(Effect.never), Effect.ensuring(Effect.promise(() => new Promise<void>((resolve) => { letGo = resolve; log.push("closing"); })))));
  const machine = setup({ types: {} as { events: { type: "BOOM" } }, actors: { held }, actions: { boom } }).createMachine({
    id: "effectful", options: { maxIterations: 100 }, invoke: { id: "held", src: "held" }, on: { BOOM: { actions: "boom" } },
  });
  const { clock, child, events, stop } = under(machine, { shutdownMs: 400 });
  await vi.waitFor(() => expect(log).toEqual(["open"]));
  child.current()?.send({ type: "BOOM" });
  await vi.waitFor(() => expect(log).toEqual(["open", "closing"]));
  await settled();
  expect(log).toHaveLength(2);
  letGo();
  await vi.waitFor(() => expect(log).toEqual(["open", "closing", "open"]));
  const stopped = stop();
  await vi.waitFor(() => expect(log).toHaveLength(4));
  await clock.settleTo(clock.now() + 400);
  await stopped;
  expect(events.at(-2)).toMatchObject({ type: "stopTimedOut", ms: 400 });
  letGo();
});

test("unnamed logic is refused when the child is made (I4)", () => {
  const inline = createMachine({ id: "inline", options: { maxIterations: 100 }, initial: "a", states: { a: { invoke: { src: fromCallback(() => {}) } } } });
  expect(() => liveActor({ id: "x", machine: inline, clock: new SimulatedClock() })).toThrow("inline.a invokes unnamed logic");
});

test("the owner can subscribe to every incarnation before it starts", async () => {
  const seen: string[] = [];
  const { child } = under(holder, { onStart: (actor) => { actor.subscribe({ next: (snapshot: { value: unknown }) => { seen.push(String(snapshot.value)); }, error: () => {} }); } });
  child.current()?.send({ type: "BOOM" });
  await settled();
  expect(seen).toEqual(["run", "run"]);
});
