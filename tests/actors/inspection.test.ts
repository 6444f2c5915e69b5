/** The inspector over a real host: what it shows is what happened, and nobody who is watched feels it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Exit, Scope } from "effect";
import fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { assign, raise, setup } from "xstate";
import { z } from "zod";
import { chartsOf } from "../../actors/durable-actor.ts";
import { DurableHost } from "../../actors/durable-host.ts";
import { Inspection, type InspectionParts } from "../../actors/inspection.ts";
import { liveActor } from "../../actors/live-actor.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { chartOptions, hostActions } from "../../machines/durable.ts";
import { redactor } from "../../src/daemon/secrets.ts";
import { type Address, itemAddress, WorkItemId } from "../../src/domain/ids.ts";
import type { InspectionEvent } from "../../src/domain/inspection.ts";
import { memoryState, openOwner, type StoreLocation } from "../../src/store/open.ts";
import { settled, SimulatedClock } from "../support/clock.ts";

/** Three steps deep where it can be: an event raises another, which opens an eventless way. */
const gate = setup({
  types: {} as { context: { readonly n: number; readonly notes: readonly string[] }; events: { type: "STEP" } | { type: "FALL" } | { type: "NOTE"; text: string } | { type: "BACK" } | { type: "END" } },
  actions: { ...hostActions, count: assign({ n: ({ context }) => context.n + 1 }), note: assign(({ context, event }) => (event.type === "NOTE" ? { notes: [...context.notes, event.text] } : {})) },
  guards: { even: ({ context }) => context.n % 2 === 0 },
}).createMachine({
  id: "gate", options: chartOptions, context: { n: 0, notes: [] }, initial: "low",
  on: { NOTE: { actions: "note" }, END: ".over" },
  states: {
    low: { on: { STEP: { target: "middle", actions: ["count", raise({ type: "FALL" })] } } },
    middle: { on: { FALL: "high.left" } },
    high: { initial: "right", on: { BACK: "low" }, states: { left: { always: { guard: "even", target: "right" }, on: { STEP: { target: "left", reenter: true, actions: "count" } } }, right: { on: { STEP: { target: "left", actions: "count" } } } } },
    over: { type: "final" },
  },
});
const entry: CatalogEntry = {
  id: "gate", version: 1, machine: gate, durable: true, migrate: (state) => state, view: ({ value, context }) => ({ state: typeof value === "string" ? value : JSON.stringify(value), n: context.n }),
  exploration: { inputs: [], events: [], unattended: [], abstraction: () => null, restStates: [], first: [], states: [], edges: [] },
};
const charts = chartsOf([entry]);
const address = (n: number): Address => itemAddress(WorkItemId.parse(`LOC-${n}`), 1);
const start = { type: "actor.start", chart: "gate", version: 1, input: {} };

interface Room extends AsyncDisposable { readonly host: DurableHost; readonly inspection: Inspection; readonly reads: () => number; readonly send: (n: number, ...types: readonly string[]) => Promise<void>; readonly clock: SimulatedClock }

const open = async (location: StoreLocation = { kind: "memory", state: memoryState() }, more: Partial<Pick<InspectionParts, "redact" | "living">> & { readonly residents?: number } = {}): Promise<Room> => {
  const scope = Scope.makeUnsafe(), clock = new SimulatedClock(1_000_000);
  const store = await Effect.runPromise(Scope.provide(openOwner(location), scope));
  let reads = 0;
  const counted = { load: (at: Address) => { reads++; return store.load(at); }, journal: (query: Parameters<typeof store.journal>[0]) => { reads++; return store.journal(query); }, views: (chart?: string) => { reads++; return store.views(chart); } };
  const inspection = new Inspection({ store: counted, charts, clock, redact: more.redact ?? ((json) => json), ...(more.living ? { living: more.living } : {}) });
  const host = new DurableHost({ store, clock, catalog: [entry], onEffect: () => {}, ...(more.residents === undefined ? {} : { residents: more.residents }), observer: { committed: (change) => inspection.committed(change) } });
  return {
    host, inspection, clock, reads: () => reads,
    send: async (n, ...types) => { for (const type of types) await host.send(address(n), { type }); },
    [Symbol.asyncDispose]: async () => { inspection.stop(); await host.stop(); await Effect.runPromise(Scope.close(scope, Exit.void)); },
  };
};

