/**
 * A fabric of its own for one test, and the promise that nothing of it outlives the test, also when the test fails or the run is killed: its processes carry the room's directory
 * in their environment, the tmux server and its helpers too.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openTerminals, readSeatLog, type BackendName, type ProgramSpec, type TerminalEvent, type Terminals, type TerminalsOptions, type ViewerSpec } from "../../tmux/index.ts";
import { isDying } from "../../tmux/process-table.ts";

export const node = process.execPath;
const variable = "ENACT_TEST_ROOM";

/** Living processes of a room: pid, command, and what stands in the environment. */
export const processesOf = (directory: string): readonly { readonly pid: number; readonly command: string; readonly environment: string }[] => {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      if (!environment.includes(`${variable}=${directory}\0`)) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return command === "" ? [] : [{ pid: Number(name), command: command.replace(/\s+/g, " ").slice(0, 160), environment }];
    } catch {
      return []; // Ended meanwhile.
    }
  });
};

/** Where tmux is missing, says so loudly; with CI=true that is an error. */
export const tmuxOrSkip = (): boolean => {
  if (spawnSync("tmux", ["-V"]).status === 0) return true;
  const message = "tmux is missing: terminals on it are NOT tested. Debian: apt-get install --no-install-recommends tmux";
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return false;
};

// Waits for the end of its input, whatever ends it, then takes the server away. $1 server, $2 directory.
const guard = 'trap "" INT TERM HUP QUIT; cat >/dev/null; tmux -L "$1" -N kill-server 2>/dev/null; rm -rf "$2"';

export interface Room extends AsyncDisposable {
  readonly directory: string;
  readonly server: string;
  readonly env: Readonly<Record<string, string>>;
  readonly terminals: Terminals;
  readonly events: TerminalEvent[];
  readonly options: TerminalsOptions;
  /** Another one on the same server, as another process would open it. */
  readonly another: () => Promise<Terminals>;
  /** A directory of a pane, made. */
  readonly place: (name: string) => string;
  readonly viewer: (name: string, more?: Partial<ViewerSpec>) => ViewerSpec;
  readonly program: (name: string, argv: readonly [string, ...string[]], more?: Partial<ProgramSpec>) => ProgramSpec;
  /** A program that is JavaScript under node. */
  readonly js: (name: string, code: string, more?: Partial<ProgramSpec>) => ProgramSpec;
  readonly sh: (name: string, code: string, more?: Partial<ProgramSpec>) => ProgramSpec;
  /** Runs tmux on the room's server as a stranger would. */
  readonly tmux: (...args: readonly string[]) => string;
}

let rooms = 0;

export const makeRoom = async (backend: BackendName, more: Partial<TerminalsOptions> = {}): Promise<Room> => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-terminals-")));
  const server = `enact-test-${process.pid}-${++rooms}`;
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory, TMUX_TMPDIR: directory, LANG: "C.UTF-8", [variable]: directory };
  const watch = spawn("/bin/sh", ["-c", guard, "guard", server, directory], { detached: true, stdio: ["pipe", "ignore", "ignore"], env: { PATH: env.PATH, TMUX_TMPDIR: directory } });
  watch.unref();
  const events: TerminalEvent[] = [];
  const options: TerminalsOptions = { server, backend, directory: join(directory, "fabric"), env, onEvent: (event) => void events.push(event), ...more };
  const opened: Terminals[] = [];
  const open = async (): Promise<Terminals> => {
    const terminals = await openTerminals(options);
    opened.push(terminals);
    return terminals;
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(opened.map((terminals) => terminals.close("end").catch((error: unknown) => void console.error("close:", error))));
    let left = processesOf(directory);
    // What is dying may need the processor first.
    for (let tries = 0; left.length > 0 && tries < 200; tries++) {
      await pause(25);
      left = processesOf(directory).filter(({ pid }) => !isDying({ pid }));
    }
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    watch.stdin.end();
    rmSync(directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind by the room ${basename(directory)}:\n${left.map(({ pid, command }) => `  ${pid} ${command}`).join("\n")}`);
  };
  const place = (name: string): string => {
    const made = join(directory, name);
    mkdirSync(made, { recursive: true });
    return made;
  };
  const base = { session: "LOC-1", columns: 90, rows: 24 };
  const program: Room["program"] = (name, argv, own = {}) => ({ ...base, kind: "program", name, argv, cwd: directory, directory: own.directory ?? place(name), env: { PATH: "/usr/bin:/bin", [variable]: directory }, ...own });
  try {
    return {
      directory, server, env, events, options, terminals: await open(), another: open, place, program,
      viewer: (name, own = {}) => ({ ...base, kind: "viewer", name, directory: own.directory ?? place(name), ...own }),
      js: (name, code, own) => program(name, [node, "-e", code], own),
      sh: (name, code, own) => program(name, ["/bin/sh", "-c", code], own),
      tmux: (...args) => {
        const done = spawnSync("tmux", ["-L", server, "-N", ...args], { encoding: "utf8", env });
        if (done.status !== 0) throw new Error(done.stderr.trim());
        return done.stdout.replace(/\n$/, "");
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
};

/** Everything that is kept of a log. */
export const logOf = async (directory: string): Promise<Buffer> => {
  const reader = readSeatLog(directory);
  const { from, to } = await reader.window();
  const parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const { data, from: found } = await reader.read(at, 1024 * 1024);
    if (data.length === 0) break;
    parts.push(data);
    at = found + data.length;
  }
  return Buffer.concat(parts);
};
