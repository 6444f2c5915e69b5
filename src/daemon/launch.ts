/**
 * Starts a daemon in the background: this program again, detached, in a session of its own, with its output in the log.
 *
 * I1 Resolves only when a gateway has proved itself; a daemon that runs already is as good as a new one. I2 A start that fails leaves no process,
 * and its reason reaches the caller even when the log cannot be written: it comes over a channel of its own.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { z } from "zod";
import { ClientProblem } from "../client/contract.ts";
import type { LaunchOptions, RunningDaemon } from "../client/local-tools.ts";
import { logFile, prepareLog } from "./daemon-log.ts";
import { locateGateway } from "./gateway-note.ts";
import { asProblem, prepare, type Setting } from "./setting.ts";

/** What the child says to who started it. */
export const LaunchMessage = z.union([z.object({ says: z.string() }), z.object({ ready: z.literal(true) }), z.object({ failed: z.object({ message: z.string(), next: z.string() }) })]);

export const findDaemon = async (stateDirectory: string): Promise<RunningDaemon | undefined> => {
  const found = await locateGateway(stateDirectory);
  if (!found) return undefined;
  const { pid, host, port, asked, startedAt, startTicks } = found.note;
  return { pid, host, port, asked, startedAt, startTicks, log: logFile(stateDirectory), stateDirectory };
};

const killAfterMs = 5_000;

export const launch = async (setting: Setting, bin: string | undefined, { port, patienceMs, say, signal }: Omit<LaunchOptions, "directory">): Promise<RunningDaemon & { readonly started: boolean }> => {
  const { stateDirectory, loaded } = setting;
  const running = await findDaemon(stateDirectory);
  if (running) return { ...running, started: false };
  if (bin === undefined) throw new ClientProblem("a daemon cannot be started from here", "start it with: enact-factory start");
  await prepare(setting);
  const file = logFile(stateDirectory);
  const log = openForChild(file);
  const from = log.size;
  const place = loaded.file === null ? ["-C", setting.repository] : ["--config", loaded.file];
  const child = spawn(process.execPath, [...process.execArgv.filter((arg) => !arg.startsWith("--inspect")), bin, ...place, "start", "--foreground", "--background", ...(port === undefined ? [] : ["--port", String(port)])], {
    detached: true, cwd: stateDirectory, stdio: ["ignore", log.fd, log.fd, "ipc"],
  });
  closeSync(log.fd);

  const { promise: outcome, resolve } = Promise.withResolvers<"ready" | { readonly failed: string; readonly next: string }>();
  const tail = (): string => tailOf(file, from);
  const failed = (message: string, next: string): void => resolve({ failed: message, next });
  child.on("message", (given) => {
    const message = LaunchMessage.safeParse(given);
    if (!message.success) return;
    if ("says" in message.data) say?.(message.data.says);
    else if ("ready" in message.data) resolve("ready");
    else failed(message.data.failed.message, message.data.failed.next);
  });
  child.on("error", (error) => failed(`the daemon could not be started: ${error.message}`, "see what is wrong with: enact-factory doctor"));
  child.on("exit", (code, by) => failed(`the daemon ended while it started (${by ?? `exit ${code ?? "?"}`})`, `look into ${file}`));
  const timer = setTimeout(() => failed(`the daemon is not ready after ${Math.round(patienceMs / 1_000)} s`, `look into ${file}`), patienceMs);
  const onAbort = (): void => failed("the start was interrupted", "start it with: enact-factory start");
  signal?.addEventListener("abort", onAbort);
  if (signal?.aborted) onAbort();
  const ended = await outcome;
  clearTimeout(timer);
  signal?.removeEventListener("abort", onAbort);
  if (ended === "ready") {
    child.disconnect();
    child.unref();
  } else if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const gone = new Promise<void>((done) => { child.once("exit", () => done()); });
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    await gone;
    clearTimeout(kill);
  }
  // Somebody else's start may have been a moment faster: that one is as good (I1).
  const found = await findDaemon(stateDirectory);
  if (found) return { ...found, started: ended === "ready" && found.pid === child.pid };
  if (ended === "ready") throw new ClientProblem(`the daemon was ready and is gone again${tail()}`, `look into ${file}`);
  throw new ClientProblem(`${ended.failed}${tail()}`, ended.next);
};

const openForChild = (file: string): { readonly fd: number; readonly size: number } => {
  try {
    prepareLog(file);
    return { fd: openSync(file, "a", 0o600), size: statSync(file).size };
  } catch (error) {
    throw asProblem(new Error(`the log ${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`), "make it writable and make room on the disk, then try again");
  }
};

/** The last lines that this start wrote, below the message. */
const tailOf = (file: string, from: number): string => {
  try {
    const text = readFileSync(file);
    const lines = text.subarray(text.length < from ? 0 : from).toString("utf8").trimEnd().split("\n").filter((line) => line !== "").slice(-8);
    return lines.length === 0 ? "" : `\nthe last lines of its log:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  } catch {
    return "";
  }
};
