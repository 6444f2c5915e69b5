import type { CheckReport } from "../domain/check.ts";
import type { Outcome } from "./cache.ts";

export interface Comparison {
  readonly base: { readonly commit: string; readonly outcomes: readonly Outcome[] };
  readonly head: { readonly commit: string; readonly outcomes: readonly Outcome[] };
  /** Test files that base has and head has not, moves left out. */
  readonly deletedTests: readonly string[];
  readonly warnings: readonly string[];
  readonly sandbox: string;
}

/**
 * Which tests of base are gone on head. Only passing ones count, and only a net loss: when as many new tests pass, the old ones were
 * renamed or moved, which is said and no more. Skipping a test makes it disappear here too.
 */
const removed = (base: Outcome, head: Outcome): { readonly names: readonly string[]; readonly loss: boolean } => {
  if (base.passed === null || base.result.status === "missing" || head.result.status === "missing" || head.result.status === "timeout") return { names: [], loss: false };
  const there = new Set([...head.passed ?? [], ...head.result.failures]);
  const before = new Set([...base.passed, ...base.result.failures]);
  const names = base.passed.filter((name) => !there.has(name));
  const added = [...there].filter((name) => !before.has(name) && !name.startsWith("output "));
  // A runner that dies before it names its tests has failed already; that failure is counted, not each test.
  if (head.result.status === "failed" && (head.passed === null || head.passed.length === 0)) return { names: [], loss: false };
  return { names, loss: names.length > added.length };
};

const shown = (names: readonly string[]): string => names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;

const broken = ({ result: { status } }: Outcome): boolean => status === "failed" || status === "timeout";

/** What is new on head. Pure. */
export const compare = ({ base, head, deletedTests, warnings: before, sandbox }: Comparison): CheckReport => {
  const newFailures: string[] = [], fixed: string[] = [], warnings = [...before];
  let named = false;
  for (const now of head.outcomes) {
    const { name } = now.result;
    const then = base.outcomes.find((outcome) => outcome.result.name === name);
    if (now.result.status === "missing") warnings.push(`${name} could not run on head: ${now.result.tail.trim().split("\n").at(-1) ?? ""}`);
    if (now.result.flaky) warnings.push(`${name} is flaky: it failed, then passed on the same commit`);
    const known = new Set(then?.result.failures);
    newFailures.push(...now.result.failures.filter((failure) => !known.has(failure)).map((failure) => `${name}: ${failure}`));
    // What base ran and head cannot start any more was broken by the work.
    if (now.result.status === "missing" && then !== undefined && (then.result.status === "passed" || then.result.status === "failed")) newFailures.push(`${name}: cannot be run any more`);
    if (then === undefined) {
      warnings.push(`${name} is defined by the work itself: base has no such check`);
      continue;
    }
    if (now.result.status !== "missing" && now.result.status !== "timeout") {
      const still = new Set(now.result.failures);
      const gone = now.passed === null || now.result.status === "passed" ? null : new Set(now.passed);
      fixed.push(...then.result.failures.filter((failure) => !still.has(failure) && (gone === null || gone.has(failure) || failure.startsWith("output "))).map((failure) => `${name}: ${failure}`));
    }
    if (broken(then) && broken(now) && ![...newFailures, ...fixed].some((failure) => failure.startsWith(`${name}: `))) warnings.push(`${name} fails on head as it does on base`);
    if (then.passed !== null && now.passed !== null) named = true;
    const lost = removed(then, now);
    if (lost.names.length > 0) {
      warnings.push(`${name}: tests that passed on base are gone on head: ${shown(lost.names)}`);
      if (lost.loss) newFailures.push(`${name}: tests removed: ${shown(lost.names)}`);
    }
  }
  for (const then of base.outcomes) {
    const { name, status } = then.result;
    if (status === "missing") warnings.push(`${name} could not run on base: ${then.result.tail.trim().split("\n").at(-1) ?? ""}`);
    if (!head.outcomes.some((outcome) => outcome.result.name === name)) { warnings.push(`${name} is gone on head`); if (status === "passed") newFailures.push(`${name}: check removed`); }
  }
  if (deletedTests.length > 0) {
    warnings.push(`test files deleted: ${shown(deletedTests)}`);
    // Where the runner names its tests, the names above decide; where it does not, the file is all there is.
    if (!named && base.outcomes.some((outcome) => outcome.result.status === "passed")) newFailures.push(`tests removed: ${shown(deletedTests)}`);
  }
  return {
    base: { commit: base.commit, results: base.outcomes.map((outcome) => outcome.result) }, head: { commit: head.commit, results: head.outcomes.map((outcome) => outcome.result) },
    newFailures, fixed, warnings, sandbox,
  };
};
