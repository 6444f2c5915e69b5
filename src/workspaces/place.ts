/**
 * From a workspace's path to the git directory behind it, trusting nothing the worktree says.
 *
 * I1 A path is used only when it is `root/KEY/NAME`, a real directory reached through no symlink.
 * I2 The git directory is the one whose own `gitdir` file names that path; the worktree's `.git` file is not read.
 */
import { Effect } from "effect";
import * as fs from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type GitFailed, type GitPlace, distrusted } from "../git/git.ts";
import { WorkspaceEscape, type WorkspaceError, WorkspaceIo, WorkspaceUnusable } from "../ports/workspaces.ts";
import { type Record, indexFile, io, present, readRecord } from "./record.ts";

/** A worktree ready to be worked on by git. */
export interface OpenWorktree { readonly path: string; readonly admin: string; readonly record: Record; readonly place: GitPlace; readonly index: string }

/** Says what a failed git command means for the caller. */
export const fromGit = (error: GitFailed): WorkspaceIo | WorkspaceUnusable => {
  switch (error.fault.kind) {
    case "noGit": return new WorkspaceUnusable({ message: "git is not installed", mend: "install git 2.36 or newer" });
    case "notWritable": return new WorkspaceUnusable({ message: `the repository cannot be written: ${error.message}`, mend: "give this user write access to the repository's .git directory and the worktree root" });
    case "dubiousOwner": return new WorkspaceUnusable({ message: "the repository belongs to another user", mend: "git config --global --add safe.directory PATH" });
    case "unswitchable": return new WorkspaceUnusable({ message: error.message, mend: "take that section out of the repository's .git/config" });
    case "halfMade": return new WorkspaceUnusable({ message: `the repository's file ${error.fault.file} is empty, and git does nothing with worktrees until it is mended`, mend: `printf '../..\\n' > ${JSON.stringify(error.fault.file)}` });
    case "noSpace": return new WorkspaceIo({ message: `no room on the disk for the worktree (git ${error.command}): free some space` });
    default: return new WorkspaceIo({ message: error.message });
  }
};

/** Checks I1. Nothing is touched. `absent` when there is nothing at the path. */
export const checkPath = (root: string, path: string): Effect.Effect<"there" | "absent", WorkspaceEscape | WorkspaceIo> => Effect.gen(function* () {
  const inside = relative(root, path).split(sep);
  const escape = (message: string) => new WorkspaceEscape({ path, message });
  if (inside.length !== 2 || inside.includes("..") || inside.includes("") || join(root, ...inside) !== path) return yield* escape("not a workspace of this factory");
  for (const step of [dirname(path), path]) {
    const stat = yield* io("looking at the workspace", () => present(() => fs.lstat(step)));
    if (stat === undefined) return "absent" as const;
    if (!stat.isDirectory()) return yield* escape(stat.isSymbolicLink() ? `${step} was replaced by a symbolic link` : `${step} is no directory any more`);
  }
  return "there" as const;
});

/** The directory under `COMMON/worktrees` that belongs to the worktree at `path`. */
export const adminOf = (commonDir: string, path: string): Effect.Effect<string | undefined, WorkspaceIo> => io("looking for the worktree in its repository", async () => {
  for (const name of await present(() => fs.readdir(join(commonDir, "worktrees"))) ?? []) {
    const admin = join(commonDir, "worktrees", name);
    const gitdir = await present(() => fs.readFile(join(admin, "gitdir"), "utf8"));
    if (gitdir?.replace(/\n$/, "") === join(path, ".git")) return admin;
  }
  return undefined;
});

/** The git place of a worktree whose admin directory is known. */
export const worktreePlace = (record: Record, path: string, admin: string): Effect.Effect<GitPlace, WorkspaceError> => {
  const place: GitPlace = { cwd: path, gitDir: admin, commonDir: record.commonDir, workTree: path };
  return distrusted(place).pipe(Effect.map((config) => ({ ...place, config })), Effect.mapError(fromGit));
};

export const openWorktree = Effect.fnUntraced(function* (root: string, path: string): Effect.fn.Return<OpenWorktree, WorkspaceError> {
  const gone = new WorkspaceUnusable({ message: `the workspace ${path} is gone`, mend: "prepare it again, or put a checkpoint back with `enact-factory task restore`" });
  if ((yield* checkPath(root, path)) === "absent") return yield* gone;
  const record = yield* readRecord(path);
  if (record === undefined) return yield* gone;
  const admin = yield* adminOf(record.commonDir, path);
  if (admin === undefined) return yield* gone;
  return { path, admin, record, place: yield* worktreePlace(record, path, admin), index: indexFile(path) };
});

/** True when `target`, read from a symlink at `link`, leads out of `top`. */
export const leadsOut = async (top: string, link: string, target: string): Promise<boolean> => {
  const lexical = resolve(dirname(link), target);
  const real = await fs.realpath(lexical).catch(() => lexical);
  const within = (path: string) => path === top || path.startsWith(top + sep);
  return !within(lexical) || !within(real);
};
