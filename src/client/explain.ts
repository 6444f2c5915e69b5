import { type CapState, capText } from "../domain/ledger.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { ItemEvidence, ItemState, JournalLine } from "./contract.ts";
import { type Waiting, waitingFor } from "./waiting.ts";

/**
 * Why an item stands where it stands: what it waits for, the last evidence, and which rule fires when. Pure, over the views and the
 * evidence of the store, so that every client gives the same answer.
 *
 * I1 Every counter is shown with its cap and with what happens at the cap; of an item that has ended, only what still says something.
 * I2 Nothing here decides; the charts do.
 */
export interface Explanation {
  readonly id: string;
  readonly status: string;
  readonly waiting: Waiting;
  /** The reason the factory itself recorded; untrusted text. */
  readonly reason: string;
  readonly question: string | null;
  readonly rules: readonly RuleState[];
  /** Effects asked for and not yet answered, oldest first. */
  readonly pending: readonly { readonly kind: string; readonly attempts: number; readonly since: number }[];
  readonly alarms: readonly { readonly actor: string; readonly name: string; readonly at: number }[];
  readonly deadLetters: readonly { readonly actor: string; readonly error: string; readonly at: number }[];
  readonly last: readonly JournalLine[];
}

/** One rule over one counter. */
export interface RuleState {
  readonly id: string;
  readonly scope: "item" | "lane" | "pipeline" | "stage" | "progress" | "spend";
  readonly now: number;
  readonly limit: number;
  /** "iteration 2 of 5", in words. */
  readonly says: string;
  /** What happens when the limit is reached or passed, as the charts do it. */
  readonly then: string;
  /** It has fired, or is at its limit so that the next count fires it. */
  readonly state: "quiet" | "atLimit" | "fired";
}

/** `caps`: of the spending, those that its turns must keep to. */
export const explain = (state: ItemState, evidence: ItemEvidence, caps: readonly CapState[] = []): Explanation => ({
  id: state.item.id,
  status: state.item.status,
  waiting: waitingFor(state),
  reason: state.item.reason || (isTerminal(state.item.status) ? "" : state.pipeline?.reason || state.stage?.reason || ""),
  question: state.item.question ?? state.pipeline?.question ?? state.stage?.question ?? null,
  rules: [...itemRules(state), ...caps.map(capRule), ...[...pipelineRules(state), ...stageRules(state), ...progressRules(state)].filter((rule) => !isTerminal(state.item.status) || rule.state === "fired")],
  pending: evidence.effects.map(({ kind, attempts, at }) => ({ kind, attempts, since: at })),
  alarms: evidence.alarms,
  deadLetters: evidence.deadLetters,
  last: evidence.last,
});

/** A counter that may be used up: `limit` is still allowed, one more is not. */
const budget = (rule: Omit<RuleState, "state">): RuleState => ({ ...rule, state: rule.now > rule.limit ? "fired" : rule.now === rule.limit ? "atLimit" : "quiet" });
/** A streak that fires as soon as it reaches its limit. */
const streak = (rule: Omit<RuleState, "state">, fired: boolean): RuleState => ({ ...rule, state: fired || rule.now >= rule.limit ? "fired" : rule.now === rule.limit - 1 ? "atLimit" : "quiet" });

const itemRules = ({ item }: ItemState): readonly RuleState[] => [
  budget({ id: "itemFailures", scope: "item", now: item.failures, limit: item.itemFailures, says: `the work was wrong ${item.failures} time(s); ${item.itemFailures} new tr${item.itemFailures === 1 ? "y" : "ies"} of the whole item allowed`, then: "failed" }),
  budget({ id: "infraRetries", scope: "item", now: item.infraFailures, limit: item.infraRetries, says: `${item.infraFailures} of ${item.infraRetries} waits for provider, network or disk used by the item`, then: "exhausted" }),
];

const capRule = (cap: CapState): RuleState => ({
  id: cap.cap, scope: "spend", now: cap.spent, limit: cap.limit, says: capText(cap).slice(`spend.${cap.cap}: `.length), then: "no new turn begins: exhausted",
  state: cap.state === "reached" ? "fired" : cap.state === "near" ? "atLimit" : "quiet",
});

const laneRules = (lane: NonNullable<ItemState["lane"]>): readonly RuleState[] =>
  lane.counters?.map((each) => budget({ ...each, scope: "lane", then: "exhausted" })) ?? [budget({ id: `${lane.lane}.maxIterations`, scope: "lane", now: lane.iteration, limit: lane.maxIterations, says: `round ${lane.iteration} of ${lane.maxIterations}`, then: "exhausted" })];

