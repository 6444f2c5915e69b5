import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CannotAdd, Supervisor, supervise } from "../../actors/supervisor.ts";
import { settled, SimulatedClock } from "../support/clock.ts";
import { ScriptedChild, supervised } from "./scripted-child.ts";

type Sample<T> = T extends fc.Arbitrary<infer S> ? S : never;

describe("strategies and restart types", () => {
  test.each([
    ["one_for_one", ["stop b", "start b"]],
    ["one_for_all", ["stop b", "stop c", "stop a", "start a", "start b", "start c"]],
    ["rest_for_one", ["stop b", "stop c", "start b", "start c"]],
  ] as const)("%s restarts the right children, in order (I1)", async (strategy, expected) => {
    const { log, child, supervisor } = supervised({ strategy }, {}, {}, {});
    log.length = 0;
    child("b").crash();
    await settled();
    expect(log).toEqual(expected);
    log.length = 0;
    await supervisor.stop();
    expect(log).toEqual(["stop c", "stop b", "stop a"]);
    expect(supervisor.tree().map(({ state }) => state)).toEqual(["ended", "ended", "ended"]);
  });

  test("permanent returns always, transient after a crash, temporary never", async () => {
    const { child, states } = supervised({}, { restart: "permanent" }, { restart: "transient" }, { restart: "temporary" });
    for (const id of ["a", "b", "c"]) child(id).done();
    await settled();
    expect(states()).toEqual({ a: "up", b: "ended", c: "ended" });
    const crashing = supervised({}, { restart: "permanent" }, { restart: "transient" }, { restart: "temporary" });
    for (const id of ["a", "b", "c"]) crashing.child(id).crash();
    await settled();
    expect(crashing.states()).toEqual({ a: "up", b: "up", c: "ended" });
  });

  test("CARD-24 a group restart ends its temporary members for good, and leaves ended ones alone (I5)", async () => {
    const { child, states } = supervised({ strategy: "one_for_all" }, {}, { restart: "temporary" }, { restart: "transient" });
    child("c").done();
    await settled();
    child("a").crash();
    await settled();
    expect(states()).toEqual({ a: "up", b: "ended", c: "ended" });
    expect([child("b").lives, child("b").stops, child("c").lives]).toEqual([1, 1, 1]);
  });

  test("in a group, a start that fails leaves the later ones to the next try", async () => {
    const { child, log, states } = supervised({ strategy: "rest_for_one" }, {}, {}, {});
    let failures = 1;
    child("b").onStart = () => { if (failures-- > 0) throw new Error("port taken"); };
    log.length = 0;
    child("a").crash();
    await settled();
    expect(log).toEqual(["stop a", "stop c", "stop b", "start a", "start b", "start b", "start c"]);
    expect(states()).toEqual({ a: "up", b: "up", c: "up" });
  });
});

