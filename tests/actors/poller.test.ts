import { expect, test } from "vitest";
import { poller } from "../../actors/poller.ts";
import { SimulatedClock } from "../support/clock.ts";

const settle = async (): Promise<void> => { for (let n = 0; n < 10; n++) await Promise.resolve(); };

/** A poller every 2 s, early after 100 ms, whose rounds end when the test says so. */
const bench = () => {
  const clock = new SimulatedClock(0);
  const rounds: number[] = [];
  const hints = new Set<() => void>();
  let finish: (() => void) | undefined;
  const child = poller("mail", 2_000, clock, () => {
    rounds.push(clock.now());
    return new Promise<void>((resolve) => { finish = resolve; });
  }, { withinMs: 100, subscribe: (hint) => { hints.add(hint); return () => { hints.delete(hint); }; } }).start(() => { throw new Error("no round fails here"); }, () => {});
  return { clock, rounds, child, hints, hint: () => { for (const each of hints) each(); }, end: async () => { finish?.(); await settle(); }, advance: async (ms: number) => { clock.advance(ms); await settle(); } };
};

test("a hint brings the next round forward, a burst of them brings one, and silence leaves the slow pace", async () => {
  const b = bench();
  await b.end();
  await b.advance(500);
  for (let n = 0; n < 50; n++) b.hint();
  await b.advance(99);
  expect(b.rounds).toEqual([0]);
  b.hint();
  await b.advance(1);
  expect(b.rounds).toEqual([0, 600]);
  await b.end();
  await b.advance(1_999);
  expect(b.rounds).toEqual([0, 600]);
  await b.advance(1);
  expect(b.rounds).toEqual([0, 600, 2_600]);
});

test("a hint during a round is not lost, and rounds never overlap", async () => {
  const b = bench();
  b.hint();
  await b.advance(5_000);
  expect(b.rounds).toEqual([0]);
  await b.end();
  await b.advance(100);
  expect(b.rounds).toEqual([0, 5_100]);
});

test("after the stop nothing is heard and nothing runs", async () => {
  const b = bench();
  b.hint();
  const stopped = b.child.stop();
  await b.end();
  await stopped;
  expect(b.hints.size).toBe(0);
  expect(b.clock.pending).toBe(0);
  await b.advance(10_000);
  expect(b.rounds).toEqual([0]);
});
