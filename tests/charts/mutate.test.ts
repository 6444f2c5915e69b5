import { describe, expect, test } from "vitest";
import { catalog } from "../../machines/index.ts";
import type { CatalogEntry } from "../../machines/catalog.ts";
import { mutantsOf, score, shareCaught, type Mutant } from "./mutate.ts";
import { sound } from "./sample.ts";

/** Deterministic (mulberry32), so that a failing sample fails again. */
const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
};

const sample = (mutants: readonly Mutant[], size: number): readonly Mutant[] => {
  const next = random(20_261_122);
  return mutants.map((mutant) => ({ mutant, order: next() })).sort((a, b) => a.order - b.order).slice(0, size).map(({ mutant }) => mutant);
};

const listed = (mutants: readonly Mutant[]): readonly string[] => mutants.map(({ operator, where }) => `${operator}: ${where}`);

// The whole set must reach 95 % for every chart (npm run test:mutants).
test("of a sample of the mutants of every chart, nine in ten are caught", () => {
  const results = catalog.map((entry) => score(entry, sample(mutantsOf(entry), 2)));
  expect(shareCaught(results), results.flatMap(({ survivors }) => listed(survivors)).join("\n")).toBeGreaterThanOrEqual(0.9);
}, 300_000);

describe("the mutants themselves", () => {
  test("each operator has a mutant, and the sample chart's invariants catch all but the equivalent ones", () => {
    const mutants = mutantsOf(sound);
    expect(new Set(mutants.map(({ operator }) => operator))).toEqual(new Set([
      "guard negated", "guard always true", "guard always false", "target swapped", "initial swapped", "transition removed", "always removed", "action dropped", "cap off by one",
    ]));
    const result = score(sound, mutants);
    expect(listed(result.survivors)).toEqual([]);
    // Passing through `judging` with failures to spare changes nothing that anyone can see.
    expect(listed(result.equivalent)).toEqual(["target swapped: ready go 0 to errand.judging", "target swapped: waiting answer 0 to errand.judging"]);
  });

  test("without invariants many survive: the score measures the invariants", () => {
    const naked: CatalogEntry = { ...sound, exploration: { ...sound.exploration, states: [], first: [], edges: [] } };
    const result = score(naked, mutantsOf(naked));
    expect(shareCaught([result])).toBeLessThan(0.8);
    expect(listed(result.survivors)).toEqual(expect.arrayContaining(["action dropped: (root) entry 0 accept", "action dropped: working entry 0 work"]));
  }, 300_000);
});
