/**
 * The private tmux server: started, found again, lost, ended.
 *
 * Owns: the server's life, the session `_keep` that keeps it and the control client on it, the file `server.json` in the fabric's directory. Talks to: tmux.
 *
 * I1 Only `start` starts a server; everything else runs with `-N`, or through the control client of a server that lives.
 * I2 Options are set before any pane is made. `window-size manual` is never set: 3.3a and 3.6a crash on the next new window.
 * I3 A client that ended is replaced when the server lives; when it does not, `onGone` is told once.
 * I4 A signal goes to the server's pid only while its start time is the one that was read when it was met.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ServerState, TerminalError } from "./contract.ts";
import { ClientEnded, type ControlClient, controlClient, inTime, ServerSilent } from "./control-client.ts";
import { inTurn } from "./in-turn.ts";
import { isStopped, processRow, sendSignal } from "./process-table.ts";
import { quoted } from "./quoting.ts";
import type { TmuxProgram } from "./tmux-program.ts";

const keeper = "_keep";
const goneMs = 2_000;
const lookMs = 20;
const socketMs = 100;

/** Inert: reads a terminal that nobody types into. */
const inert = "exec cat";
const options: readonly (readonly string[])[] = [
  ["set-option", "-g", "history-limit", "20000"],
  ["set-option", "-g", "default-size", "120x40"],
  ["set-option", "-g", "remain-on-exit", "on"],
  ["set-option", "-g", "default-terminal", "screen-256color"],
  ["set-option", "-g", "default-shell", "/bin/sh"],
  // What a window without a command runs: a grouped session has one for a moment.
  ["set-option", "-g", "default-command", inert],
  // Titles come from the programs, and the status line would expand what they say.
  ["set-option", "-g", "status-right", ""],
  ["set-option", "-g", "status-left-length", "80"],
  ["set-option", "-gw", "automatic-rename", "off"],
  ["set-option", "-gw", "allow-rename", "off"],
  ["set-option", "-s", "escape-time", "0"],
  ["set-option", "-s", "exit-empty", "off"],
  ["set-option", "-g", "destroy-unattached", "off"],
  ["set-option", "-g", "update-environment", ""],
];

/** What can change in panes, once a second at most, told only when it did: tmux tells nothing else of other sessions. */
const watched = "enact::#{S:#{W:#{P:#{pane_id}:#{pane_dead}:#{pane_pipe}:#{window_active_clients} }}}";

export interface Met extends ServerState { readonly startedAt: number | undefined }

export interface TmuxServer {
  readonly state: () => ServerState | null;
  /** Runs commands as one line. Without a server: `gone`. */
  readonly run: (...commands: readonly (readonly string[])[]) => Promise<readonly (readonly string[])[]>;
  /** The same for questions, which may be asked again when the client ends in the middle. */
  readonly ask: (...commands: readonly (readonly string[])[]) => Promise<readonly (readonly string[])[]>;
  /** Makes sure that a server lives; starts one only when `start`. False: none lives. */
  readonly meet: (start: boolean) => Promise<boolean>;
  readonly leave: () => Promise<void>;
  readonly end: () => Promise<void>;
}

export interface TmuxServerOptions {
  readonly tmux: TmuxProgram;
  readonly directory: string;
  readonly onGone: (detail: string) => void;
  readonly onStarted: (pid: number) => void;
  /** Something about sessions, windows or clients changed: a notification of tmux. */
  readonly onNotice: (line: string) => void;
  readonly onProblem: (detail: string) => void;
}

const noServer = /no server running|error connecting|lost server|server exited/;

