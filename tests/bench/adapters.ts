// What a turn costs over its bare CLI: the very same arguments, environment and input, once spawned from here and once as a turn of the factory (launcher, tail, reader, chart,
// terminal text, the look at the worktree before and after, the sweep); pairs alternate. To the first event that the reader gives, and from there to the outcome against the
// end of the process. The scripted agent, and the CLIs that ENACT_TEST_CLAUDE_BIN, ENACT_TEST_CODEX_BIN and ENACT_TEST_OPENCODE_BIN name the directories of, whose model is a
// scripted one on loopback that says one sentence. Not measured: the journal, a commit, checks (`item` has them), a large repository.
import { randomUUID } from "node:crypto";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Effect, Layer, ManagedRuntime } from "effect";
import { execa } from "execa";
import { turnHandler } from "../../actors/agent-turn.ts";
import { SpendGate } from "../../actors/spend-gate.ts";
import { Seats } from "../../actors/seats.ts";
import { Supervisor } from "../../actors/supervisor.ts";
import { Mouths } from "../../actors/turn-mouths.ts";
import { adapterRegistry } from "../../src/adapters/registry.ts";
import { scriptedAdapter } from "../../src/adapters/scripted/adapter.ts";
import { composePorts } from "../../src/daemon/ports.ts";
import { adapterGate } from "../../src/daemon/routing.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { Config } from "../../src/domain/config.ts";
import { emptyBrief, type TurnEffect } from "../../src/domain/effects.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import type { TurnRequest } from "../../src/domain/agent.ts";
import { type Adapter, Adapters, type LaunchPlan } from "../../src/ports/adapter.ts";
import { Clock } from "../../src/ports/clock.ts";
import { Workspaces } from "../../src/ports/workspaces.ts";
import { type CliName, cliUnderTest } from "../clis/under-test.ts";
import { marker, startModelServer } from "../support/model-server.ts";
import { type Figure, median, report } from "./figure.ts";

interface Timed { readonly firstMs: number; readonly restMs: number }

const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-bench-")));
const put = (path: string, text: string): string => {
  writeFileSync(join(root, path), text);
  return join(root, path);
};

