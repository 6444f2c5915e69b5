/**
 * The ledger as data: totals per item, per day and per project of a day, the caps in force, and what they say. Pure; its chart is
 * machines/spend.ts.
 *
 * I1 A charge is in the total of its item, its day and its project's day, once each. I2 Memory is bounded: items and days that were charged longest
 * ago are forgotten (a day by when it was charged, not by its name: a clock that was wrong for an hour must not push out today).
 * I3 A cap is reached when as much as its limit is used; 80 % are said once, by the charge that passes them.
 */
import { z } from "zod";
import { WorkItemId } from "./ids.ts";
import { addAmount, Amount, type Charge, Day, noAmount, tokensOf, tokenText, usdText } from "./spend.ts";

/** What each cap counts, and over what. */
export const capKinds = {
  itemUsd: { of: "item", counts: "usd" }, itemTokens: { of: "item", counts: "tokens" }, itemTurns: { of: "item", counts: "turns" }, itemWallMs: { of: "item", counts: "wallMs" },
  projectDayUsd: { of: "projectDay", counts: "usd" }, projectDayTokens: { of: "projectDay", counts: "tokens" },
  dayUsd: { of: "day", counts: "usd" }, dayTokens: { of: "day", counts: "tokens" },
} as const;

export const CapName = z.enum(["itemUsd", "itemTokens", "itemTurns", "itemWallMs", "projectDayUsd", "projectDayTokens", "dayUsd", "dayTokens"]);
export type CapName = z.infer<typeof CapName>;

/** Those that are set. */
export const Caps = z.partialRecord(CapName, z.number().positive());
export type Caps = z.infer<typeof Caps>;

export const ItemSpend = z.object({ id: WorkItemId, amount: Amount, /** For people: caps of which 80 % are used, and when. */ warnings: z.array(z.string()) });
export const DaySpend = z.object({ day: Day, amount: Amount, projects: z.array(z.object({ name: z.string(), amount: Amount })) });

export const Ledger = z.object({
  caps: Caps,
  /** The item charged last is the last. */
  items: z.array(ItemSpend).readonly(),
  /** The day charged last is the last. */
  days: z.array(DaySpend).readonly(),
});
export type Ledger = z.infer<typeof Ledger>;

/** How much is remembered. */
export interface Keep { readonly items: number; readonly days: number; readonly runs: number; readonly warnings: number }

export const emptyLedger: Ledger = { caps: {}, items: [], days: [] };

/** One cap as it stands for one item, project or day. */
export const CapState = z.object({
  cap: CapName,
  /** The item or project; empty: the whole factory. */
  of: z.string(),
  /** null: not of a day. */
  day: Day.nullable(),
  spent: z.number(), limit: z.number(), left: z.number(),
  /** `near`: 80 % are used. */
  state: z.enum(["quiet", "near", "reached"]),
});
export type CapState = z.infer<typeof CapState>;

const nearShare = 0.8;

/** Whom the caps are about. */
export interface Subject { readonly item: WorkItemId; readonly project: string; readonly day: Day }

export const itemAmount = ({ items }: Ledger, id: WorkItemId): Amount => items.find((item) => item.id === id)?.amount ?? noAmount;
export const dayAmount = ({ days }: Ledger, day: Day): Amount => days.find((each) => each.day === day)?.amount ?? noAmount;
const projectAmount = ({ days }: Ledger, day: Day, project: string): Amount => days.find((each) => each.day === day)?.projects.find(({ name }) => name === project)?.amount ?? noAmount;

const counted = (amount: Amount, counts: (typeof capKinds)[CapName]["counts"]): number => {
  switch (counts) {
    case "usd": return amount.cost.usd;
    case "tokens": return tokensOf(amount.usage);
    case "turns": return amount.turns;
    case "wallMs": return amount.wallMs;
  }
};

const stateOf = (spent: number, limit: number): CapState["state"] => (spent >= limit ? "reached" : spent >= nearShare * limit ? "near" : "quiet");

const capsOver = (caps: Caps, over: "item" | "projectDay" | "day", amount: Amount, of: string, day: Day | null): readonly CapState[] => CapName.options.flatMap((cap): CapState[] => {
  const limit = caps[cap];
  if (limit === undefined || capKinds[cap].of !== over) return [];
  const spent = counted(amount, capKinds[cap].counts);
  return [{ cap, of, day, spent, limit, left: Math.max(0, limit - spent), state: stateOf(spent, limit) }];
});

