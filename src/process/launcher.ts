/**
 * The launcher: a constant `/bin/sh` program that stands between owner and agent. Everything it needs comes as argv and environment; no data
 * is ever part of its text.
 *
 * Owns, inside the run's directory: `alive` (FIFO), `in` (FIFO, mode open), `started`, `out`, `err`, `exit`.
 *
 * I1 `started` is made by link(2), with the launcher's pid already in it: of any number of launchers for one run exactly one goes on.
 * I2 `alive` is held open for writing by the launcher alone from before `started` until after `exit`. Who reads it learns from the kernel,
 *    not from a pid, whether the launcher lives.
 * I3 `exit` appears by rename, whole. Its bytes are reserved before the child starts, so a full disk cannot turn an exit into a loss.
 * I4 The launcher sits in its own session. Signals to its group reach the child with their default action; the launcher survives all but SIGKILL.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { RunSpec } from "../ports/agent-process.ts";
import { launcherPid, readIfThere, type RunPaths } from "./run-directory.ts";

// Notes on the script, which must stay free of comments because `ps` shows it:
// - tools come from a fixed PATH, so that a repository's own bin folder (first in an agent's PATH) never replaces mv or cat;
// - `trap :` and not `trap ''`: ignored signals would stay ignored in the child;
// - standard output is the owner's pipe and only ever closed, never written: a dead owner cannot kill the launcher by SIGPIPE;
// - mode open: `in` is read-write here, so the child sees no end of input between writers; the feeder opens it for writing only, so it dies
//   with the last reader; the removal of `.stdin.PID` says that everything was fed;
// - `.stdin.PID` is a second link to `stdin`: a rival owner that prepares the run once more cannot change what this launcher feeds;
// - `1<>` overwrites the reserved bytes in place;
// - mode screen: the child keeps the terminal that the launcher was started in, whose first process leads the group; `out` is written by
//   hooks of the child, and there is no `err`;
// - bash, when it plays sh, adds `_` to every environment, which `env -u` takes away.
const script = `
__enact_dir=$1 __enact_mode=$2; shift 2
__enact_path=\${PATH-} __enact_had=\${PATH+set}
PATH=/usr/bin:/bin
trap : INT TERM HUP QUIT
__enact_mask=$(umask)
umask 077
__enact_group=$$
if [ "$__enact_mode" = screen ]; then
  if [ -r /proc/$$/stat ]; then read -r _ _ _ _ __enact_group _ </proc/$$/stat; else __enact_group=$(ps -o pgid= -p $$ | tr -d ' '); fi
fi
mkfifo "$__enact_dir/alive" 2>/dev/null
[ -p "$__enact_dir/alive" ] || { echo "cannot make the FIFO alive" >&2; exit 71; }
exec 9<>"$__enact_dir/alive"
if [ "$__enact_mode" = open ]; then
  mkfifo "$__enact_dir/in" 2>/dev/null
  [ -p "$__enact_dir/in" ] || { echo "cannot make the FIFO in" >&2; exit 71; }
  exec 8<>"$__enact_dir/in"
fi
printf '%s\\n' "$__enact_group" >"$__enact_dir/.pid.$$" && printf '%-15s\\n' '' >"$__enact_dir/.exit.$$" && ln -f "$__enact_dir/stdin" "$__enact_dir/.stdin.$$" || exit 73
if ! ln "$__enact_dir/.pid.$$" "$__enact_dir/started" 2>/dev/null; then
  rm -f "$__enact_dir/.pid.$$" "$__enact_dir/.exit.$$" "$__enact_dir/.stdin.$$"
  [ -f "$__enact_dir/started" ] && exit 0
  echo "cannot make the link started" >&2; exit 73
fi
rm -f "$__enact_dir/.pid.$$"
if [ "$__enact_mode" = screen ]; then rm -f "$__enact_dir/.stdin.$$"; else exec >/dev/null; fi
__enact_in=.stdin.$$
if [ "$__enact_mode" = open ]; then
  ( cat "$__enact_dir/.stdin.$$" >"$__enact_dir/in" && rm -f "$__enact_dir/.stdin.$$" ) 8>&- 9>&- &
  __enact_in=in
fi
__enact_child() {
  umask "$__enact_mask"
  PATH=$__enact_path
  [ "$__enact_had" ] || unset PATH
  unset PWD OLDPWD SHLVL
  case \${BASH_VERSION:+bash}$1 in bash*=* | /*) exec "$@" ;; esac
  exec /usr/bin/env -u _ "$@"
}
if [ "$__enact_mode" = screen ]; then (__enact_child "$@") 9>&-
else (__enact_child "$@") <"$__enact_dir/$__enact_in" >>"$__enact_dir/out" 2>>"$__enact_dir/err" 8>&- 9>&-
fi
__enact_code=$?
[ "$__enact_mode" = open ] && exec 8>&-
printf '%-15s\\n' "$__enact_code" 1<>"$__enact_dir/.exit.$$"
mv -f "$__enact_dir/.exit.$$" "$__enact_dir/exit"
`;

/** What came of one launcher. `lost the race` is no failure: another launcher of the same run was first. */
export type Launch = { readonly outcome: "started" } | { readonly outcome: "lostRace" } | { readonly outcome: "failed"; readonly message: string };

