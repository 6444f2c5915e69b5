/**
 * Makes worktrees, and finds them again as they were.
 *
 * I1 The record is written before anything is made; `making` means that no agent has seen the worktree, so only then may it be thrown away.
 * I2 A branch that the factory did not record as its own is never moved.
 * I3 The user's checkout is only read: no command here has it as working tree or uses its index.
 */
import { Effect } from "effect";
import * as fs from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from "node:path";
import { createHash } from "node:crypto";
import { type GitFailed, type GitPlace, commitOf, distrusted, git, gitAsks } from "../git/git.ts";
import { type Workspace, WorkspaceEscape, type WorkspaceError, WorkspaceIo, type WorkspaceRequest, WorkspaceUnusable } from "../ports/workspaces.ts";
import { runHook } from "./hooks.ts";
import { clearLock, pastLocks } from "./locks.ts";
import type { ProjectWorkspace, WorkspacesOptions } from "./options.ts";
import { adminOf, checkPath, fromGit, leadsOut } from "./place.ts";
import { type Record, codeOf, io, present, readRecord, writeRecord } from "./record.ts";
import { discard, keepAside } from "./discard.ts";

export interface Repository { readonly top: string; readonly commonDir: string; readonly place: GitPlace }

/** Finds the repository at a path and says plainly when it cannot be used. */
export const openRepository = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Repository, WorkspaceError> {
  const unusable = (message: string, mend: string) => new WorkspaceUnusable({ message, mend });
  const real = yield* io("looking for the repository", () => present(() => fs.realpath(path)));
  if (real === undefined) return yield* unusable(`${path} does not exist`, "correct the project's path in the configuration");
  const at: GitPlace = { cwd: real };
  const ask = (...args: string[]) => git(at, ["rev-parse", "--path-format=absolute", ...args]).pipe(Effect.mapError((e) => e.fault.kind === "notARepository"
    ? unusable(`${path} is no git repository`, `git init ${JSON.stringify(real)}, then commit something`)
    : e.fault.kind === "dubiousOwner" ? unusable(`${path} belongs to another user`, `git config --global --add safe.directory ${JSON.stringify(real)}`) : fromGit(e)));
  const told = (yield* ask("--is-bare-repository", "--git-common-dir", "--git-dir")).split("\n");
  // A path that holds a line break is asked for by itself.
  const [bare = "", common = "", gitDir = ""] = told.length === 3 ? told : [told[0], yield* ask("--git-common-dir"), yield* ask("--git-dir")];
  if (bare === "true") return yield* unusable(`${path} is a bare repository`, "name a clone that has a working tree");
  const commonDir = yield* io("looking for the repository", () => fs.realpath(common));
  // Asked by itself: a repository without a working tree has none.
  const top = yield* ask("--show-toplevel").pipe(Effect.flatMap((dir) => io("looking for the repository", () => fs.realpath(dir))));
  if (top !== real) return yield* unusable(`${path} is inside the repository ${top}`, `name ${top} as the project's path`);
  const place: GitPlace = { cwd: real, gitDir, commonDir };
  return { top, commonDir, place: { ...place, config: yield* distrusted(place).pipe(Effect.mapError(fromGit)) } };
});

/** Git refs cannot nest under the item's branch, so a member's name follows two dashes, which no item's name has. */
const nameOf = ({ item, attempt, member }: Pick<WorkspaceRequest, "item" | "attempt" | "member">): string => `${attempt === 1 ? item : `${item}-${attempt}`}${member === undefined ? "" : `--${member}`}`;

/** `root/REPOSITORY-HASH/ITEM[-ATTEMPT]`: readable, and apart for repositories of the same name. */
export const workspacePath = (root: string, commonDir: string, request: Pick<WorkspaceRequest, "item" | "attempt" | "member">): string => {
  const repository = basename(commonDir) === ".git" ? basename(dirname(commonDir)) : basename(commonDir);
  return join(root, `${repository.replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 40)}-${createHash("sha256").update(commonDir).digest("hex").slice(0, 12)}`, nameOf(request));
};

