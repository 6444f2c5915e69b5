// Kills the owner (at journal boundaries and at random instants), its agents, and freezes it; then lets a new owner finish. Restarts it
// again and again as a daemon is, killed or told to leave its agents, which work on and end while nobody owns them; so are owners of teams and lanes.
// Every try must end as the undisturbed run did: same status, iterations, tree, empty outbox, exactly one push.
// The kinds take turns, so that a sweep whose --seconds are over (the gate's sample: 150) has tried each of them in proportion.
// usage: node tests/sweep/run.ts [--boundaries N] [--random N] [--agents N] [--frozen N] [--restarts N] [--teams N] [--lanes N] [--seconds S] [--seed S] [--keep]
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../../.toolchain/bundle.ts";
import { factoryHash } from "../../src/config/state-directory.ts";

const args = process.argv.slice(2);
const number = (name: string, fallback: number): number => { const at = args.indexOf(name); return at < 0 ? fallback : Number(args[at + 1]); };
const seed = number("--seed", Date.now() % 1_000_000);
const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
// Hundreds of owners are started: bundled, each is at work three times sooner.
const driver = join(repositoryRoot, ".cache", `sweep-${process.pid}`, "driver.js");
const base = mkdtempSync(join(tmpdir(), "enact-sweep-"));

/** mulberry32: a failing seed can be run again. */
const random = ((state: number) => () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
})(seed);

const git = (cwd: string, ...argv: readonly string[]): string => execFileSync("git", ["-C", cwd, "-c", "user.name=sweep", "-c", "user.email=sweep@example.invalid", ...argv], { encoding: "utf8" });

/** A repository whose check fails before the work, a bare remote that counts pushes, a playbook of two iterations and a documenter. */
const makeTemplate = (): string => {
  const root = join(base, "template");
  const repo = join(root, "repo");
  mkdirSync(repo, { recursive: true });
  git(repo, "init", "-q", "-b", "main");
  writeFileSync(join(repo, "check.sh"), "test -f greeting.txt\n");
  writeFileSync(join(repo, "README.md"), "# Greeting\n");
  git(repo, "add", "-A");
  git(repo, "commit", "-q", "-m", "start");
  execFileSync("git", ["init", "-q", "--bare", join(root, "remote.git")]);
  const hook = join(root, "remote.git", "hooks", "update");
  writeFileSync(hook, '#!/bin/sh\necho "$1 $3" >> "$GIT_DIR/pushes"\n');
  chmodSync(hook, 0o755);
  git(repo, "remote", "add", "origin", "../remote.git");
  writeFileSync(join(root, "config.toml"), [
    'adapter = "scripted"', "[limits]", "crashRetries = 50", "infraRetries = 50", "retryBaseMs = 10", "retryMaxMs = 50", "interruptGraceMs = 200",
    "[publish]", 'remote = "origin"', "[verify]", 'sandbox = "off"', '[[verify.checks]]', 'name = "greeting"', 'argv = ["sh", "check.sh"]',
    "[autonomous.defaultStages.documenter]", "enabled = true", "",
  ].join("\n"));
  writeFileSync(join(root, "playbook.toml"), [
    '[[turn]]', 'stage = "coder"', 'iteration = 1', 'steps = [{ session = "s1" }, { say = "first try" }, { write = "greeting.txt", text = "hello\\n" }, { write = "notes/draft.txt", text = "draft\\n" }, { cost = 0.01 }, { result = "wrote it" }]',
    '[[turn]]', 'stage = "coder"', 'iteration = 2', 'steps = [{ session = "s1" }, { say = "second try" }, { write = "greeting.txt", text = "hello, world\\n" }, { cost = 0.02 }, { result = "wrote it better" }]',
    '[[turn]]', 'stage = "critic"', 'iteration = 1', 'steps = [{ verdict = "revise", feedback = "greet the whole world" }]',
    '[[turn]]', 'stage = "critic"', 'iteration = 2', 'steps = [{ verdict = "approve" }]',
    // Lane autopilot: the two iterations are those of its only task.
    '[[turn]]', 'stage = "planner"', 'duty = "criteria"', 'steps = [{ criteria = [{ task = 1, acceptance = ["it greets the whole world"] }] }, { result = "expanded" }]',
    '[[turn]]', 'stage = "planner"', 'duty = "plan"', 'steps = [{ plan = [{ title = "greet", description = "greet the whole world" }] }, { result = "planned" }]',
    '[[turn]]', 'stage = "documenter"', 'steps = [{ write = "README.md", text = "# Greeting\\n\\nSays hello, world.\\n" }, { result = "documented" }]', "",
  ].join("\n"));
  // The third task needs both others; the order in which two results are merged does not show in the tree.
  const slow = "{ sleep = 150 }";
  writeFileSync(join(root, "team.toml"), [
    '[[turn]]', 'stage = "coder"', 'task = 1', `steps = [${slow}, { write = "greeting.txt", text = "hello\\n" }, ${slow}, { result = "greeted" }]`,
    '[[turn]]', 'stage = "coder"', 'task = 2', `steps = [${slow}, { write = "notes.txt", text = "notes\\n" }, ${slow}, { tell = "leader", text = "noted" }, { result = "noted" }]`,
    '[[turn]]', 'stage = "coder"', 'task = 3', `steps = [${slow}, { write = "README.md", text = "# Greeting\\n\\nSays hello.\\n" }, { result = "read" }]`,
    '[[turn]]', 'stage = "critic"', 'duty = "verdict"', 'steps = [{ verdict = "approve" }]', "",
  ].join("\n"));
  // Two parts at once; the verdict asks for a third.
  writeFileSync(join(root, "ultrawork.toml"), [
    '[[turn]]', 'stage = "coder"', 'task = 1', `steps = [${slow}, { write = "greeting.txt", text = "hello\\n" }, ${slow}, { result = "greeted" }]`,
    '[[turn]]', 'stage = "coder"', 'task = 2', `steps = [${slow}, { write = "notes.txt", text = "notes\\n" }, ${slow}, { result = "noted" }]`,
    '[[turn]]', 'stage = "coder"', 'task = 3', `steps = [${slow}, { write = "greeting.txt", text = "hello, world\\n" }, ${slow}, { result = "greeted better" }]`,
    '[[turn]]', 'stage = "critic"', 'iteration = 1', `steps = [${slow}, { verdict = "revise", feedback = "greet the whole world" }]`,
    '[[turn]]', 'stage = "critic"', 'iteration = 2', 'steps = [{ verdict = "approve" }]',
    '[[turn]]', 'stage = "documenter"', 'steps = [{ write = "README.md", text = "# Greeting\\n\\nSays hello, world.\\n" }, { result = "documented" }]', "",
  ].join("\n"));
  return root;
};

