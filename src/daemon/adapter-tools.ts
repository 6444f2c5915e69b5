/** The adapters of this version: what is here of each, and whether a turn of it really works. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Stream } from "effect";
import { execa } from "execa";
import { ClientProblem } from "../client/contract.ts";
import type { AdapterState, AdapterTrial } from "../client/local-tools.ts";
import type { AdapterName, AgentFailure, TurnRequest } from "../domain/agent.ts";
import { RunId, WorkItemId } from "../domain/ids.ts";
import { begin, finish, push } from "../domain/turn-outcome.ts";
import type { Adapter, HostEnvironment } from "../ports/adapter.ts";
import { makeAgentProcess } from "../process/agent-process.ts";
import { adapters } from "./ports.ts";
import type { Setting } from "./setting.ts";
import { systemClock } from "./system-clock.ts";

const hostOf = ({ env, home }: Setting, runDirectory: string): HostEnvironment => ({ env, home, runDirectory });

/** Nothing here reaches a network or costs money. */
export const adapterStates = (setting: Setting): Promise<readonly AdapterState[]> => Promise.all(adapters.map(async ({ name, verified, capabilities, probe }): Promise<AdapterState> => {
  const { model, concurrency, turnsPerHour } = setting.config.adapters[name];
  return { name, verified, usual: name === setting.config.adapter, ...(await Effect.runPromise(probe(hostOf(setting, join(setting.stateDirectory, "runs"))))), capabilities, model: model ?? null, concurrency: concurrency ?? null, turnsPerHour: turnsPerHour ?? null };
}));

const named = (name: AdapterName): Adapter => {
  const found = adapters.find((adapter) => adapter.name === name);
  if (!found) throw new ClientProblem(`this version has no adapter ${name}`, `there are ${adapters.map((each) => each.name).join(", ")}`);
  return found;
};

/** A turn that says one word takes seconds; a CLI that has said nothing by then will not. Milliseconds. */
const trialMs = 120_000;
const playbook = '[[turn]]\nstage = "critic"\nsteps = [{ say = "ready" }, { result = "ready" }]\n';
const prompt = "This only tests the connection. Read nothing and run nothing. Answer with the one word: ready";

const inText = (failure: AgentFailure): string => ("message" in failure ? `${failure.kind}: ${failure.message}` : failure.kind === "timeout" ? `nothing was finished within ${trialMs / 1000} s` : failure.kind);

/**
 * One reading turn in an empty repository of its own, as the factory would run it. Asks the model once, so it costs a little; leaves nothing behind.
 */
export const tryAdapter = async (setting: Setting, name: AdapterName, model: string | null): Promise<AdapterTrial> => {
  const adapter = named(name), begun = systemClock.now();
  const root = await realpath(await mkdtemp(join(tmpdir(), "enact-trial-")));
  try {
    const cwd = join(root, "work"), file = join(root, "playbook.toml");
    await mkdir(cwd);
    await writeFile(file, playbook);
    await execa("git", ["init", "--quiet", cwd], { stdin: "ignore", extendEnv: false, env: { PATH: setting.env["PATH"] ?? "", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } });
    const turn: TurnRequest = {
      runId: RunId.parse("trial"), item: WorkItemId.parse("TRY-1"), attempt: 1, stage: "critic", iteration: 1, tryNumber: 1, adapter: name, model: model ?? setting.config.adapters[name].model ?? null, cwd, prompt,
      sessionId: null, sessionCostUsd: 0, readOnly: true, timeoutMs: trialMs, stallMs: trialMs, playbook: file,
    };
    const plan = adapter.plan(turn, hostOf(setting, join(root, "runs", turn.runId)));
    const told = (failure: AgentFailure): AdapterTrial => ({ name, ok: false, detail: inText(failure), session: false, usage: null, model: turn.model, tookMs: systemClock.now() - begun });
    if ("kind" in plan) return told(plan);
    return await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
      const base = Object.fromEntries(["PATH", "HOME", "LANG", "TERM", "USER"].flatMap((key) => (setting.env[key] === undefined ? [] : [[key, setting.env[key] ?? ""]])));
      const handle = yield* makeAgentProcess({ root: join(root, "runs") }).start({ runId: turn.runId, argv: plan.argv, cwd, env: { ...base, ...plan.env }, stdin: plan.stdin, stdinMode: plan.stdinMode, labels: {}, ...(plan.files === undefined ? {} : { files: plan.files }) });
      yield* Effect.addFinalizer(() => handle.signal("SIGKILL").pipe(Effect.andThen(handle.sweep)));
      const reader = adapter.reader(turn);
      let tally = begin(turn);
      const take = (line: string): void => { for (const event of reader.line(line)) tally = push(tally, event); };
      const exit = yield* Stream.runForEach(handle.lines(0), (line) => Effect.sync(() => take(line.text))).pipe(Effect.andThen(handle.exit), Effect.timeoutOption(trialMs));
      if (exit._tag === "None") return told({ kind: "timeout", afterMs: trialMs });
      const errorTail = yield* handle.errorTail;
      for (const event of reader.end({ exit: exit.value, errorTail })) tally = push(tally, event);
      const { ended, usage } = finish(tally, { exit: exit.value, swept: 0 });
      const ok = ended.how === "completed";
      return { name, ok, detail: ended.how === "failed" ? inText(ended.failure) : ended.how === "cancelled" ? "it was cancelled" : ended.text.trim().slice(0, 200), session: tally.sessionId !== null, usage, model: tally.model ?? turn.model, tookMs: systemClock.now() - begun };
    })).pipe(Effect.catch((error): Effect.Effect<AdapterTrial> => Effect.succeed(told({ kind: "spawn", message: error.message })))));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
};
