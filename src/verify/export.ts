import { Effect } from "effect";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type GitFailed, type GitPlace, git } from "../git/git.ts";
import { VerifyIo } from "../ports/verifier.ts";
import type { CommitFiles } from "./discover.ts";

const io = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, VerifyIo> =>
  Effect.tryPromise({ try: run, catch: (cause) => new VerifyIo({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` }) });

/**
 * Writes the files of a commit into `directory`, which gets no `.git`. Not `git archive`: its export attributes would let a commit hide or rewrite files.
 */
export const exportCommit = Effect.fnUntraced(function* (place: GitPlace, commit: string, directory: string, index: string): Effect.fn.Return<void, GitFailed | VerifyIo> {
  yield* io("making a directory for checks", () => fs.mkdir(directory, { recursive: true, mode: 0o700 }));
  const at: GitPlace = { ...place, cwd: directory, workTree: directory, index };
  yield* git(at, ["read-tree", commit]);
  yield* git(at, ["checkout-index", "--all", "--force", "--quiet"]);
});

/** One directory of installed dependencies in the repository's checkout that suits the commit. */
export interface Dependency { readonly from: string; readonly at: string; /** Changes when something is installed anew. */ readonly stamp: string }

const nodeLocks = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"];
const pythonLocks = ["uv.lock", "poetry.lock", "pdm.lock", "requirements.txt", "pyproject.toml"];

/**
 * Ignored dependency directories of the checkout (`node_modules`, `.venv`, `venv`, `vendor`) that the commit may use read-only:
 * only where the commit's lock files are byte for byte those of the checkout, and the commit itself has nothing at that place.
 */
export const dependenciesFor = (repository: string, files: CommitFiles): Effect.Effect<readonly Dependency[], GitFailed | VerifyIo> => Effect.gen(function* () {
  const found: Dependency[] = [];
  const same = (path: string) => Effect.gen(function* () {
    const wanted = yield* files.read(path);
    // What cannot be read is not the same; the check then installs or fails by itself.
    const there = yield* Effect.promise(() => fs.readFile(join(repository, path), "utf8").catch(() => undefined));
    return there !== undefined && there.replace(/\n$/, "") === wanted;
  });
  const locksAgree = (directory: string, locks: readonly string[]) => Effect.gen(function* () {
    // A package of a workspace has no lock file of its own: the one above it counts.
    for (let at = directory; ; at = dirname(at)) {
      const here = locks.map((lock) => at === "." ? lock : join(at, lock)).filter((path) => files.paths.has(path));
      if (here.length > 0) return (yield* Effect.forEach(here, same)).every(Boolean);
      if (at === ".") return (yield* Effect.forEach(["package.json"].filter(() => locks === nodeLocks && files.paths.has("package.json")), same)).every(Boolean);
    }
  });
  const offer = (at: string, locks: readonly string[]) => Effect.gen(function* () {
    const from = join(repository, at);
    // Not there: nothing to lend.
    const stat = yield* Effect.promise(() => fs.lstat(from).catch(() => undefined));
    if (stat === undefined || !stat.isDirectory() || [...files.paths].some((path) => path.startsWith(`${at}/`))) return;
    if (!(yield* locksAgree(dirname(at), locks))) return;
    const marker = yield* Effect.promise(() => fs.stat(join(from, ".package-lock.json")).catch(() => stat));
    found.push({ from, at, stamp: `${at}:${stat.mtimeMs}:${marker.mtimeMs}` });
  });
  const packages = [...files.paths].filter((path) => basename(path) === "package.json").slice(0, 200);
  for (const path of packages) yield* offer(dirname(path) === "." ? "node_modules" : join(dirname(path), "node_modules"), nodeLocks);
  for (const name of [".venv", "venv"]) yield* offer(name, pythonLocks);
  return found;
});

/** A short name of what an export contains besides the commit. */
export const stampOf = (parts: readonly string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
