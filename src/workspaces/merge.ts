/**
 * The branches of a team: a member's worktree is brought to the team's head, a member's commit into the team's branch.
 *
 * I1 Merges are computed as trees, without a worktree or index (`git merge-tree`); branches move by compare-and-swap only, worktrees follow.
 * I2 Nothing a worktree holds is overwritten before a commit or checkpoint holds it. I3 Each step may be killed and asked again: what is done
 * already is seen by ancestry, never remembered. I4 A merge left to an agent is completed by our own commit with both parents, and only when
 * no marker is left and nothing of the other side was taken back.
 */
import { Effect } from "effect";
import type { SyncFrom } from "../domain/effects.ts";
import { type GitFailed, type GitPlace, commitOf, git, gitAsks, gitBytes, nulFields } from "../git/git.ts";
import { type Merged, type WorkspaceError, WorkspaceIo, WorkspaceUnusable } from "../ports/workspaces.ts";
import { changesBetween } from "./changes.ts";
import { commitTree, storeCheckpoint } from "./checkpoints.ts";
import type { OpenWorktree } from "./place.ts";
import { type Record, writeRecord } from "./record.ts";
import { adoptIndex, type Snapshot, withSnapshot } from "./snapshot.ts";

type Step<A> = Effect.Effect<A, WorkspaceError | GitFailed>;

/** What service.ts does with branches and worktrees, used here as it is. */
export interface BranchSteps {
  readonly commitAll: (tree: OpenWorktree, message: string) => Step<{ readonly head: string }>;
  readonly moveBranch: (tree: OpenWorktree, to: string) => Effect.Effect<void, GitFailed>;
}

const isAncestor = (place: GitPlace, old: string, young: string): Effect.Effect<boolean, GitFailed> => (old === young ? Effect.succeed(true) : gitAsks(place, ["merge-base", "--is-ancestor", old, young]));
export const treeOf = (place: GitPlace, commit: string): Effect.Effect<string, GitFailed> => git(place, ["rev-parse", `${commit}^{tree}`]);
const utf8 = (raw: string): string => Buffer.from(raw, "latin1").toString("utf8");

/** Both sides as one tree; with conflicts the tree has markers in the files named. */
export const mergeTrees = (place: GitPlace, ours: string, theirs: string): Step<{ readonly tree: string; readonly files: readonly string[] }> =>
  gitBytes(place, ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs]).pipe(
    Effect.catchTag("GitFailed", (error): Step<Buffer> => {
      if (error.exitCode === 1 && error.stdout.length > 0) return Effect.succeed(error.stdout);
      return Effect.fail(error.exitCode === 129 ? new WorkspaceUnusable({ message: "this git cannot merge without a worktree", mend: "install git 2.38 or newer: teams need it" }) : error);
    }),
    Effect.map((out) => { const [tree = "", ...files] = nulFields(out); return { tree, files: [...new Set(files)].map(utf8) }; }),
  );

/** The worktree, its index and its branch become `commit`; what they held that is nowhere else is checkpointed (I2). */
const standAt = (tree: OpenWorktree, item: string, commit: string, why: string, { moveBranch }: BranchSteps): Step<void> => withSnapshot(tree, "keep", (snapshot: Snapshot) => Effect.gen(function* () {
  const { place } = tree;
  const clean = (yield* treeOf(place, snapshot.head)) === snapshot.tree && (yield* isAncestor(place, snapshot.head, commit));
  const tip = (yield* commitOf(place, `refs/heads/${tree.record.branch}`)) ?? commit;
  if (!clean || !(yield* isAncestor(place, tip, commit))) yield* storeCheckpoint(tree, item, snapshot, why);
  yield* moveBranch(tree, commit);
  yield* showTree(tree, snapshot, commit);
}));

const showTree = (tree: OpenWorktree, snapshot: Snapshot, wanted: string): Step<void> => Effect.gen(function* () {
  // git's own checkout: replaces links instead of writing through them, and removes what `wanted` does not have.
  yield* git({ ...tree.place, index: snapshot.index }, ["read-tree", "--reset", "-u", wanted]);
  yield* adoptIndex(tree, snapshot.index);
});

const withRecord = (tree: OpenWorktree, merging: Record["merging"]): Effect.Effect<OpenWorktree, WorkspaceIo> => {
  const { merging: _, ...rest } = tree.record;
  const record: Record = merging === undefined ? rest : { ...rest, merging };
  return Effect.as(writeRecord(tree.path, record), { ...tree, record });
};

/** Conflicts are put into the worktree; whatever it held is in the commit `ours`. */
const place = (tree: OpenWorktree, merging: NonNullable<Record["merging"]>): Step<OpenWorktree> => Effect.gen(function* () {
  const { tree: marked } = yield* mergeTrees(tree.place, merging.ours, merging.onto);
  yield* withSnapshot(tree, "keep", (snapshot) => showTree(tree, snapshot, marked));
  return yield* withRecord(tree, { ...merging, placed: true });
});

