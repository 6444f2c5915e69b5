/** The tmux program as it is here: found, run, and understood. */
import { execa } from "execa";
import { TerminalError } from "./contract.ts";
import { findProgram } from "./launch-check.ts";

/** 3.2 brought client flags (`-f ignore-size,no-output`) and `-N`. */
const oldest = [3, 2] as const;

export interface TmuxProgram {
  readonly file: string;
  readonly version: string;
  /** Options that name the private server, before any command. */
  readonly base: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Runs tmux once; rejects with what it said. */
  readonly run: (args: readonly string[], input?: string) => Promise<string>;
}

const tooOld = (version: string): boolean => {
  const numbers = /(\d+)\.(\d+)/.exec(version);
  if (!numbers) return false; // A build from the repository calls itself `master`.
  const major = Number(numbers[1]), minor = Number(numbers[2]);
  return major < oldest[0] || (major === oldest[0] && minor < oldest[1]);
};

export const findTmux = async (server: string, env: Readonly<Record<string, string>>): Promise<TmuxProgram> => {
  const file = findProgram("tmux", env["PATH"], "/");
  if (file === undefined) throw new TerminalError("unavailable", `tmux is not on PATH (${env["PATH"] ?? "not set"})`);
  const base = ["-L", server, "-f", "/dev/null", "-u"];
  const run: TmuxProgram["run"] = async (args, input) => {
    const done = await execa(file, args, { ...(input === undefined ? { stdin: "ignore" } : { input }), env, extendEnv: false, cwd: "/", reject: false, timeout: 15_000, stripFinalNewline: true });
    if (!done.failed) return done.stdout;
    const said = done.stderr.trim() || done.shortMessage;
    throw new TerminalError("failed", `tmux: ${said}`);
  };
  const version = (await run(["-V"])).replace(/^tmux /, "");
  if (tooOld(version)) throw new TerminalError("unavailable", `tmux ${version} is too old: ${oldest.join(".")} or newer is needed`);
  return { file, version, base, env, run: (args, input) => run([...base, ...args], input) };
};
