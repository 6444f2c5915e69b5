/**
 * Spawning a supervised live actor against a raw XState actor of the same machine, CPU time. Each is measured in processes of its own,
 * by turns: in one process each would pay for the other's garbage. Budget (DESIGN §11): at most 1.2 times.
 * Not measured: stopping, restarts, events, machines with children.
 */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { createActor, setup } from "xstate";
import { liveActor } from "../../actors/live-actor.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { SimulatedClock } from "../support/clock.ts";
import { atMost, median, report } from "./figure.ts";

const batch = 4_000, batches = 12;

const states = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`s${i}`, { on: { NEXT: `s${(i + 1) % 12}`, BACK: `s${(i + 11) % 12}` } }]));
const machine = setup({}).createMachine({ id: "ring", options: { maxIterations: 100 }, context: ({ input }) => ({ input }), initial: "s0", states });

const spawn = {
  raw: (count: number): unknown => Array.from({ length: count }, (_, i) => createActor(machine, { id: `a${i}`, input: { i } }).start()),
  supervised: (count: number): unknown => {
    const clock = new SimulatedClock();
    const supervisor = new Supervisor({ id: "bench", clock, strategy: "one_for_one", intensity: { max: 3, withinMs: 1_000 }, onEscalate: () => {}, observe: () => {} });
    for (let i = 0; i < count; i++) supervisor.add(liveActor({ id: `a${i}`, machine, clock, restart: "temporary", input: () => ({ i }) }));
    return supervisor;
  },
} as const;
type Way = keyof typeof spawn;

/** Microseconds of CPU (user and system) an actor, after a warm-up; the actors of one batch live at a time. */
const measure = (way: Way): number => {
  let alive = spawn[way](batch);
  alive = spawn[way](batch);
  const before = process.cpuUsage();
  for (let i = 0; i < batches; i++) alive = spawn[way](batch);
  const { user, system } = process.cpuUsage(before);
  return alive === undefined ? Number.NaN : (user + system) / (batch * batches);
};

const script = fileURLToPath(import.meta.url);

/** Medians over the rounds and their ratio. */
export const measureActors = async (rounds = 7): Promise<{ readonly rawUs: number; readonly supervisedUs: number; readonly ratio: number }> => {
  const results: Record<Way, number[]> = { raw: [], supervised: [] };
  for (let round = 0; round < rounds; round++) for (const way of ["raw", "supervised"] as const) {
    const { stdout } = await execa(process.execPath, [script, way], { stdin: "ignore", timeout: 120_000 });
    results[way].push(Number(stdout));
  }
  const rawUs = median(results.raw), supervisedUs = median(results.supervised);
  return { rawUs, supervisedUs, ratio: supervisedUs / rawUs };
};

if (process.argv[1] === script) {
  const way = process.argv[2];
  if (way === "raw" || way === "supervised") console.log(measure(way));
  else {
    const { rawUs, supervisedUs, ratio } = await measureActors();
    report([{ what: "spawn of a supervised live actor", value: supervisedUs, unit: "µs CPU", ratio: { of: ratio, to: `raw XState, ${rawUs.toFixed(1)} µs` }, budget: atMost(ratio, 1.2, "×") }]);
  }
}
