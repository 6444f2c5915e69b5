import type { AnyMachineSnapshot } from "xstate";
import { pipelineAddress } from "../../src/domain/ids.ts";
import type { Edge, Exploration } from "../catalog.ts";
import { firstRule, noFacts, observe, type Observation } from "../progress-rules.ts";
import type { ProgressContext, ProgressEvent, ProgressInput } from "../progress.ts";
import { id } from "./fixtures.ts";
import { asksNothing, at, ignored, implies, same, stamped, told } from "./reading.ts";

const pipeline = pipelineAddress(id, 1);
const input: ProgressInput = { pipeline, limits: { sameError: 2, sameFeedback: 2, feedbackSimilarity: 0.8, repeatedTool: 2, monologue: 2, sameDiff: 2, costWithoutChangeUsd: 2 } };

const near = ["handle", "the", "empty", "list"];
const observations: readonly Observation[] = [
  ...["A", "B", "C"].map((hash) => ({ kind: "diff" as const, hash })),
  ...["x", "y", ""].map((fingerprint) => ({ kind: "error" as const, fingerprint })),
  ...[near, [...near, "please"], ["rename", "it"]].map((words) => ({ kind: "feedback" as const, words })),
  { kind: "fixed" },
  ...[1, 2].map((repeats) => ({ kind: "tool" as const, repeats, call: "Read add.mjs" })),
  ...[1, 2].map((messages) => ({ kind: "monologue" as const, messages })),
  { kind: "cost", usd: 1 },
];
const observes = observations.map((seen) => stamped({ type: "observe" as const, seen }));
const alphabet: readonly ProgressEvent[] = [...observes, stamped({ type: "reset" }), stamped({ type: "end" })];

const contextOf = (snapshot: AnyMachineSnapshot): ProgressContext => snapshot.context;
const seenIn = (edge: Edge): Observation | undefined => observes.find((event) => event === edge.event)?.seen;

/** The second of the same in a row, said without the rules' own words. */
const secondInARow = ({ facts }: ProgressContext, seen: Observation): string | undefined => {
  const before = facts.diffs.at(-1);
  switch (seen.kind) {
    case "tool": return seen.repeats === 2 ? "repeatedTool" : undefined;
    case "monologue": return seen.messages === 2 ? "monologue" : undefined;
    case "error": return seen.fingerprint !== "" && seen.fingerprint === facts.error ? "sameError" : undefined;
    case "diff": return before === undefined ? undefined : before === seen.hash ? "sameDiff" : facts.diffs.at(-2) === seen.hash ? "oscillation" : undefined;
    case "feedback": return facts.feedback.length > 2 && seen.words.length > 2 ? "sameFeedback" : facts.feedback.length === 2 && seen.words.length === 2 ? "sameFeedback" : undefined;
    case "cost": return facts.costSinceChange === 1 ? "costWithoutChange" : undefined;
    default: return undefined;
  }
};

export const exploration: Exploration = {
  inputs: [{ name: "every limit at two", input }],
  events: [...alphabet],
  unattended: observes,
  abstraction: (snapshot) => {
    const { facts } = contextOf(snapshot);
    // Which rule it was is all that matters once it fired.
    if (!snapshot.matches("watching")) return { rule: contextOf(snapshot).rule };
    return { ...facts, diffs: facts.diffs.slice(-3), feedback: facts.feedback.length };
  },
  restStates: ["watching", "stuck", "done"],
  states: [
    { name: "I1 stuck by a named rule that the recorded facts bear out, watching only while none does", holds: (s) => { const c = contextOf(s), rule = firstRule(c.facts, c.limits); return at(s, "stuck") ? rule?.id === c.rule && c.says === `${rule.says}${rule.id === "repeatedTool" ? ": Read add.mjs" : ""}` : !at(s, "watching") || (rule === undefined && c.rule === ""); } },
    { name: "what is remembered is bounded", holds: (s) => contextOf(s).facts.diffs.length <= 6 },
  ],
  first: [asksNothing],
  edges: [
    { name: "while watching every observation is recorded, and the second of the same in a row is stuck", holds: (e) => {
      const seen = seenIn(e), from = contextOf(e.from), to = contextOf(e.to);
      if (!seen || !at(e.from, "watching")) return true;
      const rule = secondInARow(from, seen);
      return same(to.facts, observe(from.facts, seen, { ...from.limits })) && (rule === undefined ? at(e.to, "watching") : at(e.to, "stuck") && to.rule === rule);
    } },
    { name: "I2 it says so once, on becoming stuck, to its pipeline", holds: (e) => { const says = told(e, "stuck"), to = contextOf(e.to); return says.length === (at(e.to, "stuck") && !at(e.from, "stuck") ? 1 : 0) && says.every(({ to: whom, event }) => whom === pipeline && event["rule"] === to.rule && event["says"] === to.says); } },
    { name: "I2 stuck, it hears nothing until it is armed again", holds: (e) => implies(at(e.from, "stuck") && seenIn(e) !== undefined, () => ignored(e)) },
    { name: "a reset arms it with nothing on record", holds: (e) => implies(e.event.type === "reset" && e.from.status === "active", () => at(e.to, "watching") && same(contextOf(e.to).facts, noFacts) && contextOf(e.to).rule === "" && contextOf(e.to).says === "") },
    { name: "the end of the pipeline ends the watch", holds: (e) => implies(e.event.type === "end", () => at(e.to, "done")) && implies(at(e.to, "done") && e.from.status === "active", () => e.event.type === "end") },
  ],
};
