/**
 * Takes back what an item published.
 *
 * I1 Before anything else a checkpoint holds the change; it is never removed. I2 No worktree, index or HEAD is touched: the revert is computed as a
 * tree, and goes on a branch of its own. I3 A branch moves back by compare-and-swap, only to where the work began, only when it was never pushed, no other
 * branch, tag or checkout has the work, and nothing came after it. I4 Asked again, it says what it did before.
 */
import { Effect } from "effect";
import type { Undone } from "../domain/change.ts";
import { type GitFailed, type GitPlace, commitOf, distrusted, git, gitAsks, nulFields, gitBytes } from "../git/git.ts";
import { type UndoRequest, type WorkspaceError, WorkspaceUnusable } from "../ports/workspaces.ts";
import { commitTree, keepCommit, listCheckpoints } from "./checkpoints.ts";
import { mergeTrees, treeOf } from "./merge.ts";
import { pastLocks } from "./locks.ts";
import type { Repository } from "./prepare.ts";

type Step<A> = Effect.Effect<A, WorkspaceError | GitFailed>;

const refuse = (message: string, mend: string) => new WorkspaceUnusable({ message, mend });
const short = (commit: string): string => commit.slice(0, 12);
const contains = (place: GitPlace, old: string, young: string): Effect.Effect<boolean, GitFailed> => (old === young ? Effect.succeed(true) : gitAsks(place, ["merge-base", "--is-ancestor", old, young]));

/** Worktrees of the repository that stand on a branch. */
const standingOn = Effect.fnUntraced(function* (place: GitPlace, branches: readonly string[]): Effect.fn.Return<readonly { readonly path: string; readonly branch: string }[], GitFailed> {
  const found: { readonly path: string; readonly branch: string }[] = [];
  let path = "";
  for (const field of nulFields(yield* gitBytes(place, ["worktree", "list", "--porcelain", "-z"]))) {
    const line = Buffer.from(field, "latin1").toString("utf8");
    if (line.startsWith("worktree ")) path = line.slice("worktree ".length);
    const branch = line.startsWith("branch refs/heads/") ? line.slice("branch refs/heads/".length) : undefined;
    if (branch !== undefined && branches.includes(branch)) found.push({ path, branch });
  }
  return found;
});

