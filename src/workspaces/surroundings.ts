/**
 * What of a repository's own git directory makes git run programs or behave differently for whoever uses it: its configuration, hooks,
 * attributes, borrowed objects. An agent runs with its user's rights and can write there; who did it cannot be told, but that it changed can.
 *
 * I1 Nothing is followed: links, pipes and devices are told by what they are. I2 Cheap and bounded: a few small files, `most` hooks, `largest` bytes of each.
 */
import { Effect } from "effect";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, join } from "node:path";
import type { WorkspaceIo } from "../ports/workspaces.ts";
import type { OpenWorktree } from "./place.ts";
import { io, present } from "./record.ts";

const files = ["config", "config.worktree", "info/attributes", "info/exclude", "info/grafts", "objects/info/alternates", "shallow"] as const;
/** Of more hooks only their number is noted. */
const most = 200;
/** Bytes; of a larger file its size and time are noted. */
const largest = 1_048_576;

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
export const surroundings = ({ record, admin }: OpenWorktree): Effect.Effect<Readonly<Record<string, string>>, WorkspaceIo> => io("looking at the repository's configuration and hooks", async () => {
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
  for (const name of names.slice(0, most)) await note(`hooks/${name}`, join(hooks, name));
  if (names.length > most) found["hooks"] = `directory of ${names.length}`;
  return found;
});
