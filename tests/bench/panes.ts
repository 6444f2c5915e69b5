// 200 panes at 20 KB/s for one client that holds 20 screens, through the library's logs, beside tmux that nobody watches, control-mode streaming, polling by capture-pane, and `tmux attach`; and one noisy
// pane among 50 quiet ones. CPU of the tmux server, of this process, and of helpers (split, attach clients), in per cent of one core; the writer is not counted.
// Latency: from the write to the terminal until this process has the bytes. Not measured: WebSockets, a browser, real agents, disks that are slow, macOS.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa } from "execa";
import { z } from "zod";
import { openScreen, openTerminals, readSeatLog, type Screen } from "../../tmux/index.ts";
import { atMost, type Figure, median, report } from "./figure.ts";

const Written = z.object({ bytes: z.number(), chunks: z.array(z.number()), held: z.number() });
const panes = Number(process.env["BENCH_PANES"] ?? 200), screens = 20, seconds = Number(process.env["BENCH_SECONDS"] ?? 8), rounds = Number(process.env["BENCH_ROUNDS"] ?? 2);
const columns = 120, rows = 40;
const directory = mkdtempSync(join(tmpdir(), "enact-bench-"));
const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: directory, LANG: "C.UTF-8" };
const rawServer = `enact-bench-${process.pid}-raw`, ownServer = `enact-bench-${process.pid}-own`;
const raw = (...args: readonly string[]): string => execFileSync("tmux", ["-L", rawServer, "-f", "/dev/null", "-u", ...args], { encoding: "utf8", env }).trim();

/** Milliseconds of CPU that a process and its threads used. */
const cpuOf = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
};
const childrenOf = (pid: number, name: string): readonly number[] => readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).flatMap((entry) => {
  try {
    const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
    return stat.includes(`(${name})`) && Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid ? [Number(entry)] : [];
  } catch {
    return [];
  }
});
const percentile = (values: readonly number[], p: number): number => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor((values.length * p) / 100))] ?? Number.NaN;

/** What the one client does with what it gets, however it gets it: looks for marks, feeds its screens, makes keyframes. */
const consumer = async (wanted: number) => {
  const latencies: number[] = [], next = Array.from({ length: panes }, () => 0), rests = Array.from({ length: panes }, () => "");
  let bytes = 0, seen = 0, keyframes = 0;
  // A screen may still show marks of the measurement before.
  const since = process.hrtime.bigint();
  const shown: Screen[] = await Promise.all(Array.from({ length: wanted }, () => openScreen({ columns, rows, scrollback: 200 })));
  const timer = setInterval(() => { for (const screen of shown) keyframes += screen.keyframe(200).length > 0 ? 1 : 0; }, 1_000);
  const mark = (pane: number, number: number, at: bigint): void => {
    if (at < since || number < (next[pane] ?? 0)) return;
    next[pane] = number + 1;
    seen++;
    latencies.push(Number(process.hrtime.bigint() - at) / 1e6);
  };
  return {
    take: (pane: number, data: Buffer): void | Promise<void> => {
      bytes += data.length;
      // A mark may be cut by the end of a chunk.
      const text = (rests[pane] ?? "") + data.toString("latin1");
      for (const [, number = "", at = ""] of text.matchAll(/@\d+:(\d+):(\d+)@/g)) mark(pane, Number(number), BigInt(at));
      const last = text.lastIndexOf("@");
      rests[pane] = last >= 0 && text.length - last < 48 && /^@\d*:?\d*:?\d*$/.test(text.slice(last)) ? text.slice(last) : "";
      return shown[pane]?.write(data);
    },
    mark, told: () => ({ latencies, bytes, seen, keyframes }),
    close: () => {
      clearInterval(timer);
      for (const screen of shown) screen.dispose();
    },
  };
};
type Consumer = Awaited<ReturnType<typeof consumer>>;

interface Way {
  readonly name: string;
  readonly server: () => number;
  readonly ttys: () => readonly string[];
  /** Begins to deliver; returns how to stop and which helper processes count. */
  readonly watch: (to: Consumer) => Promise<{ readonly helpers: readonly number[]; readonly stop: () => Promise<void> }>;
}

