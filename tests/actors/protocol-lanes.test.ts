import fc from "fast-check";
import { expect, test } from "vitest";
import { plan } from "../../machines/exploration/fixtures.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import { audit } from "./protocol-audit.ts";
import { atRest, type Life, live, type Plan } from "./protocol-life.ts";

/** As protocol.test.ts, for lanes of steps. A failing life: `LANES_SEED=… LANES_PATH=… vitest run … tests/actors/protocol-lanes.test.ts`, more of them with LANES_RUNS. */
const seed = Number(process.env["LANES_SEED"] ?? 20_261_141), path = process.env["LANES_PATH"], numRuns = Number(process.env["LANES_RUNS"] ?? 60);

const stages: fc.Arbitrary<Policy["stages"]> = fc.constantFrom({ coder: plan }, { coder: { ...plan, escalateModel: "large" }, critic: plan }, { coder: plan, critic: plan, documenter: plan });
const plans: fc.Arbitrary<Plan> = fc.record({
  lane: fc.constantFrom("ralph" as const, "autopilot" as const), claim: fc.boolean(), body: fc.constantFrom("", "- [ ] one\n- [ ] two\n"),
  policy: fc.record({ stages, itemFailures: fc.nat(1), infraRetries: fc.nat(2), crashRetries: fc.nat(2), lanes: fc.record({ ralph: fc.record({ maxIterations: fc.integer({ min: 1, max: 5 }) }), autopilot: fc.record({ execution: fc.constantFrom("ralph" as const, "ralph" as const, "team" as const), plans: fc.integer({ min: 1, max: 3 }), qaCycles: fc.integer({ min: 1, max: 3 }), validationRounds: fc.integer({ min: 1, max: 2 }) }) }) }),
});
const lives: fc.Arbitrary<Life> = fc.record({ items: fc.array(plans, { minLength: 1, maxLength: 2 }), tape: fc.array(fc.nat(99), { minLength: 20, maxLength: 1_500, size: "max" }) });

test("lives of lanes: crashes, delays, duplicates, stale messages, pauses and cancels break no promise between a lane and its steps", { timeout: 120_000 }, async () => {
  const seen = { crashes: 0, turns: 0, ended: 0, published: 0, waiting: 0, pauses: 0, nested: 0, teams: 0 };
  await fc.assert(fc.asyncProperty(lives, async (life) => {
    const lived = await live(life), { faults, replayed, turns } = audit(lived.state);
    expect([...lived.faults, ...faults]).toEqual([]);
    // Every item ends or waits for a person, whatever became of its lane.
    expect(lived.views.filter((view) => !atRest(view)).map(({ id, status, reason }) => ({ id, status, reason }))).toEqual([]);
    for (const view of lived.views) {
      if (view.status === "done") expect(lived.published.get(view.id)?.size).toBe(1);
      else expect([view.id, view.status, lived.published.get(view.id)?.size ?? 0]).toEqual([view.id, view.status, 0]);
    }
    expect([lived.state.outbox.size, lived.state.mail.size]).toEqual([0, 0]);
    expect(Object.fromEntries(lived.believed)).toEqual(Object.fromEntries(replayed));
    seen.crashes += lived.crashes;
    seen.turns += turns;
    seen.published += lived.published.size;
    seen.pauses += lived.state.journal.filter(({ event }) => event.includes('"type":"pipeline.paused"')).length;
    // Runs of one lane within another.
    seen.nested += [...lived.state.actors.keys()].filter((address) => address.startsWith("ralph/") && address.includes("/leg")).length;
    seen.teams += [...lived.state.actors.keys()].filter((address) => address.startsWith("team/")).length;
    for (const view of lived.views) if (isTerminal(view.status)) seen.ended++; else seen.waiting++;
  }), { seed, numRuns, ...(path === undefined ? {} : { path }), endOnFailure: numRuns > 1_000 });
  console.log(`protocol of lanes: seed ${seed}, ${numRuns} lives, ${JSON.stringify(seen)}`);
  if (path === undefined) for (const count of Object.values(seen)) expect(count).toBeGreaterThan(numRuns / 15);
});
