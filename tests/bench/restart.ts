// The daemon is killed (SIGKILL) while it has many live agents that talk, and started again: from process start until its gateway answers, and until every agent's
// stream is rendered again; beside the start of a daemon with an empty store. Then: agents that died, and lines that are missing in what agents wrote or in what is shown.
// Real git worktrees, real processes, panes in tmux where it is installed; the bundled command. Not measured: agents with screens of their own, PostgreSQL, a cold disk cache.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa, type ResultPromise } from "execa";
import { z } from "zod";
import { atMost, median, report } from "./figure.ts";

const bin = join(import.meta.dirname, "..", "..", "dist", "cli.js");
const agents = Number(process.env["BENCH_AGENTS"] ?? 100), kills = 3, lines = 200, everyMs = 250;
const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-bench-")));
const env = { HOME: root, XDG_STATE_HOME: join(root, "xdg"), TMUX_TMPDIR: join(root, "tmux") };
mkdirSync(env.TMUX_TMPDIR);
const started: ResultPromise[] = [];

const Note = z.object({ generation: z.number(), host: z.string(), port: z.number() });
/** A room for one daemon. */
const room = (name: string, config: string) => {
  const directory = join(root, name), state = join(directory, ".enact", "factory");
  const configFile = join(directory, "config.toml");
  mkdirSync(directory);
  writeFileSync(configFile, config);
  const note = (): z.infer<typeof Note> | undefined => {
    try {
      return Note.parse(JSON.parse(readFileSync(join(state, "state", "gateway.json"), "utf8")));
    } catch {
      return undefined; // Not there yet.
    }
  };
  const answers = async (): Promise<boolean> => {
    const { host = "", port = 0 } = note() ?? {};
    const authorization = `Bearer ${readFileSync(join(state, "state", "gateway.token"), "utf8").trim()}`;
    return fetch(`http://${host}:${port}/api/status`, { headers: { authorization } }).then(({ ok }) => ok, () => false);
  };
  /** Starts a daemon; resolves when its gateway answers for this generation, with the milliseconds since. */
  const start = async (): Promise<{ readonly ms: number; readonly at: number; readonly kill: () => Promise<void> }> => {
    const generation = (note()?.generation ?? 0) + 1, at = performance.now();
    const child = execa(process.execPath, [bin, "--config", configFile, "start", "--foreground"], { cwd: directory, env, stdin: "ignore", stdout: "ignore", stderr: "ignore", reject: false });
    started.push(child);
    await until(`daemon ${generation} answers`, async () => note()?.generation === generation && await answers(), 5);
    return { ms: performance.now() - at, at, kill: async () => { child.kill("SIGKILL"); await child; } };
  };
  return { directory, state, configFile, start };
};

const until = async (what: string, so: () => boolean | Promise<boolean>, everyMs = 200): Promise<void> => {
  for (const from = performance.now(); !await so(); await pause(everyMs)) if (performance.now() - from > 600_000) throw new Error(`waited ten minutes until ${what}`);
};
const config = (more: string): string => `adapter = "scripted"\n[verify]\nsandbox = "off"\n[gateway]\nport = 0\n${more}`;