/** The same work by agents that take their time, so that they are at work, or end, between two owners. */
const slowPlaybook = (root: string): void => {
  const file = join(root, "playbook.toml");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/steps = \[(\{ session = "s1" \}, )?/g, "steps = [$1{ sleep = 150 }, ").replaceAll(/, \{ (result|verdict) =/g, ", { sleep = 250 }, { $1 ="));
};

interface Outcome { readonly status: string; readonly reason: string; readonly iterations: number; readonly tree: string; readonly outbox: number; readonly deadLetters: number; readonly commits: number }
type Life = { readonly child: ChildProcess; readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly out: string; readonly err: string }> };

const live = (root: string, ...extra: readonly string[]): Life => {
  const child = spawn(process.execPath, [driver, root, ...extra], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: root, XDG_STATE_HOME: join(root, "state-home") } });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => { out += chunk.toString(); });
  child.stderr.on("data", (chunk: Buffer) => { err += chunk.toString(); });
  return { child, ended: new Promise((resolve) => { child.on("close", (code, signal) => resolve({ code, signal, out, err })); }) };
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Runs to the end, undisturbed; the last word is the outcome. */
const finish = async (root: string, ...extra: readonly string[]): Promise<Outcome> => {
  const life = live(root, ...extra);
  const timer = setTimeout(() => life.child.kill("SIGKILL"), 120_000);
  const { code, signal, out, err } = await life.ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`the finishing owner ended with ${signal ?? code}: ${err.slice(-2_000)}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "") as Outcome;
};

const agentsOf = (root: string): readonly number[] => {
  const mark = `ENACT_RUN_ID=${factoryHash(join(root, ".enact", "factory"))}`;
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(mark) ? [Number(name)] : [];
    } catch {
      // Gone, or another user's.
      return [];
    }
  });
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself in the meantime.
  }
};

const problemsOf = (root: string, got: Outcome, want: Outcome): readonly string[] => {
  const pushes = existsSync(join(root, "remote.git", "pushes")) ? readFileSync(join(root, "remote.git", "pushes"), "utf8").trim().split("\n") : [];
  const left = agentsOf(root);
  for (const pid of left) kill(pid);
  return [
    ...(["status", "iterations", "tree", "outbox", "deadLetters"] as const).flatMap((key) => (got[key] === want[key] ? [] : [`${key} is ${String(got[key])}, not ${String(want[key])}${key === "status" ? ` (${got.reason})` : ""}`])),
    ...(pushes.length === 1 ? [] : [`${pushes.length} pushes, not 1: ${pushes.join("; ")}`]),
    ...(left.length === 0 ? [] : [`${left.length} agent processes were left`]),
  ];
};

let made = 0;
const fresh = (template: string): string => {
  const root = join(base, `try-${++made}`);
  cpSync(template, root, { recursive: true });
  return root;
};

interface Try { readonly name: string; readonly run: (root: string) => Promise<Outcome>; /** How it must end, when not as the item of the plain pipeline. */ readonly want?: () => Promise<Outcome> }
const failures: string[] = [];
let tried = 0;

const attempt = async (template: string, want: Outcome, each: Try): Promise<void> => {
  const root = fresh(template);
  let problems: readonly string[];
  try {
    problems = problemsOf(root, await each.run(root), (await each.want?.()) ?? want);
  } catch (error) {
    for (const pid of agentsOf(root)) kill(pid);
    problems = [error instanceof Error ? error.message : String(error)];
  }
  tried++;
  if (problems.length > 0) {
    failures.push(`${each.name}: ${problems.join("; ")}${args.includes("--keep") ? ` (kept in ${root})` : ""}`);
    process.stdout.write(`FAILED ${failures.at(-1)}\n`);
  }
  if (problems.length === 0 || !args.includes("--keep")) rmSync(root, { recursive: true, force: true });
  if (tried % 20 === 0) process.stdout.write(`${tried} tried, ${failures.length} failed\n`);
};

const killedThenFinished = (delayMs: () => number) => async (root: string): Promise<Outcome> => {
  // Sometimes the second owner dies as well.
  for (let lives = random() < 0.25 ? 2 : 1; lives > 0; lives--) {
    const life = live(root);
    await Promise.race([pause(delayMs()), life.ended]);
    life.child.kill("SIGKILL");
    await life.ended;
  }
  return finish(root);
};

try {
  await bundle({ driver: "tests/sweep/driver.ts" }, dirname(driver));
  const template = makeTemplate();
  const calm = fresh(template);
  const began = performance.now();
  const want = await finish(calm);
  const lastsMs = performance.now() - began;
  if (want.status !== "done" || want.iterations !== 2) throw new Error(`the undisturbed run ended as ${JSON.stringify(want)}`);
  process.stdout.write(`kill sweep, seed ${seed}: undisturbed run of ${want.commits} commits in ${Math.round(lastsMs)} ms\n`);

  const boundaries = Array.from({ length: want.commits * 2 }, (_, n): Try => {
    const at = Math.floor(n / 2) + 1;
    const side = n % 2 === 0 ? "before" : "after";
    return { name: `owner killed ${side} commit ${at}`, run: async (root) => {
      await live(root, "--kill-at", String(at), "--when", side).ended;
      return finish(root);
    } };
  });
  const wanted = number("--boundaries", 60);
  // Enough boundaries of one run: all of them, else once more around.
  const chosen = Array.from({ length: wanted }, (_, n) => boundaries[wanted <= boundaries.length ? Math.floor((n * boundaries.length) / wanted) : n % boundaries.length]).flatMap((each) => (each ? [each] : []));
  const instants = Array.from({ length: number("--random", 100) }, (_, n): Try => ({ name: `owner killed at random instant ${n + 1}`, run: killedThenFinished(() => random() * lastsMs) }));
  const agents = Array.from({ length: number("--agents", 12) }, (_, n): Try => ({
    name: `agents killed at random, ${n + 1}`,
    run: async (root) => {
      let over = false;
      const outcome = finish(root).finally(() => { over = true; });
      let left = 3;
      while (!over && left > 0) {
        await pause(random() * 400);
        const [victim] = agentsOf(root);
        if (victim !== undefined) {
          kill(victim);
          left--;
        }
      }
      return outcome;
    },
  }));
  const frozen = Array.from({ length: number("--frozen", 1) }, (_, n): Try => ({
    name: `owner frozen for 25 s while another takes over, ${n + 1}`,
    run: async (root) => {
      const first = live(root);
      await pause((0.2 + 0.6 * random()) * lastsMs);
      first.child.kill("SIGSTOP");
      const took = finish(root, "--take-over");
      await Promise.all([took.catch(() => undefined), pause(25_000)]);
      first.child.kill("SIGCONT");
      const thawed = setTimeout(() => first.child.kill("SIGKILL"), 60_000);
      await first.ended;
      clearTimeout(thawed);
      return took;
    },
  }));

  /** An owner that is killed, or told to leave its agents, up to four times; between two of them nobody owns. */
  const restarted = async (root: string, ofMs: number, ...extra: readonly string[]): Promise<Outcome> => {
    for (let lives = 1 + Math.floor(random() * 4); lives > 0; lives--) {
      const life = live(root, ...extra);
      await Promise.race([pause(ofMs * (0.2 + 0.8 * random())), life.ended]);
      life.child.kill(random() < 0.5 ? "SIGKILL" : "SIGTERM");
      const { signal, code, err } = await life.ended;
      // One that had not begun to listen died of SIGTERM as well.
      if (signal === null && code !== 0) throw new Error(`an owner that was told to leave ended with ${code}: ${err.slice(-2_000)}`);
      // Shorter than a turn and longer than all of them.
      await pause(random() < 0.5 ? random() * 300 : 500 + random() * 1_500);
    }
    return finish(root, ...extra);
  };
  const restarts = Array.from({ length: number("--restarts", 12) }, (_, n): Try => ({
    name: `owner restarted while agents work, ${n + 1}`,
    run: (root) => {
      slowPlaybook(root);
      return restarted(root, lastsMs);
    },
  }));
  // What a team or a lane does undisturbed is learnt when the first of them is due.
  const alone = (...extra: readonly string[]): (() => Promise<{ readonly want: Outcome; readonly lastsMs: number }>) => {
    let known: Promise<{ readonly want: Outcome; readonly lastsMs: number }> | undefined;
    return () => (known ??= (async () => {
      const at = performance.now();
      const undisturbed = await finish(fresh(template), ...extra);
      if (undisturbed.status !== "done") throw new Error(`the undisturbed run of ${extra.join(" ")} ended as ${JSON.stringify(undisturbed)}`);
      return { want: undisturbed, lastsMs: performance.now() - at };
    })());
  };
  const restartsOf = (what: string, count: number, ...extra: readonly string[]): readonly Try[] => {
    const calm = alone(...extra);
    return Array.from({ length: count }, (_, n): Try => ({
      name: `owner of ${what} restarted, ${n + 1}`,
      want: async () => (await calm()).want,
      run: async (root) => restarted(root, (await calm()).lastsMs, ...extra),
    }));
  };
  const teams = restartsOf("a team", number("--teams", 8), "--team"), ofLanes = number("--lanes", 8);
  // The lanes take turns.
  const runs = ["ralph", "autopilot", "ultrawork"].map((lane) => restartsOf(`a run of lane ${lane}`, ofLanes, "--lane", lane));
  const lanes = Array.from({ length: ofLanes }, (_, n) => runs[n % runs.length]?.[Math.floor(n / runs.length)]).flatMap((each) => (each ? [each] : []));

  const kinds = { boundaries: chosen, "random instants": instants, "with agents killed": agents, frozen, restarted: restarts, teams, lanes };
  // A kind's n-th try of m stands at n / m of the whole, so the first of each come first; boundaries are shuffled, so that a sample is spread over the run.
  const shuffled = chosen.map((each) => ({ each, at: random() })).toSorted((a, b) => a.at - b.at).map(({ each }) => each);
  const queue = Object.entries({ ...kinds, boundaries: shuffled })
    .flatMap(([kind, tries]) => tries.map((each, n) => ({ kind, each, at: n / tries.length })))
    .toSorted((a, b) => a.at - b.at);
  const until = performance.now() + number("--seconds", Number.POSITIVE_INFINITY) * 1_000;
  const counts = new Map<string, number>();
  await Promise.all(Array.from({ length: 3 }, async () => {
    for (let next = performance.now() < until ? queue.shift() : undefined; next; next = performance.now() < until ? queue.shift() : undefined) {
      await attempt(template, want, next.each);
      counts.set(next.kind, (counts.get(next.kind) ?? 0) + 1);
    }
  }));
  process.stdout.write(`kill sweep: ${Object.entries(kinds).map(([kind, tries]) => `${counts.get(kind) ?? 0} of ${tries.length} ${kind}`).join(", ")}; seed ${seed}\n`);
  process.stdout.write(`${tried - failures.length} passed, ${failures.length} failed\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  rmSync(dirname(driver), { recursive: true, force: true });
  if (!args.includes("--keep")) rmSync(base, { recursive: true, force: true });
}
