/** The host itself, over the store in memory: what a batch and a repeated result may do to one actor. */
import { Effect, Exit, Scope } from "effect";
import { assign, setup, type EventObject } from "xstate";
import { expect, test } from "vitest";
import { DurableHost, HostStopped } from "../../actors/durable-host.ts";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { chartOptions, hostActions } from "../../machines/durable.ts";
import { redactor } from "../../src/daemon/secrets.ts";
import { type Address, itemAddress, WorkItemId } from "../../src/domain/ids.ts";
import { type Commit, type OutboxRow, StoreFull } from "../../src/ports/store.ts";
import { type MemoryState, memoryState, type MemoryStore, openMemoryOwner } from "../../src/store/memory.ts";
import { settled, SimulatedClock } from "../support/clock.ts";

/** Adds; breaks after half of its work; asks for an effect and counts the answers. */
const sum = setup({
  types: {} as { context: { readonly n: number; readonly answers: number; readonly reconciled: number }; events: { type: "ADD"; by: number } | { type: "BREAK" } | { type: "ASK" } | { type: "workspace.checkpointed"; ref: string } | { type: "reconcile" } },
  actions: {
    ...hostActions,
    add: assign(({ context, event }) => (event.type === "ADD" ? { n: context.n + event.by } : {})),
    spoil: assign({ n: -1 }),
    fail: assign(() => { throw new Error("no such thing"); }),
    answered: assign({ answers: ({ context }) => context.answers + 1 }),
    reconciled: assign({ reconciled: ({ context }) => context.reconciled + 1 }),
  },
}).createMachine({
  id: "sum", options: chartOptions, context: { n: 0, answers: 0, reconciled: 0 },
  on: {
    ADD: { actions: "add" },
    BREAK: { actions: ["spoil", { type: "effect", params: { kind: "turn.cancel" } }, "fail"] },
    ASK: { actions: { type: "effect", params: { kind: "turn.cancel" } } },
    "workspace.checkpointed": { actions: "answered" },
    reconcile: { actions: "reconciled" },
  },
});

const entry: CatalogEntry = {
  id: "sum", version: 1, machine: sum, durable: true, migrate: (state) => state, view: ({ context }) => context,
  exploration: { inputs: [], events: [], unattended: [], abstraction: () => null, restStates: [], first: [], states: [], edges: [] },
};
const address: Address = itemAddress(WorkItemId.parse("LOC-1"), 1);
const start = { type: "actor.start", chart: "sum", version: 1, input: {} };
const add = (by: number) => ({ type: "ADD", by });

interface Room extends AsyncDisposable {
  readonly host: DurableHost;
  readonly store: MemoryStore;
  readonly clock: SimulatedClock;
  /** Types of the events of each batch that was tried, in order. */
  readonly batches: (readonly string[])[];
  /** Outbox rows that the host said were durable. */
  readonly asked: OutboxRow[];
  readonly buried: string[];
  readonly context: () => Promise<unknown>;
}

const typeOf = ({ event }: Pick<Commit, "event">): string => { const { type }: EventObject = JSON.parse(event); return type; };
const journaled = (state: MemoryState): readonly string[] => state.journal.map(typeOf);

const open = async (state: MemoryState, redact?: (json: string) => string): Promise<Room> => {
  const scope = Scope.makeUnsafe(), clock = new SimulatedClock(1_000_000);
  const batches: (readonly string[])[] = [], asked: OutboxRow[] = [], buried: string[] = [];
  const opened = await Effect.runPromise(Scope.provide(openMemoryOwner(state), scope));
  const store: MemoryStore = { ...opened, commit: (commits) => Effect.suspend(() => { batches.push(commits.map(typeOf)); return opened.commit(commits); }) };
  const host = new DurableHost({ store, clock, catalog: [entry], ...(redact === undefined ? {} : { redact }), onEffect: (row) => { asked.push(row); }, observer: { deadLettered: (_, { type }) => { buried.push(type); } } });
  return {
    host, store, clock, batches, asked, buried,
    context: async () => (await host.state(address))?.state.context,
    [Symbol.asyncDispose]: async () => { await host.stop(); await Effect.runPromise(Scope.close(scope, Exit.void)); },
  };
};

/** A room whose one actor has begun. */
const begun = async (state: MemoryState): Promise<Room> => {
  const room = await open(state);
  await room.host.recover();
  await room.host.send(address, start);
  room.batches.length = 0;
  return room;
};