const measure = async (way: Way, rate: number) => {
  const to = await consumer(screens);
  const { helpers, stop } = await way.watch(to);
  await pause(500);
  const before = { server: cpuOf(way.server()), helpers: helpers.reduce((sum, pid) => sum + cpuOf(pid), 0), own: process.cpuUsage(), at: performance.now(), rss: process.memoryUsage().rss };
  const { stdout } = await execa(process.execPath, [join(import.meta.dirname, "panes-writer.ts"), String(rate), String(seconds), ...way.ttys()], { stdin: "ignore", timeout: 120_000 });
  const written = Written.parse(JSON.parse(stdout));
  const own = process.cpuUsage(before.own), ms = performance.now() - before.at;
  const of = (used: number): number => (used / ms) * 100;
  const percent = { server: of(cpuOf(way.server()) - before.server), node: of((own.user + own.system) / 1_000), helpers: of(helpers.reduce((sum, pid) => sum + cpuOf(pid), 0) - before.helpers) };
  // What is still on its way counts as delivered, late as it is.
  await pause(1_500);
  const told = to.told(), rss = process.memoryUsage().rss;
  await stop();
  to.close();
  const chunks = written.chunks.reduce((sum, n) => sum + n, 0);
  return {
    percent, sum: percent.server + percent.node + percent.helpers, p50: percentile(told.latencies, 50), p99: percentile(told.latencies, 99),
    lost: chunks - told.seen, chunks, mb: written.bytes / 1e6, held: written.held, keyframes: told.keyframes, grew: (rss - before.rss) / 2 ** 20,
  };
};
type Measured = Awaited<ReturnType<typeof measure>>;

/** The bytes of %output: \ooo stands for a byte. */
const unescaped = (from: Buffer): Buffer => {
  const to = Buffer.allocUnsafe(from.length);
  let length = 0;
  for (let at = 0; at < from.length; at++) {
    const byte = from[at] ?? 0;
    if (byte === 0x5c) {
      to[length++] = (((from[at + 1] ?? 0) - 48) << 6) | (((from[at + 2] ?? 0) - 48) << 3) | ((from[at + 3] ?? 0) - 48);
      at += 3;
    } else to[length++] = byte;
  }
  return to.subarray(0, length);
};

const control = (flags: string, onLine: (line: Buffer) => void): { readonly child: ChildProcess; readonly send: (line: string) => void; readonly end: () => Promise<void> } => {
  const child = spawn("tmux", ["-L", rawServer, "-f", "/dev/null", "-u", "-N", "-C", "attach-session", "-f", flags, "-t", "=bench"], { env, stdio: ["pipe", "pipe", "ignore"] });
  let rest: Buffer = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    const all = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let from = 0;
    for (let at = all.indexOf(10); at >= 0; at = all.indexOf(10, from)) {
      onLine(all.subarray(from, at));
      from = at + 1;
    }
    rest = all.subarray(from);
  });
  const ended = new Promise<void>((resolve) => { child.once("exit", () => resolve()); });
  return { child, send: (line) => void child.stdin.write(`${line}\n`), end: () => { child.stdin.end(); return ended; } };
};

const pty = createRequire(import.meta.url)("node-pty") as { spawn: (file: string, args: readonly string[], options: object) => { pid: number; onData: (f: (data: Buffer) => void) => void; kill: (signal: string) => void } };

