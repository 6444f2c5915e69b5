/** Turns as charts ask for them, with all that can be said to an agent. */
import fc from "fast-check";
import { emptyBrief, type TurnEffect } from "../../src/domain/effects.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { stages } from "../../src/domain/stage.ts";
import type { PromptMaterial } from "../../src/ports/prompts.ts";

export const id = WorkItemId.parse("LOC-1");
export const material = (diff = "", run = "run-1"): PromptMaterial => ({ runId: RunId.parse(run), diff, agentsFiles: false });

export const turnOf = (more: Partial<TurnEffect> = {}): TurnEffect => ({
  kind: "turn", item: { id, title: "Fix add()", body: "It subtracts.", kind: "bug" }, attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: "scripted", model: null,
  workspace: { path: "/w", branch: "enact/LOC-1", base: "0".repeat(40) }, repository: "/r", sessionId: null, sessionCostUsd: 0, timeoutMs: 1, stallMs: 1, playbook: null, brief: emptyBrief, ...more,
});

/** Every kind of turn there is: a stage each, a planner's two duties, a team's four. */
export const kinds: readonly TurnEffect[] = [
  ...stages.map((stage) => turnOf({ stage })), turnOf({ stage: "planner", duty: "plan" }),
  ...(["plan", "criteria", "work", "verdict"] as const).map((duty) => turnOf({ stage: "coder", duty, brief: { ...emptyBrief, team: { duty, member: "worker-1", others: ["leader"], task: null, board: [], conflicts: [], messages: [] } } })),
];

/** Any turn with any of it, where `text` makes the texts of others. */
export const anyTurn = (text: fc.Arbitrary<string>): fc.Arbitrary<{ readonly turn: TurnEffect; readonly material: PromptMaterial }> => {
  const some = <T>(each: fc.Arbitrary<T>, most: number): fc.Arbitrary<T[]> => fc.array(each, { maxLength: most }), number = fc.integer({ min: 1, max: 99_999 });
  const finding = fc.record({ severity: fc.constantFrom("info", "critical"), message: text, file: text, line: number });
  const letters = (from: fc.Arbitrary<string | undefined>) => some(fc.record({ id: fc.uuid(), text, from }).map(({ from: by, ...rest }) => (by === undefined ? rest : { ...rest, from: by })), 30);
  const brief = fc.record({
    feedback: text, findings: some(finding, 5), failingChecks: some(text, 5), checks: fc.constantFrom("", "3/4 → 4/4"), again: text,
    answer: fc.option(fc.record({ question: text, answer: text })), messages: letters(fc.constantFrom(undefined, "reader")),
  });
  const team = fc.record({
    others: fc.constantFrom<string[][]>([], ["leader", ...Array.from({ length: 19 }, (_, n) => `worker-${n + 1}`)]), conflicts: some(text, 5),
    task: fc.option(fc.record({ id: number, kind: fc.constantFrom("work", "fix", "conflict"), title: text, description: text, acceptance: some(text, 3) })),
    board: some(fc.record({ id: number, title: text, state: fc.constant("done"), kind: fc.constant("work"), owner: fc.constantFrom(null, "worker-1"), reason: text, summary: text }), 5),
    messages: some(fc.record({ id: fc.uuid(), from: fc.constantFrom("you", "leader"), text }), 30),
  });
  return fc.record({ kind: fc.constantFrom(...kinds), title: text, body: text, iteration: number, brief, team, diff: text, agentsFiles: fc.boolean() }).map(({ kind, title, body, iteration, brief: told, team: ofTeam, diff, agentsFiles }) => ({
    turn: { ...kind, iteration, item: { ...kind.item, title, body }, brief: { ...told, ...(kind.brief.team === undefined ? {} : { team: { ...kind.brief.team, ...ofTeam } }) } },
    material: { ...material(diff), agentsFiles },
  }));
};
