/**
 * Workspaces on real git: one worktree per run lineage (port `Workspaces`).
 *
 * Owns: the worktree root (worktrees, records, indexes), the branches `enact/…` and the references `refs/enact/checkpoints/…`. Talks to: git, the disk, the project's hooks.
 * I1 The user's checkout is never written: not its files, index, HEAD, stash or configuration.
 * I2 Nothing an agent wrote is undone or removed before a checkpoint holds it.
 * I3 Nothing outside the worktree is read or written through a link an agent made.
 * I4 Each operation may be killed at any instant and asked again; references move by compare-and-swap only.
 * I5 One operation at a time on one worktree.
 */
import { Effect, Semaphore } from "effect";
import { accessSync, constants, mkdirSync, realpathSync } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { GitFailed, commitOf, git, gitAsks, gitBytes } from "../git/git.ts";
import { type ChangeRequest, type CommittedWork, WorkspaceEscape, type WorkspaceError, WorkspaceIo, type WorkspacesShape, WorkspaceUnusable } from "../ports/workspaces.ts";
import type { WorkChange } from "../domain/change.ts";
import { changeBetween, patchBetween } from "./change.ts";
import { type Change, changesBetween } from "./changes.ts";
import { commitTree, listCheckpoints, storeCheckpoint } from "./checkpoints.ts";
import { type BranchSteps, judgeResolution, mergeCompleted, mergeInto, syncWorktree } from "./merge.ts";
import { discard, keepAside, nestedRepositories } from "./discard.ts";
import { pastLocks } from "./locks.ts";
import type { WorkspacesOptions } from "./options.ts";
import { type OpenWorktree, adminOf, checkPath, fromGit, leadsOut, openWorktree } from "./place.ts";
import { forgetMerged, openRepository, prepare, runOwnHook, workspacePath } from "./prepare.ts";
import { io, present, readRecord, writeRecord } from "./record.ts";
import { allows } from "./scope.ts";
import { type Snapshot, adoptIndex, withSnapshot } from "./snapshot.ts";
import { surroundings } from "./surroundings.ts";
import { undo as undoPublished } from "./undo.ts";

/** git's failures become the port's. */
const settled = <A>(effect: Effect.Effect<A, WorkspaceError | GitFailed>): Effect.Effect<A, WorkspaceError> =>
  effect.pipe(Effect.catch((error) => Effect.fail(error instanceof GitFailed ? fromGit(error) : error)));

/** A new link that leads out of the worktree makes the work unusable: whoever checks the branch out would follow it. */
const refuseEscapes = (tree: OpenWorktree, changes: readonly Change[]): Effect.Effect<void, WorkspaceError> => Effect.gen(function* () {
  for (const { path, mode } of changes) {
    if (mode !== "120000") continue;
    const link = join(tree.path, path);
    const target = yield* io(`reading ${path}`, () => present(() => fs.readlink(link)));
    if (target !== undefined && (yield* io(`reading ${path}`, () => leadsOut(tree.path, link, target)))) return yield* new WorkspaceEscape({ path, message: `the work holds ${path}, a symbolic link to ${target}, outside the worktree; whoever checks it out would follow it` });
  }
});

const moveBranch = (tree: OpenWorktree, to: string): Effect.Effect<void, GitFailed> => Effect.gen(function* () {
  const ref = `refs/heads/${tree.record.branch}`;
  const tip = yield* commitOf(tree.place, ref);
  if (tip !== to) yield* pastLocks(git(tree.place, ["update-ref", "-m", "enact-factory", ref, to, tip ?? ""]), tree.record.commonDir, tree.admin);
  const head = yield* git(tree.place, ["symbolic-ref", "-q", "HEAD"]).pipe(Effect.catchTag("GitFailed", () => Effect.succeed("")));
  if (head !== ref) yield* pastLocks(git(tree.place, ["symbolic-ref", "HEAD", ref]), tree.record.commonDir, tree.admin);
});

/**
 * The commit that new work goes on top of: where the agent stands, if that continues the item's branch; else the branch;
 * and if that no longer contains the base (rewritten history), or carries copied-in files, the base itself.
 */
const parentFor = Effect.fnUntraced(function* (tree: OpenWorktree, head: string): Effect.fn.Return<string, GitFailed> {
  const { place, record } = tree;
  const tip = (yield* commitOf(place, `refs/heads/${record.branch}`)) ?? record.base;
  const descends = (old: string, young: string) => old === young ? Effect.succeed(true) : gitAsks(place, ["merge-base", "--is-ancestor", old, young]);
  const parent = (yield* descends(tip, head)) ? head : tip;
  if (!(yield* descends(record.base, parent))) return record.base;
  if (record.copied.length > 0 && (yield* git(place, ["rev-list", "-n", "1", `${record.base}..${parent}`, "--", ...record.copied])) !== "") return record.base;
  return parent;
});

