/**
 * Panes under node-pty, where tmux is not. The same launcher, log, exit file and viewer; nobody can attach, and panes end with this process.
 *
 * Owns: the ptys and, for programs, the writer of their logs.
 *
 * I1 A program that writes faster than the disk takes is held back by its terminal, not kept in memory.
 * I2 A log that cannot be written costs its bytes and is said; the program goes on.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Backend, BackendEvents, PaneRow } from "./backend.ts";
import { TerminalError, type Key, type KeyName, type PaneSpec, type SeatLog } from "./contract.ts";
import { endProcesses } from "./end-processes.ts";
import { launcherArguments } from "./launcher-script.ts";
import { loadNodePty, type Pty } from "./node-pty.ts";
import { markVariable } from "./process-table.ts";
import { printable } from "./sanitise.ts";
import { openSeatLog } from "./seat-log.ts";
import { viewerScript } from "./viewer-script.ts";

const term = "xterm-256color";
/** Bytes on their way to the log at which the terminal is no longer read, and read again. */
const highWater = 1024 * 1024, lowWater = 256 * 1024;
/** Data may follow the exit (node-pty#72). */
const lateDataMs = 100;
const problemEveryMs = 60_000;

const named: Readonly<Record<string, string>> = {
  Enter: "\r", Escape: "\x1b", Tab: "\t", BSpace: "\x7f", Space: " ", Up: "\x1b[A", Down: "\x1b[B", Right: "\x1b[C", Left: "\x1b[D", Home: "\x1b[H", End: "\x1b[F", PageUp: "\x1b[5~", PageDown: "\x1b[6~",
};
const bytesOf = (key: KeyName): string => named[key] ?? String.fromCodePoint((key.codePointAt(2) ?? 0) & 0x1f);

interface PtyPane {
  readonly spec: PaneSpec; readonly mark: string; readonly id: string; readonly pty: Pty; columns: number; rows: number;
  /** The process has ended; `dead` once its log is whole. */
  ended: boolean; dead: boolean;
  log: SeatLog | undefined; readonly closed: Promise<void>;
}

export interface PtyBackendOptions { readonly env: Readonly<Record<string, string>>; readonly keepSegments: number; readonly events: BackendEvents }

export const openPty = async ({ env, keepSegments, events }: PtyBackendOptions): Promise<Backend> => {
  const { spawn } = loadNodePty();
  const panes = new Map<string, PtyPane>();
  let number = 0;

  const rowOf = ({ spec, mark, id, pty, columns, rows, dead, log }: PtyPane): PaneRow =>
    ({ session: spec.session, name: spec.name, kind: spec.kind, directory: spec.directory, id, pid: pty.pid, dead, columns, rows, attached: 0, mark, logged: log !== undefined });
  const paneOf = (row: PaneRow): PtyPane => {
    const pane = panes.get(row.id);
    if (pane) return pane;
    throw new TerminalError("gone", `pane ${row.id} (${row.session}/${row.name}) is there no more`);
  };
  const write = (row: PaneRow, text: string): void => {
    const { ended, pty } = paneOf(row);
    if (!ended) pty.write(text);
  };

  const create = async (spec: PaneSpec, mark: string): Promise<PaneRow> => {
    const log = spec.kind === "program" ? await openSeatLog(spec.directory, { keep: keepSegments }) : undefined;
    const args = spec.kind === "viewer" ? ["-c", viewerScript, "enact-viewer", spec.directory] : [...launcherArguments(spec.directory)];
    let pty: Pty;
    try {
      pty = spawn("/bin/sh", args, { name: term, cols: spec.columns, rows: spec.rows, cwd: "/", encoding: null, env: { ...(spec.kind === "viewer" ? env : {}), [markVariable]: mark } });
    } catch (cause) {
      await log?.close();
      throw new TerminalError("failed", `node-pty: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    const closed = Promise.withResolvers<void>();
    const pane: PtyPane = { spec, mark, id: `pty-${++number}`, pty, columns: spec.columns, rows: spec.rows, ended: false, dead: false, log, closed: closed.promise };
    panes.set(pane.id, pane);

    let underway = 0, saidAt = -Infinity;
    pty.onData((bytes) => {
      if (!pane.log) return;
      underway += bytes.length;
      if (underway > highWater) pty.pause();
      void pane.log.append(bytes).then(({ error }) => {
        underway -= bytes.length;
        if (underway < lowWater && !pane.ended) pty.resume();
        if (!error || performance.now() - saidAt < problemEveryMs) return;
        saidAt = performance.now();
        events.onProblem(`the log of ${spec.session}/${spec.name} cannot be written: ${error.message}`);
      });
    });
    pty.onExit(() => {
      pane.ended = true;
      void pause(lateDataMs).then(async () => {
        const finished = pane.log;
        pane.log = undefined;
        await finished?.close();
        pane.dead = true;
        closed.resolve();
        events.onChange();
      });
    });
    return rowOf(pane);
  };

  return {
    name: "pty",
    server: () => null,
    list: async () => [...panes.values()].map(rowOf),
    create,
    resize: async (row, columns, rows) => {
      const pane = paneOf(row);
      if (!pane.ended) pane.pty.resize(columns, rows);
      Object.assign(pane, { columns, rows });
    },
    keys: async (row, keys: readonly Key[]) => write(row, keys.map((key) => (typeof key === "string" ? bytesOf(key) : printable(key.text))).join("")),
    paste: async (row, text, bracketed) => write(row, bracketed ? `\x1b[200~${text}\x1b[201~` : text),
    drop: async (row) => {
      const pane = paneOf(row);
      await pane.closed;
      panes.delete(pane.id);
      events.onChange();
    },
    dropSession: async () => undefined,
    relog: async () => undefined,
    attach: () => undefined,
    close: async () => {
      await endProcesses([...panes.values()].map(({ mark, pty }) => ({ mark, leader: pty.pid })));
      await Promise.all([...panes.values()].map(({ closed }) => closed));
      panes.clear();
    },
  };
};
