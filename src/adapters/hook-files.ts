/**
 * The files in which agent CLIs keep their hooks, of the user and of a project: looked at, and changed as a whole or not at all.
 *
 * I1 In a project nothing is written through a link: a repository could lead it anywhere. I2 Only a text that was understood is replaced.
 */
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { parse as parseToml } from "smol-toml";
import { type CodexConfiguration, codexConfiguration, hookHash, hookKey, silence } from "./codex/hook-trust.ts";
import { entriesCalling, entriesIn, type HookCaller, type HookCli, type HookEntry, hookEventsOf, NotUnderstood, withEntries, withoutEntries } from "./hook-entries.ts";

export interface HookPlace { readonly home: string; readonly env: Readonly<Record<string, string | undefined>>; /** Somewhere in the project. */ readonly directory: string }
export type HookScope = "project" | "user";

/** `untrusted`: codex passes over hooks that nobody has trusted in their present form, and over those of a project that nobody has trusted, without a word. */
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

/** The checkout that a linked worktree belongs to; codex reads the hooks of that one only. */
const mainCheckoutOf = (project: string): string => {
  try {
    const linked = /^gitdir: (.+)$/m.exec(readFileSync(join(project, ".git"), "utf8"))?.[1];
    const at = linked === undefined ? undefined : resolve(project, linked);
    return at !== undefined && basename(dirname(at)) === "worktrees" && basename(dirname(dirname(at))) === ".git" ? dirname(dirname(dirname(at))) : project;
  } catch {
    // A directory: this is the checkout.
    return project;
  }
};

/** Of a project's settings of Claude Code the ones that are not shared: the entries name programs of this machine. */
export const hookFile = (cli: HookCli, scope: HookScope, place: HookPlace): string => {
  if (scope === "user") return join(userDirectory[cli](place), cli === "claude" ? "settings.json" : "hooks.json");
  const project = projectOf(place.directory);
  return cli === "claude" ? join(project, ".claude", "settings.local.json") : join(mainCheckoutOf(project), ".codex", "hooks.json");
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
    const passedOver = cli === "codex" ? silentInCodex(entries, about, place) : undefined;
    if (passedOver !== undefined) return { ...about, state: "untrusted", detail: passedOver };
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

const configurationOf = (place: HookPlace): CodexConfiguration => {
  try {
    return codexConfiguration(parseToml(readFileSync(join(userDirectory.codex(place), "config.toml"), "utf8")));
  } catch {
    return codexConfiguration(undefined);
  }
};

/** Both names of a place, where they differ: codex resolves links in some of the ways to its home. */
const namesOf = (file: string): readonly string[] => {
  try {
    return [...new Set([file, join(realpathSync(dirname(file)), basename(file))])];
  } catch {
    return [file];
  }
};

/** Why codex does not run these entries, for a person; undefined: it runs them all. */
const silentInCodex = (entries: readonly HookEntry[], { scope, file }: Pick<HookFile, "scope" | "file">, place: HookPlace): string | undefined => {
  const configuration = configurationOf(place);
  if (configuration.features.hooks === false) return "codex runs no hooks: features.hooks is false in its config.toml";
  if (scope === "project") {
    const roots = namesOf(dirname(file)).map((each) => dirname(each));
    if (roots.every((root) => configuration.projects[root]?.trust_level !== "trusted")) return "codex reads hooks of trusted projects only, and nobody has trusted this one";
  }
  const silent = entries.flatMap(({ event, group, handler, settings }) => {
    const why = silence(configuration, namesOf(file).map((name) => hookKey(name, event, group, handler)), hookHash(event, settings));
    return why === undefined ? [] : [{ event, why }];
  });
  const say = { untrusted: "that nobody has trusted", modified: "that have changed since somebody trusted them", disabled: "that somebody has switched off" } as const;
  const parts = (["untrusted", "modified", "disabled"] as const).flatMap((why) => {
    const events = silent.filter((each) => each.why === why).map(({ event }) => event);
    return events.length === 0 ? [] : [`${say[why]}: ${events.join(", ")}`];
  });
  return parts.length === 0 ? undefined : `codex passes over hooks ${parts.join("; ")}`;
};

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
