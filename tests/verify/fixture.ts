import { Cause, Effect, Exit, Option } from "effect";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeVerifier, type VerifierProject } from "../../src/verify/service.ts";

export const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } }).replace(/\n$/, "");

export type Files = Readonly<Record<string, string | null>>;
export const write = (top: string, files: Files): void => {
  for (const [name, text] of Object.entries(files)) {
    if (text === null) { rmSync(join(top, name), { recursive: true }); continue; }
    mkdirSync(dirname(join(top, name)), { recursive: true });
    writeFileSync(join(top, name), text);
  }
};

/** A throwaway repository and a verifier of its own. */
export const bench = (files: Files, change: Partial<VerifierProject> = {}) => {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "enact verify-")));
  const repository = join(top, "the repo");
  mkdirSync(repository);
  git(repository, "init", "-q", "-b", "main");
  git(repository, "config", "user.name", "A User");
  git(repository, "config", "user.email", "user@example.test");
  const commit = (next: Files): string => {
    write(repository, next);
    git(repository, "add", "-A");
    git(repository, "commit", "-q", "--allow-empty", "-m", "next");
    return git(repository, "rev-parse", "HEAD");
  };
  const base = commit(files);
  const project: VerifierProject = { checks: [], checkTimeoutMs: 60_000, shareDependencies: true, env: [], sandbox: "auto", ...change };
  const make = (other: Partial<VerifierProject> = {}) => makeVerifier({ scratch: join(top, "scratch"), cache: join(top, "cache"), project: () => ({ ...project, ...other }) });
  return {
    top, repository, base, commit, make,
    run: (head: string, other: Partial<VerifierProject> = {}) => Effect.runPromise(make(other).run({ repository, base, head })),
    [Symbol.dispose]: () => { execFileSync("chmod", ["-R", "u+rwX", top], { stdio: "ignore" }); rmSync(top, { recursive: true, force: true }); },
  };
};

export const failure = async <A, E>(effect: Effect.Effect<A, E>): Promise<E> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) throw new Error("expected a failure");
  const error = Cause.findErrorOption(exit.cause);
  if (Option.isNone(error)) throw new Error(`died: ${Cause.pretty(exit.cause)}`);
  return error.value;
};

export const sandboxWorks = spawnSync("bwrap", ["--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "true"]).status === 0;
if (!sandboxWorks) console.warn("SKIPPED: tests of the sandbox need bubblewrap that works (apt-get install bubblewrap)");
/** With CI=true a missing sandbox fails instead. */
export const skipSandbox = !sandboxWorks && process.env.CI !== "true";
