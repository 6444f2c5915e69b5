/** What is told when: the herald, the channels' durable actors and the outbox, over the store in memory and a simulated clock. */
import { Effect, Exit, Layer, ManagedRuntime, Scope } from "effect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DurableHost } from "../../actors/durable-host.ts";
import { type EffectHandlers, EffectRunner } from "../../actors/effect-runner.ts";
import { Herald } from "../../actors/herald.ts";
import { deliveryHandler } from "../../actors/notice-delivery.ts";
import { poller } from "../../actors/poller.ts";
import { catalog } from "../../machines/index.ts";
import { noticesAddress, type NoticesContext } from "../../machines/notices.ts";
import type { Note, NoticeMessage, Severity } from "../../src/domain/notice.ts";
import { freeAt, type Pace } from "../../src/domain/notice-plan.ts";
import { quietUntil } from "../../src/domain/quiet-hours.ts";
import { Clock } from "../../src/ports/clock.ts";
import { Notifier, NotifyFailed } from "../../src/ports/notifier.ts";
import { memoryState, openMemoryOwner } from "../../src/store/memory.ts";
import { SimulatedClock, settled } from "../support/clock.ts";

const start = Date.parse("2026-06-01T12:00:00Z"), second = 1_000, minute = 60_000, hour = 3_600_000;
const usual: Pace = { windowMs: 2 * second, burst: 5, everyMs: minute, quiet: null };
const noteOf = (n: number, more: Partial<Note> = {}): Note => ({ key: `LOC-${n}|question|1|`, kind: "question", severity: "attention", ref: `LOC-${n}`, item: null, title: "", text: "", commands: [], since: start, ended: false, ...more });

interface Delivered { readonly at: number; readonly message: NoticeMessage }

/** A factory of nothing but notices. `holds`: what there is to tell. */
const world = (pace: Pace = usual) => {
  const state = memoryState(), clock = new SimulatedClock(start), holds = new Map<string, Note>(), delivered: Delivered[] = [], said: string[] = [];
  let down: { readonly retryAfterMs: number | null } | undefined, life: { readonly herald: Herald; readonly kill: () => Promise<void> } | undefined, tries = 0;
  const begin = async (): Promise<void> => {
    const scope = Scope.makeUnsafe(), opened = await Effect.runPromise(Scope.provide(openMemoryOwner(state), scope));
    const runtime = ManagedRuntime.make(Layer.merge(Layer.succeed(Clock, clock), Layer.succeed(Notifier, {
      send: (_, message) => Effect.suspend(() => {
        tries++;
        if (down) return Effect.fail(new NotifyFailed({ message: "it is down", retryAfterMs: down.retryAfterMs }));
        delivered.push({ at: clock.now(), message });
        return Effect.void;
      }),
    })));
    const herald: Herald = new Herald({
      channels: [{ name: "team", takes: () => true, pace }], clock, factory: "f", wanted: async () => [...holds.values()],
      memory: async (address): Promise<NoticesContext | undefined> => (await host.state(address))?.state.context, send: (to, event) => host.send(to, event),
    });
    const nothing = () => Effect.never;
    const notify = deliveryHandler({ isWanted: (actor) => herald.isWanted(actor), onTrouble: (channel, why) => said.push(`${channel}: ${why}`), onGivenUp: (channel, notes, why) => said.push(`${channel} gave up ${notes}: ${why}`) });
    const handlers: EffectHandlers<Notifier | Clock> = { turn: nothing, "turn.message": nothing, "source.push": nothing, verify: nothing, publish: nothing, "workspace.prepare": nothing, "workspace.commit": nothing, "workspace.checkpoint": nothing, "workspace.remove": nothing, "workspace.sync": nothing, "workspace.merge": nothing, "workspace.enforce": nothing, notify };
    const runner: EffectRunner<Notifier | Clock> = new EffectRunner({ store: opened, runtime, handlers, send: (to, event, cause) => host.send(to, event, cause) });
    const host: DurableHost = new DurableHost({ store: opened, clock, catalog, onEffect: (row) => runner.accept(row), observer: { committed: ({ actor }) => { if (actor.startsWith("notices/")) herald.changed(); } } });
    await herald.begin();
    await host.recover();
    const rounds = await poller("notices", 30 * second, clock, herald.round, { subscribe: herald.subscribe, withinMs: second / 2 }).start(() => { throw new Error("a round failed"); }, () => {});
    life = {
      herald,
      // As kill -9: nothing is finished.
      kill: async () => {
        await runner.drain("abandon");
        await Promise.all([rounds.stop(), host.stop()]);
        await runtime.dispose();
        await Effect.runPromise(Scope.close(scope, Exit.void));
      },
    };
    await settled();
  };
  return {
    clock, delivered, said, begin,
    get tries() { return tries; },
    set: (...notes: readonly Note[]) => { for (const note of notes) holds.set(note.key, note); life?.herald.changed(); },
    end: (...notes: readonly Note[]) => { for (const note of notes) { holds.delete(note.key); life?.herald.left(note.ref); } },
    down: (how: typeof down) => { down = how; },
    kill: async () => { await life?.kill(); life = undefined; },
    pass: async (ms: number) => {
      // In small steps: what follows of a step takes its own turns.
      for (const until = clock.now() + ms; clock.now() < until;) {
        await clock.settleTo(Math.min(until, Math.max(clock.now() + 1, Math.min(clock.next ?? until, clock.now() + hour))));
        for (let turn = 0; turn < 6; turn++) await settled();
      }
    },
    told: () => delivered.flatMap(({ message }) => message.notes.map(({ ref }) => ref)),
    [Symbol.asyncDispose]: async () => { await life?.kill(); },
  };
};