export const itemCaps = (ledger: Ledger, id: WorkItemId): readonly CapState[] => capsOver(ledger.caps, "item", itemAmount(ledger, id), id, null);
export const projectCaps = (ledger: Ledger, project: string, day: Day): readonly CapState[] => capsOver(ledger.caps, "projectDay", projectAmount(ledger, day, project), project, day);
export const dayCaps = (ledger: Ledger, day: Day): readonly CapState[] => capsOver(ledger.caps, "day", dayAmount(ledger, day), "", day);

/** Every cap that a turn of this item on this day must keep to; the narrowest first. */
export const capsFor = (ledger: Ledger, { item, project, day }: Subject): readonly CapState[] => [...itemCaps(ledger, item), ...projectCaps(ledger, project, day), ...dayCaps(ledger, day)];

/** `$8.12 of $10.00`, `9 of 10 turns`. */
export const capAmountText = ({ cap, spent, limit }: Pick<CapState, "cap" | "spent" | "limit">): string => {
  switch (capKinds[cap].counts) {
    case "usd": return `${usdText(spent)} of ${usdText(limit)}`;
    case "tokens": return `${tokenText(spent)} of ${tokenText(limit)} tokens`;
    case "turns": return `${spent} of ${limit} turns`;
    case "wallMs": return `${durationText(spent)} of ${durationText(limit)} of agents' time`;
  }
};

/** `spend.dayUsd: $8.12 of $10.00 on 2026-11-30`. */
export const capText = (state: Pick<CapState, "cap" | "of" | "day" | "spent" | "limit">): string =>
  `spend.${state.cap}: ${capAmountText(state)}${state.of === "" ? "" : state.day === null ? ` for ${state.of}` : ` for project ${state.of}`}${state.day === null ? "" : ` on ${state.day}`}`;

/** `$1.88`, `2 turns`. */
export const leftText = ({ cap, left }: Pick<CapState, "cap" | "left">): string => {
  switch (capKinds[cap].counts) {
    case "usd": return usdText(left);
    case "tokens": return `${tokenText(left)} tokens`;
    case "turns": return `${left} turn${left === 1 ? "" : "s"}`;
    case "wallMs": return durationText(left);
  }
};

/** `40 s`, `12 min`, `1.5 h`. */
export const durationText = (ms: number): string => (ms < 60_000 ? `${Math.round(ms / 1000)} s` : ms < 3_600_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 360_000) / 10} h`);

/** Moves the entry to the end, changed; the first go when there are too many (I2). */
const putLast = <T>(list: readonly T[], is: (entry: T) => boolean, made: (entry: T | undefined) => T, most: number): readonly T[] => {
  const next = [...list.filter((entry) => !is(entry)), made(list.find(is))];
  return next.slice(Math.max(0, next.length - most));
};

/** The totals with one more charge in them, and no word of its caps yet. */
const charged = (ledger: Ledger, { item, project, day, amount }: Charge, keep: Keep): Ledger => ({
  ...ledger,
  items: putLast(ledger.items, ({ id }) => id === item, (before) => ({ id: item, amount: addAmount(before?.amount ?? noAmount, amount), warnings: before?.warnings ?? [] }), keep.items),
  days: putLast(ledger.days, (each) => each.day === day, (before) => ({
    day, amount: addAmount(before?.amount ?? noAmount, amount),
    projects: [...putLast(before?.projects ?? [], ({ name }) => name === project, (known) => ({ name: project, amount: addAmount(known?.amount ?? noAmount, amount) }), keep.items)],
  }), keep.days),
});

/** The caps of which this charge uses 80 %, or more, for the first time. */
const passed = (before: Ledger, after: Ledger, charge: Charge): readonly CapState[] => {
  const earlier = capsFor(before, charge);
  return capsFor(after, charge).filter(({ state }, n) => state !== "quiet" && earlier[n]?.state === "quiet");
};

/** I1, I3. */
export const charge = (ledger: Ledger, made: Charge, keep: Keep): Ledger => {
  const next = charged(ledger, made, keep);
  const says = passed(ledger, next, made).map((state) => `${state.state === "reached" ? "a cap is reached" : "80 % of a cap are used"}: ${capText(state)}`);
  return says.length === 0 ? next : { ...next, items: next.items.map((item) => (item.id === made.item ? { ...item, warnings: [...item.warnings, ...says].slice(-keep.warnings) } : item)) };
};

/** What was warned of by the charge that led from one ledger to the other. */
export const newWarnings = (before: Ledger, after: Ledger, id: WorkItemId): readonly string[] => {
  const known = before.items.find((item) => item.id === id)?.warnings ?? [];
  return (after.items.find((item) => item.id === id)?.warnings ?? []).filter((text) => !known.includes(text));
};
