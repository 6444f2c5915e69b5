/** XState's sharp edges that our code is built around (DESIGN §4). An upgrade that changes one of them must be seen here first. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { assign, createActor, createMachine, fromCallback, raise, sendTo, setup, SimulatedClock, transition, type AnyMachineSnapshot, type AnyStateMachine, type Snapshot } from "xstate";
import { createChart } from "../../actors/chart.ts";

const boom = (): void => { throw new Error("boom"); };
const json = <T>(value: T): T => JSON.parse(JSON.stringify(value));
/** A started actor whose errors are collected rather than rethrown. */
const started = (machine: AnyStateMachine, options: { readonly snapshot?: Snapshot<unknown>; readonly clock?: SimulatedClock } = {}) => {
  const errors: string[] = [], actor = createActor(machine, options);
  actor.subscribe({ error: (error: unknown) => { errors.push(error instanceof Error ? error.message : String(error)); } });
  actor.start();
  return { actor, errors, snapshot: (): AnyMachineSnapshot => actor.getSnapshot() };
};

describe("loops", () => {
  const loop = { initial: "a", states: { a: { always: "b" }, b: { always: "a" } } } as const;
  test("an `always` loop ends in an error only because maxIterations is set; the default is no limit", () => {
    expect(createMachine(loop).options).toMatchObject({ maxIterations: Infinity });
    const { errors } = started(createMachine({ ...loop, options: { maxIterations: 100 } }));
    expect(errors).toEqual([expect.stringContaining("Infinite loop")]);
  });
});

describe("crashes", () => {
  const child = setup({ types: {} as { events: { type: "X" } }, actions: { boom } }).createMachine({ id: "child", on: { X: { actions: "boom" } } });
  const parentHandling = (on: object) => createMachine({ id: "parent", invoke: { id: "kid", src: child }, on: { X: { actions: sendTo("kid", { type: "X" }) }, ...on } });

  test("a child's crash that nobody handles crashes the parent, and `send` does not throw", () => {
    const { actor, errors, snapshot } = started(parentHandling({}));
    expect(() => actor.send({ type: "X" })).not.toThrow();
    expect([snapshot().status, errors]).toEqual(["error", ["boom"]]);
  });

  test.each(["*", "xstate.error.*", "xstate.error.actor.*", "xstate.error.actor.kid"])("a handler for %s swallows a child's crash", (descriptor) => {
    const { actor, errors, snapshot } = started(parentHandling({ [descriptor]: {} }));
    actor.send({ type: "X" });
    expect([snapshot().status, errors]).toEqual(["active", []]);
  });

  test("a root without an error observer rethrows into the process", async () => {
    const script = `import { createActor, createMachine } from "xstate"; createActor(createMachine({ entry: () => { throw new Error("nobody listens"); } })).start(); setInterval(() => {}, 1000);`;
    const run = await execa(process.execPath, ["--input-type=module", "--eval", script], { cwd: fileURLToPath(new URL("../..", import.meta.url)), stdin: "ignore", reject: false, timeout: 30_000 });
    expect([run.exitCode, run.timedOut]).toEqual([1, false]);
    expect(run.stderr).toContain("nobody listens");
  });

  test("a throw in an action leaves the machine's children running, and stop() does not reach them afterwards", () => {
    let closed = 0;
    const socket = fromCallback(() => () => { closed++; });
    const { actor, errors, snapshot } = started(createMachine({ invoke: { id: "socket", src: socket }, on: { X: { actions: boom } } }));
    const { socket: orphan } = snapshot().children;
    actor.send({ type: "X" });
    actor.stop();
    expect([errors, closed, orphan?.getSnapshot().status]).toEqual([["boom"], 0, "active"]);
  });

  test("an initial state that throws does not throw to the maker: its status is error", () => {
    const machine = createMachine({ context: () => { throw new Error("no context"); } });
    expect(createChart(machine).start(undefined).state).toMatchObject({ status: "error", error: new Error("no context") });
  });

  test("stopping completes the observers, as finishing does", () => {
    const seen: string[] = [], actor = createActor(createMachine({}));
    actor.subscribe({ complete: () => { seen.push("complete"); } });
    actor.start().stop();
    expect(seen).toEqual(["complete"]);
  });
});

