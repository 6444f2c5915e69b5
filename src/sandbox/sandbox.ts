/** One command to be run on an export of a commit, or in a worktree. */
export interface Confined {
  readonly argv: readonly [string, ...string[]];
  /** The export or worktree: the only directory the command may write, besides private temporary ones. */
  readonly directory: string;
  /** Made for this one run and removed after it; sandboxes keep what they need here. */
  readonly temporary: string;
  /** Environment variables passed by name, besides the fixed ones. */
  readonly env: Readonly<Record<string, string>>;
  /** Installed dependencies of the repository's checkout, readable at `at` inside the export. */
  readonly dependencies: readonly { readonly from: string; readonly at: string }[];
  /** It may read the directory and write nothing of it. Only of a sandbox that confines. */
  readonly readOnly?: boolean;
  /** Names at the top of the directory that the command cannot change; of a directory it sees nothing. Only of a sandbox that confines. */
  readonly guarded?: readonly string[];
}

/** What to start instead, so that the command is confined. */
export interface Launch { readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>>; readonly cwd: string }

/** A way to confine a command. Pure but for files in `temporary` and links in the export. */
export interface Sandbox {
  readonly name: string;
  /** False: a command may do whatever its user may. */
  readonly confines: boolean;
  /** Where commands see the directory, if not at its own place. */
  readonly inside?: string;
  readonly launch: (command: Confined) => Promise<Launch>;
}

/** Environment of every check: one language, one terminal, no colours. */
export const fixedEnv = (home: string, temporary: string, path: string): Record<string, string> => ({
  PATH: path, HOME: home, TMPDIR: temporary, LANG: "C.UTF-8", LC_ALL: "C.UTF-8", CI: "true", TERM: "dumb", NO_COLOR: "1", USER: "check", LOGNAME: "check",
  npm_config_update_notifier: "false", npm_config_fund: "false", npm_config_audit: "false", npm_config_offline: "true", CARGO_NET_OFFLINE: "true", CARGO_TERM_COLOR: "never", GOPROXY: "off", GOTOOLCHAIN: "local",
  PYTHONDONTWRITEBYTECODE: "1", COREPACK_ENABLE_DOWNLOAD_PROMPT: "0",
});
