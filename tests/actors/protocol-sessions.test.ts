import fc from "fast-check";
import { expect, test } from "vitest";
import { plan } from "../../machines/exploration/fixtures.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import { audit } from "./protocol-audit.ts";
import { type Life, live, type Plan } from "./protocol-life.ts";
import { type Company, company } from "./protocol-sessions.ts";

/** As protocol.test.ts, for sessions beside lanes. A failing life: `SESSIONS_SEED=… SESSIONS_PATH=… vitest run … tests/actors/protocol-sessions.test.ts`, more of them with SESSIONS_RUNS. */
const seed = Number(process.env["SESSIONS_SEED"] ?? 20_261_201), path = process.env["SESSIONS_PATH"];
/** `npm run test:full` lives more of them. */
const numRuns = Number(process.env["SESSIONS_RUNS"] ?? (process.env["ENACT_SWEEP"] === undefined ? 80 : 800));

const stages: fc.Arbitrary<Policy["stages"]> = fc.constantFrom({ coder: plan }, { coder: plan, critic: plan }, { coder: plan, critic: plan, documenter: plan });
const plans: fc.Arbitrary<Plan> = fc.record({
  lane: fc.constantFrom("manual" as const, "manual" as const, "manual" as const, "ralph" as const, "none" as const), claim: fc.constant(false), body: fc.constantFrom("", "- [ ] one\n- [ ] two\n"), spans: fc.constantFrom([], [], ["demo", "other"]),
  policy: fc.record({
    stages, review: fc.constantFrom("none" as const, "none" as const, "human" as const), itemFailures: fc.nat(1), infraRetries: fc.nat(2), crashRetries: fc.nat(2),
    lanes: fc.record({ ralph: fc.record({ maxIterations: fc.integer({ min: 2, max: 6 }) }), autopilot: fc.record({ plans: fc.integer({ min: 1, max: 3 }), qaCycles: fc.integer({ min: 1, max: 3 }), validationRounds: fc.integer({ min: 1, max: 2 }) }), ultrawork: fc.record({ concurrency: fc.integer({ min: 1, max: 2 }), maxFixes: fc.nat(2) }) }),
  }),
});
const lives: fc.Arbitrary<Life> = fc.record({ items: fc.array(plans, { minLength: 2, maxLength: 5 }), tape: fc.array(fc.nat(99), { minLength: 40, maxLength: 2_000, size: "max" }) });

test("lives of sessions: two of them, a stranger and a person stop, drive, hand over, cancel and end beside crashes, delays and duplicates, and no promise of the stop policy or of a lane is broken", { timeout: 300_000 }, async () => {
  const seen = new Map<string, number>();
  await fc.assert(fc.asyncProperty(lives, async (life) => {
    let guests: Company | undefined;
    const lived = await live(life, (place) => (guests = company(place))), { faults, replayed } = audit(lived.state);
    expect([...lived.faults, ...faults]).toEqual([]);
    expect(lived.views.filter(({ status }) => !isTerminal(status)).map(({ id, status, reason }) => ({ id, status, reason }))).toEqual([]);
    for (const [id, keys] of lived.published) expect([id, keys.size]).toEqual([id, lived.views.filter((view) => view.id === id && view.status === "done").length]);
    expect([lived.state.outbox.size, lived.state.mail.size]).toEqual([0, 0]);
    expect(Object.fromEntries(lived.believed)).toEqual(Object.fromEntries(replayed));
    for (const [name, count] of Object.entries({ crashes: lived.crashes, ended: lived.views.length, published: lived.published.size, ...guests?.seen, ...guests?.judge.seen })) seen.set(name, (seen.get(name) ?? 0) + count);
  }), { seed, numRuns, ...(path === undefined ? {} : { path }), endOnFailure: process.env["SESSIONS_SHRINK"] === undefined });
  console.log(`protocol of sessions: seed ${seed}, ${numRuns} lives, ${JSON.stringify(Object.fromEntries(seen))}`);
  // A simulation in which nothing happens proves nothing.
  if (path === undefined) for (const count of seen.values()) expect(count).toBeGreaterThan(numRuns / 15);
});