/** Files that git knows, changed and not committed there. A worktree whose directory is gone holds nothing. */
const isDirty = Effect.fnUntraced(function* (path: string): Effect.fn.Return<boolean, GitFailed> {
  const place = { cwd: path };
  const config = yield* distrusted(place);
  return (yield* git({ ...place, config }, ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"])) !== "";
});

/** Who else has the commit: other branches, branches of remotes as last seen, tags. */
const othersWith = (place: GitPlace, commit: string, own: string): Effect.Effect<readonly string[], GitFailed> =>
  git(place, ["for-each-ref", "--format=%(refname)", "--contains", commit, "refs/heads", "refs/remotes", "refs/tags"]).pipe(Effect.map((text) => text.split("\n").filter((ref) => ref !== "" && ref !== `refs/heads/${own}`)));

/** The branch that has the change: the one named, else the one checked out in the repository when the work was merged there, else the item's own. */
const branchWith = Effect.fnUntraced(function* (place: GitPlace, { item, branch, head, onto }: UndoRequest): Effect.fn.Return<{ readonly name: string; readonly tip: string }, WorkspaceError | GitFailed> {
  if (onto !== null) {
    const tip = yield* commitOf(place, `refs/heads/${onto}`);
    return tip === undefined ? yield* refuse(`there is no branch ${onto}`, "list them with: git branch") : { name: onto, tip };
  }
  const checkedOut = yield* git(place, ["symbolic-ref", "-q", "--short", "HEAD"]).pipe(Effect.catchTag("GitFailed", (e) => e.exitCode === 1 ? Effect.succeed("") : Effect.fail(e)));
  for (const name of [...new Set([checkedOut, branch])].filter((each) => each !== "")) {
    const tip = yield* commitOf(place, `refs/heads/${name}`);
    if (tip !== undefined && (yield* contains(place, head, tip))) return { name, tip };
  }
  const tip = yield* commitOf(place, `refs/heads/${branch}`);
  return yield* refuse(
    tip === undefined ? `the branch ${branch} is gone, and the branch that is checked out does not have ${short(head)}` : `the branch ${branch} was moved to ${short(tip)}, which does not have ${short(head)}, the published commit; nothing was changed`,
    `name the branch that has the change: enact-factory undo ${item} --onto BRANCH`);
});

/** The tree of `tip` without what lies between base and head. The three sides are given a common ancestor of our own, so it need not be in the history of `tip`. */
const treeWithout = Effect.fnUntraced(function* (place: GitPlace, { base, head }: UndoRequest, tip: string): Effect.fn.Return<{ readonly tree: string; readonly files: readonly string[] }, WorkspaceError | GitFailed> {
  const before = yield* treeOf(place, base);
  if (tip === head) return { tree: before, files: [] };
  const common = yield* commitTree(place, yield* treeOf(place, head), [], "what was published");
  const ours = yield* commitTree(place, yield* treeOf(place, tip), [common], "what there is"), theirs = yield* commitTree(place, before, [common], "what there was");
  return yield* mergeTrees(place, ours, theirs);
});

const message = Effect.fnUntraced(function* (place: GitPlace, { item, base, head }: UndoRequest): Effect.fn.Return<string, GitFailed> {
  const commits = (yield* git(place, ["rev-list", "--max-count=51", `${base}..${head}`])).split("\n").filter((line) => line !== "");
  return [`Undo ${item}`, "", `Takes back ${base}..${head}.`, "", ...commits.slice(0, 50).map((commit) => `This reverts commit ${commit}.`), ...(commits.length > 50 ? ["And the commits before them."] : [])].join("\n");
});

/** The branch for a revert, with its commit: made now, or the one that was made before (I4). */
const revertOn = Effect.fnUntraced(function* ({ place, commonDir }: Repository, request: UndoRequest, tip: string, tree: string): Effect.fn.Return<Pick<Undone, "branch" | "commit" | "already">, WorkspaceError | GitFailed> {
  for (let n = 1; ; n++) {
    const branch = `${request.branch}-undo${n === 1 ? "" : `-${n}`}`;
    const known = yield* commitOf(place, `refs/heads/${branch}`);
    if (known !== undefined) {
      if ((yield* git(place, ["rev-parse", `${known}^{tree}`, `${known}^@`])) === [tree, tip].join("\n")) return { branch, commit: known, already: true };
      continue;
    }
    const commit = yield* commitTree(place, tree, [tip], yield* message(place, request));
    const isNew = yield* pastLocks(git(place, ["update-ref", "-m", "enact-factory undo", `refs/heads/${branch}`, commit, ""]), commonDir, undefined).pipe(Effect.as(true),
      Effect.catchTag("GitFailed", (e) => /reference already exists/.test(e.stderr) ? Effect.succeed(false) : Effect.fail(e)));
    if (isNew) return { branch, commit, already: false };
    n--;
  }
});

export const undo = (repository: Repository, request: UndoRequest): Step<Undone> => Effect.gen(function* () {
  const { place, commonDir } = repository, { item, branch, base, head, onto } = request;
  for (const commit of [base, head]) if ((yield* commitOf(place, commit)) === undefined) return yield* refuse(`the commit ${short(commit)} of ${item} is not in ${repository.top} any more`, "fetch it from where it was published to, then try again");
  if (base === head || !(yield* contains(place, base, head))) return yield* refuse(`${short(head)} does not come after ${short(base)}: there is nothing to take back`, `look at it with: enact-factory diff ${item}`);
  const tip = yield* commitOf(place, `refs/heads/${branch}`);
  // I4: it was moved back before.
  const kept = (yield* listCheckpoints(place, item)).findLast(({ commit }) => commit === head);
  if (onto === null && tip === base && kept !== undefined) return { how: "moved", already: true, branch, commit: base, from: branch, checkpoint: kept };
  const from = yield* branchWith(place, request);
  const standing = yield* standingOn(place, [...new Set([branch, from.name])]);
  for (const each of standing) {
    if (yield* isDirty(each.path).pipe(Effect.catchTag("GitFailed", (e) => e.fault.kind === "other" && /ENOENT|does not exist/.test(e.stderr) ? Effect.succeed(false) : Effect.fail(e)))) return yield* refuse(`${each.path} stands on ${each.branch} and has changes that are not committed; nothing was changed`, `commit or stash them there, then: enact-factory undo ${item}`);
  }
  const checkpoint = yield* keepCommit(place, commonDir, item, head);
  const movesBack = request.local && from.name === branch && from.tip === head && standing.length === 0 && (yield* othersWith(place, head, branch)).length === 0;
  if (movesBack) {
    const moved = yield* pastLocks(git(place, ["update-ref", "-m", "enact-factory undo", `refs/heads/${branch}`, base, head]), commonDir, undefined).pipe(Effect.as(true),
      Effect.catchTag("GitFailed", (e) => /but expected|is at/.test(e.stderr) ? Effect.succeed(false) : Effect.fail(e)));
    return moved ? { how: "moved", already: false, branch, commit: base, from: branch, checkpoint } : yield* refuse(`somebody moved ${branch} just now; nothing was changed`, `look at it, then: enact-factory undo ${item}`);
  }
  const { tree, files } = yield* treeWithout(place, request, from.tip);
  if (files.length > 0) return yield* refuse(`what came after it on ${from.name} changed the same places: ${files.slice(0, 5).join(", ")}${files.length > 5 ? ` and ${files.length - 5} more` : ""}; nothing was changed`, `do it by hand: git revert --no-commit ${short(base)}..${short(head)}`);
  if (tree === (yield* treeOf(place, from.tip))) return yield* refuse(`${from.name} has nothing of it any more: there is nothing to take back`, `look at it with: enact-factory diff ${item}`);
  return { how: "reverted", from: from.name, checkpoint, ...(yield* revertOn(repository, request, from.tip, tree)) };
});