test("an event stepped twice in one batch: the second event of an actor sees what the first one left", async () => {
  const state = memoryState();
  await using room = await begun(state);
  await Promise.all([room.host.send(address, add(2)), room.host.send(address, add(3)), room.host.send(address, add(5))]);
  expect(room.batches).toEqual([["ADD", "ADD", "ADD"]]);
  expect(await room.context()).toEqual({ n: 10, answers: 0, reconciled: 0 });
  expect(state.journal.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

test("what is sent in turn comes behind the mail that was left before, which nobody has looked for yet", async () => {
  const state = memoryState();
  await using room = await begun(state);
  for (const event of [add(2), { type: "BREAK" }]) await Effect.runPromise(room.store.enqueue(address, JSON.stringify(event), 1));
  await room.host.sendInTurn(address, add(3));
  expect(state.mail.size).toBe(0);
  // What followed from it is done too.
  expect(journaled(state)).toEqual(["actor.start", "ADD", "ADD", "reconcile"]);
  expect(await room.context()).toEqual({ n: 5, answers: 0, reconciled: 1 });
});

test("I4 the first event of a batch breaks: nothing of it is kept, and the second is stepped on the state before it", async () => {
  const state = memoryState();
  await using room = await begun(state);
  await Promise.all([room.host.send(address, { type: "BREAK" }), room.host.send(address, add(3))]);
  await room.host.idle();
  expect(room.buried).toEqual(["BREAK"]);
  expect(state.deadLetters.map(({ actor, error }) => ({ actor, error }))).toEqual([{ actor: address, error: "no such thing" }]);
  expect(journaled(state)).toEqual(["actor.start", "ADD", "reconcile"]);
  expect(await room.context()).toEqual({ n: 3, answers: 0, reconciled: 1 });
  // What it asked for before it broke is not asked for.
  expect([room.asked, [...state.outbox]]).toEqual([[], []]);
});

test("I4 an event in the middle of a batch breaks: those before it are durable first, those after it see the state they left", async () => {
  const state = memoryState();
  await using room = await begun(state);
  const order: string[] = [];
  const send = (event: { readonly type: string }, name: string): Promise<void> => room.host.send(address, event).then(() => { order.push(name); });
  await Promise.all([send(add(2), "2"), send({ type: "BREAK" }, "broken"), send(add(3), "3")]);
  await room.host.idle();
  expect(order).toEqual(["2", "broken", "3"]);
  expect(room.batches[0]).toEqual(["ADD"]);
  expect(journaled(state)).toEqual(["actor.start", "ADD", "ADD", "reconcile"]);
  expect(await room.context()).toEqual({ n: 5, answers: 0, reconciled: 1 });
  expect(room.asked).toEqual([]);
});

test("I1 a batch that is refused leaves no trace: its events are stepped again, once, from the state before it", async () => {
  const state = memoryState();
  await using room = await begun(state);
  room.store.failNext(new StoreFull({ message: "no room" }));
  const sent = Promise.all([room.host.send(address, add(2)), room.host.send(address, { type: "ASK" })]);
  await settled();
  expect(await room.context()).toEqual({ n: 0, answers: 0, reconciled: 0 });
  expect(room.asked).toEqual([]);
  // What arrives meanwhile comes after them.
  const later = room.host.send(address, add(3));
  await room.clock.settleTo(room.clock.next ?? 0);
  await Promise.all([sent, later]);
  expect(room.batches).toEqual([["ADD", "ASK"], ["ADD", "ASK", "ADD"]]);
  expect(await room.context()).toEqual({ n: 5, answers: 0, reconciled: 0 });
  expect(room.asked.map(({ key }) => key)).toEqual([`${address}:3:effect:0`]);
});

const answer = { type: "workspace.checkpointed", ref: "refs/enact/checkpoints/1" };

/** The actor has asked, and this is the row. */
const asking = async (room: Room): Promise<{ readonly row: "outbox"; readonly key: string }> => {
  await room.host.send(address, { type: "ASK" });
  const [row] = room.asked;
  if (!row) throw new Error("nothing was asked");
  return { row: "outbox", key: row.key };
};

test("I6 the outbox row answered twice changes the state once: in one batch, and afterwards", async () => {
  const state = memoryState();
  await using room = await begun(state);
  const cause = await asking(room);
  await Promise.all([room.host.send(address, answer, cause), room.host.send(address, answer, cause)]);
  await room.host.send(address, answer, cause);
  expect(await room.context()).toEqual({ n: 0, answers: 1, reconciled: 0 });
  expect(journaled(state)).toEqual(["actor.start", "ASK", "workspace.checkpointed"]);
  expect(state.outbox.size).toBe(0);
});

test("I6 an answer whose commit was refused is not lost, and its repetition does not count", async () => {
  const state = memoryState();
  await using room = await begun(state);
  const cause = await asking(room);
  room.store.failNext(new StoreFull({ message: "no room" }));
  const first = room.host.send(address, answer, cause);
  await settled();
  expect(state.outbox.size).toBe(1);
  const again = room.host.send(address, answer, cause);
  await room.clock.settleTo(room.clock.next ?? 0);
  await Promise.all([first, again]);
  expect(await room.context()).toEqual({ n: 0, answers: 1, reconciled: 0 });
  expect(state.outbox.size).toBe(0);
});

test("I6 a new owner takes a row up once, answered or not by the one before", async () => {
  const state = memoryState();
  const before = await begun(state), cause = await asking(before);
  await before.host.send(address, { type: "ASK" });
  await before.host.send(address, answer, cause);
  await before[Symbol.asyncDispose]();
  await expect(before.host.send(address, answer, cause)).rejects.toThrow(HostStopped);
  await using room = await open(state);
  expect(await room.host.recover()).toMatchObject({ effects: 1 });
  const [open2] = room.asked;
  expect(room.asked.map(({ key }) => key)).toEqual([`${address}:3:effect:0`]);
  // The first row was answered in the other life.
  await room.host.send(address, answer, cause);
  const second = { row: "outbox" as const, key: open2?.key ?? "" };
  await Promise.all([room.host.send(address, answer, second), room.host.send(address, answer, second)]);
  expect(await room.context()).toEqual({ n: 0, answers: 2, reconciled: 0 });
  expect(state.outbox.size).toBe(0);
});

test("a dead letter tells no secret: not in its event, its error or its stack", async () => {
  const state = memoryState();
  await using room = await open(state, redactor(["top-secret-value"]));
  await room.host.recover();
  await room.host.send(address, { ...start, chart: 'top-secret-value "quoted"' });
  expect(state.deadLetters).toMatchObject([{ event: expect.stringContaining("[secret]"), error: expect.stringContaining("[secret]"), stack: expect.stringMatching(/\[secret\][^]*\n\s+at /) }]);
  expect(JSON.stringify(state)).not.toContain("top-secret-value");
});
