/** Somebody sets the machine's clock while the factory works: alarms and timeouts go by time that passed, not by what the wall says. */
import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../src/daemon/system-clock.ts";

afterEach(() => { vi.useRealTimers(); });

const hour = 3_600_000;

test.each([["forward", hour], ["backward", -hour]] as const)("a step of the wall clock by an hour %s moves no time of ours, and an alarm rings when its time has passed", async (_, step) => {
  const before = systemClock.now();
  expect(Math.abs(before - Date.now())).toBeLessThan(60_000);
  const rang = new Promise<number>((resolve) => { systemClock.at(before + 50, () => resolve(systemClock.now())); });
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + step });
  expect(Math.abs(Date.now() - before)).toBeGreaterThan(hour / 2);
  expect(Math.abs(systemClock.now() - before)).toBeLessThan(60_000);
  expect(await rang).toBeGreaterThanOrEqual(before + 50);
});

test("an alarm that is cancelled never rings; one whose time is past rings at once", async () => {
  const rings: string[] = [];
  systemClock.at(systemClock.now() + 20, () => rings.push("cancelled"))();
  await new Promise<void>((resolve) => { systemClock.at(systemClock.now() - hour, () => { rings.push("past"); resolve(); }); });
  await new Promise<void>((resolve) => { systemClock.at(systemClock.now() + 60, resolve); });
  expect(rings).toEqual(["past"]);
});
