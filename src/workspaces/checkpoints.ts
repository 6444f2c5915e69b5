/**
 * `refs/enact/checkpoints/ITEM/N`: everything an agent wrote, kept reachable before anything is undone or removed.
 *
 * I1 A checkpoint never changes worktree, index, HEAD or branch. I2 A checkpoint reference, once made, is never moved or deleted here.
 */
import { Effect } from "effect";
import { type GitFailed, type GitPlace, commitOf, git, gitAsks, identity } from "../git/git.ts";
import type { Checkpoint, WorkspaceError } from "../ports/workspaces.ts";
import { pastLocks } from "./locks.ts";
import type { OpenWorktree } from "./place.ts";
import type { Snapshot } from "./snapshot.ts";

const prefix = (item: string): string => `refs/enact/checkpoints/${item}/`;

/** All checkpoints of an item, oldest first. */
export const listCheckpoints = (place: GitPlace, item: string): Effect.Effect<readonly Checkpoint[], GitFailed> =>
  git(place, ["for-each-ref", "--format=%(refname) %(objectname)", prefix(item)]).pipe(Effect.map((text) => text.split("\n").filter((line) => line !== "")
    .map((line) => { const [ref = "", commit = ""] = line.split(" "); return { ref, commit }; })
    .filter(({ ref }) => /\/\d+$/.test(ref))
    .sort((a, b) => numberOf(a) - numberOf(b))));

const numberOf = ({ ref }: Checkpoint): number => Number(ref.slice(ref.lastIndexOf("/") + 1));

/** Commits a tree under `parents`. The message goes by standard input: it may be long, and it is not ours. */
export const commitTree = Effect.fnUntraced(function* (place: GitPlace, tree: string, parents: readonly string[], message: string): Effect.fn.Return<string, GitFailed> {
  const env = yield* identity(place);
  const text = message.replaceAll("\0", " ").trim() || "work";
  return yield* git(place, ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent])], { input: `${text}\n`, env });
});

/** Keeps a commit that is there already; once. */
export const keepCommit = Effect.fnUntraced(function* (place: GitPlace, commonDir: string, item: string, commit: string): Effect.fn.Return<Checkpoint, GitFailed> {
  for (;;) {
    const known = yield* listCheckpoints(place, item), last = known.at(-1), same = known.findLast((each) => each.commit === commit);
    if (same !== undefined) return same;
    const ref = `${prefix(item)}${last === undefined ? 1 : numberOf(last) + 1}`;
    if (yield* made(place, ref, commit, commonDir, undefined)) return { ref, commit };
  }
});

/** False when somebody else has made that reference meanwhile. */
const made = (place: GitPlace, ref: string, commit: string, commonDir: string, admin: string | undefined): Effect.Effect<boolean, GitFailed> =>
  pastLocks(git(place, ["update-ref", ref, commit, ""]), commonDir, admin).pipe(Effect.as(true),
    Effect.catchTag("GitFailed", (e) => /reference already exists/.test(e.stderr) ? Effect.succeed(false) : Effect.fail(e)));

/** Stores a snapshot, unless the newest checkpoint holds the same content on the same commits. */
export const storeCheckpoint = Effect.fnUntraced(function* (tree: OpenWorktree, item: string, snapshot: Snapshot, why: string): Effect.fn.Return<Checkpoint, WorkspaceError | GitFailed> {
  const tip = yield* commitOf(tree.place, `refs/heads/${tree.record.branch}`);
  const parents = [snapshot.head];
  if (tip !== undefined && tip !== snapshot.head && !(yield* gitAsks(tree.place, ["merge-base", "--is-ancestor", tip, snapshot.head]))) parents.push(tip);
  for (;;) {
    const last = (yield* listCheckpoints(tree.place, item)).at(-1);
    if (last !== undefined && (yield* git(tree.place, ["rev-parse", `${last.commit}^{tree}`, `${last.commit}^@`])) === [snapshot.tree, ...parents].join("\n")) return last;
    const ref = `${prefix(item)}${last === undefined ? 1 : numberOf(last) + 1}`;
    const commit = yield* commitTree(tree.place, snapshot.tree, parents, `checkpoint of ${item}: ${why}`);
    if (yield* made(tree.place, ref, commit, tree.record.commonDir, tree.admin)) return { ref, commit };
  }
});
