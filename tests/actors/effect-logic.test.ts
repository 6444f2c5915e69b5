import { Cause, Context, Effect, Layer, ManagedRuntime } from "effect";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { assign, createActor, setup, type AnyActor } from "xstate";
import { EffectFailure, fromEffect, settled } from "../../actors/effect-logic.ts";

class Numbers extends Context.Service<Numbers, { readonly double: (n: number) => Effect.Effect<number, { readonly _tag: "Negative"; readonly n: number }> }>()("test/Numbers") {}

let acquired = 0, released = 0;
const runtime = ManagedRuntime.make(Layer.effect(Numbers, Effect.acquireRelease(
  Effect.sync(() => { acquired++; return Numbers.of({ double: (n) => (n < 0 ? Effect.fail({ _tag: "Negative", n }) : Effect.succeed(2 * n)) }); }),
  () => Effect.sync(() => { released++; }),
)));

type Mode = "double" | "die" | "throw" | "interrupt" | "failWithDefect" | "hang";
interface Job { readonly mode: Mode; readonly n: number }
const log: string[] = [];
/** Lets the finalizer of a hanging job end. */
let letGo: () => void = () => {};

const work = fromEffect<number, { readonly _tag: "Negative"; readonly n: number }, Numbers, Job>(runtime.runFork, ({ input }) => Effect.gen(function* () {
  const numbers = yield* Numbers;
  switch (input.mode) {
    case "double": return yield* numbers.double(input.n);
    case "die": return yield* Effect.die(new Error("kaboom"));
    case "throw": throw new Error("thrown in the body");
    case "interrupt": return yield* Effect.interrupt;
    case "failWithDefect": return yield* Effect.failCause(Cause.combine(Cause.fail({ _tag: "Negative" as const, n: -1 }), Cause.die(new Error("finalizer broke"))));
    case "hang":
      log.push("running");
      return yield* Effect.never.pipe(Effect.ensuring(Effect.promise(() => new Promise<void>((resolve) => { letGo = resolve; })).pipe(Effect.andThen(Effect.sync(() => { log.push("finalized"); })))));
  }
}));

const machine = setup({ types: {} as { context: { result: unknown; job: Job }; input: Job; events: { type: "CANCEL" } }, actors: { work } }).createMachine({
  context: ({ input }) => ({ result: null, job: input }), initial: "working", options: { maxIterations: 100 },
  states: {
    working: {
      invoke: { id: "work", src: "work", input: ({ context }) => context.job, onDone: { target: "ok", actions: assign({ result: ({ event }) => event.output }) }, onError: { target: "bad", actions: assign({ result: ({ event }) => event.error }) } },
      on: { CANCEL: "cancelled" },
    },
    ok: {}, bad: {}, cancelled: {},
  },
});

const uncaught: unknown[] = [];
const note = (error: unknown): void => { uncaught.push(error); };
beforeAll(() => { process.on("uncaughtException", note); process.on("unhandledRejection", note); });
afterAll(() => { process.off("uncaughtException", note); process.off("unhandledRejection", note); });

let actor: AnyActor | undefined;
afterEach(() => { actor?.stop(); letGo(); log.length = 0; });

const start = (job: Job): AnyActor => (actor = createActor(machine, { input: job }).start());
const ended = (running: AnyActor) => vi.waitFor(() => {
  const { value, context }: { value: string; context: { result: unknown } } = running.getSnapshot();
  expect(["ok", "bad"]).toContain(value);
  return { value, result: context.result };
});

describe("an effect as an actor", () => {
  test("succeeds with its value and its services", async () => {
    expect(await ended(start({ mode: "double", n: 4 }))).toEqual({ value: "ok", result: 8 });
  });

  test.each([
    ["a declared failure", { mode: "double", n: -1 }, "failure", { _tag: "Negative", n: -1 }],
    ["a defect", { mode: "die", n: 0 }, "defect", new Error("kaboom")],
    ["a throw in the body", { mode: "throw", n: 0 }, "defect", new Error("thrown in the body")],
    ["a failure together with a defect", { mode: "failWithDefect", n: 0 }, "defect", new Error("finalizer broke")],
    ["an interrupt from within", { mode: "interrupt", n: 0 }, "interrupt", undefined],
  ] as const)("%s is told apart (I4)", async (_, job, kind, value) => {
    const { value: state, result } = await ended(start(job));
    expect(state).toBe("bad");
    expect(result).toBeInstanceOf(EffectFailure);
    expect(result).toMatchObject({ kind, value });
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({ name: "EffectFailure", kind });
  });

  test("CARD-03 leaving the state interrupts at once; settled waits for the finalizer, and only for its own system (I2, I3)", async () => {
    const running = start({ mode: "hang", n: 0 }), other = createActor(machine, { input: { mode: "double", n: 1 } }).start();
    await vi.waitFor(() => expect(log).toEqual(["running"]));
    let over = false;
    running.send({ type: "CANCEL" });
    expect(running.getSnapshot().value).toBe("cancelled");
    const waiting = settled(running.system).then(() => { over = true; });
    await ended(other);
    await settled(other.system);
    expect([over, log]).toEqual([false, ["running"]]);
    letGo();
    await waiting;
    expect(log).toEqual(["running", "finalized"]);
    expect(running.getSnapshot().value).toBe("cancelled");
    other.stop();
  });

  test("the services are built once and released with the runtime; nothing escaped", async () => {
    expect([acquired, released]).toEqual([1, 0]);
    await runtime.dispose();
    expect([acquired, released]).toEqual([1, 1]);
    expect(uncaught).toEqual([]);
  });
});
