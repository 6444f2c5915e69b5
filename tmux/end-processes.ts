/**
 * Ends everything that runs in panes: signals to the process group in turn, SIGKILL last, then a sweep by mark of what left the group (`setsid`). Many panes are ended in one go,
 * because each look at the process table costs the same for one as for all.
 *
 * I1 No signal is sent to a pid or group that does not prove by mark, or by a living marked leader, that it is the pane's at that moment.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { KillOptions } from "./contract.ts";
import { groupIsOurs, isDying, isSame, lives, type MarkedGroup, membersOf, type ProcessRow, scan, sendSignal } from "./process-table.ts";

export interface Ending { readonly mark: string; /** The pane's first process, which leads its group; undefined where only the mark is known. */ readonly leader: number | undefined }

const defaultSteps: NonNullable<KillOptions["steps"]> = [{ signal: "SIGTERM", graceMs: 5_000 }];
const firstLookMs = 10, slowestLookMs = 100;
/** A process in uninterruptible sleep outlives SIGKILL; it is left after so many looks. */
const sweepLooks = 100;

const marked = (rows: readonly ProcessRow[], { mark, leader }: Ending): MarkedGroup =>
  ({ mark, leader, leaderLives: leader !== undefined && rows.some((row) => row.pid === leader && row.mark === mark) });

/** Everything of the pane that lives, its first process too. */
const living = (rows: readonly ProcessRow[], ending: Ending): readonly ProcessRow[] => {
  const group = marked(rows, ending);
  return [...membersOf(rows, group), ...(group.leaderLives ? rows.filter((row) => row.pid === ending.leader) : [])];
};

/** Returns how many processes outside the groups had to be killed. */
export const endProcesses = async (endings: readonly Ending[], steps: KillOptions["steps"] = defaultSteps): Promise<number> => {
  const ofGroups = (rows: readonly ProcessRow[]): readonly Ending[] =>
    endings.filter((ending) => ending.leader !== undefined && groupIsOurs(rows, marked(rows, ending)) && rows.some((row) => row.group === ending.leader));
  // A process that is dying has no environment any more, so nothing but its pid says that it was the pane's: held until it is gone.
  const signalled = new Map<number, ProcessRow>();
  const hold = (rows: readonly ProcessRow[]): void => { for (const row of rows) signalled.set(row.pid, row); };
  const toGroups = (rows: readonly ProcessRow[], signal: NodeJS.Signals): boolean => {
    const groups = ofGroups(rows);
    hold(groups.flatMap((ending) => living(rows, ending)));
    for (const { leader } of groups) if (leader !== undefined) sendSignal(-leader, signal);
    return groups.length > 0;
  };
  const until = async (graceMs: number): Promise<boolean> => {
    const deadline = performance.now() + graceMs;
    for (let look = firstLookMs; ; look = Math.min(look * 2, slowestLookMs)) {
      if (ofGroups(await scan()).length === 0) return true;
      const left = deadline - performance.now();
      if (left <= 0) return false;
      await pause(Math.min(look, left));
    }
  };

  for (const { signal, graceMs } of [...steps, { signal: "SIGKILL" as const, graceMs: sweepLooks * slowestLookMs }]) {
    if (!toGroups(await scan(), signal) || await until(graceMs)) break;
  }
  const swept = new Set<number>();
  for (let look = 0; look < sweepLooks; look++) {
    const rows = await scan();
    const left = endings.flatMap((ending) => living(rows, ending));
    if (left.length === 0 && [...signalled.values()].every((row) => !lives(row.pid, row.startedAt ?? null))) break;
    hold(left);
    for (const row of left) {
      if (!isSame(row)) continue;
      if (!isDying(row)) swept.add(row.pid);
      sendSignal(row.pid, "SIGKILL");
    }
    if (look > 0) await pause(Math.min(firstLookMs * look, slowestLookMs));
  }
  return swept.size;
};

/** True while anything carries the mark. */
export const isMarkAlive = async (mark: string): Promise<boolean> => (await scan()).some((row) => row.mark === mark);