/** Hears everything, in order. */
const hearing = (room: Pick<Room, "inspection">, options: { readonly address?: string } = {}) => {
  const heard: InspectionEvent[] = [];
  const stop = room.inspection.inspect(options, (message) => { heard.push(message); });
  onTestFinished(stop);
  return { heard, stop, of: (type: string, sessionId?: string) => heard.filter((message) => message.type === `@xstate.${type}` && (sessionId === undefined || message.sessionId === sessionId)) };
};
const Told = z.looseObject({ event: z.looseObject({ type: z.string() }).optional(), snapshot: z.looseObject({ status: z.string(), value: z.unknown().optional(), context: z.unknown().optional() }).optional() });
const told = (message: InspectionEvent): { readonly event: string; readonly value: unknown; readonly context: unknown } => {
  const { event, snapshot } = Told.parse(message);
  return { event: event?.type ?? "", value: snapshot?.value, context: snapshot?.context };
};
const line = (message: InspectionEvent): string => [message.type.slice(8), told(message).event, JSON.stringify(told(message).value)].filter((part) => part !== undefined && part !== "").join(" ");
const guard = { timeout: 60_000 };

describe("what is shown is what happened", () => {
  test("an actor is introduced with its chart, then told step by step: the event, what XState did inside, where it led", async () => {
    await using room = await open();
    await room.host.send(address(1), start);
    const { heard, of } = hearing(room);
    await expect.poll(() => of("actor"), guard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ sessionId: address(1), rootId: address(1), name: address(1), createdAt: "1000000", _version: expect.any(String), snapshot: { status: "active", value: "low", context: { n: 0, notes: [] } } });
    expect(JSON.parse(String(heard[0]?.["definition"]))).toMatchObject({ id: "gate", initial: "low" });
    await room.send(1, "STEP", "STEP", "NOBODY", "END");
    await expect.poll(() => of("snapshot"), guard).toHaveLength(4);
    expect(heard.slice(1).map(line)).toEqual([
      "event STEP", 'microstep STEP "middle"', 'microstep FALL {"high":"left"}', 'snapshot STEP {"high":"left"}',
      "event STEP", 'microstep STEP {"high":"left"}', 'microstep STEP {"high":"right"}', 'snapshot STEP {"high":"right"}',
      "event NOBODY", 'snapshot NOBODY {"high":"right"}',
      "event END", 'microstep END "over"', 'snapshot END "over"',
    ]);
    expect(heard.at(-1)).toMatchObject({ snapshot: { status: "done" } });
    expect(heard[2]?.["_transitions"]).toEqual([{ eventType: "STEP", source: "#gate.low", target: ["#gate.middle"] }]);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(heard.length);
  });

  test("an actor that begins while somebody listens is introduced first, and one address alone can be followed", async () => {
    await using room = await open();
    const [all, one] = [hearing(room), hearing(room, { address: address(2) })];
    await room.host.send(address(1), start);
    await room.host.send(address(2), start);
    await room.send(2, "STEP");
    await expect.poll(() => [all.of("snapshot").length, one.of("snapshot").length], guard).toEqual([3, 2]);
    expect(all.heard.map(({ type, sessionId }) => `${type.slice(8)} ${sessionId}`)).toEqual([
      ...["actor", "event", "snapshot"].map((type) => `${type} ${address(1)}`), ...["actor", "event", "snapshot", "event", "microstep", "microstep", "snapshot"].map((type) => `${type} ${address(2)}`),
    ]);
    expect(one.heard).toEqual(all.heard.filter(({ sessionId }) => sessionId === address(2)));
  });

  test("the list has every actor that has not ended, with its state and the sequence of what it showed last", async () => {
    await using room = await open();
    for (const n of [2, 1, 10, 3]) await room.host.send(address(n), start);
    await room.send(1, "STEP", "STEP");
    await room.send(3, "END");
    expect(await room.inspection.actors()).toEqual([
      { address: address(1), chart: "gate", kind: "durable", state: "high.right", seq: 3 },
      { address: address(2), chart: "gate", kind: "durable", state: "low", seq: 1 },
      { address: address(10), chart: "gate", kind: "durable", state: "low", seq: 1 },
    ]);
    // One that has ended can still be looked at; what never was cannot.
    expect(await room.inspection.actor(address(3))).toMatchObject({ state: "over", seq: 2, transitions: [{ event: "actor.start", from: null, to: "low" }, { event: "END", from: "low", to: "over" }] });
    for (const wrong of [address(4), "nothing", "", "item/", "pipeline/LOC-1/1"]) expect(await room.inspection.actor(wrong)).toBeUndefined();
  });

  const steps = fc.array(fc.record({ n: fc.integer({ min: 1, max: 3 }), type: fc.constantFrom("STEP", "STEP", "FALL", "BACK", "NOTE", "NOBODY", "END") }), { minLength: 1, maxLength: 200 });
  /** Sends the steps, some of them in one batch, and compares what was heard with what a look back replays. */
  const same = async (location: StoreLocation, sent: readonly { readonly n: number; readonly type: string }[], residents: number): Promise<void> => {
    await using room = await open(location, { residents });
    const { of } = hearing(room);
    for (const n of [1, 2, 3]) await room.host.send(address(n), start);
    const pending = sent.map(({ n, type }) => room.host.send(address(n), { type, text: type }));
    await Promise.all(pending);
    await expect.poll(() => of("snapshot").length, guard).toBe(sent.length + 3);
    for (const n of [1, 2, 3]) {
      const live = of("snapshot", address(n)).map(told);
      const observed = live.map(({ event, value }, i) => ({ seq: i + 1, at: 1_000_000, event, from: live[i - 1]?.value ?? null, to: value }));
      const found = await room.inspection.actor(address(n));
      expect(found?.transitions).toEqual(observed.slice(-20));
      expect([found?.seq, found?.value, found?.context]).toEqual([live.length, live.at(-1)?.value, live.at(-1)?.context]);
    }
  };

  test("replayed transitions equal those observed live, whatever was sent and whoever was in memory", async () => {
    await fc.assert(fc.asyncProperty(steps, fc.constantFrom(1, 100), (sent, residents) => same({ kind: "memory", state: memoryState() }, sent, residents)), { numRuns: 40 });
  });

  test("the same on SQLite, over several snapshots", async () => {
    const directory = mkdtempSync(join(tmpdir(), "enact-inspect-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    await same({ kind: "sqlite", directory }, Array.from({ length: 300 }, (_, i) => ({ n: 1 + (i % 3), type: ["STEP", "STEP", "BACK", "NOTE", "STEP"][i % 5] ?? "STEP" })), 1);
  });

  test("a history of another version of the chart is not replayed with this one: it begins at the newest snapshot", async () => {
    const state = memoryState();
    {
      await using room = await open({ kind: "memory", state });
      await room.host.send(address(1), { ...start, version: 0 });
      await room.send(1, ...Array.from({ length: 66 }, () => "STEP"));
      const found = await room.inspection.actor(address(1));
      expect([found?.seq, found?.transitions.map(({ seq }) => seq)]).toEqual([67, [65, 66, 67]]);
    }
  });
});

describe("the watched feel nothing", () => {
  test("I1 while nobody listens nothing is read, observed or kept, and afterwards nothing again", async () => {
    let looks = 0;
    await using room = await open(undefined, { living: () => { looks++; return []; } });
    await room.host.send(address(1), start);
    await room.send(1, "STEP", "BACK");
    room.inspection.started();
    await Promise.resolve();
    expect([room.reads(), looks]).toEqual([0, 0]);
    const { heard, of, stop } = hearing(room);
    await expect.poll(() => of("actor"), guard).toHaveLength(1);
    await room.send(1, "STEP");
    await expect.poll(() => of("snapshot"), guard).toHaveLength(1);
    const [reads, seen, messages] = [room.reads(), looks, heard.length];
    expect([reads > 0, seen > 0]).toEqual([true, true]);
    stop();
    await room.send(1, "BACK", "STEP");
    room.inspection.started();
    await Promise.resolve();
    expect([room.reads(), looks, heard.length]).toEqual([reads, seen, messages]);
  });

  test("a listener that never comes back holds up nobody; when it does, it is told what it missed and where everybody stands", async () => {
    await using room = await open();
    for (const n of [1, 2]) await room.host.send(address(n), start);
    const heard: InspectionEvent[] = [];
    let letGo: () => void = () => {};
    const held = new Promise<void>((resolve) => { letGo = resolve; });
    onTestFinished(room.inspection.inspect({}, async (message) => { heard.push(message); if (message.type === "@xstate.event") await held; }));
    const quick = hearing(room);
    await expect.poll(() => [heard.length, quick.heard.length], guard).toEqual([2, 2]);
    const [intro] = heard;
    const lastOf = (n: number): unknown => { const last = heard.findLast(({ sessionId }) => sessionId === address(n)) ?? intro; return last && told(last).value; };
    const many = 3_000;
    for (let i = 0; i < many; i++) {
      await room.send(1, i % 2 === 0 ? "STEP" : "BACK");
      // The store in memory leaves the event loop no turn of its own.
      if (i % 16 === 0) await settled();
    }
    await room.send(2, "STEP");
    await expect.poll(() => quick.of("snapshot").length, guard).toBe(many + 1);
    expect(heard.filter(({ type }) => type === "@xstate.snapshot")).toEqual([]);
    letGo();
    const dropped = (): number => heard.reduce((sum, message) => sum + (message.dropped ?? 0), 0);
    const whole = (): number => heard.filter(({ type }) => type === "@xstate.event").length;
    await expect.poll(() => [whole() + dropped(), lastOf(2)], guard).toEqual([many + 1, { high: "left" }]);
    expect(dropped()).toBeGreaterThan(1_000);
    for (const n of [1, 2]) expect(lastOf(n)).toEqual((await room.inspection.actor(address(n)))?.value);
    // Afterwards steps are told whole again.
    await room.send(2, "BACK");
    await expect.poll(() => heard.slice(-3).map(line), guard).toEqual(["event BACK", 'microstep BACK "low"', 'snapshot BACK "low"']);
  });

  test("a listener that throws, at once or later, harms neither the actors nor the other listeners", async () => {
    await using room = await open();
    const faults = [vi.fn(() => { throw new Error("at once"); }), vi.fn(async () => { throw new Error("later"); })];
    for (const fault of faults) onTestFinished(room.inspection.inspect({}, fault));
    const { of } = hearing(room);
    await room.host.send(address(1), start);
    await room.send(1, "STEP", "BACK", "STEP");
    await expect.poll(() => of("snapshot").length, guard).toBe(4);
    expect(of("snapshot").some(({ dropped }) => dropped !== undefined)).toBe(false);
    expect(await room.inspection.actor(address(1))).toMatchObject({ seq: 4, state: "high.right" });
    for (const fault of faults) await expect.poll(() => fault.mock.calls.length, guard).toBeGreaterThan(3);
  });
});

describe("what must not be seen, and what is too much", () => {
  const secret = "hunter2-hunter2-hunter2";
  test("secrets are replaced before anything is cut, in live actors too; a message has an upper size", async () => {
    const clock = new SimulatedClock(5);
    const talker = setup({ types: {} as { context: { said: readonly unknown[] }; events: { type: "SAY"; what: unknown } }, actions: { say: assign(({ context, event }) => ({ said: [...context.said, event.what] })) } })
      .createMachine({ id: "talker", options: chartOptions, context: { said: [] }, initial: "on", states: { on: { on: { SAY: { actions: "say" } } } } });
    const supervisor = new Supervisor({ id: "root", clock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1 }, onEscalate: () => {}, children: [liveActor({ id: "talker", machine: talker, clock })] });
    onTestFinished(() => supervisor.stop());
    await using room = await open(undefined, { redact: redactor([secret]), living: () => supervisor.living() });
    await room.host.send(address(1), start);
    const { heard, of } = hearing(room);
    await expect.poll(() => of("actor").length, guard).toBe(2);
    // Half of a secret would be left at the end of a long text.
    const text = `${"x".repeat(1_990)}${secret}`;
    const [{ actor } = { actor: undefined }] = supervisor.living();
    const loop: Record<string, unknown> = { big: 5n, call: () => 1, failure: new Error("no") };
    loop["self"] = loop;
    for (const what of [text, { token: secret }, loop, Array.from({ length: 5_000 }, (_, n) => n), Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`key${n}`, "y".repeat(5_000)]))]) {
      const say = { type: "SAY", what };
      actor?.send(say);
    }
    await room.host.send(address(1), { type: "NOTE", text });
    await expect.poll(() => of("snapshot").length, guard).toBe(6);
    const all = JSON.stringify([heard, await room.inspection.actor("talker"), await room.inspection.actor(address(1))]);
    expect(all).not.toContain("hunter2");
    expect(all).toContain("[secret]");
    for (const message of heard) expect(JSON.stringify(message).length).toBeLessThan(200_000);
    const says = of("event").map((message) => z.looseObject({ event: z.looseObject({ what: z.unknown() }) }).safeParse(message)).flatMap(({ data }) => (data ? [data.event.what] : []));
    expect(says[2]).toEqual({ big: "5", call: { type: "call" }, failure: { name: "Error", message: "no" }, self: "(itself)" });
    expect(says[3]).toEqual([...Array.from({ length: 100 }, (_, n) => n), "… 4900 more"]);
    expect(says[0]).toMatch(/^x{1990}\[secret\]/);
    const context = z.looseObject({ context: z.looseObject({ notes: z.array(z.string()) }) }).parse(await room.inspection.actor(address(1))).context;
    expect(context.notes[0]).toMatch(/… \(\d+ characters\)$|\[secret\]$/);
  });
});

