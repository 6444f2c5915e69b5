/** The ledger in a real host on a store, and the gate in front of it: what turns are told when they want to begin. */
import { Effect, Exit, Scope } from "effect";
import { afterEach, expect, test } from "vitest";
import { DurableHost } from "../../actors/durable-host.ts";
import { Scheduler } from "../../actors/scheduler.ts";
import { type CapReached, SpendGate } from "../../actors/spend-gate.ts";
import { catalog } from "../../machines/index.ts";
import { ledgerKeeps, spendAddress } from "../../machines/spend.ts";
import type { AgentFailure, TurnOutcome, TurnRequest } from "../../src/domain/agent.ts";
import { dayEnd, dayOf, zonedText } from "../../src/domain/calendar.ts";
import { itemAddress, RunId, WorkItemId } from "../../src/domain/ids.ts";
import { type Caps, itemAmount, type Ledger } from "../../src/domain/ledger.ts";
import { Charge, noUsage } from "../../src/domain/spend.ts";
import type { WorkItemView } from "../../src/domain/view.ts";
import { type MemoryState, openMemoryOwner, memoryState } from "../../src/store/memory.ts";
import { recorded } from "../hud/double.ts";
import { SimulatedClock } from "../support/clock.ts";

const zone = "Europe/Berlin";
const closing: (() => Promise<void>)[] = [];
afterEach(async () => { for (const close of closing.splice(0)) await close(); });

