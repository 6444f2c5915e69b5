// Owns a state directory and does nothing for a while. usage: idle-driver DIRECTORY SECONDS; prints JSON.
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { createLocalTools } from "../../src/daemon/tools.ts";

const [directory = "", seconds = "20"] = process.argv.slice(2);
const connection = await createLocalTools().connect({ as: "own", automation: true, directory, configFile: join(directory, "config.toml") });
const { role } = await connection.client.describe();
const readyMs = performance.now();
// What the start left behind (compilation, garbage) is not idleness.
await pause(3_000);
const before = process.cpuUsage();
const from = performance.now();
await pause(Number(seconds) * 1_000);
const { user, system } = process.cpuUsage(before);
const percent = (user + system) / 10 / (performance.now() - from);
process.stdout.write(`${JSON.stringify({ role, readyMs, percent, rssMb: process.memoryUsage().rss / 2 ** 20 })}\n`);
await connection.close("abandon");
