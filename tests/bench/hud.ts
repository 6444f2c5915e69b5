// The HUD in a private tmux at 200×60, with 200 panes: what a frame costs, and what it costs to be left alone; beside blessed's empty
// screen in the same run, rounds alternating. Bundled. CPU is the HUD's process alone: tmux and the terminal are not in it.
// Not measured: a gateway between HUD and factory, a terminal that is followed, terminals other than tmux.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa, execaSync } from "execa";
import { z } from "zod";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { bundle } from "./bundle.ts";
import { atMost, median, report } from "./figure.ts";

const Told = z.object({ cpuMs: z.number(), wallMs: z.number(), frames: z.number(), rssMb: z.number() });
type Told = z.infer<typeof Told>;
const rounds = 3, seconds = 10;
const modes = ["frame", "busy-empty", "busy", "empty", "idle", "reader", "store"] as const;

const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
const socket = join(root, "socket");
const tmux = (...words: readonly string[]): void => void execaSync("tmux", ["-S", socket, "-f", "/dev/null", "-u", ...words], { stdin: "ignore" });
const driver = await bundle("hud-driver.ts");
try {
  writeFileSync(join(root, "config.toml"), 'adapter = "scripted"\n[verify]\nsandbox = "off"\n');
  mkdirSync(join(root, "state"));
  const place = { directory: root, configFile: join(root, "config.toml") };
  await (await createLocalTools().connect({ ...place, as: "own", automation: false })).close("suspend");
  tmux("new-session", "-d", "-x", "200", "-y", "60", "--", "cat");
  tmux("set-option", "-g", "remain-on-exit", "on");
  const run = async (mode: string): Promise<Told> => {
    const file = join(root, `${mode}.json`);
    rmSync(file, { force: true });
    tmux("respawn-pane", "-k", "--", "env", "TERM=tmux-256color", "LC_ALL=C.UTF-8", process.execPath, driver, mode, String(seconds), file, root);
    for (let waited = 0; !existsSync(file) || readFileSync(file, "utf8") === ""; waited += 200) {
      if (waited > 120_000) throw new Error(`${mode} did not end: ${(await execa("tmux", ["-S", socket, "capture-pane", "-p"], { stdin: "ignore" })).stdout.slice(-2_000)}`);
      await pause(200);
    }
    return Told.parse(JSON.parse(readFileSync(file, "utf8")));
  };
  const told: Record<(typeof modes)[number], Told[]> = { frame: [], "busy-empty": [], busy: [], empty: [], idle: [], reader: [], store: [] };
  for (let round = 0; round < rounds; round++) for (const mode of modes) told[mode].push(await run(mode));
  const each = (mode: (typeof modes)[number], figure: (one: Told) => number): number => median(told[mode].map(figure));
  const perFrame = (one: Told): number => one.cpuMs / one.frames;
  const percent = (one: Told): number => (one.cpuMs / one.wallMs) * 100;
  report([
    { what: "pure frame, 200 panes, 200×60, the choice moving", value: each("frame", perFrame), unit: "ms CPU", budget: atMost(each("frame", perFrame), 5, "ms") },
    { what: "frame made, compared, drawn by blessed and written", value: each("busy", perFrame), unit: "ms CPU", budget: atMost(each("busy", perFrame), 5, "ms"), ratio: { of: each("busy", perFrame) / each("busy-empty", perFrame), to: `blessed's empty screen asked to render, ${each("busy-empty", perFrame).toFixed(2)} ms` }, note: "20 a second, timers included" },
    { what: `idle over ${seconds} s, 200 panes`, value: each("idle", percent), unit: "% of a core", budget: atMost(each("idle", percent), 1, "%"), note: `${told.idle.map((one) => percent(one).toFixed(2)).join(" ")}; blessed's empty screen ${each("empty", percent).toFixed(2)}` },
    { what: `idle over ${seconds} s, on a real store`, value: each("store", percent), unit: "% of a core", budget: atMost(each("store", percent), 1, "%"), ratio: { of: each("store", percent) / each("reader", percent), to: `the connection alone, which asks the store 5 times a second, ${each("reader", percent).toFixed(2)} %` }, note: told.store.map((one) => percent(one).toFixed(2)).join(" ") },
    { what: "memory, 200 panes", value: each("idle", (one) => one.rssMb), unit: "MB RSS", note: `blessed's empty screen ${each("empty", (one) => one.rssMb).toFixed(0)}` },
  ]);
} finally {
  // Gone already when its last pane ended badly; that error is the one to see.
  execaSync("tmux", ["-S", socket, "kill-server"], { stdin: "ignore", reject: false });
  rmSync(root, { recursive: true, force: true });
  rmSync(dirname(driver), { recursive: true, force: true });
}