const measure = async (adapter: Adapter, model: string | null, env: Readonly<Record<string, string>>, rounds: number): Promise<{ readonly bare: readonly Timed[]; readonly factory: readonly Timed[] }> => {
  const home = join(root, adapter.name), repository = join(home, "repo"), stateDirectory = join(home, "state");
  for (const directory of [repository, stateDirectory]) mkdirSync(directory, { recursive: true });
  writeFileSync(join(repository, "README.md"), "# Nothing\n");
  for (const argv of [["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "start"]]) await execa("git", argv, { cwd: repository, stdin: "ignore" });
  const config = Config.parse({ adapter: adapter.name, verify: { sandbox: "off" } });
  const { layer } = await composePorts({ config, env, stateDirectory, worktrees: join(home, "worktrees") });
  const runtime = ManagedRuntime.make(Layer.merge(layer, Layer.succeed(Clock, systemClock)));
  const agents = new Supervisor({ id: "agents", clock: systemClock, strategy: "one_for_one", intensity: { max: 1, withinMs: 1_000 }, onEscalate: (error) => { throw error; } });
  const spend = new SpendGate({ prices: [], calendar: { today: () => "2026-11-30", endText: () => "" }, projectOf: () => "repo", laneOf: () => "none" });
  spend.open();
  let launched: { readonly turn: TurnRequest; readonly plan: LaunchPlan } | undefined, firstAt: number | undefined;
  const noting: Adapter = { ...adapter, plan: (turn, host) => {
    const plan = adapter.plan(turn, host);
    if ("kind" in plan) throw new Error(`${adapter.name} refuses the turn: ${JSON.stringify(plan)}`);
    launched = { turn, plan };
    return plan;
  } };
  const handler = turnHandler({
    spend, routing: adapterGate(config), agents, factory: "bench", env, home, runsDirectory: join(stateDirectory, "runs"), passEnvironment: () => [], ladder: { sigintMs: 5_000, sigtermMs: 5_000 }, stillOwner: Effect.void,
    seats: new Seats({ root: join(stateDirectory, "terminals"), clock: systemClock, onTrouble: (text) => { throw new Error(text); } }), mouths: new Mouths(), onEvent: () => { firstAt ??= performance.now(); },
  });
  const id = WorkItemId.parse("LOC-1"), playbook = put(`${adapter.name}.toml`, '[[turn]]\nstage = "coder"\nsteps = [{ session = "s1" }, { say = "I look." }, { result = "Nothing to do." }]\n');
  const workspace = await runtime.runPromise(Effect.flatMap(Workspaces, (workspaces) => workspaces.prepare({ item: id, attempt: 1, repository, baseRef: null })));

  const asTurn = async (n: number): Promise<Timed> => {
    const request: TurnEffect = {
      kind: "turn", item: { id, title: "Say something", body: marker("says"), kind: "chore" }, attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: adapter.name, model, workspace, repository,
      sessionId: null, sessionCostUsd: 0, timeoutMs: 120_000, stallMs: 120_000, playbook, brief: emptyBrief,
    };
    firstAt = undefined;
    const from = performance.now();
    const ended = await runtime.runPromise(handler(request, { key: `stage/LOC-1/1/coder.${n}:1:effect:0`, actor: `stage/LOC-1/1/coder.${n}`, attempts: 1, onEnd: () => {}, tell: () => {} }).pipe(Effect.provideService(Adapters, adapterRegistry([noting]))));
    const until = performance.now();
    if (firstAt === undefined || !JSON.stringify(ended).includes('"how":"completed"')) throw new Error(`the turn of ${adapter.name} did not end well: ${JSON.stringify(ended)}`);
    return { firstMs: firstAt - from, restMs: until - firstAt };
  };

  const asBare = async (): Promise<Timed> => {
    if (launched === undefined) throw new Error("no turn was launched yet");
    const { turn, plan: { argv: [program, ...given], env: own, stdin, stdinMode } } = launched;
    // A session is opened once; and the scripted agent's request names its run.
    const fresh = randomUUID(), argv = given.map((word, at) => (given[at - 1] === "--session-id" ? fresh : word)), reader = adapter.reader(turn);
    let first: number | undefined;
    const from = performance.now();
    const child = spawn(program, argv, { cwd: turn.cwd, env: { PATH: env["PATH"] ?? "", HOME: home, ...own }, stdio: ["pipe", "pipe", "ignore"] });
    child.stdin.on("error", () => {});
    if (stdinMode === "close") child.stdin.end(stdin);
    else child.stdin.write(stdin);
    createInterface({ input: child.stdout }).on("line", (line) => { if (reader.line(line).length > 0) first ??= performance.now(); });
    const code = await new Promise<number | null>((resolve, reject) => { child.on("close", resolve).on("error", reject); });
    const until = performance.now();
    if (first === undefined || code !== 0) throw new Error(`${adapter.name} by itself ended with ${code}`);
    return { firstMs: first - from, restMs: until - first };
  };

  const bare: Timed[] = [], factory: Timed[] = [];
  for (let n = 0; n <= rounds; n++) {
    const [inside, beside] = [await asTurn(n), await asBare()];
    // The first is the one that compiles, here and in the CLI's own caches.
    if (n === 0) continue;
    factory.push(inside);
    bare.push(beside);
  }
  await agents.stop();
  await runtime.dispose();
  return { bare, factory };
};

const figuresOf = (name: string, { bare, factory }: Awaited<ReturnType<typeof measure>>): readonly Figure[] => (["firstMs", "restMs"] as const).map((key) => {
  const over = median(factory.map((each, round) => each[key] - (bare[round]?.[key] ?? Number.NaN))), [inside, beside] = [median(factory.map((each) => each[key])), median(bare.map((each) => each[key]))];
  return { what: `${name}: ${key === "firstMs" ? "start to first event" : "  first event to outcome"}`, value: over, unit: "ms more than the bare CLI", ratio: { of: inside / beside, to: `${beside.toFixed(0)} ms` } };
});

await using server = await startModelServer({ says: [{ say: "Nothing to do." }] });
try {
  const base = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LANG: "C.UTF-8", TMPDIR: join(root, "tmp") };
  mkdirSync(base.TMPDIR);
  const figures: Figure[] = [...figuresOf("scripted", await measure(scriptedAdapter, null, base, 15))];
  for (const [cli, rounds] of [["claude", 9], ["codex", 9], ["opencode", 5]] as const satisfies readonly (readonly [CliName, number])[]) {
    if (process.env[`ENACT_TEST_${cli.toUpperCase()}_BIN`] === undefined) {
      process.stderr.write(`${cli} is left out: ENACT_TEST_${cli.toUpperCase()}_BIN is not set\n`);
      continue;
    }
    const { adapter, bin, model, pointedAt } = cliUnderTest[cli]();
    figures.push(...figuresOf(cli, await measure(adapter, model, { ...base, PATH: `${bin}:${base.PATH}`, ...await pointedAt(server.url, join(root, cli)) }, rounds)));
  }
  report(figures);
} finally {
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.exit(0);
