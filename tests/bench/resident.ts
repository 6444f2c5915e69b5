// Heap of durable actors: 20 000 are started and touched on SQLite, so that their rows are on the disk and not in this heap.
// `idle`: the default number of residents; `resident`: all of them kept. Beside it the same chart as live XState actors.
// Not measured: the writer thread's cache of journal ends, SQLite's page cache. Runs with --expose-gc.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Effect, Exit, Scope } from "effect";
import { createActor } from "xstate";
import { DurableHost } from "../../actors/durable-host.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { openOwner } from "../../src/store/open.ts";
import { atMost, report } from "./figure.ts";
import { ring, ringAddresses, ringEntry, startRing } from "./ring.ts";

const actors = 20_000, chunk = 500;
setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
const heap = (): number => {
  if (typeof collect !== "function") throw new Error("the garbage collector cannot be called");
  for (let i = 0; i < 3; i++) collect();
  return process.memoryUsage().heapUsed;
};
const addresses = ringAddresses(actors);

const durable = async (residents: number | undefined): Promise<{ readonly bytes: number; readonly residents: number }> => {
  const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
  const scope = Scope.makeUnsafe();
  try {
    const store = await Effect.runPromise(Scope.provide(openOwner({ kind: "sqlite", directory: root }), scope));
    const host = new DurableHost({ store, clock: systemClock, catalog: [ringEntry], onEffect: () => {}, ...(residents === undefined ? {} : { residents }) });
    const before = heap();
    for (const event of [startRing, { type: "NEXT" }]) for (let i = 0; i < actors; i += chunk) await Promise.all(addresses.slice(i, i + chunk).map((address) => host.send(address, event)));
    await host.idle();
    const bytes = (heap() - before) / actors;
    const kept = host.residents;
    await host.stop();
    return { bytes, residents: kept };
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void));
    rmSync(root, { recursive: true, force: true });
  }
};

const live = (): number => {
  const before = heap();
  const all = addresses.map(() => createActor(ring).start());
  for (const actor of all) actor.send({ type: "NEXT" });
  const bytes = (heap() - before) / all.length;
  for (const actor of all) actor.stop();
  return bytes;
};

await durable(undefined);
const liveBytes = live();
const idle = await durable(undefined);
const resident = await durable(actors);
report([
  { what: `idle durable actor (${actors} touched, ${idle.residents} resident)`, value: idle.bytes, unit: "bytes", ratio: { of: idle.bytes / liveBytes, to: `a live XState actor, ${liveBytes.toFixed(0)} bytes` }, budget: atMost(idle.bytes, 1_024, "bytes") },
  { what: `resident durable actor (${resident.residents} resident)`, value: resident.bytes, unit: "bytes", ratio: { of: resident.bytes / liveBytes, to: "a live XState actor" } },
]);
