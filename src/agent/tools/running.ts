/** Tools that start programs, one at a time. */
import { z } from "zod";
import type { Commands, RanHere } from "../commands.ts";
import { type Bench, type Done, failed, optional, type Tool, tool } from "./tool.ts";

const outcome = (ran: RanHere, { shelf, signal }: Bench): Done => {
  const end = signal.aborted ? "It was interrupted." : ran.timedOut ? "It took too long and was ended." : ran.exitCode === undefined ? "It was ended by a signal." : `Exit code ${ran.exitCode}.`;
  const output = ran.output.trimEnd();
  return { ok: ran.exitCode === 0 && !ran.timedOut && !signal.aborted, changed: ran.changed, output: `${end} (${(ran.durationMs / 1_000).toFixed(1)} s)\n${output === "" ? "(no output)" : shelf.shown(output)}` };
};

const run = (commands: Commands): Tool => tool({
  name: "run", kind: "run",
  description: `Runs a program in the worktree, by its exact arguments.${commands.readOnly ? " It cannot change the worktree." : ""}`,
  input: z.strictObject({ argv: z.array(z.string()).min(1).describe("The program and its arguments."), timeout_s: optional(z.number().int().positive().describe(`At most ${Math.floor(commands.longestMs / 1_000)}, which it is when null.`)) }),
  summary: ({ argv }) => argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" "),
  run: async ({ argv: [program = "", ...args], timeout_s: seconds }, bench) => {
    if ([program, ...args].some((word) => word.includes("\0"))) return failed("Not done: an argument holds a zero byte.");
    return outcome(await bench.commands.run([program, ...args], Math.min(bench.commands.longestMs, (seconds ?? Infinity) * 1_000), bench.signal), bench);
  },
});

const test = tool({
  name: "test", kind: "run",
  description: "Runs the project's own checks, as they will be run on the result: all of them, or the one that is named.",
  input: z.strictObject({ name: optional(z.string().describe("All when null.")) }),
  summary: ({ name }) => name ?? "all checks",
  run: async ({ name }, bench) => {
    const checks = await bench.commands.checks(), chosen = name === null ? checks : checks.filter((check) => check.name === name);
    if (checks.length === 0) return failed("The project has no checks that could be found. Use run.");
    if (chosen.length === 0) return failed(`There is no check ${name}. There are: ${checks.map((check) => check.name).join(", ")}.`);
    const parts: string[] = [];
    let ok = true, changed = false;
    for (const { name: each, argv: [program = "", ...args], timeoutMs } of chosen) {
      if (bench.signal.aborted) break;
      const done = outcome(await bench.commands.run([program, ...args], timeoutMs, bench.signal), bench);
      ok &&= done.ok;
      changed ||= done.changed === true;
      parts.push(`${each} (${[program, ...args].join(" ")}): ${done.ok ? "passed" : "FAILED"}. ${done.output}`);
    }
    return { ok, changed, output: bench.shelf.shown(parts.join("\n\n")) };
  },
});

export const runningTools = (commands: Commands): readonly Tool[] => (commands.available ? [test, run(commands)] : []);
