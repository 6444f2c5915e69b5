/**
 * Stands in for an agent CLI that cannot be had here: a program of its name on the PATH that plays recordings of its documented protocol. It is as strict
 * as the documentation: arguments, environment and standard input that a recording does not expect end it with exit 97 and a sentence on its error output.
 */
import { spawn } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const Recording = z.object({
  /** Exactly, in this order, without the program; `*` is the directory in which it was started. */
  argv: z.array(z.string()),
  /** This stands in the standard input; of several recordings with the same arguments it decides. */
  stdin: z.string().default(""),
  /** What the environment must hold, and what it may not. */
  env: z.record(z.string(), z.string()).default({}),
  without: z.array(z.string()).default([]),
  /** Lines of standard output. */
  lines: z.array(z.string()).default([]),
  stderr: z.string().default(""),
  /** A file that its agent writes in the working directory. */
  writes: z.record(z.string(), z.string()).default({}),
  /** Leaves a process in a session of its own behind. */
  orphan: z.boolean().default(false),
  /** After its lines it ends with this code, waits for a signal, or waits and ignores what it can ignore. */
  ends: z.union([z.number(), z.literal("never"), z.literal("stubborn")]).default(0),
});
type Recording = z.infer<typeof Recording>;
const Recordings = z.array(Recording);

/** Puts the program into a directory of its own, to be put on the PATH. */
export const installRecordedCli = async (directory: string, program: string, recordings: readonly z.input<typeof Recording>[]): Promise<string> => {
  const bin = join(directory, `${program}-bin`), file = join(bin, "recordings.json");
  await mkdir(bin, { recursive: true });
  await writeFile(file, JSON.stringify(recordings));
  // The environment is the adapter's: what this program needs is in its own text.
  await writeFile(join(bin, program), `#!/bin/sh\nexec '${process.execPath}' '${import.meta.filename}' '${file}' "$@"\n`);
  await chmod(join(bin, program), 0o755);
  return bin;
};

const unexpected = ({ env, without }: Recording): string | undefined => {
  const wrong = Object.entries(env).find(([name, value]) => process.env[name] !== value);
  if (wrong !== undefined) return `${wrong[0]} is ${JSON.stringify(process.env[wrong[0]])}`;
  const leaked = without.find((name) => process.env[name] !== undefined);
  return leaked === undefined ? undefined : `${leaked} is set`;
};

const play = async (recording: Recording): Promise<void> => {
  for (const [name, text] of Object.entries(recording.writes)) await writeFile(name, text);
  if (recording.orphan) spawn("sleep", ["600"], { detached: true, stdio: "ignore" }).unref();
  if (recording.ends === "stubborn") for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  for (const line of recording.lines) process.stdout.write(`${line}\n`);
  process.stderr.write(recording.stderr);
  if (typeof recording.ends === "number") process.exitCode = recording.ends;
  else setInterval(() => {}, 60_000);
};

const main = async ([file = "", ...argv]: readonly string[]): Promise<void> => {
  const recordings = Recordings.parse(JSON.parse(await readFile(file, "utf8")));
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(Buffer.from(part));
  const stdin = Buffer.concat(parts).toString("utf8");
  const recording = recordings.find((each) => JSON.stringify(each.argv.map((word) => word === "*" ? process.cwd() : word)) === JSON.stringify(argv) && stdin.includes(each.stdin));
  const problem = recording === undefined ? `no recording has the arguments ${JSON.stringify(argv)} and this prompt` : unexpected(recording);
  if (recording === undefined || problem !== undefined) {
    process.stderr.write(`the recorded program refuses: ${problem ?? ""}\n`);
    process.exitCode = 97;
    return;
  }
  await play(recording);
};

if (process.argv[1] === import.meta.filename) await main(process.argv.slice(2));
