import { Context, Data, type Effect } from "effect";
import type { Undone, WorkChange } from "../domain/change.ts";
import type { SyncFrom } from "../domain/effects.ts";
import type { Fingerprint } from "../domain/fingerprint.ts";
import type { WorkItemId } from "../domain/ids.ts";
import type { WriteScope } from "../domain/stage.ts";

/** The repository, a branch or a hook is not usable; a person has to mend it. */
export class WorkspaceUnusable extends Data.TaggedError("WorkspaceUnusable")<{ readonly message: string; readonly mend: string }> {}
/** git or the disk failed; trying again may help. */
export class WorkspaceIo extends Data.TaggedError("WorkspaceIo")<{ readonly message: string }> {}
/** A path leads out of the worktree (symlink, `..`). Nothing was touched. */
export class WorkspaceEscape extends Data.TaggedError("WorkspaceEscape")<{ readonly path: string; readonly message: string }> {}
export type WorkspaceError = WorkspaceUnusable | WorkspaceIo | WorkspaceEscape;

export interface WorkspaceRequest { readonly item: WorkItemId; readonly attempt: number; readonly repository: string; readonly baseRef: string | null; /** Of a team: a worktree and branch of its own beside the item's. */ readonly member?: string | undefined }
export interface Workspace { readonly path: string; readonly branch: string; /** Full commit id the branch starts from. */ readonly base: string }
export interface CommittedWork {
  readonly head: string;
  /** True when head's tree equals base's tree. */
  readonly empty: boolean;
  /** Hash of the diff base..head; equal diffs have equal hashes. */
  readonly diffHash: string;
  readonly changed: readonly string[];
  /** `3 files changed, 10 insertions(+), 2 deletions(-)` */
  readonly summary: string;
  /** Nothing was committed: conflict markers are left in these files of a merge that was left to the agent. */
  readonly unresolved?: readonly string[];
  /** Nothing was committed: the merge takes back what the other side did in these files. */
  readonly dropped?: readonly string[];
}
export type Merged = { readonly merged: true; readonly head: string } | { readonly merged: false; readonly files: readonly string[] };
export interface ChangeRequest {
  readonly item: WorkItemId;
  /** Names the worktree. */
  readonly attempt: number;
  readonly repository: string;
  /** As the worktree stands, when there is one. */
  readonly live: boolean;
  /** Else, and of a worktree that is gone; null: nothing was committed. */
  readonly commits: { readonly base: string; readonly head: string; readonly branch: string } | null;
  readonly maxBytes: number;
}
export interface UndoRequest {
  readonly item: WorkItemId;
  readonly repository: string;
  readonly branch: string;
  readonly base: string;
  readonly head: string;
  /** It was published to nowhere but this repository. */
  readonly local: boolean;
  /** The branch to take it back from; null: the one that has it. */
  readonly onto: string | null;
}
export interface Checkpoint { readonly ref: string; readonly commit: string }

/** One worktree per run lineage. Every operation is idempotent: after a crash it is simply asked again. */
export interface WorkspacesShape {
  /** The item's worktree, made (branch `enact/<id>`, hooks run, files copied) or found as it was. A dirty user checkout is never touched. */
  readonly prepare: (request: WorkspaceRequest) => Effect.Effect<Workspace, WorkspaceError>;
  /** Runs the project's own hook around an agent turn, when it has one. A failing `before_run` is `WorkspaceUnusable`; `after_run` answers with what went wrong, if anything. */
  readonly hook: (item: WorkItemId, workspace: Workspace, name: "before_run" | "after_run") => Effect.Effect<string | undefined, WorkspaceError>;
  /** Commits everything in the worktree (untracked files included, ignored ones not) on the item's branch. No change: head stays. */
  readonly commit: (workspace: Workspace, message: string) => Effect.Effect<CommittedWork, WorkspaceError>;
  /**
   * Brings a team member's worktree to `onto`. `team`: it begins there anew. `here`: what it has is committed, and `onto` merged into it. A commit:
   * it begins at that commit, and `onto` is merged into it. What would be lost is checkpointed first. Files in conflict are left in the worktree
   * with markers; the next `commit` completes the merge, once they are resolved.
   */
  readonly sync: (item: WorkItemId, workspace: Workspace, onto: string, from: SyncFrom) => Effect.Effect<{ readonly head: string; readonly conflicts: readonly string[] }, WorkspaceError>;
  /** Merges a commit into the workspace's branch and brings the worktree along; merged already: no change. In conflict nothing is changed. */
  readonly merge: (item: WorkItemId, workspace: Workspace, commit: string, message: string) => Effect.Effect<Merged, WorkspaceError>;
  /** The diff base..head as text, cut at `maxBytes` with a marker. */
  readonly diff: (workspace: Workspace, maxBytes: number) => Effect.Effect<string, WorkspaceError>;
  /** The change for people. Nothing that a person or a later command would see is written. */
  readonly change: (request: ChangeRequest) => Effect.Effect<WorkChange, WorkspaceError>;
  /** Takes back what was published: its branch goes back, or a new branch gets the revert. A checkpoint holds the change before. What cannot be done without loss is refused. */
  readonly undo: (request: UndoRequest) => Effect.Effect<Undone, WorkspaceError>;
  /** Cheap fingerprint of the worktree as it is now, uncommitted and untracked files included. */
  readonly fingerprint: (workspace: Workspace) => Effect.Effect<Fingerprint, WorkspaceError>;
  /** Changes since `since` (a commit) that `scope` does not allow are checkpointed, then undone. Returns the paths undone. */
  readonly enforce: (item: WorkItemId, workspace: Workspace, since: string, scope: WriteScope) => Effect.Effect<readonly string[], WorkspaceError>;
  /** `refs/enact/checkpoints/<id>/<n>`: everything, untracked files included. No new ref when nothing changed since the last. */
  readonly checkpoint: (item: WorkItemId, workspace: Workspace, why: string) => Effect.Effect<Checkpoint, WorkspaceError>;
  readonly checkpoints: (item: WorkItemId, repository: string) => Effect.Effect<readonly Checkpoint[], WorkspaceError>;
  /** Puts a checkpoint's tree into a new worktree directory and names it. */
  readonly restore: (item: WorkItemId, repository: string, ref: string, to: string) => Effect.Effect<string, WorkspaceError>;
  /** Checkpoints, then removes the worktree; the branch stays, except that of a team's member all of whose work is in its team's branch. Absent already: no error. */
  readonly remove: (item: WorkItemId, workspace: Workspace, repository: string) => Effect.Effect<void, WorkspaceError>;
}
export class Workspaces extends Context.Service<Workspaces, WorkspacesShape>()("enact-factory/ports/Workspaces") {}
