/** From files to a checked configuration with absolute paths. Reads only; makes nothing. */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import { Data, Effect } from "effect";
import { Config } from "../domain/config.ts";
import { checkText } from "./check.ts";
import { discover, expandHome, type Place, type Skipped } from "./discover.ts";
import { environment, type Environment } from "./environment.ts";
import { formatProblem, problemAt, type Problem } from "./problem.ts";
import type { Locate } from "./toml-positions.ts";

/** The file that was named does not exist or cannot be read. */
export class ConfigMissing extends Data.TaggedError("ConfigMissing")<{ readonly file: string; readonly message: string }> {}
/** At least one error; `problems` has them all, warnings included. */
export class ConfigInvalid extends Data.TaggedError("ConfigInvalid")<{ readonly file: string; readonly problems: readonly Problem[]; readonly message: string }> {}

export interface LoadOptions {
  /** `--config`. */
  readonly explicit?: string | undefined;
  /** The process's own where absent. */
  readonly cwd?: string;
  readonly home?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig {
  readonly config: Config;
  /** null: built-in defaults. */
  readonly file: string | null;
  /** Files passed over on the way, with the reason, to be said to the user. */
  readonly skipped: readonly Skipped[];
  readonly warnings: readonly Problem[];
  /** The real environment and the `.env` beside the file, the real one winning. */
  readonly env: Readonly<Record<string, string>>;
}

const placeOf = (options: LoadOptions): Place => ({ cwd: options.cwd ?? process.cwd(), home: options.home ?? homedir() });

export const loadConfig = (options: LoadOptions = {}): Effect.Effect<LoadedConfig, ConfigMissing | ConfigInvalid> =>
  Effect.suspend((): Effect.Effect<LoadedConfig, ConfigMissing | ConfigInvalid> => {
    const place = placeOf(options);
    const real = options.env ?? process.env;
    const { file, skipped } = discover(place, options.explicit);
    if (file === null) return Effect.succeed({ config: Config.parse({}), file, skipped, warnings: [], env: environment(real, undefined).all });
    const read = readConfig(file, place.home, real);
    if ("missing" in read) return Effect.fail(new ConfigMissing({ file, message: read.missing }));
    if (read.config === undefined) {
      const errors = read.problems.filter((problem) => problem.severity === "error");
      return Effect.fail(new ConfigInvalid({ file, problems: read.problems, message: `${errors.length} problem${errors.length === 1 ? "" : "s"} in ${file}\n${read.problems.map(formatProblem).join("\n")}` }));
    }
    return Effect.succeed({ config: read.config, file, skipped, warnings: read.problems, env: read.environment.all });
  });

/** Every problem of one file at once; none: an empty array. A file that cannot be read is one problem. */
export const validateConfig = (file: string, options: Omit<LoadOptions, "explicit"> = {}): readonly Problem[] => {
  const place = placeOf(options);
  const path = resolve(place.cwd, expandHome(file, place.home));
  const read = readConfig(path, place.home, options.env ?? process.env);
  return "missing" in read ? [problemAt(path, undefined, "", read.missing)] : read.problems;
};

type Read = { readonly missing: string } | { readonly config: Config | undefined; readonly problems: readonly Problem[]; readonly environment: Environment };

const readConfig = (file: string, home: string, real: Readonly<Record<string, string | undefined>>): Read => {
  const text = contents(file);
  if ("failure" in text) return { missing: text.failure };
  const envFile = resolve(dirname(file), ".env");
  const envText = existsSync(envFile) ? contents(envFile) : undefined;
  const variables = environment(real, envText !== undefined && "text" in envText ? envText.text : undefined);
  const checked = checkText(text.text, file, variables);
  const problems = [
    ...checked.problems,
    ...(envText !== undefined && "failure" in envText ? [problemAt(envFile, undefined, "", envText.failure, null, "warning")] : []),
    ...variables.unreadable.map((line) => problemAt(envFile, { line, column: 1 }, "", "not a variable; write NAME=value", null, "warning")),
  ];
  if (checked.config === undefined) return { config: undefined, problems, environment: variables };
  const config = withAbsolutePaths(checked.config, dirname(file), home);
  const paths = pathProblems(config, file, checked.locate);
  const all = [...problems, ...paths];
  return { config: all.some((problem) => problem.severity === "error") ? undefined : config, problems: all, environment: variables };
};

const contents = (file: string): { readonly text: string } | { readonly failure: string } => {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file)) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return { failure: code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "this is a directory; name the file" : code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "the file is not UTF-8 text" : `the file cannot be read (${code})` };
  }
};

/** One directory has one name: `~`, `..` and symlinks are resolved, so that paths can be compared. */
const absolute = (path: string, directory: string, home: string): string => {
  const full = resolve(directory, expandHome(path, home));
  try {
    return realpathSync(full);
  } catch {
    return full;
  }
};

const withAbsolutePaths = (config: Config, directory: string, home: string): Config => ({
  ...config,
  projects: config.projects.map((project) => ({ ...project, projectPath: absolute(project.projectPath, directory, home) })),
  sources: { ...config.sources, local: { ...config.sources.local, ...(config.sources.local.directory === undefined ? {} : { directory: absolute(config.sources.local.directory, directory, home) }) } },
});

const isDirectory = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

/** Missing directories are warnings: they may come back (a disk, a clone to come), and must not stop the other projects. */
const pathProblems = (config: Config, file: string, locate: Locate): readonly Problem[] => {
  const problems: Problem[] = [];
  for (const [index, project] of config.projects.entries()) {
    const at = ["projects", index, "projectPath"] as const;
    const key = `projects[${index + 1}].projectPath`;
    const twin = config.projects.slice(0, index).find((other) => other.projectPath === project.projectPath);
    if (twin !== undefined) problems.push(problemAt(file, locate(at), key, `project ${twin.name} has this repository already`));
    else if (!isDirectory(project.projectPath)) problems.push(problemAt(file, locate(at), key, `${project.projectPath} is no directory`, null, "warning"));
  }
  const { directory } = config.sources.local;
  if (directory !== undefined && !isDirectory(directory)) problems.push(problemAt(file, locate(["sources", "local", "directory"]), "sources.local.directory", `${directory} is no directory`, null, "warning"));
  return problems;
};