describe("the herald", () => {
  test("what needs a person is told within five seconds, once, and again when it is asked again", async () => {
    await using w = world();
    await w.begin();
    w.set(noteOf(1));
    await w.pass(5 * second);
    expect(w.told()).toEqual(["LOC-1"]);
    await w.pass(hour);
    expect(w.told()).toEqual(["LOC-1"]);
    w.end(noteOf(1));
    w.set(noteOf(1));
    await w.pass(5 * second);
    expect(w.told()).toEqual(["LOC-1", "LOC-1"]);
    expect(new Set(w.delivered.map(({ message }) => message.id)).size).toBe(2);
  });

  test("a mass failure of 200 items is one message with counts and the first few", async () => {
    await using w = world();
    await w.begin();
    for (let n = 1; n <= 200; n++) {
      w.set(noteOf(n, { kind: "failed", key: `LOC-${n}|failed|1|`, ended: true, since: start + 1 }));
      if (n % 20 === 0) await w.pass(100);
    }
    await w.pass(minute);
    expect(w.delivered).toMatchObject([{ message: { total: 200, counts: { failed: 200 }, notes: { length: 5 } } }]);
  });

  test("a storm that goes on is a few messages at once and then one each minute, and everything is in one of them", async () => {
    await using w = world();
    await w.begin();
    for (let n = 1; n <= 150; n++) {
      w.set(noteOf(n));
      await w.pass(2 * second);
    }
    await w.pass(2 * minute);
    expect(w.delivered.length).toBeLessThanOrEqual(5 + 7);
    expect(w.delivered.reduce((sum, { message }) => sum + message.total, 0)).toBe(150);
  });

  test("quiet hours hold back all but what is urgent, and the rest comes in one message at their end", async () => {
    await using w = world({ ...usual, quiet: { from: "13:00", to: "20:00", zone: "UTC" } });
    await w.begin();
    await w.pass(2 * hour);
    w.set(noteOf(1), noteOf(2));
    await w.pass(hour);
    w.set(noteOf(3, { severity: "urgent" }), noteOf(4));
    await w.pass(5 * second);
    expect(w.told()).toEqual(["LOC-3"]);
    // Somebody looked by himself.
    w.end(noteOf(4));
    await w.pass(5 * hour);
    expect(w.delivered.slice(1)).toMatchObject([{ message: { total: 2, digest: true } }]);
    expect(w.delivered[1]?.at).toBeLessThan(start + 8 * hour + 5 * second);
  });

  test("a channel that is down is tried ever more rarely with the same id, also by the next owner; what needs nobody any more is dropped, and after a day the rest is given up and said", async () => {
    await using w = world();
    await w.begin();
    w.down({ retryAfterMs: null });
    w.set(noteOf(1));
    await w.pass(10 * minute);
    expect(w.tries).toBeLessThan(12);
    await w.kill();
    w.down(undefined);
    await w.begin();
    await w.pass(second);
    expect(w.delivered.map(({ message }) => message.id)).toEqual([expect.stringMatching(/^f-team-\w+-1$/)]);
    w.down({ retryAfterMs: null });
    w.set(noteOf(2));
    await w.pass(minute);
    w.end(noteOf(2));
    w.set(noteOf(3));
    w.down(undefined);
    await w.pass(2 * hour);
    expect(w.told()).toEqual(["LOC-1", "LOC-3"]);
    w.down({ retryAfterMs: null });
    w.set(noteOf(4));
    await w.pass(25 * hour);
    expect(w.said.at(-1)).toBe("team gave up 1: it is down");
    w.down(undefined);
    w.set(noteOf(5));
    await w.pass(5 * second);
    expect(w.told().at(-1)).toBe("LOC-5");
  });

  test("a channel that was set up later is told what waits, not what has ended before", async () => {
    await using w = world();
    w.set(noteOf(1, { since: start - hour }), noteOf(2, { kind: "done", ended: true, since: start - hour }));
    await w.begin();
    await w.pass(5 * second);
    expect(w.told()).toEqual(["LOC-1"]);
  });

  test("whatever happens (asked, answered, killed, down, up), all that waits is told in the end, and nothing twice while it lasts", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("ask" as const), n: fc.integer({ min: 1, max: 6 }), severity: fc.constantFrom<Severity>("attention", "urgent") }),
      fc.record({ do: fc.constant("answer" as const), n: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ do: fc.constantFrom("kill" as const, "down" as const, "up" as const) }),
      fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 400, 2_500, 61_000, 4 * hour) }),
    );
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, hasQuiet) => {
      await using w = world({ ...usual, quiet: hasQuiet ? { from: "13:00", to: "16:00", zone: "Europe/Berlin" } : null });
      await w.begin();
      // Each time something is asked it has a text of its own.
      const open = new Map<number, Note>();
      let asked = 0;
      for (const each of steps) {
        switch (each.do) {
          case "ask": if (!open.has(each.n)) { const note = noteOf(each.n, { key: `LOC-${each.n}|question|1|${++asked}`, severity: each.severity }); open.set(each.n, note); w.set(note); } break;
          case "answer": { const note = open.get(each.n); if (note) { open.delete(each.n); w.end(note); } break; }
          case "kill": await w.kill(); await w.begin(); break;
          case "down": w.down({ retryAfterMs: null }); break;
          case "up": w.down(undefined); break;
          case "pass": await w.pass(each.ms);
        }
      }
      w.down(undefined);
      await w.pass(9 * hour);
      // Six at most are asked at a time, and a message names five: a group of six is found by its count.
      const keys = w.delivered.flatMap(({ message }) => message.notes.map(({ key }) => key)), hidden = w.delivered.reduce((sum, { message }) => sum + message.total - message.notes.length, 0);
      expect([...open.values()].filter(({ key }) => !keys.includes(key)).length).toBeLessThanOrEqual(hidden);
      // Repeated with the same id only, where a kill came between the message and its answer.
      for (const key of new Set(keys)) expect(new Set(w.delivered.filter(({ message }) => message.notes.some((note) => note.key === key)).map(({ message }) => message.id)).size).toBe(1);
    }), { numRuns: 60, seed: 6 });
  }, 120_000);
});