const pipelineRules = ({ pipeline, lane, nested }: ItemState): readonly RuleState[] =>
  lane !== null || nested !== null ? [lane, nested].flatMap((run) => (run === null ? [] : laneRules(run)))
  : pipeline === null ? [] : [budget({ id: "maxIterations", scope: "pipeline", now: pipeline.iteration, limit: pipeline.maxIterations, says: `iteration ${pipeline.iteration} of ${pipeline.maxIterations}`, then: "exhausted" })];

const stageRules = ({ stage }: ItemState): readonly RuleState[] => {
  if (stage === null) return [];
  return [
    budget({ id: "infraRetries", scope: "stage", now: stage.infraFailures - stage.refused, limit: stage.infraRetries, says: `${stage.infraFailures - stage.refused} of ${stage.infraRetries} waits for network or start used by this ${stage.stage}`, then: "exhausted" }),
    budget({ id: "refusedRetries", scope: "stage", now: stage.refused, limit: stage.refusedRetries, says: `${stage.refused} of ${stage.refusedRetries} waits for a provider that refused this ${stage.stage}`, then: "exhausted" }),
    budget({ id: "crashRetries", scope: "stage", now: stage.crashes, limit: stage.crashRetries, says: `${stage.crashes} of ${stage.crashRetries} crashes and full contexts of the ${stage.stage}'s agent forgiven`, then: "exhausted" }),
  ];
};

const numberAt = (facts: Readonly<Record<string, unknown>>, key: string): number => {
  const value = facts[key];
  return typeof value === "number" ? value : 0;
};

/** How often the newest diff stands at the end of the list without another between. */
const sameAtEnd = (diffs: readonly unknown[]): number => {
  let count = 0;
  for (let index = diffs.length - 1; index >= 0 && diffs[index] === diffs.at(-1); index--) count++;
  return count;
};

/** What every progress rule does. */
export const stuckThen = "stuck: the turn is stopped; once more with the escalation model when there is one, else you are asked";

const progressRules = ({ progress, pipeline }: ItemState): readonly RuleState[] => {
  if (progress === null || pipeline === null) return [];
  const { facts, limits } = progress;
  const diffs: readonly unknown[] = Array.isArray(facts["diffs"]) ? facts["diffs"] : [];
  const [a, b, c] = diffs.slice(-3);
  const turned = diffs.length >= 3 && a === c && a !== b;
  const then = stuckThen;
  const rule = (id: string, now: number, limit: number, says: string): RuleState => streak({ id, scope: "progress", now, limit, says, then }, progress.rule === id);
  const at = (key: string): number => numberAt(facts, key);
  return [
    rule("repeatedTool", at("toolStreak"), limits.repeatedTool, `the same tool call ${at("toolStreak")} time(s) in a row; at ${limits.repeatedTool}`),
    rule("monologue", at("monologue"), limits.monologue, `${at("monologue")} message(s) in a row without a tool; at ${limits.monologue}`),
    rule("sameError", at("errorStreak"), limits.sameError, `the same failure after ${at("errorStreak")} iteration(s) in a row; at ${limits.sameError}`),
    rule("sameDiff", sameAtEnd(diffs), limits.sameDiff, `the same diff ${sameAtEnd(diffs)} time(s) in a row; at ${limits.sameDiff}`),
    rule("oscillation", turned ? 1 : 0, 1, `the diff ${turned ? "went" : "did not go"} back and forth (A, B, A)`),
    rule("sameFeedback", at("feedbackStreak"), limits.sameFeedback, `near-equal feedback ${at("feedbackStreak")} time(s) in a row; at ${limits.sameFeedback}`),
    streak({ id: "costWithoutChange", scope: "progress", now: at("costSinceChange"), limit: limits.costWithoutChangeUsd, says: `$${at("costSinceChange").toFixed(2)} spent since something changed; at $${limits.costWithoutChangeUsd.toFixed(2)}`, then }, progress.rule === "costWithoutChange"),
  ].map((found) => (found.id === "oscillation" && !turned && progress.rule !== "oscillation" ? { ...found, state: "quiet" as const } : found));
};

/** `in 12 s`, `3 min ago`; for instants beside their absolute time. */
export const relativeTime = (at: number, now: number): string => {
  const ms = at - now;
  const seconds = Math.round(Math.abs(ms) / 1000);
  const text = seconds < 60 ? `${seconds} s` : seconds < 3_600 ? `${Math.round(seconds / 60)} min` : seconds < 172_800 ? `${Math.round(seconds / 360) / 10} h` : `${Math.round(seconds / 86_400)} d`;
  return seconds === 0 ? "now" : ms > 0 ? `in ${text}` : `${text} ago`;
};
