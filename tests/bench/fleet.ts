// Many agents at once under one daemon: 50 scripted ones, and 8 of each CLI that ENACT_TEST_CLAUDE_BIN, ENACT_TEST_CODEX_BIN and ENACT_TEST_OPENCODE_BIN name the directory of. CPU and memory of
// the daemon alone, not of the agents or of git, from the moment the items are there until all are done: intake, worktree, turn, checks on base and head, commit, branch. Beside it
// a bare program that spawns the same agents with the same work and parses their lines; rounds alternate. Needs `npm run build`; Linux. Not measured: clients, reviews, PostgreSQL.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execa, type ResultPromise } from "execa";
import { z } from "zod";
import { processesIn } from "../daemon/room.ts";
import { type CliName, cliUnderTest } from "../clis/under-test.ts";
import { marker, startModelServer } from "../support/model-server.ts";
import { bundle } from "./bundle.ts";
import { type Figure, median, report } from "./figure.ts";

const bin = join(import.meta.dirname, "..", "..", "dist", "cli.js"), rounds = 3, talks = 20;
const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-bench-")));
const Bare = z.object({ ms: z.number(), cpuMs: z.number(), lines: z.number(), idleMb: z.number(), peakMb: z.number() });
const Note = z.object({ pid: z.number(), port: z.number() });
const Items = z.array(z.object({ item: z.object({ status: z.string(), id: z.string() }) }));
interface Used { readonly ms: number; readonly cpuMs: number; readonly grewMb: number }

const driver = await bundle("fleet-driver.ts");
const started: ResultPromise[] = [];
const word = (n: number): string => String.fromCharCode(...[n % 26, (n * 7) % 26, (n * 11 + 3) % 26].map((at) => 97 + at));
const talk = Array.from({ length: talks }, (_, n) => `{ say = "one line of talk about ${word(n)}" }, { write = "${word(n)}.txt", text = "${n}" }, { sleep = 100 }`).join(", ");
const playbook = `[[turn]]\nstage = "coder"\nsteps = [{ session = "s1" }, ${talk}, { result = "It is written." }]\n`;

/** User and system time of one process, its children left out, and its largest resident set since its start. */
const ticksMs = 10;
const usedBy = (pid: number): { readonly cpuMs: number; readonly rssMb: number; readonly peakMb: number } => {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") "), fields = rest.split(" "), status = readFileSync(`/proc/${pid}/status`, "utf8");
  const megabytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * ticksMs, rssMb: megabytes("VmRSS"), peakMb: megabytes("VmHWM") };
};