describe("time", () => {
  test("backoff doubles, is capped, and begins anew after a child was up for the window", async () => {
    const { clock, child, events } = supervised({ backoff: { baseMs: 100, maxMs: 300 }, intensity: { max: 9, withinMs: 10_000 } }, {});
    for (const wait of [100, 200, 300]) {
      child("a").crash();
      await clock.settleTo(clock.now() + wait - 1);
      const { lives } = child("a");
      await clock.settleTo(clock.now() + 1);
      expect(child("a").lives).toBe(lives + 1);
    }
    await clock.settleTo(clock.now() + 10_000);
    child("a").crash();
    await settled();
    expect(events.flatMap((event) => (event.type === "waiting" ? [event.ms] : []))).toEqual([100, 200, 300, 100]);
  });

  test("CARD-24 more failures than the window bears: the rest stops in reverse, then it escalates once, and nothing starts again (I4)", async () => {
    const { child, log, escalations, supervisor, events } = supervised({ intensity: { max: 2, withinMs: 1_000 } }, {}, {}, {});
    for (let i = 0; i < 3; i++) { child("b").crash(`boom ${i}`); await settled(); }
    expect(escalations).toEqual([new Error("boom 2")]);
    expect(log.slice(-3)).toEqual(["stop b", "stop c", "stop a"]);
    child("a").crash();
    await supervisor.stop();
    expect(escalations).toHaveLength(1);
    expect(child("a").lives).toBe(1);
    expect(events.filter(({ type }) => type === "escalated")).toEqual([{ type: "escalated", reason: "Error: boom 2", path: "root", at: 1_000 }]);
    expect(() => supervisor.add(child("a").spec())).toThrow(CannotAdd);
  });

  test("failures outside the window are forgotten", async () => {
    const { clock, child, escalations } = supervised({ intensity: { max: 1, withinMs: 1_000 } }, {});
    for (let i = 0; i < 5; i++) { child("a").crash(); await clock.settleTo(clock.now() + 1_000); }
    expect(escalations).toEqual([]);
    expect(child("a").lives).toBe(6);
  });

  test("a stop during a backoff cancels it: no timer is left and nothing starts", async () => {
    const { clock, child, supervisor } = supervised({ backoff: { baseMs: 500, maxMs: 500 } }, {}, {});
    child("a").crash();
    await settled();
    expect(clock.pending).toBe(1);
    await supervisor.stop();
    expect(clock.pending).toBe(0);
    await clock.settleTo(5_000);
    expect([child("a").lives, child("b").lives]).toEqual([1, 1]);
  });

  test("a stop that hangs is given up after its time; the shutdown goes on (I2)", async () => {
    const { clock, child, supervisor, events, log } = supervised({}, {}, { shutdownMs: 700 });
    child("b").slowStop = true;
    log.length = 0;
    const stopped = supervisor.stop();
    await clock.settleTo(1_699);
    expect(log).toEqual(["stop b"]);
    await clock.settleTo(1_700);
    await stopped;
    expect(log).toEqual(["stop b", "stop a"]);
    expect(events.map(({ type }) => type)).toContain("stopTimedOut");
    expect(clock.pending).toBe(0);
  });

  test("a crashed child's finalizers end before its next life begins, and hold up nobody else (I2, I6)", async () => {
    const { child, states } = supervised({}, {}, {});
    child("a").slowStop = true;
    child("a").crash();
    child("b").crash();
    await settled();
    expect(states()).toEqual({ a: "restarting", b: "up" });
    expect([child("a").lives, child("b").lives]).toEqual([1, 2]);
    child("a").finishStop();
    await settled();
    expect(child("a").lives).toBe(2);
  });
});

describe("exits", () => {
  test("what an old life says changes nothing, and an exit counts once (I3)", async () => {
    const { child, events } = supervised({}, {});
    const stale = child("a").exitOfThisLife();
    child("a").crash();
    child("a").crash();
    await settled();
    stale({ kind: "crashed", error: new Error("late") });
    await settled();
    expect(child("a").lives).toBe(2);
    expect(events.filter(({ type }) => type === "crashed")).toHaveLength(1);
  });

  test("an exit during start, and a start that throws, are crashes like any other", async () => {
    const { child, escalations } = supervised({ intensity: { max: 5, withinMs: 1_000 } }, {});
    let left = 2;
    child("a").onStart = (exit) => { if (left-- > 0) exit({ kind: "crashed", error: new Error("at once") }); };
    child("a").crash();
    await settled();
    expect([child("a").lives, child("a").stops, escalations.length]).toEqual([4, 3, 0]);
  });

  test("an observer that throws harms nobody", async () => {
    const { child } = supervised({ observe: () => { throw new Error("journal down"); } }, {});
    child("a").crash();
    await settled();
    expect(child("a").lives).toBe(2);
  });

  test("crashes carry their reason, stack and time; the tree shows the last one", async () => {
    const { clock, child, events, supervisor } = supervised({}, {});
    await clock.settleTo(1_500);
    child("a").crash("no luck");
    await settled();
    expect(events.find(({ type }) => type === "crashed")).toMatchObject({ path: "root/a", at: 1_500, reason: "Error: no luck", stack: expect.stringContaining("scripted-child") });
    expect(supervisor.tree()).toEqual([{ id: "a", kind: "worker", state: "up", restarts: 1, since: 1_500, lastCrash: "Error: no luck", detail: "life 2" }]);
  });
});

describe("children that come and go", () => {
  test("add starts, remove stops, an id is unique, a dynamic child that ends for good is forgotten", async () => {
    const { supervisor, log, states } = supervised({}, {});
    const x = new ScriptedChild("x", log), y = new ScriptedChild("y", log);
    supervisor.add(x.spec({ restart: "temporary" }));
    supervisor.add(y.spec());
    expect(states()).toEqual({ a: "up", x: "up", y: "up" });
    expect(() => supervisor.add(y.spec())).toThrow(CannotAdd);
    x.crash();
    await settled();
    expect(await supervisor.remove("y")).toBe(true);
    expect(await supervisor.remove("y")).toBe(false);
    expect(states()).toEqual({ a: "up" });
    expect([x.stops, y.stops]).toEqual([1, 1]);
  });

  test("removing the child whose backoff its group waits for starts the rest of the group", async () => {
    const { supervisor, child, states } = supervised({ strategy: "rest_for_one", backoff: { baseMs: 500, maxMs: 500 } }, {}, {}, {});
    child("b").crash();
    await settled();
    expect(states()).toEqual({ a: "up", b: "waiting", c: "waiting" });
    await supervisor.remove("b");
    expect(states()).toEqual({ a: "up", c: "up" });
  });
});

