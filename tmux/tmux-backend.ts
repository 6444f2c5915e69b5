/**
 * Panes on the private tmux server, one window each.
 *
 * Owns: the windows that carry the pane option `@enact_pane`. Talks to: tmux-server.ts.
 *
 * I1 A pane, its option, its log pipe and its size come into being in one command line: no byte is lost, and a pane without option is nobody's.
 * I2 What a pane is stands in its option, not in names that a person can change: whoever asks the server next knows as much as the one who made it.
 * I3 Panes are addressed by id. A name as a target is exact (`=`) and was checked.
 */
import { randomBytes } from "node:crypto";
import { TerminalError, type Key, type PaneSpec } from "./contract.ts";
import type { Backend, BackendEvents, PaneRow } from "./backend.ts";
import { CommandFailed } from "./control-client.ts";
import { inRounds } from "./in-rounds.ts";
import { launcherArguments } from "./launcher-script.ts";
import { findLogPipe, logPipeCommand } from "./log-pipe.ts";
import { markVariable } from "./process-table.ts";
import { printable } from "./sanitise.ts";
import type { TmuxProgram } from "./tmux-program.ts";
import { tmuxServer } from "./tmux-server.ts";
import { viewerScript } from "./viewer-script.ts";

const fields = ["pane_id", "window_id", "pane_pid", "pane_dead", "pane_width", "pane_height", "pane_pipe", "window_active_clients", "@enact_pane"].map((name) => `#{${name}}`).join("\t");

/** The option's text: words that were checked, and the directory in letters that mean nothing anywhere. */
const optionOf = (spec: PaneSpec, mark: string): string => ["1", spec.session, spec.name, spec.kind, mark, Buffer.from(spec.directory).toString("base64url")].join("/");

interface TmuxRow extends PaneRow { readonly window: string }

const rowOf = (line: string): TmuxRow | undefined => {
  const [id = "", window = "", pid = "", dead = "", columns = "", rows = "", pipe = "", attached = "", option = ""] = line.split("\t");
  const [version, session = "", name = "", kind, mark = "", directory = ""] = option.split("/");
  if (version !== "1" || (kind !== "viewer" && kind !== "program")) return undefined;
  return {
    id, window, session, name, kind, mark, directory: Buffer.from(directory, "base64url").toString(), pid: Number(pid), dead: dead === "1",
    columns: Number(columns), rows: Number(rows), logged: pipe === "1", attached: Number(attached),
  };
};

const programOf = (spec: PaneSpec): readonly string[] =>
  ["/bin/sh", ...(spec.kind === "viewer" ? ["-c", viewerScript, "enact-viewer", spec.directory] : launcherArguments(spec.directory))];

export interface TmuxBackendOptions { readonly tmux: TmuxProgram; readonly directory: string; readonly events: BackendEvents }