const terminals = await openTerminals({ server: ownServer, backend: "tmux", directory: join(directory, "fabric"), env });
try {
  const places = Array.from({ length: panes }, (_, n) => join(directory, `pane-${n}`));
  for (const place of places) mkdirSync(place);
  const startedAt = performance.now();
  await Promise.all(places.map((place, n) => terminals.show({ kind: "program", session: "bench", name: `pane-${n}`, columns, rows, directory: place, cwd: "/", env: { PATH: "/usr/bin:/bin" }, argv: ["sleep", "100000"] })));
  const shownMs = performance.now() - startedAt;
  const own = (format: string): string => execFileSync("tmux", ["-L", ownServer, "-N", "list-panes", "-s", "-t", "=bench", "-F", format], { encoding: "utf8", env }).trim();
  const ownTtys = own("#{window_name} #{pane_tty}").split("\n").map((line) => line.split(" ")).sort(([a = ""], [b = ""]) => Number(a.slice(5)) - Number(b.slice(5))).map(([, tty = ""]) => tty);

  raw("new-session", "-d", "-s", "bench", "-x", String(columns), "-y", String(rows), "--", "sleep", "100000");
  raw("set-option", "-g", "default-size", `${columns}x${rows}`);
  for (let made = 1; made < panes; made += 50) raw(...Array.from({ length: Math.min(50, panes - made) }, () => ["new-window", "-d", "-t", "=bench:", "--", "sleep", "100000", ";"]).flat().slice(0, -1));
  const rawPid = Number(raw("display-message", "-p", "#{pid}"));
  const rawPanes = raw("list-panes", "-s", "-t", "=bench", "-F", "#{pane_id} #{pane_tty} #{window_id}").split("\n").map((line) => line.split(" "));
  const indexOf = new Map(rawPanes.map(([id = ""], n) => [id, n]));
  const rawTtys = rawPanes.map(([, tty = ""]) => tty);

  const byLog: Way = {
    name: "the library: logs followed", server: () => terminals.server()?.pid ?? 0, ttys: () => ownTtys,
    watch: async (to) => {
      const stops = await Promise.all(places.map(async (place, n) => {
        const reader = readSeatLog(place);
        return reader.follow((await reader.window()).to, (data) => to.take(n, data), (from, until) => { throw new Error(`a gap ${from} ${until}`); });
      }));
      return { helpers: childrenOf(terminals.server()?.pid ?? 0, "split"), stop: async () => { for (const stop of stops) stop(); } };
    },
  };
  const byControl: Way = {
    name: "control mode streams %output", server: () => rawPid, ttys: () => rawTtys,
    watch: async (to) => {
      const client = control("ignore-size", (line) => {
        if (!line.subarray(0, 8).equals(Buffer.from("%output "))) return;
        const blank = line.indexOf(32, 8), pane = indexOf.get(line.toString("latin1", 8, blank));
        if (pane !== undefined) void to.take(pane, unescaped(line.subarray(blank + 1)));
      });
      return { helpers: [client.child.pid ?? 0], stop: client.end };
    },
  };
  const byCapture: Way = {
    name: "capture-pane every 100 ms", server: () => rawPid, ttys: () => rawTtys,
    watch: async (to) => {
      let asked = 0, answered = 0;
      const client = control("ignore-size,no-output", (line) => {
        const text = line.toString("latin1");
        if (text.startsWith("%end") || text.startsWith("%error")) answered++;
        for (const [, pane = "", number = "", at = ""] of text.matchAll(/@(\d+):(\d+):(\d+)@/g)) to.mark(Number(pane), Number(number), BigInt(at));
      });
      const timer = setInterval(() => {
        // The next round waits for the one before.
        if (answered < asked) return;
        for (const [id = ""] of rawPanes) client.send(`capture-pane -e -p -t ${id}`);
        asked = answered + rawPanes.length;
      }, 100);
      return { helpers: [client.child.pid ?? 0], stop: async () => { clearInterval(timer); await client.end(); } };
    },
  };
  const byAttach: Way = {
    name: "tmux attach, one a pane", server: () => rawPid, ttys: () => rawTtys,
    watch: async (to) => {
      const clients = rawPanes.map(([, , window = ""], n) => {
        const client = pty.spawn("tmux", ["-L", rawServer, "-N", "-u", "new-session", "-t", "=bench", "-s", `view-${n}`, ";", "set-option", "destroy-unattached", "on", ";", "select-window", "-t", window],
          { name: "xterm-256color", cols: columns, rows: rows + 1, env, encoding: null });
        client.onData((data) => void to.take(n, data));
        return client;
      });
      await pause(4_000);
      return { helpers: clients.map(({ pid }) => pid), stop: async () => { for (const client of clients) client.kill("SIGTERM"); await pause(2_000); } };
    },
  };

  // What tmux costs by itself, with panes whose output is drawn for nobody.
  const byNobody: Way = { name: "nobody watches", server: () => rawPid, ttys: () => rawTtys, watch: async () => ({ helpers: [], stop: async () => {} }) };

  const ways = [byNobody, byLog, byControl, byCapture, byAttach], found = new Map<Way, Measured[]>();
  for (let round = 0; round < rounds; round++) for (const way of ways) found.set(way, [...found.get(way) ?? [], await measure(way, 20_000)]);

  const of = (way: Way, key: "sum" | "p50" | "p99" | "lost" | "grew"): number => median((found.get(way) ?? []).map((each) => each[key]));
  const ours = of(byLog, "sum"), figures: Figure[] = [];
  for (const way of ways) {
    const all = found.get(way) ?? [], [one] = all;
    const part = (key: keyof Measured["percent"]): string => median(all.map((each) => each.percent[key])).toFixed(1);
    figures.push({
      what: `${panes} panes × 20 KB/s, ${way.name}`, value: of(way, "sum"), unit: "% of a core",
      ...(way === byLog ? { budget: atMost(ours, 40, "%") } : { ratio: { of: of(way, "sum") / ours, to: "the library" } }),
      note: way === byNobody ? `tmux ${part("server")}; runs ${all.map(({ sum }) => sum.toFixed(0)).join(" ")}` : `tmux ${part("server")}, node ${part("node")}, helpers ${part("helpers")}; p50 ${of(way, "p50").toFixed(1)} ms; ${one?.chunks} chunks, ${one?.mb.toFixed(0)} MB a round; runs ${all.map(({ sum }) => sum.toFixed(0)).join(" ")}`,
    });
    if (way !== byNobody) figures.push({
      what: "  its p99", value: of(way, "p99"), unit: "ms", ...(way === byLog ? { budget: atMost(of(way, "p99"), 100, "ms") } : { ratio: { of: of(way, "p99") / of(byLog, "p99"), to: "the library" } }),
    }, {
      what: "  chunks lost", value: of(way, "lost"), unit: `of ${one?.chunks}`, ...(way === byLog ? { budget: atMost(of(way, "lost"), 0, "lost") } : {}),
      note: `held back by the terminal ${all.map(({ held }) => held).join(" ")}${way === byLog ? `; memory grew by ${of(way, "grew").toFixed(0)} MB` : ""}`,
    });
  }
  figures.push({ what: `${panes} panes made`, value: shownMs, unit: "ms wall" });

  // One noisy pane among 50 quiet ones.
  const quiet = 50;
  const noisyPlace = join(directory, "noisy");
  mkdirSync(noisyPlace);
  const noisy = await terminals.show({ kind: "program", session: "noise", name: "noisy", columns, rows, directory: noisyPlace, cwd: "/", env: { PATH: "/usr/bin:/bin" }, argv: ["yes", "a line that is written without end"] });
  raw("new-window", "-d", "-t", "=bench:", "-n", "noisy", "--", "yes", "a line that is written without end");
  const beside = (way: Way): Way => ({ ...way, ttys: () => way.ttys().slice(0, quiet) });
  const noise = new Map<Way, Measured[]>();
  for (let round = 0; round < rounds; round++) for (const way of [byLog, byControl]) noise.set(way, [...noise.get(way) ?? [], await measure(beside(way), 2_000)]);
  const kept = readdirSync(noisyPlace).filter((name) => name.startsWith("out.")).length;
  const { to: noisyBytes } = await readSeatLog(noisyPlace).window();
  await noisy.kill({ steps: [] });
  const worst = (way: Way, key: "p99" | "lost" | "sum"): number => median((noise.get(way) ?? []).map((each) => each[key]));
  figures.push(
    { what: `p99 of ${quiet} quiet panes beside \`yes\`, ${byLog.name}`, value: worst(byLog, "p99"), unit: "ms", note: `lost ${worst(byLog, "lost")}; \`yes\` wrote ${(noisyBytes / 1e6).toFixed(0)} MB, ${kept} segments are kept; CPU ${worst(byLog, "sum").toFixed(0)} % (both servers hold a \`yes\`)` },
    { what: `the same, ${byControl.name}`, value: worst(byControl, "p99"), unit: "ms", ratio: { of: worst(byControl, "p99") / worst(byLog, "p99"), to: "the library" }, note: `lost ${worst(byControl, "lost")}; CPU ${worst(byControl, "sum").toFixed(0)} %` },
  );
  report(figures);
} finally {
  await terminals.close("end").catch(() => undefined);
  await execa("tmux", ["-L", rawServer, "-N", "kill-server"], { reject: false });
  rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