/** Program of the shell that plays the launcher; tests also run it under other shells. */
export const defaultShell = "/bin/sh";

/** What to execute to be the launcher of a run. */
export const launcherCommand = (paths: RunPaths, mode: RunSpec["stdinMode"] | "screen", program: string, args: readonly string[], shell: string): readonly [string, ...string[]] =>
  [shell, "-c", script, "enact-launcher", paths.directory, mode, program, ...args];

/** Starts the launcher in a terminal and resolves when the run is decided; `started` waits for its sign of life. */
export const launchOnScreen = async (start: () => Promise<void>, started: () => Promise<boolean>): Promise<Launch> => {
  try {
    await start();
  } catch (cause) {
    return { outcome: "failed", message: cause instanceof Error ? cause.message : String(cause) };
  }
  return (await started()) ? { outcome: "started" } : { outcome: "failed", message: "the launcher did not start in its terminal" };
};

/** Starts one launcher, detached, and resolves when the run is decided: started by it, started by a rival, or failed before anything ran. */
export const launch = (paths: RunPaths, spec: RunSpec, program: string, env: Readonly<Record<string, string>>, shell: string): Promise<Launch> =>
  new Promise((resolve) => {
    const failed = (message: string): void => resolve({ outcome: "failed", message });
    let log: number;
    try {
      log = openSync(paths.launcherLog, "a", 0o600);
    } catch (cause) {
      return failed(String(cause));
    }
    try {
      const [command, ...args] = launcherCommand(paths, spec.stdinMode, program, spec.argv.slice(1), shell);
      const child = spawn(command, args, {
        cwd: spec.cwd, env, detached: true, stdio: ["ignore", "pipe", log],
      });
      child.unref();
      child.once("error", (cause) => failed(cause.message));
      const decide = (): void => {
        const winner = launcherPid(paths);
        if (winner !== undefined) return resolve({ outcome: winner === child.pid ? "started" : "lostRace" });
        const said = readIfThere(paths.launcherLog)?.trim().split("\n").at(-1);
        failed(`the launcher ended with ${child.signalCode ?? `exit ${child.exitCode}`}${said ? `: ${said}` : ""}`);
      };
      // Ends when the launcher has won (it closes the pipe) or is gone.
      child.stdout?.once("close", () => {
        if (child.exitCode !== null || child.signalCode !== null || launcherPid(paths) !== undefined) decide();
        else child.once("exit", decide);
      });
      child.stdout?.resume();
    } catch (cause) {
      failed(cause instanceof Error ? cause.message : String(cause));
    } finally {
      closeSync(log);
    }
  });