export const syncWorktree = (steps: BranchSteps) => Effect.fnUntraced(function* (given: OpenWorktree, item: string, onto: string, from: SyncFrom): Effect.fn.Return<{ readonly head: string; readonly conflicts: readonly string[] }, WorkspaceError | GitFailed> {
  let tree = given;
  const target = yield* commitOf(tree.place, onto);
  if (target === undefined) return yield* new WorkspaceIo({ message: `no commit ${onto} to go on from` });
  const { merging } = tree.record;
  if (from === "team") {
    if (merging !== undefined) tree = yield* withRecord(tree, undefined);
    yield* standAt(tree, item, target, "before it began anew at the team's head", steps);
    return { head: target, conflicts: [] };
  }
  // Asked again, or gone on after a crash: what the agent has resolved so far stays.
  if (merging !== undefined && (from === "here" || from.commit === merging.ours)) {
    if (!merging.placed) yield* place(tree, merging);
    return { head: merging.ours, conflicts: merging.files };
  }
  let ours: string;
  if (from === "here") ours = (yield* steps.commitAll(tree, `${item}: work under way`)).head;
  else {
    const start = yield* commitOf(tree.place, from.commit);
    if (start === undefined) return yield* new WorkspaceIo({ message: `no commit ${from.commit} to go on from` });
    if (merging !== undefined) tree = yield* withRecord(tree, undefined);
    // Asked again after the merge was made: it stands further on already.
    const tip = (yield* commitOf(tree.place, `refs/heads/${tree.record.branch}`)) ?? start;
    const further = (yield* isAncestor(tree.place, start, tip)) && (yield* isAncestor(tree.place, target, tip));
    if (!further) yield* standAt(tree, item, start, "before it began at a commit that could not be merged", steps);
    ours = further ? tip : start;
  }
  if (yield* isAncestor(tree.place, target, ours)) return { head: ours, conflicts: [] };
  const { tree: both, files } = yield* mergeTrees(tree.place, ours, target);
  if (files.length > 0) {
    tree = yield* withRecord(tree, { onto: target, ours, files: files.slice(0, 200), placed: false });
    yield* place(tree, { onto: target, ours, files: files.slice(0, 200), placed: false });
    return { head: ours, conflicts: files };
  }
  const head = (yield* isAncestor(tree.place, ours, target)) ? target : yield* commitTree(tree.place, both, [ours, target], `${item}: the team's work`);
  yield* standAt(tree, item, head, "before the team's work was merged", steps);
  return { head, conflicts: [] };
});

export const mergeInto = (steps: BranchSteps) => Effect.fnUntraced(function* (tree: OpenWorktree, item: string, commit: string, message: string): Effect.fn.Return<Merged, WorkspaceError | GitFailed> {
  const { place: at } = tree;
  const theirs = yield* commitOf(at, commit);
  if (theirs === undefined) return yield* new WorkspaceIo({ message: `no commit ${commit} to merge` });
  const tip = (yield* commitOf(at, `refs/heads/${tree.record.branch}`)) ?? tree.record.base;
  // I3: merged before, and killed before the worktree followed or the answer was heard.
  let head = tip;
  if (!(yield* isAncestor(at, theirs, tip))) {
    const { tree: both, files } = yield* mergeTrees(at, tip, theirs);
    if (files.length > 0) return { merged: false, files };
    head = yield* commitTree(at, both, [tip, theirs], message);
    yield* steps.moveBranch(tree, head);
  }
  yield* follow(tree, item, tip, head, steps);
  return { merged: true, head };
});

/** The branch has moved: the worktree follows. What a person changed in it by hand is checkpointed first. */
const follow = (tree: OpenWorktree, item: string, before: string, head: string, { moveBranch }: BranchSteps): Step<void> => withSnapshot(tree, "keep", (snapshot) => Effect.gen(function* () {
  const { place: at } = tree, wanted = yield* treeOf(at, head);
  if (snapshot.tree !== wanted) {
    if (snapshot.tree !== (yield* treeOf(at, before))) yield* storeCheckpoint(tree, item, snapshot, "before the team's worktree followed its branch");
    yield* showTree(tree, snapshot, head);
  }
  yield* moveBranch(tree, head);
}));

export interface Resolution { readonly unresolved: readonly string[]; readonly dropped: readonly string[] }

/** I4: what is wrong with a merge that an agent was left with. */
export const judgeResolution = Effect.fnUntraced(function* (tree: OpenWorktree, merging: NonNullable<Record["merging"]>, snapshot: string): Effect.fn.Return<Resolution, GitFailed> {
  const { place: at } = tree;
  const base = yield* git(at, ["merge-base", merging.ours, merging.onto]);
  const marked = yield* gitBytes(at, ["grep", "-z", "-l", "-I", "-E", "-e", "^(<<<<<<<|>>>>>>>) ", snapshot, "--", ...merging.files]).pipe(
    Effect.map((out) => nulFields(out).map((name) => utf8(name).slice(snapshot.length + 1))),
    Effect.catchTag("GitFailed", (error) => error.exitCode === 1 ? Effect.succeed([]) : Effect.fail(error)));
  const theirs = (yield* changesBetween(at, base, merging.onto)).list, ours = new Set((yield* changesBetween(at, base, merging.ours)).list.map(({ raw }) => raw));
  // Of what the other side alone has changed: what now is as it was before.
  const still = new Set((yield* changesBetween(at, base, snapshot)).list.map(({ raw }) => raw));
  return { unresolved: marked, dropped: theirs.filter(({ raw }) => !ours.has(raw) && !still.has(raw)).map(({ path }) => path) };
});

/** The merge is in the branch now. */
export const mergeCompleted = (tree: OpenWorktree): Effect.Effect<void, WorkspaceIo> => (tree.record.merging === undefined ? Effect.void : Effect.asVoid(withRecord(tree, undefined)));
