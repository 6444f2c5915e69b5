// The next owner of a state directory with 1 000 unfinished items: from process start until alarms, mail, outbox and scheduler are fed.
// Bundled, SQLite, against the same program on an empty directory. Not measured: taking up the effects themselves (adopting agents,
// repeating checks), which the scheduler's slots bound; a cold disk cache.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { bundle } from "./bundle.ts";
import { median, report } from "./figure.ts";

const Made = z.object({ states: z.record(z.string(), z.number()), journal: z.number() });
const Resumed = z.object({ ms: z.number(), cpuMs: z.number(), rssMb: z.number(), pending: z.number(), alarms: z.number() });
const items = 1_000, rounds = 7;

const driver = await bundle("resume-driver.ts");
const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
const run = async (mode: "make" | "resume", directory: string): Promise<unknown> => {
  const { stdout } = await execa(process.execPath, [driver, mode, join(root, directory), String(items)], { stdin: "ignore", timeout: 300_000 });
  return JSON.parse(stdout);
};
try {
  const made = Made.parse(await run("make", "full"));
  const full: z.infer<typeof Resumed>[] = [], empty: z.infer<typeof Resumed>[] = [];
  for (let round = 0; round < rounds; round++) {
    full.push(Resumed.parse(await run("resume", "full")));
    empty.push(Resumed.parse(await run("resume", "empty")));
  }
  const of = (all: readonly z.infer<typeof Resumed>[], key: keyof z.infer<typeof Resumed>): number => median(all.map((each) => each[key]));
  const states = Object.entries(made.states).map(([state, n]) => `${n} ${state}`).join(", ");
  report([
    { what: `resume of ${items} unfinished items`, value: of(full, "ms"), unit: "ms wall from process start", ratio: { of: of(full, "ms") / of(empty, "ms"), to: `an empty store, ${of(empty, "ms").toFixed(0)} ms` }, note: `${states}; ${made.journal} journal rows, ${of(full, "pending")} effects and ${of(full, "alarms")} alarms taken up; CPU ${of(full, "cpuMs").toFixed(0)} ms, empty ${of(empty, "cpuMs").toFixed(0)} ms` },
    { what: "the same, memory", value: of(full, "rssMb"), unit: "MB RSS", ratio: { of: of(full, "rssMb") / of(empty, "rssMb"), to: `an empty store, ${of(empty, "rssMb").toFixed(0)} MB` } },
  ]);
} finally {
  rmSync(root, { recursive: true, force: true });
  rmSync(dirname(driver), { recursive: true, force: true });
}
