/**
 * The worktree's content as a git tree, without touching the worktree or its own index.
 *
 * I1 Content alone decides: flags that an agent set in its index (assume-unchanged, skip-worktree) hide nothing.
 * I2 No symlink is followed: a link is recorded as a link, what lies beyond it is not read.
 * I3 Everything that git does not ignore is in the tree; also what the agent added by force, and the files of repositories nested inside
 *    (without their `.git`, which no tree can hold). Files copied in by configuration are not.
 * I4 An index is worked on as a private copy and moved into place whole; a copy is never younger than its original, so git's own check for
 *    files changed within one clock tick stays sound.
 */
import { Effect } from "effect";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { GitFailed, type GitPlace, commitOf, git, gitBytes, nulFields } from "../git/git.ts";
import { type WorkspaceError, WorkspaceIo } from "../ports/workspaces.ts";
import { clearLock } from "./locks.ts";
import { type OpenWorktree, fromGit } from "./place.ts";
import { io, present } from "./record.ts";

export interface Snapshot {
  readonly tree: string;
  /** The commit the worktree stands on. */
  readonly head: string;
  /** The index that describes the tree, with fresh stat data; lives until {@link withSnapshot} ends. */
  readonly index: string;
  /** Where the tree's objects can be read until then. */
  readonly place: GitPlace;
}

/** Bytes of a path as git gives them, kept one character a byte. */
type RawPath = string;
const bytesOf = (top: string, path: RawPath): Buffer => Buffer.concat([Buffer.from(`${top}/`), Buffer.from(path, "latin1")]);
const nul = (paths: Iterable<RawPath>): Buffer => Buffer.from([...paths].map((path) => `${path}\0`).join(""), "latin1");

/** Copies an index with its age rounded down to the second (I4). */
export const copyIndex = async (from: string, to: string): Promise<boolean> => {
  const stat = await present(() => fs.stat(from));
  if (stat === undefined) return false;
  await fs.copyFile(from, to);
  const seconds = Math.floor(stat.mtimeMs / 1_000);
  await fs.utimes(to, seconds, seconds);
  return true;
};

/** HEAD of the worktree; when the agent broke it, the item's branch, and when that is gone too, the base. */
export const headOf = (tree: OpenWorktree): Effect.Effect<string, GitFailed> => Effect.gen(function* () {
  return (yield* commitOf(tree.place, "HEAD")) ?? (yield* commitOf(tree.place, `refs/heads/${tree.record.branch}`)) ?? tree.record.base;
});

/** The files and links below a directory of the worktree, without any `.git`. */
const filesBelow = async (top: string, path: RawPath): Promise<readonly RawPath[]> => {
  const found: RawPath[] = [];
  for (const entry of await fs.readdir(bytesOf(top, path), { withFileTypes: true, encoding: "buffer" })) {
    const name = entry.name.toString("latin1");
    if (name.toLowerCase() === ".git") continue;
    if (entry.isDirectory()) found.push(...await filesBelow(top, `${path}/${name}`));
    else if (entry.isFile() || entry.isSymbolicLink()) found.push(`${path}/${name}`);
  }
  return found;
};

/** Sorts paths into files, submodules (a directory that an index calls so, with a repository in it), and what is gone from the worktree (deleted, a pipe or socket, or beyond a symlink: I2). */
const sort = async (top: string, paths: ReadonlySet<RawPath>): Promise<{ readonly add: ReadonlySet<RawPath>; readonly drop: ReadonlySet<RawPath>; readonly links: ReadonlySet<RawPath> }> => {
  const directories = new Map<string, Promise<boolean>>();
  const isDirectory = (path: string): Promise<boolean> => {
    if (path === ".") return Promise.resolve(true);
    const known = directories.get(path);
    if (known !== undefined) return known;
    const found = isDirectory(dirname(path)).then(async (yes) => yes && ((await present(() => fs.lstat(bytesOf(top, path))))?.isDirectory() ?? false));
    directories.set(path, found);
    return found;
  };
  const add = new Set<RawPath>(), drop = new Set<RawPath>(), links = new Set<RawPath>();
  for (const path of paths) {
    if (path.endsWith("/")) {
      // A submodule that the agent has added comes twice: by its name from the agent's index, and as a directory that ours does not know.
      if (!paths.has(path.slice(0, -1))) for (const file of await filesBelow(top, path.slice(0, -1))) add.add(file);
      continue;
    }
    const stat = await isDirectory(dirname(path)) ? await present(() => fs.lstat(bytesOf(top, path))) : undefined;
    if (stat !== undefined && (stat.isFile() || stat.isSymbolicLink())) add.add(path);
    else if (stat?.isDirectory() === true && await present(() => fs.lstat(bytesOf(top, `${path}/.git`))) !== undefined) links.add(path);
    else drop.add(path);
  }
  return { add, drop, links };
};