test("nested: an inner supervisor that gives up is restarted whole by the outer, which gives up in its turn", async () => {
  const clock = new SimulatedClock(), log: string[] = [], paths: string[] = [], escalations: unknown[] = [];
  const x = new ScriptedChild("x", log), y = new ScriptedChild("y", log);
  const inner = supervise({ id: "inner", clock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1_000 }, children: [x.spec(), y.spec()] });
  const root = new Supervisor({
    id: "root", clock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1_000 }, children: [inner],
    observe: ({ type, path }) => { if (type !== "started") paths.push(`${type} ${path}`); }, onEscalate: (error) => { escalations.push(error); },
  });
  expect(root.tree()).toMatchObject([{ id: "inner", kind: "supervisor", children: [{ id: "x", state: "up" }, { id: "y", state: "up" }] }]);
  x.crash(); await settled();
  x.crash(); await settled();
  expect([x.lives, y.lives, y.stops]).toEqual([3, 2, 1]);
  expect(paths).toEqual(["crashed root/inner/x", "crashed root/inner/x", "escalated root/inner", "stopped root/inner/y", "crashed root/inner"]);
  expect(inner.current()?.tree()).toHaveLength(2);
  x.crash(); await settled();
  x.crash(); await settled();
  expect(escalations).toEqual([new Error("boom")]);
  expect([x.lives - x.stops, y.lives - y.stops]).toEqual([0, 0]);
  expect(clock.pending).toBe(0);
});

test("CARD-24 whatever happens in whatever order: every life is stopped once, nothing runs after the stop, and the same history follows (I1–I7)", async () => {
  const act = fc.record({ child: fc.integer({ min: 0, max: 3 }), what: fc.constantFrom("crash", "done", "remove", "add", "wait", "finish", "settle"), ms: fc.integer({ min: 1, max: 900 }) });
  const policy = fc.record({
    strategy: fc.constantFrom("one_for_one" as const, "one_for_all" as const, "rest_for_one" as const),
    backoffMs: fc.constantFrom(0, 50), max: fc.integer({ min: 0, max: 4 }), slow: fc.integer({ min: 0, max: 3 }),
    restarts: fc.array(fc.constantFrom("permanent" as const, "transient" as const, "temporary" as const), { minLength: 4, maxLength: 4 }),
  });
  const run = async ({ strategy, backoffMs, max, slow, restarts }: Sample<typeof policy>, acts: readonly Sample<typeof act>[]) => {
    const { clock, children, supervisor, escalations, events } = supervised(
      { strategy, intensity: { max, withinMs: 500 }, ...(backoffMs > 0 ? { backoff: { baseMs: backoffMs, maxMs: 200 } } : {}) },
      ...restarts.map((restart) => ({ restart, shutdownMs: 300 })),
    );
    const removals: Promise<boolean>[] = [];
    for (const { child: at, what, ms } of acts) {
      const child = children[at];
      if (!child) continue;
      child.slowStop = at === slow;
      switch (what) {
        case "crash": child.crash(); break;
        case "done": child.done(); break;
        case "remove": removals.push(supervisor.remove(child.id)); break;
        case "add": try { supervisor.add(child.spec({ shutdownMs: 300 })); } catch (error) { expect(error).toBeInstanceOf(CannotAdd); } break;
        case "wait": await clock.settleTo(clock.now() + ms); break;
        case "finish": child.finishStop(); break;
        case "settle": await settled(); break;
      }
      for (const each of children) expect(each.lives - each.stops).toBeLessThanOrEqual(1);
    }
    const stopped = supervisor.stop();
    await clock.settleTo(clock.now() + 10_000);
    await Promise.all([stopped, ...removals]);
    for (const each of children) expect(each.lives).toBe(each.stops);
    for (const each of children) each.crash("after the end");
    await clock.settleTo(clock.now() + 10_000);
    for (const each of children) expect(each.lives).toBe(each.stops);
    expect(escalations.length).toBeLessThanOrEqual(1);
    expect(clock.pending).toBe(0);
    return events.map((event) => ({ ...event, stack: "" }));
  };
  await fc.assert(fc.asyncProperty(policy, fc.array(act, { maxLength: 20 }), async (chosen, acts) => {
    expect(await run(chosen, acts)).toEqual(await run(chosen, acts));
  }), { numRuns: 150, seed: 20_261_122 });
});
