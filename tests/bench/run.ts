// Runs the benchmarks one after another, each in a process of its own, and prints what they found against the budgets of DESIGN §11.
// usage: node tests/bench/run.ts [--only NAME] [--json]. Figures inform; nothing fails because of them.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { execa } from "execa";
import { z } from "zod";

const Figures = z.array(z.object({
  what: z.string(), value: z.number(), unit: z.string(), note: z.string().optional(),
  ratio: z.object({ of: z.number(), to: z.string() }).optional(),
  budget: z.object({ text: z.string(), met: z.boolean() }).optional(),
}));

const benches = ["help", "hook", "send", "actors", "resident", "store", "resume", "item", "idle", "hud", "panes", "clients", "restart", "adapters", "parser", "fleet"] as const;
const { values } = parseArgs({ options: { only: { type: "string" }, json: { type: "boolean", default: false } } });
const chosen = benches.filter((name) => values.only === undefined || name === values.only);
if (chosen.length === 0) {
  process.stderr.write(`there is no benchmark ${values.only}; there are: ${benches.join(", ")}\n`);
  process.exit(2);
}

const results: Record<string, z.infer<typeof Figures>> = {};
let broken = false;
for (const name of chosen) {
  if (!values.json) process.stdout.write(`${name}\n`);
  try {
    const { stdout } = await execa(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdin: "ignore", stderr: "inherit", timeout: 900_000 });
    const figures = Figures.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    results[name] = figures;
    if (!values.json) for (const { what, value, unit, ratio, budget, note } of figures) {
      const number = value >= 1_000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
      process.stdout.write(`  ${what}: ${number} ${unit}${ratio ? `; ${ratio.of.toFixed(2)}× of ${ratio.to}` : ""}${budget ? `; budget ${budget.text}: ${budget.met ? "met" : "NOT MET"}` : ""}${note ? ` (${note})` : ""}\n`);
    }
  } catch (error) {
    broken = true;
    process.stderr.write(`${name} could not be measured: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
if (values.json) process.stdout.write(`${JSON.stringify({ node: process.version, platform: `${process.platform} ${process.arch}`, benches: results }, undefined, 2)}\n`);
if (broken) process.exitCode = 1;
