import type { ProgressLimits } from "../src/domain/policy.ts";

/**
 * Stuck detection measures progress, not silence. These are the facts it keeps of one pipeline and the rules over them; pure, so the
 * chart, its exploration and `why` share one truth. Silence and wall-clock belong to the agent process, which sees the processes.
 */
export interface ProgressFacts {
  /** Diff hashes, one an iteration, newest last; kept short. */
  readonly diffs: readonly string[];
  readonly error: string;
  readonly errorStreak: number;
  readonly feedback: readonly string[];
  readonly feedbackStreak: number;
  readonly toolStreak: number;
  /** The call that is repeated, for people. */
  readonly call?: string;
  readonly monologue: number;
  /** US dollars spent since something last changed for the better. */
  readonly costSinceChange: number;
}

export const noFacts: ProgressFacts = { diffs: [], error: "", errorStreak: 0, feedback: [], feedbackStreak: 0, toolStreak: 0, monologue: 0, costSinceChange: 0 };

/** What the pipeline and the running turn report. A turn reports at phase rate, never per token. */
export type Observation =
  | { readonly kind: "diff"; readonly hash: string }
  | { readonly kind: "error"; readonly fingerprint: string }
  | { readonly kind: "feedback"; readonly words: readonly string[] }
  /** A check that failed before passes now. */
  | { readonly kind: "fixed" }
  /** A turn changed something in the worktree. */
  | { readonly kind: "changed" }
  /** `repeats`: the same tool call this many times in a row; 1 when it was a new one. `call`: which one. */
  | { readonly kind: "tool"; readonly repeats: number; readonly call?: string }
  /** Messages in a row without a tool call. */
  | { readonly kind: "monologue"; readonly messages: number }
  | { readonly kind: "cost"; readonly usd: number };

const remembered = 6;

/** Share of words two texts have in common, 0..1; two empty texts have nothing in common. */
export const jaccard = (a: readonly string[], b: readonly string[]): number => {
  const left = new Set(a);
  const right = new Set(b);
  if (left.size === 0 || right.size === 0) return 0;
  let both = 0;
  for (const word of left) if (right.has(word)) both++;
  return both / (left.size + right.size - both);
};

export const observe = (facts: ProgressFacts, seen: Observation, limits: ProgressLimits): ProgressFacts => {
  switch (seen.kind) {
    case "diff": {
      // A round that did not come as far as a commit says nothing about the diff.
      if (seen.hash === "") return facts;
      const isNew = !facts.diffs.includes(seen.hash);
      return { ...facts, diffs: [...facts.diffs, seen.hash].slice(-remembered), ...(isNew ? { costSinceChange: 0 } : {}) };
    }
    case "error":
      return { ...facts, error: seen.fingerprint, errorStreak: seen.fingerprint !== "" && seen.fingerprint === facts.error ? facts.errorStreak + 1 : seen.fingerprint === "" ? 0 : 1 };
    case "feedback": {
      const near = jaccard(facts.feedback, seen.words) >= limits.feedbackSimilarity;
      return { ...facts, feedback: seen.words, feedbackStreak: near ? facts.feedbackStreak + 1 : 1 };
    }
    case "fixed":
      return { ...facts, errorStreak: 0, error: "", costSinceChange: 0 };
    case "changed":
      return { ...facts, costSinceChange: 0 };
    case "tool":
      return { ...facts, toolStreak: seen.repeats, call: seen.call ?? "", monologue: 0 };
    case "monologue":
      return { ...facts, monologue: seen.messages };
    case "cost":
      return { ...facts, costSinceChange: facts.costSinceChange + seen.usd };
  }
};

export interface StuckRule { readonly id: string; readonly says: string; /** What exactly, when that is on record. */ readonly about?: (facts: ProgressFacts) => string; readonly fires: (facts: ProgressFacts, limits: ProgressLimits) => boolean }

const last = <T>(list: readonly T[], n: number): readonly T[] => list.slice(-n);

/** In order; the first that fires is named. */
export const stuckRules: readonly StuckRule[] = [
  { id: "repeatedTool", says: "the same tool call over and over", about: (f) => f.call ?? "", fires: (f, l) => f.toolStreak >= l.repeatedTool },
  { id: "monologue", says: "message after message without using a tool", fires: (f, l) => f.monologue >= l.monologue },
  { id: "sameError", says: "the same failure after every attempt", fires: (f, l) => f.errorStreak >= l.sameError },
  { id: "sameDiff", says: "the change did not change", fires: (f, l) => f.diffs.length >= l.sameDiff && new Set(last(f.diffs, l.sameDiff)).size === 1 },
  {
    id: "oscillation", says: "the change goes back and forth (A, B, A)",
    fires: (f) => {
      const [a, b, c] = last(f.diffs, 3);
      return f.diffs.length >= 3 && a === c && a !== b;
    },
  },
  { id: "sameFeedback", says: "review asks for the same thing again", fires: (f, l) => f.feedbackStreak >= l.sameFeedback },
  { id: "costWithoutChange", says: "money spent with nothing to show for it", fires: (f, l) => f.costSinceChange >= l.costWithoutChangeUsd },
];

export const firstRule = (facts: ProgressFacts, limits: ProgressLimits): StuckRule | undefined => stuckRules.find((rule) => rule.fires(facts, limits));

/** The rule's words for a person. */
export const saysOf = ({ says, about }: StuckRule, facts: ProgressFacts): string => {
  const what = about?.(facts) ?? "";
  return what === "" ? says : `${says}: ${what}`;
};
