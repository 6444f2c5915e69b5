/**
 * Spawning a supervised live actor against a raw XState actor of the same machine: CPU time, both in one run, interleaved.
 * Budget (DESIGN §11): at most 1.2 times. Not measured: stopping, restarts, events, memory, machines with children.
 */
import { fileURLToPath } from "node:url";
import { createActor, setup } from "xstate";
import { liveActor } from "../../actors/live-actor.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { SimulatedClock } from "../support/clock.ts";

const states = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`s${i}`, { on: { NEXT: `s${(i + 1) % 12}`, BACK: `s${(i + 11) % 12}` } }]));
const machine = setup({}).createMachine({ id: "ring", options: { maxIterations: 100 }, context: ({ input }) => ({ input }), initial: "s0", states });

/** User and system CPU, milliseconds. */
const cpu = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

const raw = (count: number): void => {
  const actors = [];
  for (let i = 0; i < count; i++) actors.push(createActor(machine, { id: `a${i}`, input: { i } }).start());
};

const supervised = (count: number): void => {
  const clock = new SimulatedClock();
  const supervisor = new Supervisor({ id: "bench", clock, strategy: "one_for_one", intensity: { max: 3, withinMs: 1_000 }, onEscalate: () => {}, observe: () => {} });
  for (let i = 0; i < count; i++) supervisor.add(liveActor({ id: `a${i}`, machine, clock, restart: "temporary", input: () => ({ i }) }));
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Median over the rounds, microseconds of CPU an actor, and their ratio. */
export const measureActors = (rounds = 15, count = 4_000): { readonly rawUs: number; readonly supervisedUs: number; readonly ratio: number } => {
  raw(count);
  supervised(count);
  const results = Array.from({ length: rounds }, (_, round) => {
    // Each goes first every other round, so that neither always pays for the other's garbage.
    const [one, two] = round % 2 === 0 ? [raw, supervised] : [supervised, raw];
    globalThis.gc?.();
    const first = cpu(() => one(count));
    globalThis.gc?.();
    const second = cpu(() => two(count));
    return round % 2 === 0 ? { raw: first, supervised: second } : { raw: second, supervised: first };
  });
  const perActor = (of: "raw" | "supervised"): number => (median(results.map((result) => result[of])) * 1_000) / count;
  return { rawUs: perActor("raw"), supervisedUs: perActor("supervised"), ratio: median(results.map(({ raw, supervised }) => supervised / raw)) };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rawUs, supervisedUs, ratio } = measureActors();
  console.log(`spawn a live actor: raw XState ${rawUs.toFixed(1)} µs, supervised ${supervisedUs.toFixed(1)} µs CPU, ratio ${ratio.toFixed(2)} (budget 1.20)`);
}