const resolveBase = Effect.fnUntraced(function* (repository: Repository, baseRef: string | null): Effect.fn.Return<string, WorkspaceError | GitFailed> {
  const base = yield* commitOf(repository.place, baseRef ?? "HEAD");
  if (base !== undefined) return base;
  return yield* baseRef === null
    ? new WorkspaceUnusable({ message: `${repository.top} has no commits yet`, mend: "commit something first: git commit --allow-empty -m start" })
    : new WorkspaceUnusable({ message: `${repository.top} has no commit called ${JSON.stringify(baseRef)}`, mend: "name an existing branch or commit, or fetch it (git fetch; in a shallow clone git fetch --unshallow)" });
});

/** Makes sure that the branch can be the factory's own before a record claims it (I2). */
const claimBranch = Effect.fnUntraced(function* (repository: Repository, branch: string, base: string, known: Record | undefined): Effect.fn.Return<void, WorkspaceError | GitFailed> {
  const ref = `refs/heads/${branch}`;
  const tip = yield* commitOf(repository.place, ref);
  if (tip !== undefined && known === undefined && tip !== base) {
    return yield* new WorkspaceUnusable({ message: `the branch ${branch} exists already and has commits that the factory did not make`, mend: `git branch -m ${branch} ${branch}-old` });
  }
  const place = yield* checkedOutIn(repository, ref);
  if (place !== undefined) return yield* new WorkspaceUnusable({ message: `the branch ${branch} is checked out in ${place}`, mend: "check out another branch there" });
});

/** Where a branch is checked out. */
const checkedOutIn = Effect.fnUntraced(function* (repository: Repository, ref: string): Effect.fn.Return<string | undefined, GitFailed> {
  for (const name of (yield* git(repository.place, ["worktree", "list", "--porcelain", "-z"])).split("\0\0")) {
    const fields = name.split("\0");
    if (fields.includes(`branch ${ref}`)) return fields[0]?.replace(/^worktree /, "") ?? "another worktree";
  }
  return undefined;
});

/** Takes the branch of a team's member away when its team's branch holds all of it and nobody has it checked out: one name less among the user's branches. */
export const forgetMerged = Effect.fnUntraced(function* (repository: Repository, branch: string): Effect.fn.Return<void, WorkspaceError | GitFailed> {
  const team = /^(enact\/.+?)--/.exec(branch)?.[1], ref = `refs/heads/${branch}`;
  if (team === undefined) return;
  const [tip, whole] = [yield* commitOf(repository.place, ref), yield* commitOf(repository.place, `refs/heads/${team}`)];
  if (tip === undefined || whole === undefined || !(yield* gitAsks(repository.place, ["merge-base", "--is-ancestor", tip, whole]))) return;
  if ((yield* checkedOutIn(repository, ref)) !== undefined) return;
  yield* pastLocks(git(repository.place, ["update-ref", "-d", ref, tip]), repository.commonDir, undefined);
});

const createBranch = (repository: Repository, branch: string, base: string): Effect.Effect<void, WorkspaceError | GitFailed> => Effect.gen(function* () {
  const ref = `refs/heads/${branch}`;
  if ((yield* commitOf(repository.place, ref)) !== undefined) return;
  const inTheWay = yield* git(repository.place, ["for-each-ref", "--count=1", "--format=%(refname)", "refs/heads/enact", `${ref}/`]);
  if (inTheWay === "refs/heads/enact" || inTheWay.startsWith(`${ref}/`)) {
    const name = inTheWay.slice("refs/heads/".length);
    return yield* new WorkspaceUnusable({ message: `the branch ${branch} cannot be made beside the branch ${name}`, mend: `git branch -m ${name} ${name.replaceAll("/", "-")}-old` });
  }
  yield* pastLocks(git(repository.place, ["update-ref", ref, base, ""]), repository.commonDir, undefined);
});

