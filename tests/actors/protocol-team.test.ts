import fc from "fast-check";
import { expect, test } from "vitest";
import { plan } from "../../machines/exploration/fixtures.ts";
import { PlannedTask } from "../../src/domain/team-answers.ts";
import { TeamView, type TeamPolicy } from "../../src/domain/team.ts";
import { isTerminal } from "../../src/domain/work-item.ts";
import { audit } from "./protocol-audit.ts";
import { atRest, type Life, live, type Plan } from "./protocol-life.ts";

/** As protocol.test.ts, with teams: PROTOCOL_SEED, PROTOCOL_PATH and PROTOCOL_RUNS work alike. */
const seed = Number(process.env["PROTOCOL_SEED"] ?? 20_261_124), path = process.env["PROTOCOL_PATH"], numRuns = Number(process.env["PROTOCOL_RUNS"] ?? 100);

const limits: fc.Arbitrary<TeamPolicy> = fc.record({ workers: fc.integer({ min: 1, max: 3 }), leaseMs: fc.constantFrom(2_000, 60_000), maxFixes: fc.nat(2), memberRestarts: fc.record({ max: fc.nat(2), withinMs: fc.constant(600_000) }), taskAttempts: fc.integer({ min: 1, max: 3 }), mending: fc.constantFrom("workers" as const, "ralph" as const) });
const tasks = fc.array(fc.constantFrom(0, 1), { maxLength: 4 }).map((list) => list.map((on, n) => PlannedTask.parse({ title: `task ${n + 1}`, dependsOn: on === 1 && n > 0 ? [n] : [] })));
const plans: fc.Arbitrary<Plan> = fc.record({
  lane: fc.constant("team" as const), claim: fc.constant(true),
  team: fc.record({ name: fc.constant("alpha"), workers: fc.integer({ min: 1, max: 3 }), adapters: fc.constant([]), tasks, interactive: fc.constant(false) }),
  policy: fc.record({ stages: fc.constantFrom({ coder: plan }, { coder: plan, critic: plan }), team: limits, maxIterations: fc.integer({ min: 1, max: 3 }), itemFailures: fc.nat(1), infraRetries: fc.nat(2) }),
});
const lives: fc.Arbitrary<Life> = fc.record({ items: fc.array(plans, { minLength: 1, maxLength: 2 }), tape: fc.array(fc.nat(99), { minLength: 20, maxLength: 1_500, size: "max" }) });

test("lives of teams: crashes, delays, duplicates, stale claims, comings and goings break no promise between a team and its members", { timeout: 240_000 }, async () => {
  const seen = { crashes: 0, turns: 0, ended: 0, done: 0, merged: 0, conflicts: 0, restarts: 0, letters: 0, pauses: 0 };
  let mended = 0;
  await fc.assert(fc.asyncProperty(lives, async (life) => {
    const lived = await live(life), { faults, replayed, turns } = audit(lived.state);
    expect([...lived.faults, ...faults]).toEqual([]);
    // What led there, when it is asked for.
    if (process.env["PROTOCOL_TRACE"] !== undefined && lived.views.some((view) => !atRest(view))) console.log(lived.state.journal.slice(-60).map((row) => `${row.actor} ${row.seq} ${row.event.slice(0, 200)}`).join("\n"));
    expect(lived.views.filter((view) => !atRest(view)).map(({ id, status, reason }) => ({ id, status, reason }))).toEqual([]);
    for (const view of lived.views) {
      expect([view.id, view.status, lived.published.get(view.id)?.size ?? 0]).toEqual([view.id, view.status, view.status === "done" ? 1 : 0]);
      if (isTerminal(view.status) && view.status !== "done") expect(view.reason).not.toBe("");
    }
    expect(lived.state.outbox.size).toBe(0);
    expect(lived.state.mail.size).toBe(0);
    expect(Object.fromEntries(lived.believed)).toEqual(Object.fromEntries(replayed));
    seen.crashes += lived.crashes;
    seen.turns += turns;
    for (const view of lived.views) { if (isTerminal(view.status)) seen.ended++; if (view.status === "done") seen.done++; }
    for (const [address, actor] of lived.state.actors) {
      if (!address.startsWith("team/")) continue;
      const team = TeamView.parse(JSON.parse(actor.view?.view ?? "null"));
      // Nobody is left behind, and no lease, when the team is over.
      if (["done", "failed", "cancelled", "exhausted"].includes(team.phase)) expect(team.members.filter(({ state }) => state !== "gone" && state !== "down")).toEqual([]);
      if (team.phase === "done") expect(team.tasks.filter(({ state, kind }) => state !== "done" && kind === "work" && team.fixes === 0)).toEqual([]);
      seen.merged += team.tasks.filter(({ state }) => state === "done").length;
      seen.conflicts += team.tasks.filter(({ kind }) => kind === "conflict").length;
      seen.restarts += team.members.reduce((sum, { restarts }) => sum + restarts, 0);
      seen.letters += team.messages.length;
      mended += [...lived.state.actors.keys()].filter((each) => each.startsWith(address.replace("team/", "ralph/"))).length;
      seen.pauses += lived.state.journal.filter((row) => row.actor === address && row.event.includes('"type":"resume"')).length;
    }
  }), { seed, numRuns, ...(path === undefined ? {} : { path }), endOnFailure: true });
  console.log(`protocol of teams: seed ${seed}, ${numRuns} lives, ${JSON.stringify({ ...seen, mended })}`);
  if (path === undefined) for (const count of Object.values(seen)) expect(count).toBeGreaterThan(numRuns / 10);
  // Checks of the whole seldom fail here, and leaders seldom send work back.
  if (path === undefined) expect(mended).toBeGreaterThan(0);
});
