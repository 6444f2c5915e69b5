import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createChart } from "../../actors/chart.ts";
import { spendMachine, type SpendContext } from "../../machines/spend.ts";
import { dayEnd, daysBefore, dayOf, daySince, zonedText } from "../../src/domain/calendar.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { CapName, type Caps, capsFor, charge, dayAmount, emptyLedger, itemAmount, type Ledger } from "../../src/domain/ledger.ts";
import { addAmount, type Amount, type Charge, costOf, costText, noAmount, noCost, noUsage, priceOf, shortCostText } from "../../src/domain/spend.ts";

const keep = { items: 100, days: 100, runs: 1_000, warnings: 8 };

const anAmount: fc.Arbitrary<Amount> = fc.record({
  usage: fc.record({ inputTokens: fc.nat(1e9), outputTokens: fc.nat(1e9), cachedTokens: fc.nat(1e9) }),
  // Millionths, as costOf gives them.
  cost: fc.record({ usd: fc.nat(1e9).map((micro) => micro / 1e6), unpricedTokens: fc.nat(1e9), unmeasured: fc.nat(1) }), turns: fc.nat(1), wallMs: fc.nat(1e9),
});
const charges: fc.Arbitrary<readonly Charge[]> = fc.array(fc.record({ item: fc.constantFrom("LOC-1", "LOC-2", "RUN-1"), project: fc.constantFrom("app", "web"), day: fc.constantFrom("2026-11-29", "2026-11-30", "2026-12-01"), amount: anAmount }), { maxLength: 40 })
  .map((all) => all.map(({ item, ...more }, n) => ({ ...more, run: RunId.parse(`run-${n}`), item: WorkItemId.parse(item), attempt: 1, lane: "none", stage: "coder", member: null, adapter: "claude", model: null })));

const sum = (amounts: readonly Amount[]): Amount => amounts.reduce(addAmount, noAmount);
const someCaps: fc.Arbitrary<Caps> = fc.record(Object.fromEntries(CapName.options.map((cap) => [cap, fc.option(fc.integer({ min: 1, max: 2_000_000_000 }), { nil: undefined })]))).map((all) => Object.fromEntries(Object.entries(all).filter(([, limit]) => limit !== undefined)));

/** What the chart makes of events, in this order. */
const after = (told: readonly Charge[], caps: Caps = {}): SpendContext => {
  const chart = createChart(spendMachine);
  let { state } = chart.start({ keep });
  ({ state } = chart.step(state, { type: "caps", caps, at: 1 } as never));
  for (const each of told) ({ state } = chart.step(state, { type: "spent", charge: each, at: 1 } as never));
  return state.context;
};

describe("the ledger", () => {
  test("totals are the sums of their runs, in whatever order these come, and however often", () => {
    fc.assert(fc.property(charges.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2, maxLength: all.length * 2 }))), ([all, told]) => {
      const ledger = after(told);
      for (const id of new Set(all.map(({ item }) => item))) expect(itemAmount(ledger, id)).toEqual(sum(all.filter(({ item }) => item === id).map(({ amount }) => amount)));
      for (const day of new Set(all.map((each) => each.day))) {
        const ofDay = all.filter((each) => each.day === day);
        expect(dayAmount(ledger, day)).toEqual(sum(ofDay.map(({ amount }) => amount)));
        const projects = ledger.days.find((each) => each.day === day)?.projects ?? [];
        for (const { name, amount } of projects) expect(amount).toEqual(sum(ofDay.filter(({ project }) => project === name).map((each) => each.amount)));
        expect(sum(projects.map(({ amount }) => amount))).toEqual(dayAmount(ledger, day));
      }
    }));
  });

  test("a cap is said to be near by one charge and no other, and is reached exactly when its limit is used", () => {
    fc.assert(fc.property(charges, someCaps, (all, caps) => {
      let ledger: Ledger = { ...emptyLedger, caps };
      const said: string[] = [];
      for (const each of all) {
        const next = charge(ledger, each, keep);
        said.push(...(next.items.find(({ id }) => id === each.item)?.warnings ?? []).slice((ledger.items.find(({ id }) => id === each.item)?.warnings ?? []).length));
        for (const state of capsFor(next, each)) {
          expect(state.state === "reached").toBe(state.spent >= state.limit);
          expect(state.left).toBe(Math.max(0, state.limit - state.spent));
        }
        ledger = next;
      }
      // A text names the cap, whose it is and the day; what they were at then differs.
      const keys = said.map((text) => /spend\.(\w+): .*?((?: for (?:project )?\S+)?(?: on \S+)?)$/.exec(text)?.slice(1).join() ?? text);
      expect(new Set(keys).size).toBe(keys.length);
    }));
  });

  test("what was charged longest ago is forgotten first, also when a clock was far ahead for one run", () => {
    const one = (n: number, day: string): Charge => ({ run: RunId.parse(`run-${n}`), item: WorkItemId.parse(`LOC-${n}`), attempt: 1, project: "app", lane: "none", stage: "coder", member: null, adapter: "claude", model: null, day, amount: { ...noAmount, turns: 1 } });
    const days = ["2026-11-01", "2099-01-01", "2026-11-02", "2026-11-03"];
    const ledger = days.map((day, n) => one(n + 1, day)).reduce((before, each) => charge(before, each, { ...keep, days: 2, items: 2 }), emptyLedger);
    expect(ledger.days.map(({ day }) => day)).toEqual(["2026-11-02", "2026-11-03"]);
    expect(ledger.items.map(({ id }) => id)).toEqual(["LOC-3", "LOC-4"]);
  });
});

