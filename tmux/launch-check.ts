/** What a shell that stands between us and a program can hand on, looked at before anything is started. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";

export interface LaunchRequest { readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>>; readonly cwd: string }

/** Linux refuses one argument of 128 KiB or more (MAX_ARG_STRLEN); macOS has only a limit on the sum. */
const argumentCap = 128 * 1024 - 1;
/** Variables that a POSIX shell or bash sets, drops or obeys by itself; the launcher could not hand them on unchanged. */
const shellOwned = new Set(["PWD", "OLDPWD", "SHLVL", "_", "IFS", "OPTIND", "OPTARG", "PPID", "LINENO", "ENV", "BASH_ENV", "BASH_VERSION", "BASHOPTS", "SHELLOPTS", "UID", "EUID"]);

const isProgram = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

/** The file that is executed for `name`; the search looks at absolute folders only. */
export const findProgram = (name: string, path: string | undefined, cwd: string): string | undefined => {
  if (name.includes("/")) {
    const file = isAbsolute(name) ? name : resolve(cwd, name);
    return isProgram(file) ? file : undefined;
  }
  return (path ?? "").split(delimiter).filter(isAbsolute).map((folder) => join(folder, name)).find(isProgram);
};

const problemOf = ({ argv, env, cwd }: LaunchRequest): string | undefined => {
  if (argv.some((argument) => argument.includes("\0"))) return "an argument holds a NUL byte";
  const long = argv.findIndex((argument) => Buffer.byteLength(argument) > argumentCap);
  if (long >= 0) return `argument ${long} is longer than ${argumentCap} bytes; give long text through stdin`;
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name.startsWith("__enact")) return `environment variable ${JSON.stringify(name)} has a name that no shell can hand on`;
    if (shellOwned.has(name)) return `environment variable ${name} belongs to the shell that launches the agent`;
    if (value.includes("\0")) return `environment variable ${name} holds a NUL byte`;
  }
  try {
    if (!statSync(cwd).isDirectory()) return `the working directory ${cwd} is no directory`;
  } catch {
    return `the working directory ${cwd} is not there`;
  }
  return undefined;
};

/** The program's file, or what is wrong. */
export const checkLaunch = (request: LaunchRequest): { readonly program: string; readonly problem?: undefined } | { readonly problem: string } => {
  const problem = problemOf(request);
  if (problem !== undefined) return { problem };
  const [name] = request.argv;
  const program = findProgram(name, request.env["PATH"], request.cwd);
  if (program !== undefined) return { program };
  return { problem: `there is no program ${JSON.stringify(name)}${name.includes("/") ? "" : ` on PATH (${request.env["PATH"] ?? "not set"})`}` };
};