/** Finds or starts the server; rejects when that does not work. */
export const openTmux = async ({ tmux, directory, events }: TmuxBackendOptions): Promise<Backend> => {
  const server = tmuxServer({
    tmux, directory, onGone: events.onGone, onStarted: events.onStarted, onProblem: events.onProblem,
    onNotice: (line) => {
      if (/^%client-(session-changed|detached)/.test(line)) events.onAttached();
      if (/^%(subscription-changed|client-|sessions-changed|(unlinked-)?window-(add|close))/.test(line)) events.onChange();
    },
  });
  await server.meet(true).catch(async (error: unknown) => {
    await server.leave();
    throw error;
  });
  const pipe = await findLogPipe(directory, tmux.env);

  const look = inRounds(async (): Promise<readonly TmuxRow[]> => {
    if (!await server.meet(false)) return [];
    const [lines = []] = await server.ask(["list-panes", "-a", "-F", fields]);
    // A grouped session shows each of its panes once more.
    return [...new Map(lines.flatMap((line) => rowOf(line) ?? []).map((row) => [row.id, row])).values()];
  });
  const listed = (): Promise<readonly TmuxRow[]> => look(undefined);
  /** Nothing is shown, and no other process works with the server. */
  const deserted = async (): Promise<boolean> => {
    if (!await server.meet(false)) return false;
    const [sessions = [], clients = []] = await server.ask(["list-sessions", "-F", "#{session_name}"], ["list-clients", "-F", "#{client_pid}"]);
    return sessions.length === 1 && clients.length === 1;
  };
  const windowOf = async (row: PaneRow): Promise<string> => {
    const found = (await listed()).find(({ id }) => id === row.id);
    if (found) return found.window;
    throw new TerminalError("gone", `pane ${row.id} (${row.session}/${row.name}) is there no more`);
  };
  /** A pane whose history a person scrolls swallows keys. */
  const leaveCopyMode = async ({ id }: PaneRow): Promise<void> => {
    const [[mode] = []] = await server.ask(["display-message", "-p", "-t", id, "#{pane_in_mode}"]);
    if (mode !== "0") await server.run(["send-keys", "-t", id, "-X", "cancel"]);
  };
  const keyCommand = ({ id }: PaneRow, key: Key): readonly string[] => (typeof key === "string" ? ["send-keys", "-t", id, key] : ["send-keys", "-t", id, "-l", "--", printable(key.text)]);

  const make = async (spec: PaneSpec, mark: string): Promise<TmuxRow> => {
    await server.meet(true);
    const [sessions = []] = await server.ask(["list-sessions", "-F", "#{session_name}"]);
    const size = ["-x", String(spec.columns), "-y", String(spec.rows)];
    // The name is nobody else's until the line is through, so that the commands after the first one mean this window.
    const passing = `new-${randomBytes(8).toString("hex")}`, target = `=${spec.session}:=${passing}`;
    const first = ["-d", "-P", "-F", "#{window_id}", "-e", `${markVariable}=${mark}`, "-n", passing];
    const line = [
      ...(sessions.includes(spec.session)
        ? [["set-option", "-t", `=${spec.session}:`, "default-size", `${spec.columns}x${spec.rows}`], ["new-window", ...first, "-t", `=${spec.session}:`, "--", ...programOf(spec)]]
        : [["new-session", "-E", ...first, "-s", spec.session, ...size, "--", ...programOf(spec)]]),
      ["set-option", "-p", "-t", target, "@enact_pane", optionOf(spec, mark)],
      ...(spec.kind === "program" ? [["pipe-pane", "-O", "-t", target, await logPipeCommand(pipe, spec.directory)]] : []),
      ["resize-window", "-t", target, ...size],
      ["display-message", "-p", "-t", target, fields],
      ["rename-window", "-t", target, spec.name],
    ];
    try {
      const [told = ""] = (await server.run(...line)).at(-2) ?? [];
      const made = rowOf(told);
      if (made) return made;
      throw new TerminalError("failed", `tmux made the pane ${spec.session}/${spec.name} and told of ${JSON.stringify(told)}`);
    } catch (error) {
      // A window that was made is not left half made.
      if (error instanceof CommandFailed) await server.run(["kill-window", "-t", target]).catch(() => undefined);
      throw error;
    }
  };

  return {
    name: "tmux",
    server: server.state,
    list: listed,
    // A session that came or went between two lines (another process, a last window that closed) is seen by the second try.
    create: (spec, mark) => make(spec, mark).catch((error: unknown) => {
      if (error instanceof CommandFailed && /duplicate session|can't find session/.test(error.message)) return make(spec, mark);
      throw error;
    }),
    resize: async (row, columns, rows) => {
      await server.run(["resize-window", "-t", await windowOf(row), "-x", String(columns), "-y", String(rows)]);
    },
    keys: async (row, keys) => {
      await leaveCopyMode(row);
      if (keys.length > 0) await server.run(...keys.map((key) => keyCommand(row, key)));
    },
    paste: async (row, text) => {
      await leaveCopyMode(row);
      const buffer = `enact-${randomBytes(8).toString("hex")}`;
      await tmux.run(["-N", "load-buffer", "-b", buffer, "-"], text);
      try {
        await server.run(["paste-buffer", "-p", "-r", "-d", "-b", buffer, "-t", row.id]);
      } catch (error) {
        await server.run(["delete-buffer", "-b", buffer]).catch(() => undefined);
        throw error;
      }
    },
    drop: async (row) => {
      await server.run(["kill-window", "-t", await windowOf(row)]);
    },
    dropSession: async (session) => {
      if (!await server.meet(false)) return;
      const [sessions = []] = await server.ask(["list-sessions", "-F", "#{session_name}"]);
      if (sessions.includes(session)) await server.run(["kill-session", "-t", `=${session}:`]);
    },
    relog: async (row) => {
      await server.run(["pipe-pane", "-O", "-t", row.id, await logPipeCommand(pipe, row.directory)]);
    },
    attach: (row, write) => {
      const view = `view-${randomBytes(6).toString("hex")}`, window = "window" in row && typeof row.window === "string" ? row.window : undefined;
      if (window === undefined) return undefined;
      return {
        argv: [
          tmux.file, ...tmux.base, "-N",
          // Without it, tmux would make a new session where the one that was meant has gone.
          "has-session", "-t", `=${row.session}:`, ";",
          "new-session", "-E", "-f", write ? "ignore-size" : "ignore-size,read-only", "-t", `=${row.session}`, "-s", view, ";",
          "set-option", "-t", `=${view}:`, "destroy-unattached", "on", ";",
          "select-window", "-t", `=${view}:${window}`,
        ],
        // Somebody who sits in a tmux of their own may attach all the same.
        env: { TMUX: "", ...("TMUX_TMPDIR" in tmux.env ? { TMUX_TMPDIR: tmux.env["TMUX_TMPDIR"] } : {}) },
      };
    },
    close: async (how) => {
      if (how === "end" || await deserted().catch(() => false)) await server.end();
      else await server.leave();
    },
  };
};
