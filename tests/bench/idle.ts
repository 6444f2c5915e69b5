// The owner of a state directory with an empty embedded store and a local source, and the daemon with its gateway up, doing nothing for 20 s:
// memory, CPU, time until ready. Bundled, rounds alternating. Not measured: connected clients, PostgreSQL, agents, a large journal.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { bundle } from "./bundle.ts";
import { atMost, type Figure, median, report } from "./figure.ts";

const Told = z.object({ readyMs: z.number(), percent: z.number(), rssMb: z.number() });
type Told = z.infer<typeof Told>;
const rounds = 3, seconds = 20;

const driver = await bundle("idle-driver.ts");
const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
const figures = (what: string, told: readonly Told[]): readonly Figure[] => {
  const percent = median(told.map((each) => each.percent)), rssMb = median(told.map((each) => each.rssMb)), readyMs = median(told.map((each) => each.readyMs));
  return [
    { what: `idle ${what}, memory`, value: rssMb, unit: "MB RSS", budget: atMost(rssMb, 170, "MB") },
    { what: `idle ${what}, CPU over ${seconds} s`, value: percent, unit: "% of a core", budget: atMost(percent, 0.2, "%"), note: told.map((each) => each.percent.toFixed(2)).join(" ") },
    { what: `${what} ready after process start`, value: readyMs, unit: "ms wall", budget: atMost(readyMs, 1_000, "ms") },
  ];
};
try {
  mkdirSync(join(root, "items"));
  writeFileSync(join(root, "config.toml"), `adapter = "scripted"\n[verify]\nsandbox = "off"\n[sources.local]\ndirectory = ${JSON.stringify(join(root, "items"))}\n`);
  const told: Record<"owner" | "daemon", Told[]> = { owner: [], daemon: [] };
  for (let round = 0; round < rounds; round++) {
    for (const what of ["owner", "daemon"] as const) {
      const { stdout } = await execa(process.execPath, [driver, root, String(seconds), what], { stdin: "ignore", timeout: 120_000, env: { HOME: root, XDG_STATE_HOME: join(root, "state") } });
      told[what].push(Told.parse(JSON.parse(stdout)));
    }
  }
  report([...figures("owner", told.owner), ...figures("daemon with gateway", told.daemon)]);
} finally {
  rmSync(root, { recursive: true, force: true });
  rmSync(dirname(driver), { recursive: true, force: true });
}