let rooms = 0;
const inFactory = async (adapter: string, model: string | null, count: number, env: Readonly<Record<string, string>>): Promise<Used> => {
  const directory = join(root, `room-${rooms++}`), app = join(directory, "app"), items = join(directory, "items"), state = join(directory, ".enact", "factory", "state");
  for (const made of [directory, app, items, join(items, "playbooks"), join(directory, "tmux")]) mkdirSync(made);
  writeFileSync(join(directory, "config.toml"), `adapter = "${adapter}"\n[verify]\nsandbox = "off"\n[gateway]\nport = 0\n[scheduler]\nslots = ${count}\nslotsPerProject = ${count}\n[sources.local]\ndirectory = "items"\npollMs = 200\n[autonomous.defaultStages.coder]\n${model === null ? "" : `model = "${model}"\n`}[autonomous.defaultStages.critic]\nenabled = false\n[[projects]]\nname = "app"\nprojectPath = "app"\n[[verify.checks]]\nname = "true"\nargv = ["true"]\n`);
  writeFileSync(join(items, "playbooks", "talk.toml"), playbook);
  writeFileSync(join(app, "README.md"), "# Nothing\n");
  const own = { ...env, HOME: env["HOME"] ?? directory, XDG_STATE_HOME: join(directory, "xdg"), TMUX_TMPDIR: join(directory, "tmux") };
  for (const argv of [["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "start"]]) await execa("git", argv, { cwd: app, stdin: "ignore" });
  const daemon = execa(process.execPath, [bin, "--config", join(directory, "config.toml"), "start", "--foreground"], { cwd: directory, env: own, extendEnv: false, stdin: "ignore", stdout: "ignore", stderr: "ignore", reject: false });
  started.push(daemon);
  const note = join(state, "gateway.json");
  while (!existsSync(note)) await pause(100);
  const { pid, port } = Note.parse(JSON.parse(readFileSync(note, "utf8"))), headers = { authorization: `Bearer ${readFileSync(join(state, "gateway.token"), "utf8").trim()}` };
  await pause(2_000);
  const before = usedBy(pid), from = performance.now();
  for (let n = 0; n < count; n++) {
    writeFileSync(join(directory, "item.toml"), `title = "Work ${n} ${marker("work")}"\n${adapter === "scripted" ? 'playbook = "playbooks/talk.toml"\n' : ""}`);
    renameSync(join(directory, "item.toml"), join(items, `item-${n}.toml`));
  }
  for (;;) {
    await pause(1_000);
    const all = Items.parse(await (await fetch(`http://127.0.0.1:${port}/api/items`, { headers })).json());
    const wrong = all.find(({ item }) => ["blocked", "failed", "exhausted", "cancelled"].includes(item.status));
    if (wrong) throw new Error(`${adapter}: ${JSON.stringify(wrong).slice(0, 2_000)}`);
    if (all.filter(({ item }) => item.status === "done").length === count) break;
    if (performance.now() - from > 300_000) throw new Error(`${count} items of ${adapter} are not done after five minutes`);
  }
  const after = usedBy(pid), ms = performance.now() - from;
  await execa(process.execPath, [bin, "--config", join(directory, "config.toml"), "stop"], { cwd: directory, env: own, extendEnv: false, stdin: "ignore", timeout: 60_000, reject: false });
  await daemon;
  return { ms, cpuMs: after.cpuMs - before.cpuMs, grewMb: after.peakMb - before.rssMb };
};

const bare = async (adapter: string, model: string | null, count: number, env: Readonly<Record<string, string>>): Promise<Used> => {
  const directory = join(root, `bare-${rooms++}`), file = join(root, "talk.toml");
  mkdirSync(directory);
  writeFileSync(file, playbook);
  const { stdout } = await execa(process.execPath, [driver, adapter, String(count), directory], { env: { ...env, HOME: env["HOME"] ?? directory, BENCH_PLAYBOOK: file, ...(model === null ? {} : { BENCH_MODEL: model }) }, extendEnv: false, stdin: "ignore", timeout: 300_000 });
  const { ms, cpuMs, idleMb, peakMb } = Bare.parse(JSON.parse(stdout));
  return { ms, cpuMs, grewMb: peakMb - idleMb };
};

const figuresOf = async (adapter: string, model: string | null, count: number, env: Readonly<Record<string, string>>): Promise<readonly Figure[]> => {
  const inside: Used[] = [], beside: Used[] = [];
  for (let round = 0; round < rounds; round++) {
    inside.push(await inFactory(adapter, model, count, env));
    beside.push(await bare(adapter, model, count, env));
  }
  const of = (all: readonly Used[], key: keyof Used): number => median(all.map((each) => each[key]));
  return [
    { what: `${count} ${adapter} at once: the daemon's CPU`, value: of(inside, "cpuMs") / count, unit: "ms an item", ratio: { of: of(inside, "cpuMs") / of(beside, "cpuMs"), to: `a bare program, ${(of(beside, "cpuMs") / count).toFixed(1)} ms` }, note: `${inside.map(({ cpuMs }) => (cpuMs / count).toFixed(0)).join(" ")}; all done after ${(of(inside, "ms") / 1_000).toFixed(1)} s, bare agents alone ${(of(beside, "ms") / 1_000).toFixed(1)} s; ${((100 * of(inside, "cpuMs")) / of(inside, "ms")).toFixed(0)} % of a core` },
    { what: "  its memory at most, over what it had before", value: of(inside, "grewMb") / count, unit: "MB an item", note: `${of(inside, "grewMb").toFixed(0)} MB in all, bare ${of(beside, "grewMb").toFixed(0)} MB` },
  ];
};

const tidy = (): void => {
  for (const child of started) child.kill("SIGKILL");
  // Whatever is left was started here: its environment names the room, which is a directory of ours alone.
  for (const pid of processesIn(root)) try { process.kill(pid, "SIGKILL"); } catch { /* Gone by itself. */ }
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  rmSync(dirname(driver), { recursive: true, force: true });
};
// Who measures for too long is ended; what was started would go on.
process.once("SIGTERM", () => { tidy(); process.exit(1); });

await using server = await startModelServer({ work: [{ say: "I write it.", calls: [{ do: "write", path: "made.txt", content: "made\n" }] }, { say: "It is written." }] });
try {
  const base = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LANG: "C.UTF-8", TMPDIR: join(root, "tmp") };
  mkdirSync(base.TMPDIR);
  const figures: Figure[] = [...await figuresOf("scripted", null, 50, base)];
  for (const cli of ["claude", "codex", "opencode"] as const satisfies readonly CliName[]) {
    if (process.env[`ENACT_TEST_${cli.toUpperCase()}_BIN`] === undefined) {
      process.stderr.write(`${cli} is left out: ENACT_TEST_${cli.toUpperCase()}_BIN is not set\n`);
      continue;
    }
    const { adapter, bin: programs, model, pointedAt } = cliUnderTest[cli](), home = join(root, cli);
    mkdirSync(home);
    figures.push(...await figuresOf(adapter.name, model, 8, { ...base, HOME: home, PATH: `${programs}:${base.PATH}`, ...await pointedAt(server.url, home) }));
  }
  report(figures);
} finally {
  tidy();
}
process.exit(0);
