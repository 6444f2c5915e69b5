/**
 * The terminal fabric over either backend: what `Terminals` promises is kept here once.
 *
 * Owns: which calls wait for each other, the caps of programs' logs, and what is told as events. Talks to: one backend, the panes' directories.
 *
 * I1 Calls for one pane happen one after the other; of two `show` of one name the second finds what the first made.
 * I2 What is known of a pane is asked of the backend each time: another process, a person or a crash may have changed it.
 * I3 A program's log never holds more than the cap and what is written between two looks.
 */
import { createHash } from "node:crypto";
import { mkdir, realpath, stat } from "node:fs/promises";
import { watch, type FSWatcher } from "node:fs";
import type { Backend, BackendEvents, PaneRow } from "./backend.ts";
import { type Key, type KillOptions, type Pane, type PaneExit, type PaneSpec, type PaneState, segmentBytes, TerminalError, type TerminalEvent, type Terminals, type TerminalsOptions } from "./contract.ts";
import { ServerSilent } from "./control-client.ts";
import { deliver } from "./delivery.ts";
import { type Ending, endProcesses, isMarkAlive } from "./end-processes.ts";
import { inRounds } from "./in-rounds.ts";
import { inTurn } from "./in-turn.ts";
import { forgetLaunch, prepareLaunch, readPaneExit } from "./launcher-script.ts";
import { readSeatLog } from "./log-reader.ts";
import { defaultKeep, listSegments, segmentSize, trimSegments } from "./log-segments.ts";
import { openPty } from "./pty-backend.ts";
import { checkedName, checkedPath, checkedSize } from "./quoting.ts";
import { openTmux } from "./tmux-backend.ts";
import { findTmux } from "./tmux-program.ts";

const endingsOf = (rows: readonly PaneRow[]): readonly Ending[] => rows.map(({ mark, pid }) => ({ mark, leader: pid }));

const inherited = ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TMUX_TMPDIR"] as const;
const housekeepingMs = 2_000;
const exitLookMs = 500;
/** How long a program that wrote its exit may take until its terminal is drained: the launcher's pause and some. */
const drainMs = 3_000;
const markForm = /^[A-Za-z0-9][A-Za-z0-9@._-]{0,127}$/;

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const isGone = (error: unknown): boolean => error instanceof TerminalError && error.reason === "gone";

const environment = (): Readonly<Record<string, string>> => Object.fromEntries(inherited.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));

/** Opens the backend that was asked for, or the better one that works. */
const chooseBackend = async (wanted: TerminalsOptions["backend"], tmux: () => Promise<Backend>, pty: () => Promise<Backend>): Promise<{ readonly backend: Backend; readonly reason: string }> => {
  if (wanted === "pty") return { backend: await pty(), reason: "" };
  try {
    return { backend: await tmux(), reason: "" };
  } catch (error) {
    // A server of ours that lives may hold panes: beside it nothing else is opened.
    if (wanted === "tmux" || error instanceof ServerSilent) throw new TerminalError("unavailable", message(error), { cause: error });
    try {
      return { backend: await pty(), reason: message(error) };
    } catch (other) {
      throw new TerminalError("unavailable", `no terminals here: ${message(error)}; ${message(other)}`, { cause: other });
    }
  }
};

const outgrown = async (directory: string): Promise<boolean> => {
  const last = (await listSegments(directory)).at(-1);
  return last !== undefined && (await segmentSize(directory, last) ?? 0) > segmentBytes;
};

const checkedSpec = async (spec: PaneSpec): Promise<void> => {
  checkedName("session", spec.session);
  checkedName("pane", spec.name);
  checkedSize(spec.columns, spec.rows);
  checkedPath("the pane's directory", spec.directory);
  if (!(await stat(spec.directory).catch(() => undefined))?.isDirectory()) throw new TerminalError("refused", `the pane's directory ${spec.directory} is not there`);
  if (spec.kind === "viewer") return;
  checkedPath("the working directory", spec.cwd);
  if (spec.mark !== undefined && !markForm.test(spec.mark)) throw new TerminalError("refused", `${JSON.stringify(spec.mark)} cannot mark processes`);
};

