// CPU of one event: through the durable host on the store in memory, through a live XState actor's `send`, and as a bare `chart.step`.
// Every way takes the same events to the same chart, in one process, in alternating rounds. A wave is sent without waiting, then its end
// is awaited: what agents, alarms and mail do to the host. Not measured: a disk or server, actions, views, watchers, loading of actors.
import { Effect, Exit, Scope } from "effect";
import { createActor } from "xstate";
import { createChart } from "../../actors/chart.ts";
import { DurableHost } from "../../actors/durable-host.ts";
import { memoryState, openOwner } from "../../src/store/open.ts";
import { SimulatedClock } from "../support/clock.ts";
import { atMost, cpuMs, type Figure, median, report } from "./figure.ts";
import { ring, ringAddresses, ringEntry, startRing } from "./ring.ts";

const rounds = 9, events = 48_000;
const next = { type: "NEXT" };

const measure = async (actors: number, each: number): Promise<Figure> => {
  const waves = Math.ceil(events / (actors * each));
  const live = Array.from({ length: actors }, () => createActor(ring).start());
  const chart = createChart(ring);
  const states = live.map(() => chart.start({}).state);
  const us: { readonly live: number; readonly pure: number; readonly durable: number }[] = [];
  const perEvent = async (work: () => void | Promise<void>): Promise<number> => ((await cpuMs(work)) * 1_000) / (waves * actors * each);
  for (let round = 0; round <= rounds; round++) {
    const scope = Scope.makeUnsafe();
    const store = await Effect.runPromise(Scope.provide(openOwner({ kind: "memory", state: memoryState() }), scope));
    const host = new DurableHost({ store, clock: new SimulatedClock(1_800_000_000_000), catalog: [ringEntry], onEffect: () => {} });
    const addresses = ringAddresses(actors);
    await Promise.all(addresses.map((address) => host.send(address, startRing)));
    const took = {
      live: await perEvent(() => { for (let n = 0; n < waves * each; n++) for (const actor of live) actor.send({ type: "NEXT" }); }),
      pure: await perEvent(() => { for (let n = 0; n < waves * each; n++) states.forEach((state, i) => { states[i] = chart.step(state, next).state; }); }),
      durable: await perEvent(async () => {
        for (let wave = 0; wave < waves; wave++) {
          let last: Promise<void> | undefined;
          for (let n = 0; n < each; n++) for (const address of addresses) last = host.send(address, { type: "NEXT" });
          await last;
        }
        await host.idle();
      }),
    };
    // The first round warms up.
    if (round > 0) us.push(took);
    await host.stop();
    await Effect.runPromise(Scope.close(scope, Exit.void));
  }
  const ratio = median(us.map(({ durable, live: raw }) => durable / raw));
  return {
    what: actors === 1 ? `durable send, one actor, waves of ${each}` : `durable send, ${actors} actors, one event each`,
    value: median(us.map(({ durable }) => durable)), unit: "µs CPU an event",
    ratio: { of: ratio, to: `live XState send, ${median(us.map(({ live: raw }) => raw)).toFixed(2)} µs` },
    budget: atMost(ratio, 1.1, "×"),
    note: `the chart's own step alone ${median(us.map(({ pure, live: raw }) => pure / raw)).toFixed(2)}×`,
  };
};

report([await measure(1, 512), await measure(64, 1)]);
