// 200 terminals × 20 KB/s through one gateway to ten clients that watch them all: ten that read, and nine beside one that never does; beside one client alone. Rounds alternate, each with
// a gateway of its own. CPU and memory of the gateway's process, which also makes the text. Latency: from the text's making until a reading client has the frame.
// Not measured: logs on disk, screens made for keyframes, a browser, a network.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { WebSocket } from "ws";
import { livePath } from "../../src/client/api.ts";
import { decodeFrames, protocolName } from "../../src/client/live-protocol.ts";
import { token } from "../gateway/open.ts";
import { bundle } from "./bundle.ts";
import { median, report } from "./figure.ts";

const terminals = 200, rounds = 3, seconds = 8;
const Told = z.object({ cpuMs: z.number(), rssMb: z.number() });
const driver = await bundle("clients-driver.ts");

const measure = async (reading: number, deaf: number) => {
  const child = spawn(process.execPath, [driver, String(terminals)], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
    const told = async (): Promise<z.infer<typeof Told>> => {
      child.stdin.write("told\n");
      return Told.parse(await next());
    };
    const { port } = z.object({ port: z.number() }).parse(await next());
    let counting = false, gaps = 0;
    const latencies: number[] = [];
    const dial = async (reads: boolean): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${livePath}`, [protocolName], { headers: { authorization: `Bearer ${token}` } });
      socket.on("error", () => {});
      socket.on("message", (data, binary) => {
        if (!binary || !counting || !(data instanceof Buffer)) return;
        const now = process.hrtime.bigint();
        for (const { frame } of decodeFrames(data)) {
          if (frame.type === "keyframe") gaps++;
          if (frame.type !== "bytes") continue;
          for (const [, at = "0"] of Buffer.from(frame.data).toString("latin1").matchAll(/@(\d{6,})@/g)) latencies.push(Number(now - BigInt(at)) / 1e6);
        }
      });
      await new Promise((resolve, reject) => { socket.once("open", resolve).once("error", reject); });
      for (let n = 0; n < terminals; n++) socket.send(JSON.stringify({ type: "watch", terminal: n, address: `pane-${n}` }));
      if (!reads) setTimeout(() => socket.pause(), 200);
      return socket;
    };
    const sockets = await Promise.all(Array.from({ length: reading + deaf }, (_, n) => dial(n < reading)));
    await pause(2_000);
    const before = await told(), at = performance.now();
    counting = true;
    await pause(seconds * 1_000);
    counting = false;
    const after = await told(), ms = performance.now() - at;
    for (const socket of sockets) socket.terminate();
    const sorted = latencies.toSorted((a, b) => a - b), of = (p: number): number => sorted[Math.floor((sorted.length * p) / 100)] ?? Number.NaN;
    return { percent: ((after.cpuMs - before.cpuMs) / ms) * 100, p50: of(50), p99: of(99), grew: after.rssMb - before.rssMb, chunks: latencies.length / (ms / 1_000) / reading, gaps };
  } finally {
    child.kill("SIGKILL");
  }
};

const cases = [["one client", 1, 0], ["ten clients that read", 10, 0], ["nine that read, one that never does", 9, 1]] as const;
const found = new Map<string, Awaited<ReturnType<typeof measure>>[]>();
try {
  for (let round = 0; round < rounds; round++) for (const [name, reading, deaf] of cases) found.set(name, [...found.get(name) ?? [], await measure(reading, deaf)]);
} finally {
  rmSync(dirname(driver), { recursive: true, force: true });
}
const of = (name: string, key: "percent" | "p50" | "p99" | "grew" | "chunks" | "gaps"): number => median((found.get(name) ?? []).map((each) => each[key]));
const all = cases[1][0];
report(cases.flatMap(([name]) => [
  { what: `${terminals} terminals × 20 KB/s, ${name}: the gateway's CPU`, value: of(name, "percent"), unit: "% of a core", ...(name === all ? {} : { ratio: { of: of(name, "percent") / of(all, "percent"), to: all } }), note: `a reader gets ${of(name, "chunks").toFixed(0)} of ${terminals * 10} chunks a second; keyframes in between ${of(name, "gaps")}; memory grew by ${of(name, "grew").toFixed(0)} MB` },
  { what: "  p99 until a reader has it", value: of(name, "p99"), unit: "ms", ...(name === all ? {} : { ratio: { of: of(name, "p99") / of(all, "p99"), to: all } }), note: `p50 ${of(name, "p50").toFixed(0)} ms` },
]));
process.exit(0);
