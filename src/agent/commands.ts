/**
 * Programs that the agent starts: the model's commands, the project's checks, and our own looks at the worktree.
 *
 * Owns: the sandbox of this turn and a private directory for each command. Talks to: the sandbox, git.
 * I1 A command sees the worktree and the tools of the machine, no network, and of the environment only the names that the owner passes; never one of ours.
 * I2 In a turn that reads it cannot change the worktree: where no sandbox can promise that, there are no commands. I3 Nothing a command started outlives it;
 * what could (without a sandbox) carries the run's mark and is swept with it. I4 Git is asked in the repository that was there when the turn began.
 */
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Effect } from "effect";
import type { Check } from "../domain/check.ts";
import { distrusted, git, gitBytes, type GitPlace, nulFields } from "../git/git.ts";
import { off } from "../sandbox/off.ts";
import { probeSandbox } from "../sandbox/probe.ts";
import { type Ran, runConfined } from "../sandbox/run-confined.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { type CommitFiles, discover } from "../verify/discover.ts";
import type { AgentRequest } from "./protocol.ts";
import type { Worktree } from "./worktree.ts";

export interface Commands {
  readonly available: boolean;
  readonly readOnly: boolean;
  /** Why there are none, or what is weak about them. */
  readonly note: string | undefined;
  /** Milliseconds. */
  readonly longestMs: number;
  readonly run: (argv: readonly [string, ...string[]], timeoutMs: number, signal: AbortSignal) => Promise<RanHere>;
  /** A program of ours that reads the worktree. */
  readonly look: (argv: readonly [string, ...string[]], timeoutMs: number, signal: AbortSignal) => Promise<Ran>;
  readonly checks: () => Promise<readonly Check[]>;
  /** Files and lines that were changed since the last commit. */
  readonly changes: () => Promise<string>;
}

/** `changed`: the worktree is not what it was, or may not be. */
export interface RanHere extends Ran { readonly changed: boolean }

/** Bytes of a diff. */
const diffBytes = 1_000_000;

/** Names of our own, which no command may see whatever the owner passes. */
const isOurs = (name: string): boolean => name.startsWith("ENACT_");

const notRun: Ran = { exitCode: undefined, timedOut: false, output: "", durationMs: 0 };

/** Where commands of this turn run; none: why. `inside`: what they call the worktree. */
export const sandboxFor = ({ project, scratch }: AgentRequest): Promise<{ readonly sandbox: Sandbox | undefined; readonly why: string }> => {
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  return Effect.runPromise(probeSandbox(project.sandbox, scratch).pipe(
    Effect.map((sandbox) => ({ sandbox, why: "" })),
    Effect.catch(({ message }) => Effect.succeed({ sandbox: undefined, why: message })),
  ));
};