/** Throws away what a killed `git worktree add` left: only in state `making` (I1). */
const clearHalfMade = Effect.fnUntraced(function* (root: string, path: string, commonDir: string): Effect.fn.Return<void, WorkspaceError> {
  if ((yield* checkPath(root, path)) === "there") yield* discard(root, path);
  const admin = yield* adminOf(commonDir, path);
  yield* io("removing a half-made worktree", async () => {
    if (admin !== undefined) await fs.rm(admin, { recursive: true, force: true });
    // Killed before git wrote where the worktree is: nobody can ever use such a directory, and its name is ours.
    for (const name of await present(() => fs.readdir(join(commonDir, "worktrees"))) ?? []) {
      if (!name.startsWith(basename(path)) || !/^\d*$/.test(name.slice(basename(path).length))) continue;
      const text = await present(() => fs.readFile(join(commonDir, "worktrees", name, "gitdir"), "utf8"));
      if (text === undefined || text === "") await fs.rm(join(commonDir, "worktrees", name), { recursive: true, force: true });
    }
  });
});

/** Copies configured files of the user's checkout in. Neither side may lead out of its tree. */
const copyIn = (repository: string, path: string, names: readonly string[]): Effect.Effect<void, WorkspaceError> => Effect.gen(function* () {
  for (const name of names) {
    const clean = normalize(name);
    if (isAbsolute(clean) || clean === ".." || clean.startsWith(`..${sep}`) || clean.split(sep).includes(".git")) return yield* new WorkspaceEscape({ path: name, message: "a file to copy in must be named relative to the repository and lie inside it" });
    const from = join(repository, clean), to = join(path, clean);
    const real = yield* io(`reading ${name}`, () => present(() => fs.realpath(from)));
    if (real === undefined) continue;
    if (yield* io(`reading ${name}`, () => leadsOut(repository, from, real))) return yield* new WorkspaceEscape({ path: name, message: "leads out of the repository" });
    for (let step = dirname(clean); step !== "."; step = dirname(step)) {
      const stat = yield* io(`reading ${name}`, () => present(() => fs.lstat(join(path, step))));
      if (stat?.isSymbolicLink() === true) return yield* new WorkspaceEscape({ path: name, message: `${step} is a symbolic link in the worktree` });
    }
    yield* io(`copying ${name}`, async () => {
      await fs.mkdir(dirname(to), { recursive: true });
      await fs.cp(real, to, { recursive: true, force: false, errorOnExist: false, verbatimSymlinks: true });
    });
  }
});

/** The `.git` file of the worktree, as git wrote it; an agent may have changed it. A directory there is kept aside. */
const mendGitFile = (path: string, admin: string): Effect.Effect<void, WorkspaceError> => Effect.gen(function* () {
  const file = join(path, ".git"), wanted = `gitdir: ${admin}\n`;
  const stat = yield* io("looking at .git", () => present(() => fs.lstat(file)));
  if (stat?.isFile() === true && (yield* io("reading .git", () => fs.readFile(file, "utf8"))) === wanted) return;
  if (stat?.isDirectory() === true) yield* keepAside(path, file);
  yield* io("writing .git", async () => { await fs.rm(file, { force: true, recursive: true }); await fs.writeFile(file, wanted, { flag: "wx" }); });
});

const makeWorktree = Effect.fnUntraced(function* (repository: Repository, path: string, branch: string): Effect.fn.Return<void, WorkspaceError | GitFailed> {
  yield* io("making the workspace directory", () => fs.mkdir(dirname(path), { recursive: true, mode: 0o700 }));
  // Locked, so that nobody's `git worktree prune` forgets it while its disk is away.
  yield* pastLocks(git(repository.place, ["worktree", "add", "--lock", "--reason", "an Enact Factory agent works here", "--no-guess-remote", path, branch], { timeoutMs: 1_800_000 }), repository.commonDir, undefined);
});

