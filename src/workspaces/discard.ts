/**
 * Takes directories away.
 *
 * I1 What is taken away is first renamed into `root/.trash`, so a kill leaves either all of it in place or none.
 * I2 Deleting follows no symlink, and copes with directories that were made read-only.
 */
import { Effect } from "effect";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import type { WorkspaceIo } from "../ports/workspaces.ts";
import { codeOf, io, present } from "./record.ts";

const openUp = async (directory: string): Promise<void> => {
  await fs.chmod(directory, 0o700);
  for (const entry of await fs.readdir(directory, { withFileTypes: true })) if (entry.isDirectory()) await openUp(join(directory, entry.name));
};

const erase = async (path: string): Promise<void> => {
  try { await fs.rm(path, { recursive: true, force: true, maxRetries: 3 }); } catch (cause) {
    if (codeOf(cause) !== "EACCES" && codeOf(cause) !== "EPERM") throw cause;
    await openUp(path);
    await fs.rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
};

/** Removes a directory that is known to be a workspace of ours. Also finishes what an earlier, killed call began. */
export const discard = (root: string, path: string): Effect.Effect<void, WorkspaceIo> => io("removing a worktree", async () => {
  const trash = join(root, ".trash");
  await fs.mkdir(trash, { recursive: true, mode: 0o700 });
  await present(() => fs.rename(path, join(trash, `${basename(path)}.${randomUUID()}`)));
  for (const name of await fs.readdir(trash)) await erase(join(trash, name));
});

/** Moves something that git cannot hold (the `.git` of a repository made inside the worktree) to `.kept` beside the worktree, where a person can find it. */
export const keepAside = (workspace: string, path: string): Effect.Effect<string, WorkspaceIo> => io("keeping a nested repository", async () => {
  const kept = join(dirname(workspace), ".kept");
  await fs.mkdir(kept, { recursive: true, mode: 0o700 });
  const to = join(kept, `${basename(workspace)}.${relative(workspace, path).replaceAll(/[^A-Za-z0-9._-]/g, "_").slice(0, 100)}.${randomUUID().slice(0, 8)}`);
  await fs.rename(path, to);
  return to;
});

/** Directories called `.git` below the top of the worktree: repositories that an agent made. Follows no symlink. */
export const nestedRepositories = (top: string): Effect.Effect<readonly string[], WorkspaceIo> => io("looking for nested repositories", async () => {
  const found: string[] = [];
  const walk = async (directory: string): Promise<void> => {
    for (const entry of await fs.readdir(directory, { withFileTypes: true })) {
      if (!entry.isDirectory() || entry.name === "node_modules") continue;
      if (entry.name === ".git") found.push(join(directory, entry.name));
      else await walk(join(directory, entry.name));
    }
  };
  await walk(top);
  return found;
});
