/**
 * Runs a project's own checks on base and head, each from a clean export in a sandbox (port `Verifier`).
 *
 * Owns: the scratch directory (exports, removed after use) and the cache of results. Talks to: git (reading only), the sandbox, the disk.
 * I1 Neither the user's checkout nor the agent's worktree is written, and no check runs in them.
 * I2 Nothing of a commit runs outside the sandbox.
 * I3 The commands are base's: what head redefines is put back, what head adds runs besides.
 */
import { Effect, Layer, Semaphore } from "effect";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { Check, CheckResult } from "../domain/check.ts";
import type { SandboxSetting } from "../domain/config.ts";
import { type GitFailed, type GitPlace, commitOf, distrusted, git, nulFields, gitBytes } from "../git/git.ts";
import { type SandboxMissing, Verifier, VerifyIo, type VerifierShape } from "../ports/verifier.ts";
import { type Outcome, readCache, writeCache } from "./cache.ts";
import { compare } from "./compare.ts";
import { type CommitFiles, type Scripts, discover, filesOf, scriptsOf } from "./discover.ts";
import { type Dependency, dependenciesFor, exportCommit, stampOf } from "./export.ts";
import { readTests } from "./failures.ts";
import { redact } from "./redact.ts";
import { type Ran, runConfined } from "../sandbox/run-confined.ts";
import { probeSandbox } from "../sandbox/probe.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

export interface VerifierProject {
  /** Empty: found in the commit. */
  readonly checks: readonly Check[];
  /** Milliseconds for a check that was found. */
  readonly checkTimeoutMs: number;
  readonly shareDependencies: boolean;
  /** Names of the owner's environment variables that checks get. */
  readonly env: readonly string[];
  readonly sandbox: SandboxSetting;
}
export interface VerifierOptions {
  /** For exports; emptied at the first run, so not shared with anybody. */
  readonly scratch: string;
  readonly cache: string;
  /** The settings of a repository, by the path it is asked for. */
  readonly project: (repository: string) => VerifierProject;
}

/** Bytes of output kept in a result. */
const tailBytes = 8_192;
/** Rises when outputs are read in another way: old results are then made again. */
const readerVersion = 2;
const testFile = /(?:^|\/)(?:tests?|__tests__|specs?|testdata)\/|(?:^|\/)(?:[^/]*[._-](?:test|spec)\.[^/]+|test_[^/]+\.py|[^/]*_test\.[^/]+|[^/]*_spec\.rb|[^/]*Tests?\.(?:java|kt|cs))$/;

const gitToPort = (error: GitFailed): Effect.Effect<never, VerifyIo> => Effect.fail(new VerifyIo({ message: error.message }));

