/**
 * What agents use up, how it is summed, priced and said. Pure.
 *
 * I1 Unknown is never 0: what a turn cost is what its CLI said, else its tokens at the configured prices, else unknown, and every sum keeps
 * the known part and the unknown rest apart. I2 Sums do not depend on their order: dollars are kept in millionths.
 */
import { z } from "zod";
import { RunId, WorkItemId } from "./ids.ts";
import { OperatorLane } from "./lane.ts";
import { Stage } from "./stage.ts";

/** Tokens. Cached input is part of the input. */
export const Usage = z.object({ inputTokens: z.number(), outputTokens: z.number(), cachedTokens: z.number() });
export type Usage = z.infer<typeof Usage>;

export const Cost = z.object({
  /** US dollars that are known. */
  usd: z.number(),
  /** Tokens beside them whose price nobody knows. */
  unpricedTokens: z.number(),
  /** Turns beside them of which neither money nor tokens are known: their agent was gone before it could say. */
  unmeasured: z.number(),
});
export type Cost = z.infer<typeof Cost>;

/** What one turn used, or many. */
export const Amount = z.object({
  usage: Usage,
  cost: Cost,
  /** Turns that count as tries; those that the provider refused, or that the factory itself ended, used what they used but are none. */
  turns: z.number(),
  /** Milliseconds that agents ran, of turns at the same time each its own. */
  wallMs: z.number(),
});
export type Amount = z.infer<typeof Amount>;

/** A calendar day where the user lives: `2026-11-30`. */
export const Day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, "a day is written 2026-11-30");
export type Day = z.infer<typeof Day>;

/** What one run used, as the ledger is told when its turn has ended. */
export const Charge = z.object({
  run: RunId, item: WorkItemId, attempt: z.number(), project: z.string(),
  /** The item's lane at that time. */
  lane: OperatorLane,
  stage: Stage, member: z.string().nullable(), adapter: z.string(), model: z.string().nullable(),
  /** On which the turn's end was taken in. */
  day: Day,
  amount: Amount,
});
export type Charge = z.infer<typeof Charge>;

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0 };
export const noCost: Cost = { usd: 0, unpricedTokens: 0, unmeasured: 0 };
export const noAmount: Amount = { usage: noUsage, cost: noCost, turns: 0, wallMs: 0 };

const micro = (usd: number): number => Math.round(usd * 1e6) / 1e6;

export const addCost = (a: Cost, b: Cost): Cost => ({ usd: micro(a.usd + b.usd), unpricedTokens: a.unpricedTokens + b.unpricedTokens, unmeasured: a.unmeasured + b.unmeasured });

export const addAmount = (a: Amount, b: Amount): Amount => ({
  usage: { inputTokens: a.usage.inputTokens + b.usage.inputTokens, outputTokens: a.usage.outputTokens + b.usage.outputTokens, cachedTokens: a.usage.cachedTokens + b.usage.cachedTokens },
  cost: addCost(a.cost, b.cost), turns: a.turns + b.turns, wallMs: a.wallMs + b.wallMs,
});

export const tokensOf = ({ inputTokens, outputTokens }: Usage): number => inputTokens + outputTokens;

/** US dollars for a million tokens of the models that a pattern names; `*` stands for any text. */
export interface Price { readonly model: string; readonly input: number; readonly cachedInput?: number | undefined; readonly output: number }

const matches = (pattern: string, model: string): boolean => new RegExp(`^${pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)).join(".*")}$`, "i").test(model);

/** The first price whose pattern fits. A model that nobody named fits only `*`. */
export const priceOf = (model: string | null, prices: readonly Price[]): Price | undefined => prices.find(({ model: pattern }) => (model === null ? pattern === "*" : matches(pattern, model)));

/** What a CLI said about one run; null: nothing. */
export interface Said { readonly usd: number | null; readonly usage: Usage | null; readonly model: string | null }

/** I1. A CLI that says 0 for tokens it used does not know their price. */
export const costOf = ({ usd, usage, model }: Said, prices: readonly Price[]): Cost => {
  const tokens = usage === null ? 0 : tokensOf(usage);
  if (usd !== null && (usd > 0 || tokens === 0)) return { ...noCost, usd: micro(usd) };
  if (usage === null) return { ...noCost, unmeasured: 1 };
  const price = priceOf(model, prices);
  if (price === undefined) return { ...noCost, unpricedTokens: tokens };
  const cached = Math.min(usage.cachedTokens, usage.inputTokens);
  return { ...noCost, usd: micro(((usage.inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input) + usage.outputTokens * price.output) / 1e6) };
};

/** `$1.23`; of less than a cent as much as says something. */
export const usdText = (usd: number): string => `$${usd > 0 && usd < 0.01 ? usd.toPrecision(1) : usd.toFixed(2)}`;

/** `950`, `40k`, `1.2M`. */
export const tokenText = (tokens: number): string => (tokens < 1_000 ? String(tokens) : tokens < 999_500 ? `${Math.round(tokens / 1_000)}k` : `${(tokens / 1e6).toFixed(1)}M`);

/** `$1.23`, `$1.23 + 40k tokens of unknown price`, `unknown`: the one way in which a cost is shown. */
export const costText = ({ usd, unpricedTokens, unmeasured }: Cost): string => {
  const rest = [
    ...(unpricedTokens > 0 ? [`${tokenText(unpricedTokens)} tokens of unknown price`] : []),
    ...(unmeasured > 0 ? [`${unmeasured} turn${unmeasured === 1 ? "" : "s"} of unknown cost`] : []),
  ];
  if (usd > 0 || rest.length === 0) return [usdText(usd), ...rest].join(" + ");
  return unpricedTokens > 0 ? rest.join(" + ") : "unknown";
};

/** The same where there is room for a few characters: `$1.23`, `$1.23+?`, `?`. */
export const shortCostText = (cost: Cost): string => {
  const isWhole = cost.unpricedTokens === 0 && cost.unmeasured === 0;
  return isWhole ? usdText(cost.usd) : cost.usd > 0 ? `${usdText(cost.usd)}+?` : "?";
};

/** Nothing was spent, as far as anybody can know. */
export const isNothing = ({ usd, unpricedTokens, unmeasured }: Cost): boolean => usd === 0 && unpricedTokens === 0 && unmeasured === 0;
