// Spawns agents at the same time as any program would, reads their lines and parses them; no factory. usage: fleet-driver ADAPTER COUNT DIRECTORY, with the owner's environment; prints JSON.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { adapters } from "../../src/daemon/ports.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { marker } from "../support/model-server.ts";

const [name = "", count = "", directory = ""] = process.argv.slice(2);
const adapter = adapters.find((each) => each.name === name);
if (adapter === undefined) throw new Error(`there is no adapter ${name}`);
const before = process.cpuUsage(), idleMb = process.memoryUsage.rss() / 2 ** 20;
let lines = 0;
const one = (n: number): Promise<void> => {
  const cwd = join(directory, `work-${n}`), runDirectory = join(directory, "runs", `run-${n}`);
  for (const made of [cwd, runDirectory]) mkdirSync(made, { recursive: true });
  const plan = adapter.plan({
    runId: RunId.parse(`bare.${process.pid}.${n}`), item: WorkItemId.parse(`LOC-${n + 1}`), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: adapter.name, model: process.env["BENCH_MODEL"] ?? null, cwd, prompt: `Do the work. ${marker("work")}`,
    sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 600_000, stallMs: 300_000, playbook: process.env["BENCH_PLAYBOOK"] ?? null,
  }, { env: process.env, home: process.env["HOME"] ?? "", runDirectory });
  if ("kind" in plan) throw new Error(`${name} refuses the turn: ${JSON.stringify(plan)}`);
  const [program, ...argv] = plan.argv;
  const child = spawn(program, argv, { cwd, env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", ...plan.env }, stdio: ["pipe", "pipe", "ignore"] });
  child.stdin.on("error", () => {});
  if (plan.stdinMode === "close") child.stdin.end(plan.stdin);
  else child.stdin.write(plan.stdin);
  createInterface({ input: child.stdout }).on("line", (line) => { if (JSON.parse(line) !== null) lines++; });
  return new Promise((resolve, reject) => { child.on("error", reject).on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${name} ended with ${code}`)))); });
};
const from = performance.now();
await Promise.all(Array.from({ length: Number(count) }, (_, n) => one(n)));
const { user, system } = process.cpuUsage(before);
// What getrusage tells holds the memory of who started this, too.
const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1_024;
process.stdout.write(`${JSON.stringify({ ms: performance.now() - from, cpuMs: (user + system) / 1_000, lines, idleMb, peakMb })}\n`);