const io = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, VerifyIo> =>
  Effect.tryPromise({ try: run, catch: (cause) => new VerifyIo({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` }) });

const placeOf = Effect.fnUntraced(function* (repository: string): Effect.fn.Return<GitPlace, GitFailed> {
  const gitDir = yield* git({ cwd: repository }, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
  const place: GitPlace = { cwd: repository, gitDir };
  return { ...place, config: yield* distrusted(place) };
});

/** One side of the comparison: a commit, what it may use, and what was put back into it. */
interface Side { readonly place: GitPlace; readonly commit: string; readonly tree: string; readonly dependencies: readonly Dependency[]; /** Scripts of base that replace head's. */ readonly scripts: Scripts | undefined }

const statusOf = (ran: Ran): CheckResult["status"] => ran.timedOut ? "timeout" : ran.exitCode === 0 ? "passed"
  : ran.exitCode === 127 || ran.exitCode === 126 || /(?:bwrap: execvp|prlimit: failed to execute) .*(?:No such file|not found)/.test(ran.output) || /No module named (?:pytest|ruff)\s*$/.test(ran.output.trim()) ? "missing" : "failed";

const outcomeOf = (check: Check, ran: Ran): Outcome => {
  const status = statusOf(ran);
  const tests = readTests(ran.output, status === "passed" || status === "missing");
  return {
    result: { name: check.name, status, exitCode: ran.exitCode ?? null, failures: status === "timeout" ? [`took longer than ${check.timeoutMs} ms`] : tests.failed.map(redact),
      // Redacted before the cut, so that a secret across it is seen whole.
      tail: Buffer.from(redact(ran.output.slice(-8 * tailBytes))).subarray(-tailBytes).toString("utf8"),
      durationMs: ran.durationMs, flaky: false,
    },
    passed: tests.passed === null ? null : tests.passed.map(redact),
  };
};

const runOnce = Effect.fnUntraced(function* (options: VerifierOptions, sandbox: Sandbox, side: Side, check: Check, env: Readonly<Record<string, string>>): Effect.fn.Return<Outcome, GitFailed | VerifyIo> {
  const [program, ...args] = check.argv;
  if (program === undefined) return yield* new VerifyIo({ message: `the check ${check.name} has no command` });
  const room = yield* io("making a directory for checks", async () => { await fs.mkdir(options.scratch, { recursive: true, mode: 0o700 }); return fs.mkdtemp(join(await fs.realpath(options.scratch), "run-")); });
  const directory = join(room, "project"), temporary = join(room, "own");
  const work = Effect.gen(function* () {
    yield* io("making a directory for checks", () => fs.mkdir(temporary, { mode: 0o700 }));
    yield* exportCommit(side.place, side.commit, directory, join(room, "index"));
    const { scripts } = side;
    if (scripts !== undefined) yield* io("putting base's scripts back", async () => {
      const file = join(directory, "package.json");
      const manifest: unknown = JSON.parse(await fs.readFile(file, "utf8"));
      const text = JSON.stringify({ ...(typeof manifest === "object" ? manifest : {}), scripts }, null, 2);
      await fs.rm(file);
      await fs.writeFile(file, text, { flag: "wx" });
    });
    return yield* Effect.tryPromise({ try: (signal) => runConfined(sandbox, { argv: [program, ...args], directory, temporary, env, dependencies: side.dependencies }, check.timeoutMs, signal), catch: (cause) => new VerifyIo({ message: `${check.name}: ${String(cause)}` }) });
  });
  const ran = yield* work.pipe(Effect.ensuring(Effect.promise(() => erase(room))));
  return outcomeOf(check, ran);
});

/** A check may have made directories read-only. */
const erase = async (path: string): Promise<void> => {
  const openUp = async (directory: string): Promise<void> => {
    await fs.chmod(directory, 0o700);
    for (const entry of await fs.readdir(directory, { withFileTypes: true })) if (entry.isDirectory()) await openUp(join(directory, entry.name));
  };
  await fs.rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(async () => { await openUp(path); await fs.rm(path, { recursive: true, force: true }); }).catch(() => undefined);
};

const cached = Effect.fnUntraced(function* (options: VerifierOptions, sandbox: Sandbox, side: Side, check: Check, env: Readonly<Record<string, string>>): Effect.fn.Return<{ readonly outcome: Outcome; readonly key: string }, GitFailed | VerifyIo> {
  const key = createHash("sha256").update(JSON.stringify([readerVersion, side.tree, check, sandbox.name, process.platform, process.arch, process.version, stampOf(side.dependencies.map(({ stamp }) => stamp)), side.scripts ?? null, Object.entries(env).sort()])).digest("hex");
  const known = yield* Effect.promise(() => readCache(options.cache, key));
  if (known !== undefined) return { outcome: known, key };
  const outcome = yield* runOnce(options, sandbox, side, check, env);
  // What is not installed today may be tomorrow; what was too slow may have been a busy machine.
  if (outcome.result.status === "passed" || outcome.result.status === "failed") yield* io("keeping a result", () => writeCache(options.cache, key, outcome));
  return { outcome, key };
});

/** Base's scripts, when head redefines or drops one of them. */
const restored = (base: Scripts, head: Scripts): { readonly scripts: Scripts; readonly names: readonly string[] } | undefined => {
  const names = Object.keys(base).filter((name) => head[name] !== base[name]);
  return names.length === 0 ? undefined : { scripts: { ...head, ...base }, names };
};

const deletedTests = (place: GitPlace, base: string, head: string): Effect.Effect<readonly string[], GitFailed> =>
  gitBytes(place, ["diff-tree", "-r", "-z", "-M", "--no-ext-diff", "--name-only", "--diff-filter=D", base, head]).pipe(Effect.map((bytes) => nulFields(bytes).map((raw) => Buffer.from(raw, "latin1").toString("utf8")).filter((path) => testFile.test(path))));

/** The port's implementation. The sandbox is probed once for each setting, at its first use. */
export const makeVerifier = (options: VerifierOptions): VerifierShape => {
  const probed = new Map<string, Sandbox>();
  // One check at a time: a loaded machine makes tests time out.
  const one = Semaphore.makeUnsafe(1);
  let swept = false;
  const sandboxFor = (setting: SandboxSetting): Effect.Effect<Sandbox, SandboxMissing> => Effect.suspend(() => {
    const key = JSON.stringify(setting);
    const known = probed.get(key);
    return known !== undefined ? Effect.succeed(known) : probeSandbox(setting, options.scratch).pipe(Effect.tap((sandbox) => Effect.sync(() => probed.set(key, sandbox))));
  });
  const envOf = (project: VerifierProject): Record<string, string> => Object.fromEntries(project.env.flatMap((name) => { const value = process.env[name]; return value === undefined ? [] : [[name, value] as const]; }));
  const found = (project: VerifierProject, files: CommitFiles) => project.checks.length > 0 ? Effect.succeed(project.checks) : discover(files, project.checkTimeoutMs);

  const run = Effect.fnUntraced(function* (request: { readonly repository: string; readonly base: string; readonly head: string }) {
    const project = options.project(request.repository);
    const sandbox = yield* sandboxFor(project.sandbox);
    if (!swept) { swept = true; yield* Effect.promise(async () => { for (const name of await fs.readdir(options.scratch).catch(() => [])) if (name.startsWith("run-") || name.startsWith("probe-")) await erase(join(options.scratch, name)); }); }
    const place = yield* placeOf(request.repository);
    const env = envOf(project);
    const warnings: string[] = sandbox.name === "off" ? ["the sandbox is off: checks ran with the rights of the owner"] : [];
    const open = (name: string) => Effect.gen(function* () {
      const commit = yield* commitOf(place, name);
      if (commit === undefined) return yield* new VerifyIo({ message: `no commit ${name} in ${request.repository}` });
      const files = yield* filesOf(place, commit);
      return { commit, files, tree: yield* git(place, ["rev-parse", `${commit}^{tree}`]), dependencies: project.shareDependencies ? yield* dependenciesFor(request.repository, files) : [], manifest: yield* files.read("package.json") };
    });
    const [base, head] = [yield* open(request.base), yield* open(request.head)];
    const onBase = yield* found(project, base.files), onHead = yield* found(project, head.files);
    const put = base.manifest === "" || head.manifest === "" ? undefined : restored(scriptsOf(base.manifest), scriptsOf(head.manifest));
    if (put !== undefined) warnings.push(`head changes scripts of package.json; base's were run: ${put.names.join(", ")}`);
    const baseSide: Side = { place, commit: base.commit, tree: base.tree, dependencies: base.dependencies, scripts: undefined };
    const headSide: Side = { place, commit: head.commit, tree: head.tree, dependencies: head.dependencies, scripts: put?.scripts };
    const checks = [...onBase, ...onHead.filter((check) => !onBase.some(({ name }) => name === check.name))];
    const baseOutcomes: Outcome[] = [], headOutcomes: Outcome[] = [];
    for (const check of checks) {
      if (onBase.includes(check)) baseOutcomes.push((yield* cached(options, sandbox, baseSide, check, env)).outcome);
      const { outcome, key } = yield* cached(options, sandbox, headSide, check, env);
      const known = new Set(baseOutcomes.find(({ result }) => result.name === check.name)?.result.failures);
      const fresh = outcome.result.failures.filter((failure) => !known.has(failure));
      if (fresh.length === 0 || outcome.result.flaky) { headOutcomes.push(outcome); continue; }
      const again = yield* runOnce(options, sandbox, headSide, check, env);
      const settled = secondOpinion(outcome, again, fresh);
      if (settled !== outcome && settled.result.status !== "timeout") yield* io("keeping a result", () => writeCache(options.cache, key, settled));
      headOutcomes.push(settled);
    }
    return compare({ base: { commit: base.commit, outcomes: baseOutcomes }, head: { commit: head.commit, outcomes: headOutcomes }, deletedTests: yield* deletedTests(place, base.commit, head.commit), warnings, sandbox: sandbox.name });
  });

  return {
    checks: (repository, commit) => Effect.gen(function* () {
      const place = yield* placeOf(repository);
      return yield* found(options.project(repository), yield* filesOf(place, commit));
    }).pipe(Effect.catchTag("GitFailed", gitToPort)),
    run: (request) => one.withPermit(run(request).pipe(Effect.catchTag("GitFailed", gitToPort))),
  };
};

/** What a failure means after the same commit was tried again: only what failed both times is held against it. */
const secondOpinion = (first: Outcome, second: Outcome, fresh: readonly string[]): Outcome => {
  const still = new Set(second.result.failures);
  const gone = fresh.filter((failure) => !still.has(failure));
  if (gone.length === 0 || second.result.status === "missing") return first;
  const both = first.result.failures.filter((failure) => still.has(failure));
  // Failed twice without one failure in common: broken, not flaky.
  if (both.length === 0 && second.result.status !== "passed") return first;
  return { result: { ...second.result, failures: both, flaky: true }, passed: second.passed };
};

export const verifierLayer = (options: VerifierOptions): Layer.Layer<Verifier> => Layer.succeed(Verifier, makeVerifier(options));
