/**
 * The files in which agent CLIs keep their hooks, of the user and of a project: looked at, and changed as a whole or not at all.
 *
 * I1 In a project nothing is written through a link: a repository could lead it anywhere. I2 Only a text that was understood is replaced.
 */
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { parse as parseToml } from "smol-toml";
import { entriesCalling, entriesIn, type HookCaller, type HookCli, hookEventsOf, NotUnderstood, withEntries, withoutEntries } from "./hook-entries.ts";

export interface HookPlace { readonly home: string; readonly env: Readonly<Record<string, string | undefined>>; /** Somewhere in the project. */ readonly directory: string }
export type HookScope = "project" | "user";

/** `untrusted`: codex passes over hooks that nobody has trusted, without a word. */
export interface HookFile {
  readonly cli: HookCli;
  readonly scope: HookScope;
  readonly file: string;
  readonly state: "none" | "installed" | "partly" | "stale" | "untrusted" | "unreadable";
  readonly detail: string;
}

export const operatorProgram = "enact-operator";

/** The other product that owns these hooks where it is installed: the program's path. */
export const operatorOnPath = (env: HookPlace["env"]): string | undefined =>
  (env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== "").map((directory) => join(directory, operatorProgram)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });

const projectOf = (directory: string): string => {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return at;
    if (dirname(at) === at) return resolve(directory);
  }
};

const userDirectory: Readonly<Record<HookCli, (place: HookPlace) => string>> = {
  claude: ({ env, home }) => env["CLAUDE_CONFIG_DIR"] || join(home, ".claude"),
  codex: ({ env, home }) => env["CODEX_HOME"] || join(home, ".codex"),
};

/** Of a project's settings of Claude Code the ones that are not shared: the entries name programs of this machine. */
export const hookFile = (cli: HookCli, scope: HookScope, place: HookPlace): string => {
  if (scope === "user") return join(userDirectory[cli](place), cli === "claude" ? "settings.json" : "hooks.json");
  return join(projectOf(place.directory), ...(cli === "claude" ? [".claude", "settings.local.json"] : [".codex", "hooks.json"]));
};

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined);

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return "";
    throw new NotUnderstood(`it cannot be read (${String(codeOf(error) ?? error)})`);
  }
};

export const inspectHooks = (cli: HookCli, scope: HookScope, place: HookPlace): HookFile => {
  const file = hookFile(cli, scope, place), about = { cli, scope, file };
  try {
    const entries = entriesIn(textOf(file)), wanted = Object.keys(hookEventsOf[cli]);
    if (entries.length === 0) return { ...about, state: "none", detail: "no entry of ours" };
    const gone = entries.flatMap(({ files }) => files).find((path) => !existsSync(path));
    if (gone !== undefined || entries.some(({ files }) => files.length === 0)) return { ...about, state: "stale", detail: `its entries call a program that is gone${gone === undefined ? "" : `: ${gone}`}` };
    const missing = wanted.filter((event) => entries.every((entry) => entry.event !== event));
    if (missing.length > 0) return { ...about, state: "partly", detail: `no entry for ${missing.join(", ")}` };
    if (cli === "codex") {
      const trusted = trustedByCodex(join(userDirectory.codex(place), "config.toml"));
      const untrusted = entries.filter(({ event, group, handler }) => !trusted.has(`${file}:${snake(event)}:${group}:${handler}`));
      if (untrusted.length > 0) return { ...about, state: "untrusted", detail: `codex passes over hooks that nobody has trusted: ${untrusted.map(({ event }) => event).join(", ")}` };
    }
    return { ...about, state: "installed", detail: entries.map(({ event }) => event).join(", ") };
  } catch (error) {
    if (error instanceof NotUnderstood) return { ...about, state: "unreadable", detail: error.message };
    throw error;
  }
};

/** `null`: no entry calls it. */
export const inspectOperator = (place: HookPlace): { readonly state: "installed" | "stale"; readonly file: string } | null => {
  for (const cli of ["claude", "codex"] as const) for (const scope of ["user", "project"] as const) {
    const file = hookFile(cli, scope, place);
    try {
      const entries = entriesCalling(textOf(file), operatorProgram);
      if (entries.length > 0) return { file, state: entries.some(({ files }) => files.some((path) => !existsSync(path))) ? "stale" : "installed" };
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error;
    }
  }
  return null;
};

const snake = (event: string): string => event.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

/** Keys of hooks that somebody trusted; whether in their present form, only codex knows. */
const trustedByCodex = (file: string): ReadonlySet<string> => {
  try {
    const { hooks } = parseToml(readFileSync(file, "utf8"));
    const state = field(hooks, "state");
    return new Set(Object.entries(typeof state === "object" && state !== null ? state : {}).filter(([, value]) => field(value, "trusted_hash") !== undefined).map(([key]) => key));
  } catch {
    return new Set();
  }
};
const field = (value: unknown, name: string): unknown => (typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined);

/** True when it was changed. Throws `NotUnderstood`. */
const change = (file: string, scope: HookScope, to: (text: string) => string): boolean => {
  const before = textOf(file), after = to(before);
  if (after === before) return false;
  const parts = scope === "project" ? [dirname(file), file] : [];
  for (const part of parts) if (lstatSync(part, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw new NotUnderstood(`${part} is a symbolic link`);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const target = existsSync(file) ? realpathSync(file) : file;
  const temporary = `${target}.enact-${process.pid}.new`;
  writeFileSync(temporary, after, { mode: statSync(target, { throwIfNoEntry: false })?.mode ?? 0o600 });
  renameSync(temporary, target);
  return true;
};

export const installHooks = (cli: HookCli, scope: HookScope, place: HookPlace, caller: HookCaller): boolean => change(hookFile(cli, scope, place), scope, (text) => withEntries(text, cli, caller));
export const removeHooks = (cli: HookCli, scope: HookScope, place: HookPlace): boolean => change(hookFile(cli, scope, place), scope, withoutEntries);