/** I4. */
const repositoryOf = (root: string): Promise<GitPlace | undefined> => Effect.runPromise(Effect.gen(function* () {
  const [gitDir = "", commonDir = ""] = (yield* git({ cwd: root }, ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"])).split("\n");
  const place: GitPlace = { cwd: root, gitDir, commonDir, workTree: root };
  return { ...place, config: yield* distrusted(place) };
}).pipe(Effect.catch(() => Effect.succeed(undefined))));

/** Files that a project's own checks are found by. */
const filesOf = async (worktree: Worktree, place: GitPlace | undefined): Promise<CommitFiles> => {
  const listed = place === undefined ? undefined : await Effect.runPromise(gitBytes(place, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).pipe(
    Effect.map((bytes) => nulFields(bytes).map((path) => Buffer.from(path, "latin1").toString("utf8"))), Effect.catch(() => Effect.succeed(undefined)),
  ));
  const read = (path: string): string => { try { return worktree.readIfThere(path) ?? ""; } catch { return ""; } };
  return { paths: new Set(listed ?? readdirSync(worktree.root)), read: (path) => Effect.sync(() => read(path)) };
};

export const openCommands = async (request: AgentRequest, worktree: Worktree, { sandbox, why }: { readonly sandbox: Sandbox | undefined; readonly why: string }, longestMs: number, env: Readonly<Record<string, string | undefined>>): Promise<Commands> => {
  const { readOnly, project, scratch } = request, mark = env["ENACT_RUN_ID"];
  const place = await repositoryOf(worktree.root);
  const passed = Object.fromEntries(project.env.flatMap((name) => { const value = env[name]; return value === undefined || isOurs(name) ? [] : [[name, value]]; }));

  const inRoom = async <A>(use: (temporary: string) => Promise<A>): Promise<A> => {
    const temporary = await mkdtemp(join(scratch, "command-"));
    // What cannot be taken away lies in the run's own directory, which goes with it.
    try { return await use(temporary); } finally { await rm(temporary, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined); }
  };
  // I3
  const marked = (by: Sandbox): Sandbox => (mark === undefined ? by : { ...by, launch: async (command) => { const launch = await by.launch(command); return { ...launch, env: { ...launch.env, ENACT_RUN_ID: mark } }; } });
  const start = (by: Sandbox, argv: readonly [string, ...string[]], reads: boolean, given: Readonly<Record<string, string>>, timeoutMs: number, signal: AbortSignal): Promise<Ran> =>
    signal.aborted ? Promise.resolve(notRun) : inRoom((temporary) => runConfined(marked(by), { argv, directory: worktree.root, temporary, env: given, dependencies: [], ...(by.confines ? { readOnly: reads, guarded: [".git"] } : {}) }, timeoutMs, signal));
  const plain = off(env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin");

  const available = sandbox !== undefined && (!readOnly || sandbox.confines);
  const note = sandbox === undefined ? `commands cannot be run: ${why}` : sandbox.confines ? undefined : readOnly ? "commands cannot be run: without a sandbox they could change what is only to be read" : "commands run without a sandbox: the owner said so";

  /** Of what differs from the last commit; undefined where there is no git to ask. */
  const fingerprint = (): Promise<string | undefined> => place === undefined ? Promise.resolve(undefined) : Effect.runPromise(Effect.gen(function* () {
    const hash = createHash("sha256").update(yield* gitBytes(place, ["diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD", "--"], { maxBytes: 64 * 1024 * 1024 }));
    for (const path of nulFields(yield* gitBytes(place, ["ls-files", "-z", "--others", "--exclude-standard"]))) {
      const stat = lstatSync(join(worktree.root, Buffer.from(path, "latin1").toString("utf8")), { throwIfNoEntry: false });
      hash.update(`${path}\0${stat?.size ?? 0}\0${stat?.mtimeMs ?? 0}\0${stat?.mode ?? 0}\0`);
    }
    return hash.digest("hex");
  }).pipe(Effect.catch(() => Effect.succeed(undefined))));

  return {
    available, readOnly, note, longestMs,
    run: async (argv, timeoutMs, signal) => {
      if (!available) return { ...notRun, output: note ?? "", changed: false };
      const before = readOnly ? undefined : await fingerprint();
      const ran = await start(sandbox, argv, readOnly, passed, timeoutMs, signal);
      return { ...ran, changed: !readOnly && (before === undefined || (await fingerprint()) !== before) };
    },
    look: (argv, timeoutMs, signal) => start(sandbox?.confines === true ? sandbox : plain, argv, true, {}, timeoutMs, signal),
    checks: async () => project.checks.length > 0 ? project.checks : Effect.runPromise(discover(await filesOf(worktree, place), project.checkTimeoutMs).pipe(Effect.catch(() => Effect.succeed([])))),
    changes: () => place === undefined ? Promise.resolve("(this is no git worktree: what was changed cannot be told)") : Effect.runPromise(Effect.gen(function* () {
      const status = yield* git(place, ["status", "--short", "--untracked-files=all"]);
      if (status === "") return "(nothing was changed)";
      const diff = yield* git(place, ["diff", "--no-ext-diff", "--no-textconv", "HEAD", "--"], { maxBytes: diffBytes }).pipe(
        Effect.catch((error) => Effect.succeed(error.fault.kind === "tooMuchOutput" ? `${error.stdout.toString("utf8")}\n[the rest of the diff is not shown]` : `(no diff: ${error.message})`)));
      return `${status}\n\n${diff === "" ? "(only new files, see the list)" : diff}`;
    }).pipe(Effect.catch((error) => Effect.succeed(`(git cannot tell: ${error.message})`)))),
  };
};
