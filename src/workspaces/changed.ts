import { Effect } from "effect";
import { distrusted, git, type GitFailed } from "../git/git.ts";

/** Whether a worktree stands differently from a commit: another head, changed or untracked files. For a hook, which has little time. */
export const changedSince = (worktree: string, commit: string): Effect.Effect<boolean, GitFailed> => Effect.gen(function* () {
  const place = { cwd: worktree, config: yield* distrusted({ cwd: worktree }) };
  const lines = (yield* git(place, ["status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--no-renames"], { timeoutMs: 10_000 })).split("\n");
  return !lines.includes(`# branch.oid ${commit}`) || lines.some((line) => line !== "" && !line.startsWith("#"));
});
