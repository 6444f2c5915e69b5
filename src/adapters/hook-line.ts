import type { TurnRequest } from "../domain/agent.ts";
import { hookEnvironment, hookNames } from "../domain/hook-environment.ts";
import type { HostEnvironment } from "../ports/adapter.ts";

/**
 * The hook command of every CLI that is run in its own screen: constant text, run by a shell of the CLI's. It appends what stands on its
 * standard input to the run's `out`, as one line; the place comes by environment, so that no path is ever part of a shell's text.
 *
 * Several hooks may run at once, and a long line is written in parts: a directory is the lock. A holder that was killed is not waited for
 * longer than two seconds; the worst is then one line that cannot be read.
 */
export const hookVariable = "ENACT_HOOK_OUT";

export const hookCommand = `__line=$(cat | tr -d '\\n'); __n=0; until mkdir "$${hookVariable}.lock" 2>/dev/null; do __n=$((__n + 1)); [ "$__n" -gt 100 ] && break; sleep 0.02; done; printf '%s\\n' "$__line" >>"$${hookVariable}"; rmdir "$${hookVariable}.lock" 2>/dev/null; :`;

/** The Stop hook of a turn that the factory runs in the background: it asks the program that the environment names, and without one allows the stop. */
export const stopHookCommand = `[ -z "$${hookNames.node}" ] || exec "$${hookNames.node}" "$${hookNames.bin}" hook stop --run; :`;

/** The environment of the Stop hook of a turn that has to change something; undefined: nothing is asked. A team's leader plans and judges. */
export const stopHookOf = ({ stage, readOnly, duty, since, runId, item }: TurnRequest, { hooks }: HostEnvironment): Readonly<Record<string, string>> | undefined =>
  hooks === undefined || since === undefined || readOnly || stage !== "coder" || (duty ?? "work") !== "work" ? undefined : hookEnvironment(hooks, { run: runId, item, stage, since });
