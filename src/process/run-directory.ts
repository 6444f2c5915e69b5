/**
 * The run's directory: which file means what, and what can be said about a run from its files alone, by any process.
 * Written by the owner before the launch: `spec.json`, `stdin`; later `.said.*`, one a message. Everything else is the launcher's (launcher.ts).
 *
 * I5 What is known of a run is read from its directory each time; nothing about it lives in memory only.
 */
import { createHash, randomUUID } from "node:crypto";
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellStatus } from "../../tmux/exit-status.ts";
import type { RunId } from "../domain/ids.ts";
import type { RunExit, RunSpec } from "../ports/agent-process.ts";

export interface RunPaths {
  readonly directory: string; readonly spec: string; readonly stdin: string; readonly started: string; readonly alive: string;
  readonly in: string; readonly out: string; readonly err: string; readonly exit: string; readonly launcherLog: string;
}

export const runPaths = (root: string, runId: RunId): RunPaths => {
  const directory = join(root, runId);
  const at = (name: string): string => join(directory, name);
  return {
    directory, spec: at("spec.json"), stdin: at("stdin"), started: at("started"), alive: at("alive"), in: at("in"), out: at("out"), err: at("err"),
    exit: at("exit"), launcherLog: at("launcher.err"),
  };
};

const isMissing = (cause: unknown): boolean => cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR");

/** Reads a small file; `undefined` when it is not there. */
export const readIfThere = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw cause;
  }
};

const replace = async (file: string, content: string): Promise<void> => {
  const temporary = `${file}.${randomUUID()}.tmp`;
  await writeFile(temporary, content, { mode: 0o600 });
  await rename(temporary, file);
};

/**
 * Makes the directory ready for a launcher. `spec.json` keeps the names of the environment only: values may be secrets, nobody reads them
 * back (the child has them; whoever starts the run again brings them), so they do not rest on disk.
 */
export const prepare = async (paths: RunPaths, spec: RunSpec, screenFiles: Readonly<Record<string, string>> = {}): Promise<void> => {
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries({ ...spec.files, ...screenFiles })) await replace(join(paths.directory, name), text);
  await replace(paths.stdin, spec.stdin ?? "");
  const { stdin: _stdin, files: _files, env, ...rest } = spec;
  await replace(paths.spec, `${JSON.stringify({ ...rest, envNames: Object.keys(env).sort() }, null, 1)}\n`);
};

/** The labels and input mode kept in `spec.json`; empty when the file is damaged. */
export const readSpec = (paths: RunPaths): { readonly labels: Readonly<Record<string, string>>; readonly stdinMode: "close" | "open" } => {
  try {
    const spec: unknown = JSON.parse(readFileSync(paths.spec, "utf8"));
    if (typeof spec !== "object" || spec === null) return { labels: {}, stdinMode: "close" };
    const labels = "labels" in spec && typeof spec.labels === "object" && spec.labels !== null
      ? Object.fromEntries(Object.entries(spec.labels).filter((entry): entry is [string, string] => typeof entry[1] === "string"))
      : {};
    return { labels, stdinMode: "stdinMode" in spec && spec.stdinMode === "open" ? "open" : "close" };
  } catch {
    return { labels: {}, stdinMode: "close" };
  }
};

/** The launcher's pid, which is also the run's process group; `undefined` when the run was never started. */
export const launcherPid = (paths: RunPaths): number | undefined => {
  const pid = Number(readIfThere(paths.started));
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
};

/** True for the first caller under this key, of any process. The claim comes before the write: what is claimed and never written is said by no one else. */
export const claimInput = (paths: RunPaths, key: string): boolean => {
  const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
  try {
    closeSync(openSync(join(paths.directory, `.said.${name}`), "wx", 0o600));
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw cause;
  }
};

/** True once a launcher of mode open has given the child all of `stdin`; a message written earlier would overtake it. */
export const firstInputFed = (paths: RunPaths): boolean => {
  const pid = launcherPid(paths);
  return pid !== undefined && !existsSync(join(paths.directory, `.stdin.${pid}`));
};

/** Asks the kernel (I2): a FIFO without writer reads as ended, one with a silent writer would block. */
export const launcherLives = (paths: RunPaths): boolean => {
  let fd: number;
  try {
    fd = openSync(paths.alive, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw cause;
  }
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EAGAIN") return true;
    throw cause;
  } finally {
    closeSync(fd);
  }
};

const modified = (file: string): number => Math.round(statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);

const exitFile = (paths: RunPaths): RunExit | undefined => {
  const text = readIfThere(paths.exit)?.trim();
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  return { ...shellStatus(Number(text)), lost: false, at: modified(paths.exit) };
};

/** How the run ended, or `undefined` while its launcher lives. A few small system calls, so synchronous. The time of a lost run is that of its last sign of life. */
export const readExit = (paths: RunPaths): RunExit | undefined => {
  const written = exitFile(paths);
  if (written) return written;
  if (launcherLives(paths)) return undefined;
  // Between the two looks the launcher may have finished properly.
  const late = exitFile(paths);
  if (late) return late;
  return { code: null, signal: null, lost: true, at: Math.max(...[paths.started, paths.out, paths.err].map(modified)) };
};
