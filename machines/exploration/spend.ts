import type { AnyMachineSnapshot } from "xstate";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { capsFor, charge, dayAmount, itemAmount } from "../../src/domain/ledger.ts";
import { addAmount, type Amount, type Charge } from "../../src/domain/spend.ts";
import type { Edge, Exploration } from "../catalog.ts";
import type { SpendContext, SpendEvent } from "../spend.ts";
import { asksNothing, at, ignored, implies, same, stamped } from "./reading.ts";

const keep = { items: 2, days: 2, runs: 2, warnings: 2 };
const amount: Amount = { usage: { inputTokens: 10, outputTokens: 2, cachedTokens: 4 }, cost: { usd: 0.1, unpricedTokens: 3, unmeasured: 0 }, turns: 1, wallMs: 5 };
const made = (run: string, item: string, day: string): Charge => ({ run: RunId.parse(run), item: WorkItemId.parse(item), attempt: 1, project: "demo", lane: "none", stage: "coder", member: null, adapter: "scripted", model: null, day, amount });

/** A day before, and a later run of a clock that was set back; a run told twice; more items and days than are kept. */
const charges = [made("r1", "LOC-1", "2026-11-30"), made("r2", "LOC-1", "2026-12-01"), made("r3", "LOC-2", "2026-11-30"), made("r4", "LOC-3", "2099-01-01")].map((each) => stamped({ type: "spent" as const, charge: each }));
const nothing = stamped({ type: "spent" as const, charge: null });
const caps = [stamped({ type: "caps" as const, caps: { itemTurns: 2, dayUsd: 0.2 } }), stamped({ type: "caps" as const, caps: {} })];
const alphabet: readonly SpendEvent[] = [...charges, nothing, ...caps];

const contextOf = (snapshot: AnyMachineSnapshot): SpendContext => snapshot.context;
const chargeIn = (edge: Edge): Charge | undefined => charges.find((event) => event === edge.event)?.charge;
const isKnown = ({ from }: Edge, { run }: Charge): boolean => contextOf(from).runs.includes(run);
/** From here on a total only goes on. */
const clipped = (total: Amount): number => Math.min(total.turns, 2);

export const exploration: Exploration = {
  inputs: [{ name: "empty", input: { keep } }],
  events: [...alphabet],
  unattended: [...alphabet],
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    return [c.caps, c.runs, c.items.map((item) => [item.id, clipped(item.amount), item.warnings.length]), c.days.map((day) => [day.day, clipped(day.amount)])];
  },
  restStates: ["open"],
  states: [
    { name: "I3 what is remembered is bounded", holds: (s) => { const c = contextOf(s); return c.items.length <= keep.items && c.days.length <= keep.days && c.runs.length <= keep.runs && c.items.every(({ warnings }) => warnings.length <= keep.warnings); } },
    { name: "every item, day and run once", holds: (s) => { const c = contextOf(s); return [c.items.map(({ id }) => id), c.days.map(({ day }) => day), c.runs].every((list) => new Set(list).size === list.length); } },
    { name: "a day is the sum of its projects", holds: (s) => contextOf(s).days.every(({ amount: total, projects }) => same(total, projects.map((each) => each.amount).reduce(addAmount))) },
  ],
  first: [asksNothing, { name: "it begins with nothing", holds: ({ to }) => { const c = contextOf(to); return c.items.length === 0 && c.days.length === 0 && c.runs.length === 0 && same(c.caps, {}) && same(c.keep, keep); } }],
  edges: [
    { name: "I1 a run that was charged changes nothing", holds: (e) => { const of = chargeIn(e); return implies(of !== undefined && isKnown(e, of), () => ignored(e)); } },
    { name: "I2 what never had a process changes nothing", holds: (e) => implies(e.event === nothing, () => ignored(e)) },
    { name: "a new run is in the totals of its item and its day, once, and is known from then on", holds: (e) => {
      const of = chargeIn(e), from = contextOf(e.from), to = contextOf(e.to);
      if (of === undefined || isKnown(e, of)) return true;
      return to.runs.at(-1) === of.run && same(itemAmount(to, of.item), addAmount(itemAmount(from, of.item), of.amount)) && same(dayAmount(to, of.day), addAmount(dayAmount(from, of.day), of.amount)) && same(to.caps, from.caps);
    } },
    { name: "I3 nothing is forgotten before it must be", holds: (e) => {
      const of = chargeIn(e), from = contextOf(e.from), to = contextOf(e.to);
      if (of === undefined || isKnown(e, of)) return true;
      const one = (is: boolean): number => (is ? 0 : 1);
      return to.items.length === Math.min(keep.items, from.items.length + one(from.items.some(({ id }) => id === of.item)))
        && to.days.length === Math.min(keep.days, from.days.length + one(from.days.some(({ day }) => day === of.day))) && to.runs.length === Math.min(keep.runs, from.runs.length + 1);
    } },
    { name: "nobody else's total changes, unless it is forgotten", holds: (e) => {
      const of = chargeIn(e), from = contextOf(e.from), to = contextOf(e.to);
      return of === undefined || (to.items.every((item) => item.id === of.item || same(item, from.items.find(({ id }) => id === item.id))) && to.days.every((day) => day.day === of.day || same(day, from.days.find((each) => each.day === day.day))));
    } },
    { name: "a cap that has come near is said by the charge that brought it there, and by no other", holds: (e) => {
      const of = chargeIn(e), from = contextOf(e.from), to = contextOf(e.to);
      if (of === undefined || isKnown(e, of)) return true;
      const earlier = capsFor(from, of), news = capsFor(to, of).filter(({ state }, n) => state !== "quiet" && earlier[n]?.state === "quiet");
      const texts = to.items.find(({ id }) => id === of.item)?.warnings ?? [];
      return news.every(({ cap }, n) => texts.at(n - news.length)?.includes(`spend.${cap}:`) === true) && implies(news.length === 0, () => same(texts, charge({ ...from, caps: {} }, of, keep).items.find(({ id }) => id === of.item)?.warnings));
    } },
    { name: "I4 the caps are the last that were told, and nothing else changes them or is changed by them", holds: (e) => {
      const told = caps.find((event) => event === e.event), to = contextOf(e.to);
      return same({ ...to, caps: null }, { ...contextOf(e.from), caps: null }) === (told !== undefined || ignored(e)) && implies(told !== undefined, () => same(to.caps, told?.caps));
    } },
    { name: "it asks for nothing and never closes", holds: (e) => e.actions.length === 0 && implies(at(e.from, "open"), () => at(e.to, "open")) },
  ],
};
