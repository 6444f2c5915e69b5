/**
 * The program of a program pane: a constant `/bin/sh` script between terminal and program. What to start comes through the file `launch` (0600), which it removes before it starts
 * anything: neither argv nor environment of any process show a secret, and none rests on disk.
 *
 * I1 argv and environment are exact: the program's environment is that of the file, with TERM, TMUX, TMUX_PANE and ENACT_RUN_ID added.
 * I2 Signals to the process group reach the program with their default action; the launcher survives all but SIGKILL and writes `exit` whole (by rename).
 * I3 It stays a moment after the program: tmux throws away what it has not read from a terminal whose last process is gone.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TerminalError, type PaneExit, type ProgramSpec } from "./contract.ts";
import { shellStatus } from "./exit-status.ts";
import { checkLaunch } from "./launch-check.ts";
import { isMissing } from "./log-segments.ts";
import { markVariable } from "./process-table.ts";
import { shellWord } from "./quoting.ts";

const passed = ["TERM", "TMUX", "TMUX_PANE", markVariable] as const;

// Notes on the script, which must stay free of comments because `ps` shows it:
// - the first pass only drops the server's environment, the second (it has no second argument) does the work;
// - tools come from a fixed PATH, so that the program's own PATH never replaces mv or cat;
// - `trap :` and not `trap ''`: ignored signals would stay ignored in the program;
// - bash, when it plays sh, adds `_` to every environment, which `env -u` takes away.
export const launcherScript = `
if [ $# -gt 1 ]; then
  exec /usr/bin/env -i PATH=/usr/bin:/bin ${passed.map((name) => `\${${name}+${name}="$${name}"}`).join(" ")} /bin/sh -c "$2" enact-pane "$1"
fi
trap : INT TERM HUP QUIT
__enact_dir=$1
__enact_mask=$(umask)
umask 077
__enact_launch=$(cat "$__enact_dir/launch") && rm -f "$__enact_dir/launch" || exit 126
(
  umask "$__enact_mask"
  unset PATH PWD OLDPWD SHLVL
  eval "$__enact_launch" || exit 126
  case \${BASH_VERSION:+bash}$1 in bash*=* | /*) exec "$@" ;; esac
  exec /usr/bin/env -u _ "$@"
)
__enact_code=$?
echo "$__enact_code" >"$__enact_dir/.exit.$$" && mv -f "$__enact_dir/.exit.$$" "$__enact_dir/exit"
sleep 0.3 2>/dev/null || sleep 1
exit "$__enact_code"
`;

/** Arguments of /bin/sh for the launcher of the program that \`directory\` describes. */
export const launcherArguments = (directory: string): readonly string[] => ["-c", launcherScript, "enact-pane", directory, launcherScript];

const replace = async (file: string, content: string): Promise<void> => {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
};

/** Checks the spec and writes what the launcher needs; what an earlier program of the directory left of its end is removed. */
export const prepareLaunch = async (spec: ProgramSpec): Promise<void> => {
  const checked = checkLaunch(spec);
  if (checked.problem !== undefined) throw new TerminalError("refused", checked.problem);
  const own = new Set<string>(passed);
  const [, ...args] = spec.argv;
  await rm(join(spec.directory, "exit"), { force: true });
  await replace(join(spec.directory, "launch"), [
    `cd ${shellWord(spec.cwd)} || exit 126`,
    `set -- ${[checked.program, ...args].map(shellWord).join(" ")}`,
    "unset PWD OLDPWD",
    ...Object.entries(spec.env).flatMap(([name, value]) => (own.has(name) ? [] : [`export ${name}=${shellWord(value)}`])),
    "",
  ].join("\n"));
};

/** Takes away what a launch that did not come about left: its environment may hold secrets. */
export const forgetLaunch = (directory: string): Promise<void> => rm(join(directory, "launch"), { force: true });

/** What the launcher wrote, if it did. */
export const readPaneExit = (directory: string): PaneExit | undefined => {
  try {
    const text = readFileSync(join(directory, "exit"), "utf8").trim();
    return /^\d+$/.test(text) ? { ...shellStatus(Number(text)), lost: false } : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};