describe("restarts", () => {
  test("`after` is not re-armed when a snapshot is restored", () => {
    const machine = createMachine({ initial: "a", states: { a: { after: { 100: "b" } }, b: {} } });
    const clock = new SimulatedClock(), before = started(machine, { clock });
    clock.increment(90);
    const saved = json(before.actor.getPersistedSnapshot());
    before.actor.stop();
    const later = new SimulatedClock(), { snapshot } = started(machine, { clock: later, snapshot: saved });
    later.increment(10_000);
    expect(snapshot().value).toBe("a");
  });

  test("a delayed send is lost when a snapshot is restored", () => {
    const machine = setup({ types: {} as { context: { n: number }; events: { type: "GO" | "PING" } } }).createMachine({
      context: { n: 0 }, on: { GO: { actions: raise({ type: "PING" }, { delay: 100 }) }, PING: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    });
    const clock = new SimulatedClock(), before = started(machine, { clock });
    before.actor.send({ type: "GO" });
    const saved = json(before.actor.getPersistedSnapshot());
    before.actor.stop();
    const { snapshot } = started(machine, { clock, snapshot: saved });
    clock.increment(10_000);
    expect(snapshot().context).toEqual({ n: 0 });
  });

  test("entry actions do not run again on restore", () => {
    let entered = 0;
    const machine = createMachine({ initial: "a", states: { a: { entry: () => { entered++; } } } });
    const { actor } = started(machine);
    started(machine, { snapshot: json(actor.getPersistedSnapshot()) });
    expect(entered).toBe(1);
  });

  test("a snapshot of a state that the chart no longer has is an error", () => {
    const { actor } = started(createMachine({ initial: "gone", states: { gone: {} } }));
    const { errors, snapshot } = started(createMachine({ initial: "z", states: { z: {} } }), { snapshot: json(actor.getPersistedSnapshot()) });
    expect(snapshot().status).toBe("error");
    expect(errors).toEqual([expect.stringContaining("'gone' does not exist")]);
  });

  test("a state that gained substates silently enters the initial one: charts have versions", () => {
    const { actor } = started(createMachine({ initial: "a", states: { a: {} } }));
    const { snapshot } = started(createMachine({ initial: "a", states: { a: { initial: "x", states: { x: {} } } } }), { snapshot: json(actor.getPersistedSnapshot()) });
    expect(snapshot().value).toEqual({ a: "x" });
  });

  test("only JSON in a context survives", () => {
    const { actor } = started(createMachine({ context: { map: new Map([[1, 2]]), error: new Error("x"), gone: undefined } }));
    expect(json(actor.getPersistedSnapshot())).toMatchObject({ context: { map: {}, error: {} } });
    expect(JSON.stringify(actor.getPersistedSnapshot())).not.toContain("gone");
  });
});

describe("pure transitions", () => {
  const machine = setup({
    types: {} as { context: { n: number }; events: { type: "GO" | "NOTHING" | "THROW" | "END" | "LATE" } },
    actions: { effect: (_unused, _params: { readonly n: number }) => boom(), count: assign({ n: ({ context }) => context.n + 1 }) },
    guards: { broken: () => { throw new Error("guard"); } },
  }).createMachine({
    context: { n: 0 }, initial: "a", options: { maxIterations: 100 },
    on: { LATE: ".b" },
    states: {
      a: { on: { GO: { target: "b", actions: [{ type: "effect", params: ({ context }) => ({ n: context.n }) }, "count", { type: "effect", params: ({ context }) => ({ n: context.n }) }, raise({ type: "END" })] }, THROW: { guard: "broken", target: "b" } } },
      b: { entry: { type: "effect", params: { n: 9 } }, on: { END: "c" } },
      c: { type: "final" },
    },
  });
  const chart = createChart(machine), first = chart.start(undefined).state;

  test("actions come back unexecuted, in order, with the parameters of their moment; raise is settled inside the step", () => {
    const { state, actions } = chart.step(first, { type: "GO" });
    expect(state).toMatchObject({ value: "c", status: "done", context: { n: 1 } });
    expect(actions).toEqual([{ type: "effect", params: { n: 0 } }, { type: "effect", params: { n: 1 } }, { type: "effect", params: { n: 9 } }]);
    expect(first.value).toBe("a");
  });

  test("an event that nothing handles gives the same state object and no action", () => {
    const { state, actions } = chart.step(first, { type: "NOTHING" });
    expect(state).toBe(first);
    expect(actions).toEqual([]);
  });

  test("a throwing guard throws to the caller and leaves nothing behind", () => {
    expect(() => chart.step(first, { type: "THROW" })).toThrow("guard");
    expect(chart.step(first, { type: "NOTHING" })).toEqual({ state: first, actions: [] });
  });

  test("a finished machine still reacts to a handler of its root: whoever steps it must look at the status", () => {
    const { state } = chart.step(first, { type: "GO" });
    expect(transition(machine, state, { type: "LATE" })[0].value).toBe("b");
    expect(transition(machine, state, { type: "GO" })[0]).toBe(state);
  });
});