const build = Effect.fnUntraced(function* (tree: OpenWorktree, index: string, place: GitPlace): Effect.fn.Return<Snapshot, WorkspaceError | GitFailed> {
  const head = yield* headOf(tree);
  yield* io("copying the index", () => copyIndex(tree.index, index));
  const readHead = git(place, ["read-tree", "-m", head]);
  // A damaged copy only costs its stat data.
  yield* readHead.pipe(Effect.catchTag("GitFailed", () => io("dropping the index", () => fs.rm(index, { force: true })).pipe(Effect.andThen(readHead))));
  const seen = nulFields(yield* gitBytes(place, ["ls-files", "-z", "--modified", "--others", "--exclude-standard"]));
  // What the agent has added by force: its own index may be locked, damaged or missing, which then hides nothing but ignored files.
  const forced = yield* gitBytes({ ...place, index: `${tree.admin}/index` }, ["diff-index", "-z", "--cached", "--name-only", "--diff-filter=A", "--no-renames", head]).pipe(
    Effect.map(nulFields), Effect.catchTag("GitFailed", () => Effect.succeed([])));
  const { add, drop, links } = yield* io("reading the worktree", () => sort(tree.path, new Set([...seen, ...forced])));
  const copied = tree.record.copied.map((path) => Buffer.from(path, "utf8").toString("latin1"));
  const isCopied = (path: RawPath) => copied.some((own) => path === own || path.startsWith(`${own}/`));
  const inHead = copied.length === 0 ? [] : nulFields(yield* gitBytes(place, ["ls-files", "-z", "--cached", "--", ...tree.record.copied]));
  const inBase = copied.length === 0 ? [] : nulFields(yield* gitBytes(place, ["ls-tree", "-r", "-z", "--name-only", tree.record.base, "--", ...tree.record.copied]));
  const kept = new Set(inBase);
  const dropped = [...drop, ...inHead.filter((path) => isCopied(path) && !kept.has(path))];
  if (dropped.length > 0) yield* git(place, ["update-index", "-z", "--force-remove", "--stdin"], { input: nul(dropped) });
  const wanted = new Set(add);
  for (const link of links) {
    // What calls itself a submodule and has no commit is a directory with files (I3).
    const isOne = yield* git(place, ["update-index", "-z", "--add", "--replace", "--stdin"], { input: nul([link]) }).pipe(Effect.as(true), Effect.catchTag("GitFailed", (e) => e.fault.kind === "other" ? Effect.succeed(false) : Effect.fail(e)));
    if (isOne) continue;
    yield* git(place, ["update-index", "-z", "--force-remove", "--stdin"], { input: nul([link]) });
    for (const file of yield* io("reading the worktree", () => filesBelow(tree.path, link))) wanted.add(file);
  }
  const added = [...wanted].filter((path) => kept.has(path) || !isCopied(path));
  if (added.length > 0) yield* git(place, ["update-index", "-z", "--add", "--remove", "--replace", "--stdin"], { input: nul(added) });
  return { tree: yield* git(place, ["write-tree"]), head, index, place };
});

/** Takes a snapshot, hands it to `use`, and forgets the working copy. With `keep` its index becomes the one the next snapshot starts from. */
export const withSnapshot = <A, E>(tree: OpenWorktree, mode: "keep" | "scratch", use: (snapshot: Snapshot) => Effect.Effect<A, E>): Effect.Effect<A, E | WorkspaceError> => {
  const index = `${tree.index}.${randomUUID()}`;
  const scratch = `${index}.objects`;
  const place: GitPlace = { ...tree.place, index, ...(mode === "scratch" ? { scratchObjects: scratch, config: [...tree.place.config ?? [], ["core.fsync", "none"] as const] } : {}) };
  const take = Effect.gen(function* () {
    if (mode === "scratch") yield* io("making a scratch directory", () => fs.mkdir(scratch, { mode: 0o700 }));
    // An agent may be at work while a fingerprint is taken: a path that changed its kind in between is looked at once more.
    const snapshot = yield* build(tree, index, place).pipe(Effect.retry({ times: 2, while: (e) => e instanceof GitFailed && e.fault.kind === "other" }), Effect.catchTag("GitFailed", (e) => Effect.fail(unreadable(e))));
    const result = yield* use(snapshot);
    if (mode === "keep") yield* io("keeping the index", () => fs.rename(index, tree.index));
    return result;
  });
  return take.pipe(Effect.ensuring(Effect.promise(async () => {
    await Promise.all([index, `${index}.lock`, scratch].map((path) => fs.rm(path, { force: true, recursive: true }).catch(() => undefined)));
  })));
};

const unreadable = (error: GitFailed) => {
  const path = /open\("(.+)"\): Permission denied/.exec(error.stderr)?.[1];
  return path === undefined ? fromGit(error) : new WorkspaceIo({ message: `the file ${path} in the worktree cannot be read` });
};

/** Gives the worktree's own index the content of `snapshot`, so that agents see what was committed as clean. */
export const adoptIndex = Effect.fnUntraced(function* (tree: OpenWorktree, snapshot: string): Effect.fn.Return<void, WorkspaceError> {
  const own = `${tree.admin}/index`;
  yield* clearLock(`${own}.lock`, tree.record.commonDir, tree.admin);
  yield* io("renewing the worktree's index", async () => {
    const next = `${own}.${randomUUID()}`;
    try { await copyIndex(snapshot, next); await fs.rename(next, own); } catch (cause) { await fs.rm(next, { force: true }); throw cause; }
  });
});
