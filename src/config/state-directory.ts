/**
 * Where a factory keeps its state, and where its worktrees stand.
 * I1 the state directory and its folders are 0700, are no symlinks, and are never tracked by git.
 * I2 worktrees stand outside of every repository, so that the user's own test runners never see them.
 */
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, lstatSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { Data, Effect } from "effect";

/** The state directory cannot be used; nothing was written into it. */
export class StateDirectoryUnusable extends Data.TaggedError("StateDirectoryUnusable")<{ readonly path: string; readonly message: string; readonly mend: string }> {}

/**
 * `.enact/factory` beside the configuration in use (that of `~/.enact/config.toml` is `~/.enact/factory`),
 * else in the target repository. Makes nothing.
 */
export const stateDirectory = (where: { readonly configFile: string | null; readonly repository: string }): string => {
  if (where.configFile === null) return join(resolve(where.repository), ".enact", "factory");
  const beside = dirname(resolve(where.configFile));
  return basename(beside) === ".enact" ? join(beside, "factory") : join(beside, ".enact", "factory");
};

/** Twelve hex digits that name this factory outside of its state directory: worktree root, tmux server. */
export const factoryHash = (directory: string): string => createHash("sha256").update(real(directory)).digest("hex").slice(0, 12);

/** `$XDG_STATE_HOME/enact-factory/<hash>/worktrees`; on macOS under Application Support. Makes nothing. */
export const worktreeRoot = (directory: string, host: { readonly home: string; readonly env: Readonly<Record<string, string | undefined>>; readonly platform: NodeJS.Platform }): string => {
  const xdg = host.env["XDG_STATE_HOME"];
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : host.platform === "darwin" ? join(host.home, "Library", "Application Support") : join(host.home, ".local", "state");
  return join(base, "enact-factory", factoryHash(directory), "worktrees");
};

/** The folders that every state directory has; what each is for is told in docs/configuration.md. Some parts of the house add their own. */
export const stateFolders = ["cache", "logs", "memory", "plans", "reports", "research", "sessions", "state", "team", "ultragoal"] as const;

/** Makes the state directory with its folders and keeps it out of git. Again: changes nothing. */
export const prepareStateDirectory = (directory: string): Effect.Effect<string, StateDirectoryUnusable> =>
  Effect.gen(function* () {
    const unusable = (message: string, mend: string): StateDirectoryUnusable => new StateDirectoryUnusable({ path: directory, message, mend });
    // A cloned repository could bring a link that leads our writes elsewhere, or state that somebody else wrote.
    const folders = stateFolders.map((name) => join(directory, name));
    for (const part of [dirname(directory), directory, ...folders]) if (isLink(part)) return yield* unusable(`${part} is a symbolic link`, `remove the link, or start where ${part} is a directory`);
    yield* Effect.try({
      try: () => {
        for (const part of [directory, ...folders]) {
          // Who needs the folder says best what a file in its place keeps from working.
          if (part !== directory && lstatSync(part, { throwIfNoEntry: false })?.isDirectory() === false) continue;
          mkdirSync(part, { recursive: true, mode: 0o700 });
          chmodSync(part, 0o700);
        }
      },
      catch: (error) => unusable(`the state directory cannot be made: ${error instanceof Error ? error.message : String(error)}`, `make ${directory} writable, or use another configuration with --config`),
    });
    yield* excludeFromGit(directory, unusable);
    return directory;
  });

const git = (cwd: string, ...argv: readonly string[]): Effect.Effect<{ readonly ok: boolean; readonly stdout: string }> =>
  Effect.promise(async () => {
    // Whoever only asks where the state is needs no git: a hook has milliseconds.
    const { execa } = await import("execa");
    const result = await execa("git", argv, { cwd, stdin: "ignore", reject: false, timeout: 30_000, extendEnv: false, env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", GIT_OPTIONAL_LOCKS: "0", LC_ALL: "C" } });
    return { ok: result.exitCode === 0, stdout: result.stdout };
  });

const excludeFromGit = (directory: string, unusable: (message: string, mend: string) => StateDirectoryUnusable) =>
  Effect.gen(function* () {
    const top = yield* git(directory, "rev-parse", "--show-toplevel");
    // Not in a repository, or no git here: nothing to keep it out of.
    if (!top.ok) return;
    const tracked = yield* git(directory, "ls-files", "--", ".");
    if (tracked.stdout !== "") return yield* unusable(`git tracks files in it: ${tracked.stdout.split("\n").slice(0, 3).join(", ")}`, `git rm -r --cached ${JSON.stringify(directory)}, after looking at what they are`);
    const ignored = yield* git(directory, "check-ignore", "-q", "--", directory);
    if (ignored.ok) return;
    const exclude = yield* git(directory, "rev-parse", "--git-path", "info/exclude");
    const file = resolve(directory, exclude.stdout);
    const pattern = `/${relative(real(top.stdout), real(directory)).split(sep).map(literal).join("/")}/`;
    yield* Effect.try({
      try: () => {
        const before = textOf(file);
        if (before.split("\n").includes(pattern)) return;
        mkdirSync(dirname(file), { recursive: true });
        appendFileSync(file, `${before === "" || before.endsWith("\n") ? "" : "\n"}${pattern}\n`);
      },
      catch: (error) => unusable(`it cannot be kept out of git: ${error instanceof Error ? error.message : String(error)}`, `add ${pattern} to ${file}`),
    });
  });

/** A path as a gitignore pattern that matches only itself. */
const literal = (name: string): string => name.replace(/[\\*?[\]!#]/g, "\\$&").replace(/ $/, "\\ ");

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
};
const isLink = (path: string): boolean => {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    // What cannot be looked at cannot be made either, and that says why.
    return false;
  }
};
const real = (path: string): string => {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
};