describe("quiet hours", () => {
  const berlin = { from: "22:00", to: "07:00", zone: "Europe/Berlin" };
  const until = (hours: typeof berlin, at: string): string | null => {
    const end = quietUntil(hours, Date.parse(at));
    return end === null ? null : new Date(end).toISOString();
  };

  test("over midnight, and over both changes of clocks", () => {
    expect([until(berlin, "2026-06-01T19:59:59Z"), until(berlin, "2026-06-01T20:00:00Z"), until(berlin, "2026-06-02T04:59:59Z"), until(berlin, "2026-06-02T05:00:00Z")]).toEqual([null, "2026-06-02T05:00:00.000Z", "2026-06-02T05:00:00.000Z", null]);
    // 29 March: 02:00 becomes 03:00. 25 October: 03:00 becomes 02:00.
    expect([until(berlin, "2026-03-28T22:30:00Z"), until(berlin, "2026-10-24T21:30:00Z")]).toEqual(["2026-03-29T05:00:00.000Z", "2026-10-25T06:00:00.000Z"]);
    // The end is an hour that is left out: quiet ends with the jump. One that comes twice is quiet twice.
    expect(until({ ...berlin, to: "02:30" }, "2026-03-29T00:30:00Z")).toBe("2026-03-29T01:00:00.000Z");
    expect([until({ ...berlin, to: "02:30" }, "2026-10-24T23:00:00Z"), until({ ...berlin, to: "02:30" }, "2026-10-25T01:10:00Z")]).toEqual(["2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"]);
  });

  test("within a day, never when both are equal, and in a zone of half an hour", () => {
    expect([until({ from: "12:00", to: "13:00", zone: "UTC" }, "2026-01-01T12:30:00Z"), until({ from: "12:00", to: "12:00", zone: "UTC" }, "2026-01-01T12:00:00Z"), until({ from: "00:00", to: "06:00", zone: "Asia/Kolkata" }, "2026-01-01T00:00:00Z")]).toEqual(["2026-01-01T13:00:00.000Z", null, "2026-01-01T00:30:00.000Z"]);
  });
});

test("the rate cap lets so many go at once and then one each interval, however they were spread", () => {
  const cap = { burst: 3, everyMs: minute };
  expect([freeAt([], cap) <= 0, freeAt([start, start], cap) <= start, freeAt([start, start, start], cap), freeAt([start, start, start, start + minute], cap), freeAt([start - hour, start], cap) <= start]).toEqual([true, true, start + minute, start + 2 * minute, true]);
  expect(noticesAddress("team")).toBe("notices/team");
});
