import { execa } from "execa";
import type { Confined, Sandbox } from "./sandbox.ts";

export interface Ran { readonly exitCode: number | undefined; readonly timedOut: boolean; /** Standard output and error as they came: the first and last parts when long. */ readonly output: string; readonly durationMs: number }

/** Bytes kept of the beginning and of the end of an output. */
const keepBytes = 4_194_304;

/** Runs a command in a sandbox. At the timeout, and when the command is over, whatever is left of its process group dies; in bubblewrap that is every process. */
export const runConfined = async (sandbox: Sandbox, command: Confined, timeoutMs: number, signal?: AbortSignal): Promise<Ran> => {
  const { argv: [program, ...args], env, cwd } = await sandbox.launch(command);
  const begun = performance.now();
  const child = execa(program, args, { cwd, env, extendEnv: false, stdin: "ignore", all: true, encoding: "buffer", buffer: false, reject: false, detached: true, cleanup: false });
  let head = Buffer.alloc(0), tail: Buffer[] = [], tailBytes = 0, cut = false;
  child.all?.on("data", (chunk: Buffer) => {
    const room = keepBytes - head.length;
    if (room > 0) head = Buffer.concat([head, chunk.subarray(0, room)]);
    if (chunk.length <= room) return;
    tail.push(chunk.subarray(Math.max(room, 0)));
    tailBytes += chunk.length - Math.max(room, 0);
    if (tailBytes > 2 * keepBytes) { tail = [Buffer.concat(tail).subarray(-keepBytes)]; tailBytes = keepBytes; cut = true; }
  });
  let timedOut = false;
  const killGroup = () => { if (child.pid !== undefined) try { process.kill(-child.pid, "SIGKILL"); } catch { /* already gone */ } };
  const timer = setTimeout(() => { timedOut = true; killGroup(); }, timeoutMs);
  signal?.addEventListener("abort", killGroup, { once: true });
  child.nodeChildProcess.once("exit", killGroup);
  try {
    const done = await child;
    const output = `${head.toString("utf8")}${cut ? "\n[output cut]\n" : ""}${Buffer.concat(tail).toString("utf8")}`;
    return { exitCode: done.exitCode ?? (done.code === "ENOENT" ? 127 : undefined), timedOut, output: done.code === "ENOENT" ? `${program} is not installed` : output, durationMs: performance.now() - begun };
  } finally { clearTimeout(timer); signal?.removeEventListener("abort", killGroup); killGroup(); }
};
