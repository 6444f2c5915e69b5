// Owns a state directory and does nothing for a while, as a command or as a daemon with its gateway. usage: idle-driver DIRECTORY SECONDS owner|daemon; prints JSON.
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { createLocalTools } from "../../src/daemon/tools.ts";

const [directory = "", seconds = "20", what = "owner"] = process.argv.slice(2);
const place = { directory, configFile: join(directory, "config.toml") };
const tools = createLocalTools();
const close = what === "daemon" ? (await tools.daemon.serve({ ...place, port: 0 })).close : (await tools.connect({ ...place, as: "own", automation: true })).close;
const readyMs = performance.now();
// What the start left behind (compilation, garbage) is not idleness.
await pause(3_000);
const before = process.cpuUsage();
const from = performance.now();
await pause(Number(seconds) * 1_000);
const { user, system } = process.cpuUsage(before);
const percent = (user + system) / 10 / (performance.now() - from);
process.stdout.write(`${JSON.stringify({ readyMs, percent, rssMb: process.memoryUsage().rss / 2 ** 20 })}\n`);
await close("abandon");
