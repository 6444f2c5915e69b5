// `make`: fills a state directory with work items in mixed states, through the real host and charts; only effects are answered by a fake.
// `resume`: opens it as the next owner would, up to the point where work could go on. usage: resume-driver make|resume DIRECTORY COUNT
import { Effect, Exit, Scope } from "effect";
import { DurableHost } from "../../actors/durable-host.ts";
import { Scheduler } from "../../actors/scheduler.ts";
import { policy } from "../../machines/exploration/fixtures.ts";
import { catalog } from "../../machines/index.ts";
import { intakeAddress } from "../../machines/intake.ts";
import { ledgerKeeps, spendAddress } from "../../machines/spend.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { EffectRequest } from "../../src/domain/effects.ts";
import { parseAddress } from "../../src/domain/ids.ts";
import { WorkItemView } from "../../src/domain/view.ts";
import type { OutboxRow } from "../../src/ports/store.ts";
import { openOwner } from "../../src/store/open.ts";
import { resultOf } from "../actors/protocol-world.ts";

const [mode = "", directory = "", counted = "1000"] = process.argv.slice(2);
const count = Number(counted);
const scope = Scope.makeUnsafe();
const store = await Effect.runPromise(Scope.provide(openOwner({ kind: "sqlite", directory }), scope));
const clock = systemClock;

/** An item's world answers this many of its effects and no more: where it stands when the owner "dies". */
const answered = new Map<string, number>();
const patience = (item: string): number => Number(item.split("-")[1]) % 9;
/** Every seventh item meets trouble: some wait for a retry, some are blocked. */
const luck = (item: string): number => (Number(item.split("-")[1]) % 7 === 0 ? 96 : 0);
let serial = 0;
const answer = (row: OutboxRow): void => {
  const item = parseAddress(row.actor)?.item ?? "";
  const so = answered.get(item) ?? 0;
  if (so >= patience(item)) return;
  answered.set(item, so + 1);
  const result = resultOf(EffectRequest.parse(JSON.parse(row.payload)), row.key, luck(item), ++serial, clock.now(), []);
  host.send(row.actor, result, { row: "outbox", key: row.key }).catch(() => undefined);
};

let pending = 0;
const host = new DurableHost({ store, clock, catalog, onEffect: mode === "make" ? answer : () => { pending++; } });

if (mode === "make") {
  await host.recover();
  await host.send(intakeAddress, { type: "actor.start", chart: "intake", version: 1, input: {} });
  await host.send(spendAddress, { type: "actor.start", chart: "spend", version: 1, input: { keep: ledgerKeeps } });
  for (let n = 1; n <= count; n++) {
    const item = { source: "command", sourceId: `bench-${n}`, title: `Item ${n}`, body: "Something is broken. ".repeat(20), kind: "bug", priority: 1 + (n % 4), createdAt: n, project: "demo", repository: "/repository", operatorLane: "none" };
    // Every tenth waits for a slot, the others were claimed.
    await host.send(intakeAddress, { type: "offer", claim: n % 10 !== 0, policy: { ...policy, stages: { ...policy.stages, documenter: policy.stages.coder } }, item });
  }
  await host.idle();
  const views = (await Effect.runPromise(store.views("item"))).map(({ view }) => WorkItemView.parse(JSON.parse(view)).status);
  const states: Record<string, number> = {};
  for (const status of views) states[status] = (states[status] ?? 0) + 1;
  process.stdout.write(`${JSON.stringify({ states, journal: (await Effect.runPromise(store.journal({}))).length })}\n`);
} else {
  const recovered = await host.recover();
  const scheduler = new Scheduler({ slots: 2, slotsPerProject: 2, claimUnassigned: true, claim: () => {} });
  for (const row of await Effect.runPromise(store.views("item"))) scheduler.note(row.actor, WorkItemView.parse(JSON.parse(row.view)));
  scheduler.start();
  const ms = performance.now();
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${JSON.stringify({ ms, cpuMs: (user + system) / 1_000, rssMb: process.memoryUsage().rss / 2 ** 20, pending, ...recovered })}\n`);
}
await host.stop();
await Effect.runPromise(Scope.close(scope, Exit.void));
