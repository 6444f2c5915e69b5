import { Effect } from "effect";
import { execa } from "execa";
import { WorkspaceUnusable } from "../ports/workspaces.ts";

export type HookName = "after_create" | "before_run" | "after_run" | "before_remove";

const always = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR"];
/** Bytes of a failed hook's output that are shown. */
const tailBytes = 4_096;

/**
 * Runs one of the owner's hooks in the worktree. Its whole process group is killed at the timeout and when the hook is over,
 * so that nothing it started in the background goes on writing to the worktree.
 */
export const runHook = (name: HookName, argv: readonly [string, ...string[]], cwd: string, timeoutMs: number, pass: readonly string[], facts: Readonly<Record<string, string>>): Effect.Effect<void, WorkspaceUnusable> => {
  const env: Record<string, string> = { ...facts };
  for (const key of [...always, ...pass]) {
    const value = process.env[key];
    if (value !== undefined) env[key] = value;
  }
  const run = async (signal: AbortSignal) => {
    const [program, ...args] = argv;
    let tail = Buffer.alloc(0);
    const child = execa(program, args, { cwd, env, extendEnv: false, stdin: "ignore", all: true, encoding: "buffer", buffer: false, reject: false, detached: true, cleanup: false });
    child.all?.on("data", (chunk: Buffer) => { tail = Buffer.concat([tail, chunk]).subarray(-tailBytes); });
    let timedOut = false;
    const killGroup = () => { if (child.pid !== undefined) try { process.kill(-child.pid, "SIGKILL"); } catch { /* already gone */ } };
    const timer = setTimeout(() => { timedOut = true; killGroup(); }, timeoutMs);
    signal.addEventListener("abort", killGroup, { once: true });
    // A grandchild may hold the pipe open after the hook itself has ended; do not wait for it.
    child.nodeChildProcess.once("exit", killGroup);
    try {
      const done = await child;
      return { timedOut, failed: done.failed, exit: done.exitCode, why: done.originalMessage ?? "", tail: tail.toString("utf8") };
    } finally { clearTimeout(timer); signal.removeEventListener("abort", killGroup); killGroup(); }
  };
  return Effect.tryPromise({ try: run, catch: (cause) => new WorkspaceUnusable({ message: `hook ${name}: ${String(cause)}`, mend: `correct the hook ${name} in the configuration` }) }).pipe(
    Effect.flatMap((done) => {
      if (!done.timedOut && !done.failed) return Effect.void;
      const why = done.timedOut ? `was killed after ${timeoutMs} ms` : done.exit === undefined ? `could not be run (${done.why})` : `ended with exit code ${done.exit}`;
      return Effect.fail(new WorkspaceUnusable({ message: `hook ${name} (${argv.join(" ")}) ${why}\n${done.tail}`.trim(), mend: `correct the hook ${name} in the configuration, or what it needs, then retry` }));
    }));
};