try {
  const empty = room("empty", config("")), full = room("full", config(`[scheduler]\nslots = ${agents}\nslotsPerProject = ${agents}\n[sources.local]\ndirectory = "items"\n[[projects]]\nname = "app"\nprojectPath = "app"\n`));
  const app = join(full.directory, "app"), items = join(full.directory, "items");
  for (const place of [app, items, join(items, "playbooks")]) mkdirSync(place);
  writeFileSync(join(app, "check.sh"), "true\n");
  for (const argv of [["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "start"]]) await execa("git", argv, { cwd: app, env, stdin: "ignore" });
  // One that repeats itself, numbers aside, or talks without doing anything would be ended as stuck.
  const word = (n: number): string => String.fromCharCode(...[n % 26, Math.floor(n / 26) % 26, (n * 7) % 26].map((at) => 97 + at));
  const talk = Array.from({ length: lines }, (_, n) => `{ say = "one line of talk about ${word(n)} and ${word(n * 31 + 5)}" }, { write = "${word(n)}.txt", text = "${n}" }, { sleep = ${everyMs} }`).join(", ");
  writeFileSync(join(items, "playbooks", "talk.toml"), `[[turn]]\nstage = "coder"\nsteps = [{ say = "ready" }, { wait-for-file = "go" }, ${talk}, { wait-for-file = "end" }]\n`);
  for (let n = 0; n < agents; n++) writeFileSync(join(items, `item-${n}.toml`), `title = "Talk ${n}"\nplaybook = "playbooks/talk.toml"\n`);

  const runs = join(full.state, "runs");
  const runFiles = (file: string): readonly string[] => (existsSync(runs) ? readdirSync(runs) : []).flatMap((run) => {
    try {
      return [readFileSync(join(runs, run, file), "utf8")];
    } catch {
      return [];
    }
  });
  const count = (texts: readonly string[], what: string): number => texts.reduce((sum, text) => sum + text.split(what).length - 1, 0);
  /** The newest segment of each seat's log: what is shown of an agent. */
  const seats = (): readonly string[] => readdirSync(join(full.state, "terminals"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && /^out\.\d{6}$/.test(entry.name)).map((entry) => join(entry.parentPath, entry.name)).sort();

  let daemon = await full.start();
  await until(`${agents} agents are at work`, () => count(runFiles("out"), '"ready"') >= agents, 1_000);
  const spawned = readdirSync(runs).length;
  writeFileSync(join(items, "playbooks", "go"), "");
  const ready: number[] = [], rendered: number[] = [], bare: number[] = [];
  for (let round = 0; round < kills; round++) {
    await pause(3_000);
    await daemon.kill();
    const before = new Map(seats().map((file) => [file, statSync(file).size]));
    daemon = await full.start();
    ready.push(daemon.ms);
    await until("all are rendered", () => seats().every((file) => statSync(file).size > (before.get(file) ?? 0)), 10);
    rendered.push(performance.now() - daemon.at);
    const other = await empty.start();
    bare.push(other.ms);
    await other.kill();
  }
  await until("they have said everything", () => count(runFiles("out"), "one line of talk") >= agents * lines, 1_000);
  await until("it is shown", () => count(seats().map((file) => readFileSync(file, "utf8")), "one line of talk") >= agents * lines, 500).catch(() => undefined);
  const said = count(runFiles("out"), "one line of talk"), shown = count(seats().map((file) => readFileSync(file, "utf8")), "one line of talk");
  const ends = runFiles("exit").length, again = readdirSync(runs).length - spawned;
  const asked = performance.now();
  await execa(process.execPath, [bin, "--config", full.configFile, "stop"], { cwd: full.directory, env, stdin: "ignore", timeout: 300_000 });
  const stopMs = performance.now() - asked;
  report([
    { what: `gateway answers after a kill with ${agents} live agents`, value: median(ready), unit: "ms wall from process start", ratio: { of: median(ready) / median(bare), to: `an empty store, ${median(bare).toFixed(0)} ms` }, note: ready.map((ms) => ms.toFixed(0)).join(" ") },
    { what: "every agent's stream is rendered again", value: median(rendered), unit: "ms wall from process start", budget: atMost(median(rendered), 1_000, "ms"), note: `each says a line every ${everyMs} ms; ${rendered.map((ms) => ms.toFixed(0)).join(" ")}` },
    { what: "agents that ended or were started again", value: ends + again, unit: `of ${agents}`, budget: atMost(ends + again, 0, "killed") },
    { what: "lines missing in what agents wrote, and in what is shown", value: Math.abs(agents * lines - said) + Math.abs(agents * lines - shown), unit: `of ${agents * lines} each`, budget: atMost(Math.abs(agents * lines - said) + Math.abs(agents * lines - shown), 0, "lost or twice"), note: `${said} written, ${shown} shown, over ${kills} kills` },
    { what: `stop, which ends ${agents} agents politely and keeps their work`, value: stopMs / 1_000, unit: "s wall" },
  ]);
} finally {
  for (const child of started) child.kill("SIGKILL");
  // Agents name the room in their arguments; a tmux server has its socket in it.
  await execa("pkill", ["-KILL", "-f", root], { reject: false });
  for (const socket of existsSync(env.TMUX_TMPDIR) ? readdirSync(env.TMUX_TMPDIR, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("enact-")) : []) await execa("tmux", ["-S", join(env.TMUX_TMPDIR, socket), "kill-server"], { reject: false });
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.exit(0);