describe("what a turn cost", () => {
  const usage = { inputTokens: 1_000_000, cachedTokens: 400_000, outputTokens: 100_000 };
  const prices = [{ model: "gpt-5*-mini", input: 1, output: 2 }, { model: "gpt-5*", input: 2, cachedInput: 0.2, output: 10 }];

  test("is what its CLI said, else its tokens at the first price that fits, else unknown", () => {
    expect(costOf({ usd: 0.42, usage, model: "gpt-5" }, prices)).toEqual({ ...noCost, usd: 0.42 });
    expect(costOf({ usd: null, usage, model: "gpt-5.1" }, prices)).toEqual({ ...noCost, usd: 2.28 });
    expect(costOf({ usd: null, usage, model: "GPT-5.1-mini" }, prices)).toEqual({ ...noCost, usd: 1.2 });
    expect(costOf({ usd: null, usage, model: "xgpt-5" }, prices)).toEqual({ ...noCost, unpricedTokens: 1_100_000 });
    expect(costOf({ usd: null, usage, model: null }, prices)).toEqual({ ...noCost, unpricedTokens: 1_100_000 });
    expect(priceOf(null, [...prices, { model: "*", input: 3, output: 3 }])).toMatchObject({ input: 3 });
    expect(priceOf("a.b", [{ model: "a?b", input: 1, output: 1 }, { model: "a.b", input: 2, output: 2 }])).toMatchObject({ input: 2 });
  });

  test("unknown is never 0: a CLI that says 0 for tokens it used does not know, and one that says nothing at all has said nothing", () => {
    expect(costOf({ usd: 0, usage, model: "local" }, prices)).toEqual({ ...noCost, unpricedTokens: 1_100_000 });
    expect(costOf({ usd: 0, usage, model: "gpt-5-mini" }, prices).usd).toBe(1.2);
    expect(costOf({ usd: 0, usage: noUsage, model: null }, prices)).toEqual(noCost);
    expect(costOf({ usd: null, usage: null, model: "gpt-5" }, prices)).toEqual({ ...noCost, unmeasured: 1 });
  });

  test.each([
    [noCost, "$0.00", "$0.00"], [{ ...noCost, usd: 1.23 }, "$1.23", "$1.23"], [{ ...noCost, usd: 0.004 }, "$0.004", "$0.004"],
    [{ usd: 1.23, unpricedTokens: 40_000, unmeasured: 0 }, "$1.23 + 40k tokens of unknown price", "$1.23+?"], [{ usd: 0, unpricedTokens: 950, unmeasured: 0 }, "950 tokens of unknown price", "?"],
    [{ usd: 0, unpricedTokens: 0, unmeasured: 1 }, "unknown", "?"], [{ usd: 2, unpricedTokens: 1_500_000, unmeasured: 2 }, "$2.00 + 1.5M tokens of unknown price + 2 turns of unknown cost", "$2.00+?"],
  ])("%o is %s", (cost, text, short) => {
    expect(costText(cost)).toBe(text);
    expect(shortCostText(cost)).toBe(short);
  });
});

describe("the calendar", () => {
  const at = (text: string): number => Date.parse(text);

  test("a day is where the user lives; at a change of clocks it has 23 or 25 hours, and some begin at 1", () => {
    expect(dayOf(at("2026-11-30T23:30:00Z"), "Europe/Berlin")).toBe("2026-12-01");
    expect(dayOf(at("2026-11-30T23:30:00Z"), "America/New_York")).toBe("2026-11-30");
    expect(dayEnd(at("2026-11-30T12:00:00Z"), "Europe/Berlin")).toBe(at("2026-11-30T23:00:00Z"));
    expect(dayEnd(at("2026-03-28T23:00:00Z"), "Europe/Berlin") - at("2026-03-28T23:00:00Z")).toBe(23 * 3_600_000);
    expect(dayEnd(at("2026-10-24T22:00:00Z"), "Europe/Berlin") - at("2026-10-24T22:00:00Z")).toBe(25 * 3_600_000);
    expect(dayOf(at("2011-12-30T12:00:00Z"), "Pacific/Apia")).toBe("2011-12-31");
    expect(zonedText(at("2026-11-30T23:00:00Z"), "Europe/Berlin")).toBe("2026-12-01 00:00 (Europe/Berlin)");
  });

  test("every instant of a day is before its end, and the end is another day", () => {
    fc.assert(fc.property(fc.integer({ min: at("2020-01-01T00:00:00Z"), max: at("2035-01-01T00:00:00Z") }), fc.constantFrom("Europe/Berlin", "America/Santiago", "Asia/Kolkata", "Pacific/Chatham", "UTC"), (now, zone) => {
      const end = dayEnd(now, zone);
      expect(end).toBeGreaterThan(now);
      expect(dayOf(end - 1, zone)).toBe(dayOf(now, zone));
      expect(dayOf(end, zone)).not.toBe(dayOf(now, zone));
    }), { numRuns: 50 });
  });

  test("since: a day, today, or so many days", () => {
    expect([daySince("today", "2026-03-01"), daySince("7d", "2026-03-01"), daySince("1d", "2026-03-01"), daySince("2026-02-28", "2026-03-01")]).toEqual(["2026-03-01", "2026-02-23", "2026-03-01", "2026-02-28"]);
    for (const wrong of ["", "7", "yesterday", "2026-13-01", "-1d", "99999d"]) expect(daySince(wrong, "2026-03-01")).toBeUndefined();
    expect(daysBefore("2026-01-01", 1)).toBe("2025-12-31");
  });
});