/** The item's worktree, made or found; see the port. */
export const prepare = (options: WorkspacesOptions, root: string) => Effect.fnUntraced(function* (request: WorkspaceRequest): Effect.fn.Return<Workspace, WorkspaceError | GitFailed> {
  const repository = yield* openRepository(request.repository);
  if (root === repository.top || !relative(repository.top, root).startsWith("..")) {
    return yield* new WorkspaceUnusable({ message: `the directory for worktrees, ${root}, is inside the repository ${repository.top}`, mend: "set XDG_STATE_HOME to a directory outside the repository" });
  }
  const project = options.project(repository.top);
  const path = workspacePath(root, repository.commonDir, request);
  const branch = `enact/${nameOf(request)}`;
  let record = yield* readRecord(path);
  const there = yield* checkPath(root, path);
  const admin = record === undefined ? undefined : yield* adminOf(repository.commonDir, path);
  const whole = record !== undefined && (record.state === "made" || record.state === "ready") && there === "there" && admin !== undefined;
  if (there === "there" && record !== undefined && record.state !== "making" && admin === undefined) {
    return yield* new WorkspaceUnusable({ message: `the repository has forgotten the worktree ${path} (git worktree prune --force, or the repository was cloned anew)`, mend: `move ${path} away to keep its files, then retry` });
  }
  if (there === "there" && record === undefined) return yield* new WorkspaceUnusable({ message: `${path} exists but was not made by this factory`, mend: `move ${path} away, then retry` });
  if (!whole) {
    const base = record?.base ?? (yield* resolveBase(repository, request.baseRef));
    // A half-made worktree may hold the branch; clear it before asking who does.
    if (record?.state === "making" || there === "absent") {
      if (record !== undefined) yield* clearHalfMade(root, path, repository.commonDir);
    }
    yield* claimBranch(repository, branch, base, record);
    yield* io("making the workspace directory", () => fs.mkdir(dirname(path), { recursive: true, mode: 0o700 }));
    record = { version: 1, item: request.item, attempt: request.attempt, repository: repository.top, commonDir: repository.commonDir, branch, base, state: "making", copied: [...project.copy].map((name) => normalize(name)) };
    yield* writeRecord(path, record);
    yield* createBranch(repository, branch, base);
    yield* makeWorktree(repository, path, branch);
    record = { ...record, state: "made" };
    yield* writeRecord(path, record);
  }
  if (record === undefined) return yield* new WorkspaceIo({ message: "the workspace record vanished" });
  const made = yield* adminOf(repository.commonDir, path);
  if (made === undefined) return yield* new WorkspaceIo({ message: "the worktree vanished from its repository" });
  yield* mendGitFile(path, made);
  for (const lock of ["index.lock", "HEAD.lock", "config.worktree.lock"]) yield* clearLock(join(made, lock), repository.commonDir, made);
  yield* sweepIndexes(path);
  const hook = runOwnHook(project, path, request.item);
  if (record.state === "made") {
    yield* copyIn(repository.top, path, project.copy);
    yield* hook("after_create");
    record = { ...record, state: "ready" };
    yield* writeRecord(path, record);
  }
  return { path, branch, base: record.base };
});

/** Runs one of the project's hooks, when it has that hook. */
export const runOwnHook = (project: ProjectWorkspace, path: string, item: string) => (name: "after_create" | "before_run" | "after_run" | "before_remove"): Effect.Effect<undefined, WorkspaceUnusable> => {
  const [program, ...args] = project.hooks[name] ?? [];
  return program === undefined ? Effect.succeed(undefined) : Effect.as(runHook(name, [program, ...args], path, project.hookTimeoutMs, project.env, { ENACT_ITEM: item, ENACT_WORKSPACE: path }), undefined);
};

/** Working copies of our index that a killed owner left. */
const sweepIndexes = (path: string): Effect.Effect<void, WorkspaceIo> => io("sweeping old indexes", async () => {
  const prefix = `.${basename(path)}.index.`;
  for (const name of await fs.readdir(dirname(path))) {
    if (name.startsWith(prefix)) await fs.rm(join(dirname(path), name), { recursive: true, force: true }).catch((cause: unknown) => { if (codeOf(cause) !== "ENOTEMPTY") throw cause; });
  }
});
