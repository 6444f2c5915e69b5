// `enact-factory --help` from the bundle against a bare `node -e 0`: what every command pays before it does anything.
// Wall time, because that is what a person waits for; CPU beside it. Needs `npm run build`. Not measured: a cold disk cache.
import { join } from "node:path";
import { execa } from "execa";
import { type Figure, median, report } from "./figure.ts";

const bin = join(import.meta.dirname, "..", "..", "dist", "cli.js");
const rounds = 21;
// On exit the child says what it used: CPU in microseconds, peak memory in KiB.
const tell = "data:text/javascript,process.on('exit',()=>{const u=process.resourceUsage();process.stderr.write(`\\nused ${u.userCPUTime+u.systemCPUTime} ${u.maxRSS}`)})";

const wallMs = async (argv: readonly string[]): Promise<number> => {
  const from = performance.now();
  await execa(process.execPath, argv, { stdin: "ignore", timeout: 60_000 });
  return performance.now() - from;
};
const used = async (argv: readonly string[]): Promise<{ readonly cpuMs: number; readonly peakMb: number }> => {
  const { stderr } = await execa(process.execPath, ["--import", tell, ...argv], { stdin: "ignore", timeout: 60_000 });
  const [, cpu = "", peak = ""] = /used (\d+) (\d+)/.exec(stderr) ?? [];
  return { cpuMs: Number(cpu) / 1_000, peakMb: Number(peak) / 1_024 };
};

const ways = { bare: ["-e", "0"], help: [bin, "--help"] } as const;
const walls: Record<keyof typeof ways, number[]> = { bare: [], help: [] };
const uses: Record<keyof typeof ways, Awaited<ReturnType<typeof used>>[]> = { bare: [], help: [] };
for (let round = 0; round < rounds; round++) for (const way of ["bare", "help"] as const) {
  walls[way].push(await wallMs(ways[way]));
  uses[way].push(await used(ways[way]));
}
const over = median(walls.help.map((wall, i) => wall - (walls.bare[i] ?? Number.NaN)));
const peak = median(uses.help.map(({ peakMb }) => peakMb));
const cpu = (way: keyof typeof ways): number => median(uses[way].map(({ cpuMs }) => cpuMs));
report([
  { what: "--help over bare node", value: over, unit: "ms wall", ratio: { of: median(walls.help) / median(walls.bare), to: `node -e 0, ${median(walls.bare).toFixed(0)} ms` }, budget: { text: "at most 60 ms more", met: over <= 60 }, note: `CPU ${cpu("help").toFixed(0)} ms, bare ${cpu("bare").toFixed(0)} ms` },
  { what: "--help, peak memory", value: peak, unit: "MB RSS", ratio: { of: peak / median(uses.bare.map(({ peakMb }) => peakMb)), to: "node -e 0" }, budget: { text: "at most 80 MB", met: peak <= 80 } },
] satisfies readonly Figure[]);