export const openTerminals = async (options: TerminalsOptions): Promise<Terminals> => {
  checkedName("server", options.server);
  checkedPath("the directory of the terminals", options.directory);
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const directory = await realpath(options.directory);
  const env = options.env ?? environment();
  const keepSegments = Math.max(2, options.keepSegments ?? defaultKeep);
  const serial = inTurn();
  const tell = (event: TerminalEvent): void => options.onEvent?.(event);
  let opened = false, closed = false;
  /** What `close` waits for: nothing is made after it. */
  const making = new Set<Promise<unknown>>();
  const afterwards = <A>(work: Promise<A>): Promise<A> => {
    making.add(work);
    return work.finally(() => making.delete(work));
  };

  /** Whoever waits for something to change. */
  const waiting = new Set<() => void>();
  const ring = (): void => {
    const woken = [...waiting];
    waiting.clear();
    for (const wake of woken) wake();
  };
  const changed = (ms: number): Promise<void> => new Promise((resolve) => {
    const timer = setTimeout(wake, ms);
    function wake(): void {
      clearTimeout(timer);
      waiting.delete(wake);
      resolve();
    }
    waiting.add(wake);
  });

  let known = new Map<string, PaneRow>();
  /** Of every pane that was seen or asked for: one that a busy server makes after its maker gave up is in no list of ours. */
  const marks = new Set<string>();
  /** Compares with what was seen last: tells of ends, mends logs that stopped, keeps the caps. */
  const look = (): Promise<void> => serial("look", async () => {
    if (!opened || closed) return;
    const rows = await backend.list();
    if (closed) return;
    const now = new Map(rows.map((row) => [row.id, row]));
    for (const row of known.values()) {
      if (!row.dead && (now.get(row.id)?.dead ?? true)) tell({ type: "pane-ended", session: row.session, name: row.name, id: row.id });
    }
    known = now;
    for (const row of rows) {
      marks.add(row.mark);
      if (row.kind !== "program") continue;
      await trimSegments(row.directory, keepSegments).catch(() => undefined); // A directory that was removed needs no cap.
      if (backend.name === "pty" || row.dead) continue;
      if (row.logged) {
        // Only `cat` lets a segment outgrow its size; a new pipe begins the next one, and the cap takes the old ones.
        if (await outgrown(row.directory).catch(() => false)) await backend.relog(row).catch(() => undefined); // Tried again at the next look.
        continue;
      }
      tell({ type: "problem", detail: `the log of ${row.session}/${row.name} was not written any more (a full disk?) and is taken up again` });
      await backend.relog(row).catch(() => undefined); // Tried again at the next look.
    }
  });
  const lookSoon = (): void => {
    ring();
    look().catch(() => undefined); // The server is gone, which is told by itself.
  };

  const events: BackendEvents = {
    onGone: (detail) => {
      const lost = [...known.values()];
      known = new Map();
      if (closed) return;
      tell({ type: "server-gone", detail });
      // The kernel hangs up on the launcher only; what the program makes of a terminal that is gone is its own affair, and it may be nothing.
      afterwards(endProcesses(endingsOf(lost))).catch((error: unknown) => tell({ type: "problem", detail: `what outlived its terminal could not be ended: ${message(error)}` }));
      ring();
    },
    onStarted: (pid) => tell({ type: "server-started", pid }),
    onAttached: () => tell({ type: "attached" }),
    onProblem: (detail) => tell({ type: "problem", detail }),
    onChange: lookSoon,
  };
  const { backend, reason } = await chooseBackend(
    options.backend,
    async () => openTmux({ tmux: await findTmux(options.server, env), directory, events }),
    () => openPty({ env, keepSegments, events }),
  );
  const housekeeping = setInterval(() => {
    if (known.size > 0) look().catch(() => undefined); // Whoever asks next hears what is wrong.
  }, housekeepingMs);
  housekeeping.unref();
  opened = true;
  await look();

  const markOf = (spec: PaneSpec): string =>
    (spec.kind === "program" && spec.mark) || `pane@${createHash("sha256").update([options.server, directory, spec.session, spec.name].join("\0")).digest("hex").slice(0, 16)}`;

  const find = async (session: string, name: string): Promise<PaneRow | undefined> => (await backend.list()).find((row) => row.session === session && row.name === name);

  const stateOf = ({ mark: _mark, logged: _logged, ...row }: PaneRow): PaneState => {
    const { session, name, kind, directory, id, pid, dead, columns, rows, attached } = row;
    return { session, name, kind, directory, id, pid, dead, columns, rows, attached };
  };

  const gone = (row: PaneRow): TerminalError => new TerminalError("gone", `pane ${row.id} (${row.session}/${row.name}) is there no more`);

  const paneOf = (row: PaneRow, adopted: boolean): Pane => {
    const { session, name, kind, id, pid, directory, mark } = row;
    const key = `${session}/${name}`;
    /** Undefined when it is gone; another pane of the same name is not it. */
    const now = async (): Promise<PaneRow | undefined> => {
      try {
        return (await backend.list()).find((each) => each.id === id && each.mark === mark && each.pid === pid);
      } catch (error) {
        if (isGone(error)) return undefined;
        throw error;
      }
    };
    const there = async (): Promise<PaneRow> => {
      const found = await now();
      if (!found) throw gone(row);
      return found;
    };
    const kill = async ({ steps }: KillOptions = {}): Promise<{ readonly swept: number }> => {
      // A pane that took this one's place has its mark, and nothing of this one was left when it did.
      const heir = (await backend.list().catch((): readonly PaneRow[] => [])).find((each) => each.mark === mark);
      if (heir && heir.pid !== pid) return { swept: 0 };
      const swept = await endProcesses([{ mark, leader: pid }], steps);
      ring();
      return { swept };
    };
    const living = async (): Promise<PaneRow | undefined> => {
      const found = await now();
      return found && !found.dead ? found : undefined;
    };

    const exit = async (): Promise<PaneExit> => {
      let watcher: FSWatcher | undefined;
      try {
        watcher = watch(directory, { persistent: false }, ring);
        watcher.on("error", () => watcher?.close());
      } catch {
        // The looks are enough.
      }
      try {
        let endedAt: number | undefined;
        for (;;) {
          const found = await living();
          const written = kind === "program" ? readPaneExit(directory) : undefined;
          if (written && (!found || (endedAt ??= performance.now()) + drainMs < performance.now())) return written;
          // Without a pane only living processes can still write it.
          if (!found && !written && !await isMarkAlive(mark)) return (kind === "program" ? readPaneExit(directory) : undefined) ?? { code: null, signal: null, lost: true };
          await changed(written ? exitLookMs / 10 : exitLookMs);
        }
      } finally {
        watcher?.close();
      }
    };

    return {
      session, name, kind, id, pid, directory, adopted, exit,
      state: async () => {
        const found = await now();
        return found && stateOf(found);
      },
      resize: async (columns, rows) => {
        checkedSize(columns, rows);
        await backend.resize(await there(), columns, rows);
      },
      keys: (...keys: readonly Key[]) => serial(`input ${key}`, async () => backend.keys(await there(), keys)),
      deliver: (text, options) => serial(`input ${key}`, async () => {
        if (kind !== "program") throw new TerminalError("refused", `${key} shows a seat and takes no message`);
        return deliver({
          log: readSeatLog(directory), directory, size: living,
          paste: async (pasted, bracketed) => backend.paste(await there(), pasted, bracketed),
          enter: async () => backend.keys(await there(), ["Enter"]),
        }, text, options);
      }),
      kill: (options) => serial(key, () => kill(options)),
      remove: (options) => serial(key, async () => {
        await kill(options);
        const found = await now();
        if (found) await backend.drop(found).catch((error: unknown) => { if (!isGone(error)) throw error; });
      }),
    };
  };

  /** Ends what an earlier program of that name left behind: it lost its terminal, or its launcher was killed. */
  const endEarlier = inRounds((marks: readonly string[]) => endProcesses(marks.map((mark) => ({ mark, leader: undefined }))));

  const make = async (spec: PaneSpec): Promise<PaneRow> => {
    const mark = markOf(spec);
    marks.add(mark);
    if (spec.kind === "program") {
      await endEarlier(mark);
      await prepareLaunch(spec);
    }
    try {
      return await backend.create(spec, mark);
    } catch (error) {
      if (spec.kind === "program") await forgetLaunch(spec.directory);
      throw error;
    }
  };

  const removeAll = async (rows: readonly PaneRow[]): Promise<void> => {
    await endProcesses(endingsOf(rows));
    for (const row of rows) await backend.drop(row).catch((error: unknown) => { if (!isGone(error)) throw error; });
  };

  const show = async (spec: PaneSpec): Promise<Pane> => {
    await checkedSpec(spec);
    const found = await find(spec.session, spec.name);
    if (found && !found.dead) return paneOf(found, true);
    if (found) await removeAll([found]);
    const made = await make(spec);
    known.set(made.id, made);
    return paneOf(made, false);
  };

  return {
    backend: backend.name,
    reason,
    server: backend.server,
    show: async (spec) => {
      if (closed) throw new TerminalError("gone", "the terminals are closed");
      return afterwards(serial(`${spec.session}/${spec.name}`, () => show(spec)));
    },
    panes: async () => (await backend.list()).map(stateOf),
    find: async (session, name) => {
      const found = await find(session, name);
      return found && paneOf(found, true);
    },
    attachCommand: async (session, name, { write = false } = {}) => {
      const found = await find(session, name);
      return found && backend.attach(found, write);
    },
    removeSession: async (session) => {
      checkedName("session", session);
      await removeAll((await backend.list()).filter((row) => row.session === session));
      await backend.dropSession(session);
    },
    close: async (how) => {
      if (closed) return;
      closed = true;
      clearInterval(housekeeping);
      await Promise.allSettled(making);
      if (how === "end") {
        const rows = await backend.list().catch((): readonly PaneRow[] => []);
        await endProcesses(endingsOf([...known.values(), ...rows]));
      }
      await backend.close(how);
      if (how === "end") await endProcesses([...marks].map((mark) => ({ mark, leader: undefined })), []);
      ring();
    },
  };
};