export const tmuxServer = ({ tmux, directory, onGone, onStarted, onNotice, onProblem }: TmuxServerOptions): TmuxServer => {
  const record = join(directory, "server.json");
  const serial = inTurn();
  let client: ControlClient | undefined;
  /** One that a silent server has not let in yet. */
  let waiting: ControlClient | undefined;
  let met: Met | undefined;
  let closing = false, lastWords = "";

  const lives = ({ pid, startedAt }: Met): boolean => {
    const row = processRow(pid);
    return row !== undefined && row.startedAt === startedAt;
  };

  /** The server that this or an earlier process met last, if it lives. */
  const recorded = async (): Promise<Met | undefined> => {
    try {
      const told: unknown = JSON.parse(await readFile(record, "utf8"));
      if (typeof told !== "object" || told === null || !("base" in told) || JSON.stringify(told.base) !== JSON.stringify(tmux.base)) return undefined;
      if (!("pid" in told && typeof told.pid === "number" && "socket" in told && typeof told.socket === "string" && "version" in told && typeof told.version === "string")) return undefined;
      const startedAt = "startedAt" in told && typeof told.startedAt === "number" ? told.startedAt : undefined;
      // Without a start time (macOS) a pid proves nothing.
      const found: Met = { pid: told.pid, socket: told.socket, version: told.version, startedAt };
      return startedAt !== undefined && lives(found) ? found : undefined;
    } catch {
      return undefined; // None was ever met, or the note is damaged.
    }
  };

  const attach = async (): Promise<ControlClient> => {
    const next = waiting ?? controlClient({
      file: tmux.file, env: tmux.env, onNotice,
      args: [...tmux.base, "-N", "-C", "attach-session", "-f", "ignore-size,no-output", "-t", `=${keeper}:`],
    });
    return await admitted(next, inTime(next.attached));
  };
  /** The client once `step` is done; a client that only waits is kept for the next try (control-client.ts, I3). */
  const admitted = async (next: ControlClient, step: Promise<unknown>): Promise<ControlClient> => {
    try {
      waiting = next;
      await step;
      waiting = undefined;
      return next;
    } catch (error) {
      if (!(error instanceof ServerSilent)) {
        waiting = undefined;
        next.destroy();
      }
      throw error;
    }
  };

  const newKeeper = (...flags: readonly string[]): Promise<string> =>
    tmux.run([...flags, "new-session", "-d", "-E", "-s", keeper, "-x", "120", "-y", "40", "--", "/bin/sh", "-c", inert]);

  /** Connects to a server that lives; undefined when none does. */
  const connect = async (): Promise<ControlClient | undefined> => {
    const stopped = met ?? await recorded();
    if (stopped && isStopped(stopped.pid)) throw new ServerSilent(`is stopped; kill -CONT ${stopped.pid} lets it go on`);
    for (let round = 0; ; round++) {
      try {
        return await attach();
      } catch (error) {
        const said = error instanceof Error ? error.message : String(error);
        if (round >= goneMs / socketMs) throw error;
        if (!noServer.test(said)) {
          if (error instanceof ServerSilent) throw error;
          // It lives, but somebody took the keeper away.
          await newKeeper("-N").catch(() => undefined);
          continue;
        }
        const lost = await recorded();
        if (!lost) return undefined;
        // It lives, but its socket was removed (cleaners of /tmp do): tmux makes it again on SIGUSR1.
        await mkdir(dirname(lost.socket), { recursive: true, mode: 0o700 });
        sendSignal(lost.pid, "SIGUSR1");
        await pause(socketMs);
      }
    }
  };

  const adopt = async (next: ControlClient): Promise<void> => {
    client = await admitted(next, introduce(next));
    void next.ended.then(async (words) => {
      if (client !== next) return;
      client = undefined;
      lastWords = words;
      if (!closing) await meet(false).catch(() => undefined); // Tried again by the next command.
    });
  };

  const introduce = async (next: ControlClient): Promise<void> => {
    // A version of tmux that lacks one of them is no reason to do without the others.
    await Promise.all([...options, ["refresh-client", "-B", watched]].map((command) => next.run(command.map(quoted).join(" ")).catch((error: unknown) => {
      if (error instanceof ClientEnded || error instanceof ServerSilent) throw error;
      onProblem(`a tmux option could not be set: ${String(error)}`);
    })));
    const [[line = ""] = []] = await next.run(["display-message", "-p", "-t", `=${keeper}:`, "#{pid}\t#{version}\t#{socket_path}"].map(quoted).join(" "));
    const [pid = "", version = "", socket = ""] = line.split("\t");
    met = { pid: Number(pid), version, socket, startedAt: processRow(Number(pid))?.startedAt };
    const temporary = `${record}.${process.pid}.tmp`;
    await writeFile(temporary, `${JSON.stringify({ base: tmux.base, ...met })}\n`, { mode: 0o600 });
    await rename(temporary, record);
  };

  const lose = (): void => {
    if (!met) return;
    met = undefined;
    onGone(lastWords || "the tmux server ended");
  };

  const meet = (start: boolean): Promise<boolean> => serial("server", async () => {
    if (client) return true;
    if (closing) return false;
    const living = await connect();
    if (living) {
      await adopt(living);
      return true;
    }
    lose();
    if (!start) return false;
    // Another process may start it at the same moment: then the session is there already.
    await newKeeper().catch((error: unknown) => {
      if (!/duplicate session/.test(String(error))) throw error;
    });
    const started = await connect();
    if (!started) throw new TerminalError("failed", "the tmux server that was started ended at once");
    await adopt(started);
    if (met) onStarted(met.pid);
    return true;
  });

  const attempt = async (commands: readonly (readonly string[])[]): Promise<readonly (readonly string[])[]> => {
    if (!client && !await meet(false)) throw new TerminalError("gone", "the tmux server is gone");
    if (!client) throw new ClientEnded("");
    return client.run(...commands.map((command) => command.map(quoted).join(" ")));
  };
  const run: TmuxServer["run"] = async (...commands) => {
    try {
      return await attempt(commands);
    } catch (error) {
      if (error instanceof ClientEnded && !await meet(false)) throw new TerminalError("gone", "the tmux server is gone");
      throw error;
    }
  };
  const ask: TmuxServer["ask"] = async (...commands) => {
    try {
      return await run(...commands);
    } catch (error) {
      if (!(error instanceof ClientEnded)) throw error;
      return run(...commands);
    }
  };

  const parted = async (): Promise<void> => {
    waiting?.leave();
    waiting = undefined;
    const left = client;
    client = undefined;
    if (!left) return;
    left.leave();
    const late = setTimeout(left.destroy, goneMs);
    await left.ended;
    clearTimeout(late);
  };

  return {
    run, ask, meet,
    state: () => (met ? { socket: met.socket, version: met.version, pid: met.pid } : null),
    leave: () => {
      closing = true;
      return serial("server", parted);
    },
    end: () => {
      closing = true;
      return serial("server", async () => {
        const server = met ?? await recorded();
        // The answer may be lost with the server.
        if (server) await tmux.run(["-N", "kill-server"]).catch(() => undefined);
        await parted();
        if (!server) return;
        for (let waited = 0; waited < goneMs && lives(server); waited += lookMs) await pause(lookMs);
        if (lives(server)) sendSignal(server.pid, "SIGKILL");
        for (let waited = 0; waited < goneMs && lives(server); waited += lookMs) await pause(lookMs);
        met = undefined;
        if (lives(server)) return;
        // tmux leaves its socket behind.
        for (const left of [record, server.socket]) await rm(left, { force: true });
      });
    },
  };
};