const describe = Effect.fnUntraced(function* (tree: OpenWorktree, head: string): Effect.fn.Return<CommittedWork, GitFailed> {
  const changes = yield* changesBetween(tree.place, tree.record.base, head);
  const summary = (yield* git(tree.place, ["diff-tree", "--shortstat", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", tree.record.base, head])).trim();
  return { head, empty: changes.list.length === 0, diffHash: changes.hash, changed: changes.list.map((change) => change.path), summary: summary === "" ? "no changes" : summary };
});

const commitWork = (tree: OpenWorktree, message: string) => withSnapshot(tree, "keep", (snapshot) => settled(Effect.gen(function* () {
  yield* refuseEscapes(tree, (yield* changesBetween(tree.place, tree.record.base, snapshot.tree)).list);
  const parent = yield* parentFor(tree, snapshot.head);
  // The agent's own commits leave the branch's history: keep them reachable first (I2).
  if (parent !== snapshot.head) yield* storeCheckpoint(tree, tree.record.item, snapshot, "before its commits were left out of the branch");
  const { merging } = tree.record;
  const open = merging !== undefined && !(yield* gitAsks(tree.place, ["merge-base", "--is-ancestor", merging.onto, parent])) ? merging : undefined;
  if (open !== undefined) {
    const { unresolved, dropped } = yield* judgeResolution(tree, open, snapshot.tree);
    if (unresolved.length + dropped.length > 0) return { ...(yield* describe(tree, parent)), unresolved, dropped };
  }
  const same = open === undefined && (yield* git(tree.place, ["rev-parse", `${parent}^{tree}`])) === snapshot.tree;
  const head = same ? parent : yield* commitTree(tree.place, snapshot.tree, open === undefined ? [parent] : [parent, open.onto], message);
  yield* moveBranch(tree, head);
  yield* adoptIndex(tree, snapshot.index);
  yield* mergeCompleted(tree);
  return yield* describe(tree, head);
})));

const branchSteps: BranchSteps = { commitAll: (tree, message) => commitWork(tree, message), moveBranch };

/** A tree like `tree`, in which `paths` (raw) are as they were in `since`. */
const withPathsFrom = Effect.fnUntraced(function* (worktree: OpenWorktree, tree: string, since: string, paths: readonly string[], index: string): Effect.fn.Return<string, GitFailed> {
  const place = { ...worktree.place, index };
  yield* git(place, ["read-tree", tree]);
  yield* git(place, ["update-index", "-z", "--force-remove", "--stdin"], { input: Buffer.from(paths.map((path) => `${path}\0`).join(""), "latin1") });
  const old = yield* gitBytes(place, ["ls-tree", "-r", "-z", since]);
  const wanted = new Set(paths);
  const entries = old.toString("latin1").split("\0").filter((line) => line !== "" && wanted.has(line.slice(line.indexOf("\t") + 1)));
  if (entries.length > 0) yield* git(place, ["update-index", "-z", "--add", "--replace", "--index-info"], { input: Buffer.from(entries.map((line) => `${line}\0`).join(""), "latin1") });
  return yield* git(place, ["write-tree"]);
});

const undo = (tree: OpenWorktree, item: string, since: string, allowed: (path: string) => boolean) => (snapshot: Snapshot) => settled(Effect.gen(function* () {
  const { place } = tree;
  const base = yield* commitOf(place, since);
  if (base === undefined) return yield* new WorkspaceIo({ message: `no commit ${since} to compare with` });
  const wrong = (changes: readonly Change[]) => changes.filter((change) => !allowed(change.path)).map((change) => change.raw);
  const inTree = wrong((yield* changesBetween(place, base, snapshot.tree)).list);
  const committed = wrong((yield* changesBetween(place, base, snapshot.head)).list);
  const paths = [...new Set([...inTree, ...committed])].sort();
  const onBranch = snapshot.head === base || (yield* gitAsks(place, ["merge-base", "--is-ancestor", base, snapshot.head]));
  if (paths.length === 0 && onBranch) return [];
  yield* storeCheckpoint(tree, item, snapshot, "before changes outside the stage's scope were undone");
  const wanted = yield* withPathsFrom(tree, snapshot.tree, base, inTree, `${snapshot.index}.wanted`);
  if (committed.length > 0 || !onBranch) {
    // What was committed against the rules leaves the history too; the allowed part stays as one commit.
    const kept = yield* withPathsFrom(tree, snapshot.head, base, committed, `${snapshot.index}.wanted`);
    const same = kept === (yield* git(place, ["rev-parse", `${base}^{tree}`]));
    yield* moveBranch(tree, same ? base : yield* commitTree(place, kept, [base], "work of the stage, without what it may not change"));
  } else yield* moveBranch(tree, snapshot.head);
  // git's own checkout: replaces links instead of writing through them, and removes what `wanted` does not have.
  yield* git({ ...place, index: snapshot.index }, ["read-tree", "--reset", "-u", wanted]);
  yield* adoptIndex(tree, snapshot.index);
  return paths.map((raw) => Buffer.from(raw, "latin1").toString("utf8"));
})).pipe(Effect.ensuring(Effect.promise(() => fs.rm(`${snapshot.index}.wanted`, { force: true }).catch(() => undefined))));

const removeWorktree = Effect.fnUntraced(function* (options: WorkspacesOptions, root: string, item: string, path: string, repositoryPath: string): Effect.fn.Return<void, WorkspaceError | GitFailed> {
  const repository = yield* openRepository(repositoryPath);
  const there = yield* checkPath(root, path);
  const record = yield* readRecord(path);
  if (there === "there") {
    if (record?.state !== "making") {
      const tree = yield* openWorktree(root, path);
      const hook = runOwnHook(options.project(repository.top), path, item);
      // The owner's hooks may fail; the work is kept whatever they do, so it is kept before and after them.
      yield* withSnapshot(tree, "keep", (snapshot) => settled(storeCheckpoint(tree, item, snapshot, "before the worktree was removed")));
      yield* hook("before_remove").pipe(Effect.ignore);
      for (const nested of yield* nestedRepositories(path)) yield* keepAside(path, nested);
      yield* withSnapshot(tree, "keep", (snapshot) => settled(storeCheckpoint(tree, item, snapshot, "before the worktree was removed")));
    }
    yield* discard(root, path);
  }
  const admin = yield* adminOf(repository.commonDir, path);
  if (admin !== undefined) yield* io("forgetting the worktree", () => fs.rm(admin, { recursive: true, force: true }));
  if (record !== undefined && record.state !== "removed") yield* writeRecord(path, { ...record, state: "removed" });
  // A name that stays is no reason to fail.
  if (record !== undefined) yield* forgetMerged(repository, record.branch).pipe(Effect.ignore);
});

/** Where the item's worktree stands, when an agent may have seen it. */
const worktreeOf = Effect.fnUntraced(function* (root: string, { item, attempt, repository: path }: ChangeRequest): Effect.fn.Return<string | undefined, WorkspaceError | GitFailed> {
  const { commonDir } = yield* openRepository(path), worktree = workspacePath(root, commonDir, { item, attempt });
  return (yield* readRecord(worktree))?.state === "ready" && (yield* checkPath(root, worktree)) === "there" ? worktree : undefined;
});

const worktreeChange = (tree: OpenWorktree, maxBytes: number): Effect.Effect<WorkChange, WorkspaceError | GitFailed> => withSnapshot(tree, "scratch", (snapshot) => {
  const { branch, base } = tree.record;
  return changeBetween(snapshot.place, base, snapshot.tree, maxBytes).pipe(Effect.map((change): WorkChange => ({ branch, base, head: null, worktree: tree.path, ...change })));
});

const branchChange = Effect.fnUntraced(function* ({ item, repository: path, commits, maxBytes }: ChangeRequest): Effect.fn.Return<WorkChange, WorkspaceError | GitFailed> {
  if (commits === null) return yield* new WorkspaceUnusable({ message: `${item} has changed nothing yet`, mend: `see what it waits for with: enact-factory why ${item}` });
  const { place, top } = yield* openRepository(path), head = yield* commitOf(place, commits.head), base = yield* commitOf(place, commits.base);
  if (head === undefined || base === undefined) return yield* new WorkspaceUnusable({ message: `the commits of ${item} are not in ${top} any more`, mend: `see what is kept with: enact-factory task restore ${item} --list` });
  return { branch: commits.branch, base, head, worktree: null, ...(yield* changeBetween(place, base, head, maxBytes)) };
});

const restoreCheckpoint = Effect.fnUntraced(function* (item: string, repositoryPath: string, ref: string, to: string): Effect.fn.Return<string, WorkspaceError | GitFailed> {
  const repository = yield* openRepository(repositoryPath);
  const found = (yield* listCheckpoints(repository.place, item)).find((checkpoint) => checkpoint.ref === ref);
  if (found === undefined) return yield* new WorkspaceUnusable({ message: `${item} has no checkpoint ${ref}`, mend: `enact-factory task restore ${item} lists what there is` });
  const parent = yield* io("looking at the directory", async () => { await fs.mkdir(dirname(resolve(to)), { recursive: true }); return fs.realpath(dirname(resolve(to))); });
  const path = join(parent, resolve(to).slice(dirname(resolve(to)).length));
  const admin = yield* adminOf(repository.commonDir, path);
  const filled = yield* io("looking at the directory", () => present(() => fs.readdir(path)));
  if (admin !== undefined && filled !== undefined && (yield* commitOf({ ...repository.place, gitDir: admin, commonDir: repository.commonDir }, "HEAD")) === found.commit && (yield* io("looking at the directory", () => present(() => fs.lstat(join(admin, "locked"))))) === undefined) return path;
  if (filled !== undefined && filled.length > 0) return yield* new WorkspaceUnusable({ message: `${path} is not empty`, mend: "name a directory that does not exist yet" });
  yield* git(repository.place, ["worktree", "add", "--detach", ...(admin === undefined ? [] : ["--force"]), path, found.commit], { timeoutMs: 1_800_000 });
  return path;
});

/** The port's implementation. `options.root` is made, and must be writable, at the first `prepare`. */
export const makeWorkspaces = (options: WorkspacesOptions): WorkspacesShape => {
  const locks = new Map<string, Semaphore.Semaphore>();
  const alone = <A, E>(key: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.suspend(() => {
    const lock = locks.get(key) ?? Semaphore.makeUnsafe(1);
    locks.set(key, lock);
    return lock.withPermit(effect);
  });
  const rootOf: Effect.Effect<string, WorkspaceUnusable> = Effect.try({
    try: () => { mkdirSync(options.root, { recursive: true, mode: 0o700 }); accessSync(options.root, constants.W_OK); return realpathSync(options.root); },
    catch: (cause) => new WorkspaceUnusable({ message: `the directory for worktrees cannot be made or written: ${String(cause)}`, mend: "set XDG_STATE_HOME to a directory that this user may write" }),
  });
  const on = <A>(path: string, use: (tree: OpenWorktree) => Effect.Effect<A, WorkspaceError | GitFailed>): Effect.Effect<A, WorkspaceError> =>
    alone(path, settled(rootOf.pipe(Effect.flatMap((root) => openWorktree(root, path)), Effect.flatMap(use))));
  return {
    prepare: (request) => alone(`${request.repository}\0${request.item}\0${request.member ?? ""}`, settled(rootOf.pipe(Effect.flatMap((root) => prepare(options, root)(request))))),
    hook: (item, workspace, name) => on(workspace.path, (tree) => {
      const run = runOwnHook(options.project(tree.record.repository), workspace.path, item)(name);
      return name === "before_run" ? run : run.pipe(Effect.catchTag("WorkspaceUnusable", ({ message }) => Effect.succeed(message)));
    }),
    commit: (workspace, message) => on(workspace.path, (tree) => commitWork(tree, message)),
    sync: (item, workspace, onto, from) => on(workspace.path, (tree) => syncWorktree(branchSteps)(tree, item, onto, from)),
    merge: (item, workspace, commit, message) => on(workspace.path, (tree) => mergeInto(branchSteps)(tree, item, commit, message)),
    diff: (workspace, maxBytes) => on(workspace.path, (tree) => Effect.gen(function* () {
      const head = (yield* commitOf(tree.place, `refs/heads/${tree.record.branch}`)) ?? tree.record.base;
      const { patch, cut } = yield* patchBetween(tree.place, tree.record.base, head, maxBytes);
      return cut ? `${patch}\n[the diff is longer; cut after ${maxBytes} bytes]\n` : patch;
    })),
    change: (request) => settled(Effect.gen(function* () {
      const worktree = request.live ? yield* worktreeOf(yield* rootOf, request) : undefined;
      return yield* worktree === undefined ? branchChange(request) : on(worktree, (tree) => worktreeChange(tree, request.maxBytes));
    })),
    undo: (request) => alone(`undo\0${request.repository}`, settled(openRepository(request.repository).pipe(Effect.flatMap((repository) => undoPublished(repository, request))))),
    fingerprint: (workspace) => on(workspace.path, (tree) => Effect.all({ tree: withSnapshot(tree, "scratch", (snapshot) => Effect.succeed(snapshot.tree)), git: surroundings(tree) })),
    enforce: (item, workspace, since, scope) => on(workspace.path, (tree) => scope === "all" ? Effect.succeed([]) : withSnapshot(tree, "keep", undo(tree, item, since, allows(scope, options.project(tree.record.repository).scopes)))),
    checkpoint: (item, workspace, why) => on(workspace.path, (tree) => withSnapshot(tree, "keep", (snapshot) => settled(storeCheckpoint(tree, item, snapshot, why)))),
    checkpoints: (item, repository) => settled(openRepository(repository).pipe(Effect.flatMap(({ place }) => listCheckpoints(place, item)))),
    restore: (item, repository, ref, to) => alone(to, settled(restoreCheckpoint(item, repository, ref, to))),
    remove: (item, workspace, repository) => alone(workspace.path, settled(rootOf.pipe(Effect.flatMap((root) => removeWorktree(options, root, item, workspace.path, repository))))),
  };
};
