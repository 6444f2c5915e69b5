import type { Hooks } from "../domain/config.ts";
import type { ScopeRules } from "./scope.ts";

/** What a project wants done around its worktrees. From the owner's configuration, so trusted; the repository cannot set it. */
export interface ProjectWorkspace {
  /** Exact argv each, run in the worktree. `after_create` must be safe to run again: a crash inside it runs it again. */
  readonly hooks: Hooks;
  /** Milliseconds for each hook. */
  readonly hookTimeoutMs: number;
  /** Files or directories of the repository's own checkout, relative to it, copied into a new worktree (e.g. `.env`). They are never committed. */
  readonly copy: readonly string[];
  /** Names of the owner's environment variables that hooks get, besides PATH, HOME, LANG, TMPDIR. */
  readonly env: readonly string[];
  readonly scopes: ScopeRules;
}

export interface WorkspacesOptions {
  /** Directory that holds all worktrees; outside every project's repository. Made when absent. */
  readonly root: string;
  /** The rules of one repository, by its real path. */
  readonly project: (repository: string) => ProjectWorkspace;
}
