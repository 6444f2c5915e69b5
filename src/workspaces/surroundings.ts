/**
 * What of a repository's own git directory makes git run programs or behave differently for whoever uses it: its configuration, hooks,
 * attributes, borrowed objects. An agent runs with its user's rights and can write there; who did it cannot be told, but that it changed can.
 *
 * Owns: the note beside the worktree (`.NAME.git.json`). I1 Nothing is followed: links, pipes and devices are told by what they are.
 * I2 Cheap and bounded: a few small files, `most` hooks, `largest` bytes of each. I3 The note outlives its owner: a change before a crash is seen after it.
 */
import { Effect } from "effect";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import type { WorkspaceIo } from "../ports/workspaces.ts";
import type { OpenWorktree } from "./place.ts";
import { io, present } from "./record.ts";

const Note = z.object({ key: z.string(), files: z.record(z.string(), z.string()) });

const files = ["config", "config.worktree", "info/attributes", "info/exclude", "info/grafts", "objects/info/alternates", "shallow"] as const;
/** Beyond it a hook's name alone is noted. */
const most = 200;
/** Bytes; of a larger file its size and time are noted. */
const largest = 1_048_576;

const noteFile = (path: string): string => join(dirname(path), `.${basename(path)}.git.json`);

/** What stands at a path, in few characters; `undefined` when nothing does. */
const digest = async (path: string): Promise<string | undefined> => {
  const stat = await present(() => fs.lstat(path));
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) return `link ${await fs.readlink(path)}`;
  if (!stat.isFile()) return stat.isDirectory() ? "directory" : "special";
  const mode = (stat.mode & 0o111) === 0 ? "" : "x ";
  if (stat.size > largest) return `${mode}${stat.size} bytes at ${stat.mtimeMs}`;
  return mode + createHash("sha256").update(await fs.readFile(path)).digest("base64url").slice(0, 22);
};

/** Everything that counts, by its path inside the repository's git directory. */
const lookAt = async ({ record, admin }: OpenWorktree): Promise<Readonly<Record<string, string>>> => {
  const found: Record<string, string> = {};
  const note = async (name: string, path: string): Promise<void> => {
    const what = await digest(path);
    if (what !== undefined) found[name] = what;
  };
  for (const name of files) await note(name, join(record.commonDir, name));
  await note(`worktrees/${basename(admin)}/config.worktree`, join(admin, "config.worktree"));
  const hooks = join(record.commonDir, "hooks");
  await note("hooks", hooks);
  if (found["hooks"] !== "directory") return found;
  const names = (await fs.readdir(hooks)).filter((name) => !name.endsWith(".sample")).sort();
  for (const [n, name] of names.entries()) {
    if (n < most) await note(`hooks/${name}`, join(hooks, name));
    else found[`hooks/${name}`] = "not looked into";
  }
  return found;
};

/**
 * Paths, inside the repository's git directory, that are not as they were when this was first asked with `key`; none the first time.
 * Another key begins anew.
 */
export const changedSurroundings = (tree: OpenWorktree, key: string): Effect.Effect<readonly string[], WorkspaceIo> => io("looking at the repository's configuration and hooks", async () => {
  const file = noteFile(tree.path);
  const now = await lookAt(tree);
  const text = await present(() => fs.readFile(file, "utf8"));
  const noted = text === undefined ? undefined : Note.safeParse(parsed(text)).data;
  if (noted?.key !== key) {
    await fs.writeFile(`${file}.new`, JSON.stringify({ key, files: now }), { mode: 0o600 });
    await fs.rename(`${file}.new`, file);
    return [];
  }
  return [...new Set([...Object.keys(noted.files), ...Object.keys(now)])].filter((name) => noted.files[name] !== now[name]).sort();
});

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // Half of a note, from a disk that was full: it is made anew.
    return undefined;
  }
};