interface Factory {
  readonly gate: SpendGate;
  readonly ledger: () => Promise<Ledger>;
  /** A turn that begins, uses this much and ends; what it was told when it was not let. */
  readonly turn: (run: string, used: { readonly usd?: number; readonly tokens?: number; readonly failure?: AgentFailure; readonly item?: string; readonly repository?: string }) => Promise<CapReached | undefined>;
  readonly ask: (run: string, item?: string) => Promise<CapReached | undefined>;
  readonly end: (run: string, used: { readonly usd?: number; readonly tokens?: number; readonly failure?: AgentFailure; readonly item?: string; readonly repository?: string }) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** As the owner puts them together; `wall` is the clock of the user. */
const factory = async (state: MemoryState, wall: { now: number }, caps: Caps): Promise<Factory> => {
  const scope = Scope.makeUnsafe();
  const store = await Effect.runPromise(Scope.provide(openMemoryOwner(state), scope));
  const gate = new SpendGate({ prices: [], projectOf: (repository) => repository.slice(1), laneOf: () => "none", calendar: { today: () => dayOf(wall.now, zone), endText: () => zonedText(dayEnd(wall.now, zone), zone) } });
  const host = new DurableHost({
    store, clock: new SimulatedClock(1), catalog, onEffect: () => {},
    observer: { committed: ({ actor, event, state: { context } }) => { if (actor === spendAddress) gate.learn(context, "charge" in event ? Charge.safeParse(event.charge).data?.run : undefined); } },
  });
  if (!(await host.state(spendAddress))) await host.send(spendAddress, { type: "actor.start", chart: "spend", version: 1, input: { keep: ledgerKeeps } });
  gate.learn((await host.state(spendAddress))?.state.context);
  await host.send(spendAddress, { type: "caps", caps });
  await host.recover();
  gate.open();
  const asked = (run: string, item = "LOC-1", repository = "/app") => ({ runId: RunId.parse(run), item: WorkItemId.parse(item), repository });
  const end: Factory["end"] = async (run, { usd = 0, tokens = 0, failure, item = "LOC-1", repository = "/app" }) => {
    const request: TurnRequest = {
      runId: RunId.parse(run), item: WorkItemId.parse(item), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "scripted", model: null, cwd: "/", prompt: "", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 1, stallMs: 1, playbook: null,
    };
    const outcome: TurnOutcome = {
      runId: request.runId, ended: failure ? { how: "failed", failure } : { how: "completed", text: "" }, sessionId: null, sessionCostUsd: usd, costUsd: usd, usage: { ...noUsage, inputTokens: tokens }, verdict: null, audit: null, permissionDenials: [], swept: 0,
    };
    const charge = gate.ended(request, repository, outcome, { usd, usage: tokens === 0 ? null : outcome.usage, model: null }, 1_000);
    await host.send(spendAddress, { type: "spent", charge });
  };
  const stop = async (): Promise<void> => {
    await host.stop();
    await Effect.runPromise(Scope.close(scope, Exit.void));
  };
  closing.push(stop);
  return {
    gate, end, stop,
    ledger: async () => (await host.state(spendAddress))?.state.context,
    ask: (run, item) => gate.ask(asked(run, item)),
    turn: async (run, used) => {
      const refused = await gate.ask(asked(run, used.item, used.repository));
      if (refused === undefined) await end(run, used);
      return refused;
    },
  };
};

const at = (text: string): number => Date.parse(text);

test("a day's budget that is used up is back at the user's midnight, and no step of the clock brings a day back that was used up", async () => {
  const wall = { now: at("2026-11-30T22:30:00Z") }, state = memoryState();
  let one = await factory(state, wall, { dayUsd: 10 });
  expect(await one.turn("a", { usd: 10.5 })).toBeUndefined();
  const refused = await one.turn("b", { usd: 1 });
  expect(refused).toMatchObject({ kind: "capReached", cap: "dayUsd", spent: 10.5, limit: 10 });
  expect(refused?.message).toBe("the cap spend.dayUsd: $10.50 of $10.00 on 2026-11-30 is reached; the day ends 2026-12-01 00:00 (Europe/Berlin)");
  // Other items too, and after a restart.
  expect(await one.ask("c", "LOC-2")).toMatchObject({ cap: "dayUsd" });
  await one.stop();
  one = await factory(state, wall, { dayUsd: 10 });
  expect(await one.ask("c", "LOC-2")).toMatchObject({ cap: "dayUsd" });
  // A millisecond before midnight, and at it; UTC's is an hour later.
  wall.now = at("2026-11-30T22:59:59.999Z");
  expect(await one.ask("d")).toMatchObject({ cap: "dayUsd" });
  wall.now = at("2026-11-30T23:00:00Z");
  expect(await one.turn("d", { usd: 4 })).toBeUndefined();
  // Back into the day that was used up, forward by a week, and back again.
  wall.now = at("2026-11-30T21:00:00Z");
  expect(await one.ask("e")).toMatchObject({ cap: "dayUsd", spent: 10.5 });
  wall.now = at("2026-12-07T12:00:00Z");
  expect(await one.turn("f", { usd: 11 })).toBeUndefined();
  expect(await one.ask("g")).toMatchObject({ cap: "dayUsd", spent: 11 });
  wall.now = at("2026-12-01T12:00:00Z");
  expect(await one.turn("g", { usd: 6 })).toBeUndefined();
  expect(await one.ask("h")).toMatchObject({ cap: "dayUsd", spent: 10 });
  expect((await one.ledger()).days.map(({ day, amount }) => [day, amount.cost.usd])).toEqual([["2026-11-30", 10.5], ["2026-12-07", 11], ["2026-12-01", 10]]);
});

test("a turn that begins before midnight and ends after it counts for the day on which it ended", async () => {
  const wall = { now: at("2026-11-30T22:59:00Z") };
  const one = await factory(memoryState(), wall, { dayUsd: 10 });
  expect(await one.ask("a")).toBeUndefined();
  wall.now = at("2026-11-30T23:30:00Z");
  await one.end("a", { usd: 12 });
  expect((await one.ledger()).days.map(({ day }) => day)).toEqual(["2026-12-01"]);
  expect(await one.ask("b")).toMatchObject({ cap: "dayUsd" });
});

test("agents at the same time: of tries exactly as many begin as are left, of money each one that runs may finish", async () => {
  const wall = { now: at("2026-11-30T12:00:00Z") };
  const tries = await factory(memoryState(), wall, { itemTurns: 3 });
  const told = await Promise.all(["a", "b", "c", "d", "e"].map((run) => tries.ask(run)));
  expect(told.map((refused) => refused?.cap)).toEqual([undefined, undefined, undefined, "itemTurns", "itemTurns"]);
  // Asking again is asking once; another item has its own.
  expect(await tries.ask("a")).toBeUndefined();
  expect(await tries.ask("f", "LOC-2")).toBeUndefined();
  // What the provider refused is no try, and what never ran is none.
  await tries.end("a", { failure: { kind: "rateLimited", until: null, message: "" } });
  tries.gate.release(RunId.parse("b"));
  expect([await tries.ask("g"), await tries.ask("h"), (await tries.ask("i"))?.cap]).toEqual([undefined, undefined, "itemTurns"]);

  const money = await factory(memoryState(), wall, { itemUsd: 1 });
  expect(await Promise.all(["a", "b", "c"].map((run) => money.ask(run)))).toEqual([undefined, undefined, undefined]);
  for (const run of ["a", "b", "c"]) await money.end(run, { usd: 0.9 });
  expect(await money.ask("d")).toMatchObject({ cap: "itemUsd", spent: 2.7 });
});

test("what has ended counts before the ledger has heard of it, and once", async () => {
  const one = await factory(memoryState(), { now: at("2026-11-30T12:00:00Z") }, { itemUsd: 1 });
  expect(await one.ask("a")).toBeUndefined();
  const ended = one.end("a", { usd: 1 });
  // The host has not committed yet.
  expect(itemAmount(await one.ledger(), WorkItemId.parse("LOC-1")).cost.usd).toBe(0);
  expect(await one.ask("b")).toMatchObject({ cap: "itemUsd", spent: 1 });
  await ended;
  expect(itemAmount(await one.ledger(), WorkItemId.parse("LOC-1")).cost.usd).toBe(1);
  expect(await one.ask("b")).toMatchObject({ cap: "itemUsd", spent: 1 });
});

test("unknown money counts for caps of tokens only; a cap that is raised or taken away lets turns begin again", async () => {
  const wall = { now: at("2026-11-30T12:00:00Z") }, state = memoryState();
  let one = await factory(state, wall, { itemUsd: 0.01, itemTokens: 1_000 });
  expect(await one.turn("a", { tokens: 900 })).toBeUndefined();
  expect(await one.turn("b", { tokens: 900 })).toBeUndefined();
  expect(await one.ask("c")).toMatchObject({ cap: "itemTokens", spent: 1_800 });
  await one.stop();
  one = await factory(state, wall, { itemTokens: 2_000 });
  expect(await one.ask("c")).toBeUndefined();
});

test("automation begins nothing in a project whose day is used up, and goes on when the day has ended", async () => {
  const wall = { now: at("2026-11-30T12:00:00Z") };
  const one = await factory(memoryState(), wall, { projectDayUsd: 1 });
  const item = recorded.items[0]?.item;
  if (item === undefined) throw new Error("nothing is recorded");
  const claimed: string[] = [];
  const scheduler = new Scheduler({ slots: 9, slotsPerProject: 9, claimUnassigned: true, claim: (address) => { claimed.push(address); }, held: (project) => one.gate.held(project) !== "" });
  scheduler.start();
  expect(await one.turn("a", { usd: 1, repository: "/app" })).toBeUndefined();
  const view = (n: number, project: string): WorkItemView => ({ ...item, id: WorkItemId.parse(`LOC-${n}`), project, status: "ready", operatorLane: "none" });
  scheduler.note(itemAddress(WorkItemId.parse("LOC-7"), 1), view(7, "app"));
  scheduler.note(itemAddress(WorkItemId.parse("LOC-8"), 1), view(8, "web"));
  expect(claimed).toEqual(["item/LOC-8/1"]);
  expect(one.gate.held("app")).toContain("spend.projectDayUsd: $1.00 of $1.00 for project app on 2026-11-30 is reached; the day ends 2026-12-01 00:00");
  wall.now = at("2026-12-01T00:00:00Z");
  scheduler.look();
  expect(claimed).toEqual(["item/LOC-8/1", "item/LOC-7/1"]);
});