describe("live actors", () => {
  const job = setup({ types: {} as { events: { type: "GO" | "BOOM" | "END" } }, actions: { boom: () => { throw new Error("boom"); } } })
    .createMachine({ id: "job", options: chartOptions, initial: "idle", states: { idle: { on: { GO: "busy" } }, busy: { on: { BOOM: { actions: "boom" }, END: "over" } }, over: { type: "final" } } });
  test("are listed with their place in the tree, followed from whenever they begin, also after a crash, and let go of with the last listener", async () => {
    const clock = new SimulatedClock(5);
    const inner = new Supervisor({ id: "inner", clock, strategy: "one_for_one", intensity: { max: 5, withinMs: 1_000 }, onEscalate: () => {}, observe: (event) => { if (event.type === "started") room.inspection.started(); } });
    const root = new Supervisor({ id: "root", clock, strategy: "one_for_one", intensity: { max: 5, withinMs: 1_000 }, onEscalate: () => {}, children: [{ id: "inner", start: () => ({ stop: () => inner.stop(), tree: () => inner.tree(), living: () => inner.living() }) }] });
    onTestFinished(() => root.stop());
    await using room: Room = await open(undefined, { living: () => root.living() });
    const child = liveActor({ id: "run/1", machine: job, clock, restart: "transient" });
    inner.add(child);
    expect(await room.inspection.actors()).toEqual([{ address: "inner/run/1", chart: "job", kind: "live", state: "idle", seq: 0 }]);
    expect(await room.inspection.actor("inner/run/1")).toMatchObject({ kind: "live", state: "idle", value: "idle", definition: { id: "job" }, transitions: [] });
    const { heard, of, stop } = hearing(room, { address: "inner/run/1" });
    await expect.poll(() => of("actor").length, guard).toBe(1);
    child.current()?.send({ type: "GO" });
    child.current()?.send({ type: "BOOM" });
    await expect.poll(() => child.current()?.getSnapshot().value, guard).toBe("idle");
    await expect.poll(() => of("event").map((message) => told(message).event), guard).toEqual(["GO", "BOOM"]);
    child.current()?.send({ type: "GO" });
    child.current()?.send({ type: "END" });
    await expect.poll(() => of("snapshot").map((message) => told(message).value), guard).toEqual(["busy", "busy", "over"]);
    expect(heard.every(({ sessionId, rootId }) => sessionId === rootId)).toBe(true);
    // The second life is another session of the same name.
    expect(of("actor").map(({ name }) => name)).toEqual(["inner/run/1", "inner/run/1"]);
    expect(new Set(of("actor").map(({ sessionId }) => sessionId)).size).toBe(2);
    inner.add(liveActor({ id: "run/2", machine: job, clock, restart: "temporary" }));
    const [{ actor } = { actor: undefined }] = root.living();
    if (!actor) throw new Error("nothing lives");
    await settled();
    const looked = vi.spyOn(actor, "getSnapshot");
    actor.send({ type: "END" });
    expect(looked).toHaveBeenCalled();
    stop();
    looked.mockClear();
    actor.send({ type: "GO" });
    expect(looked).not.toHaveBeenCalled();
    expect(of("snapshot")).toHaveLength(3);
  });
});
