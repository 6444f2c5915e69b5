/**
 * Runs git on repositories that may be hostile. The one place that starts a git process.
 *
 * Owns: the environment and configuration every git command runs under. Talks to: the `git` program.
 * I1 No hook, file-system monitor, external diff, editor, pager, signing program or receive-pack of a repository's own configuration is run.
 * I2 No GIT_* variable of our own environment reaches git; the caller names repository, worktree and index.
 * I3 git never waits for a person (no prompt, no standard input but what is given).
 * I4 Paths are literal: no pathspec magic, whatever a file is called.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Data, Effect } from "effect";
import { execa } from "execa";

/**
 * What went wrong, so that callers need not read git's wording. `locked` names the lock file that is in the way, `halfMade` the file of a worktree that
 * another git has made and not yet written; `unswitchable`: see {@link distrusted}.
 */
export type GitFault =
  | { readonly kind: "locked"; readonly lock: string }
  | { readonly kind: "halfMade"; readonly file: string }
  | { readonly kind: "noSpace" | "notWritable" | "dubiousOwner" | "notARepository" | "noGit" | "timeout" | "tooMuchOutput" | "unswitchable" | "other" };

export class GitFailed extends Data.TaggedError("GitFailed")<{ readonly command: string; readonly exitCode: number | undefined; readonly stderr: string; readonly fault: GitFault; readonly stdout: Buffer }> {
  override get message(): string { return `git ${this.command} failed: ${this.stderr.trim().slice(-2_000) || this.fault.kind}`; }
}

/** Where a command works. With `gitDir` nothing is looked up from the directory, so a `.git` file that an agent wrote is never read. */
export interface GitPlace {
  readonly cwd: string;
  readonly gitDir?: string;
  readonly commonDir?: string;
  readonly workTree?: string;
  readonly index?: string;
  /** Objects are written here instead of into the repository, whose own are still read. */
  readonly scratchObjects?: string;
  /** Added to the configuration below, e.g. what {@link distrusted} found. */
  readonly config?: readonly (readonly [key: string, value: string])[];
}

export interface GitOptions {
  readonly input?: string | Uint8Array;
  /** More output than this ends git with the fault `tooMuchOutput`; what came before is in `stdout`. Bytes, default 256 MiB. */
  readonly maxBytes?: number;
  /** Milliseconds; default ten minutes. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Let credentials and proxies of the owner through: only for pushing. */
  readonly network?: boolean;
}

const inherited = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME"] as const;
const forNetwork = ["SSH_AUTH_SOCK", "SSH_AGENT_PID", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] as const;

const settings: readonly (readonly [string, string])[] = [
  ["core.hooksPath", "/dev/null"], ["core.fsmonitor", "false"], ["core.untrackedCache", "false"], ["core.splitIndex", "false"], ["core.ignoreStat", "false"],
  ["core.safecrlf", "false"], ["core.quotePath", "false"], ["core.pager", "cat"], ["core.editor", "false"], ["core.askPass", ""],
  // Loose objects and references reach the disk before a reference names them (git's default leaves loose objects to the kernel).
  ["core.fsync", "committed,reference"],
  ["commit.gpgSign", "false"], ["tag.gpgSign", "false"], ["push.gpgSign", "false"], ["push.recurseSubmodules", "no"], ["push.followTags", "false"], ["submodule.recurse", "false"],
  ["gc.auto", "0"], ["maintenance.auto", "false"], ["advice.detachedHead", "false"], ["protocol.ext.allow", "never"], ["i18n.commitEncoding", "UTF-8"],
];

/** git's environment for one command. */
const environment = (place: GitPlace, options: GitOptions): Record<string, string> => {
  const env: Record<string, string> = {
    LC_ALL: "C", GIT_TERMINAL_PROMPT: "0", GIT_LITERAL_PATHSPECS: "1", GIT_NO_REPLACE_OBJECTS: "1", GIT_OPTIONAL_LOCKS: "0", GIT_EDITOR: "false", GIT_PAGER: "cat", GIT_ASKPASS: "",
    GIT_MERGE_AUTOEDIT: "no", GIT_ADVICE: "0",
  };
  for (const name of options.network === true ? [...inherited, ...forNetwork] : inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  if (place.gitDir !== undefined) env.GIT_DIR = place.gitDir;
  if (place.commonDir !== undefined) env.GIT_COMMON_DIR = place.commonDir;
  if (place.workTree !== undefined) env.GIT_WORK_TREE = place.workTree;
  if (place.index !== undefined) env.GIT_INDEX_FILE = place.index;
  if (place.scratchObjects !== undefined) {
    env.GIT_OBJECT_DIRECTORY = place.scratchObjects;
    env.GIT_ALTERNATE_OBJECT_DIRECTORIES = JSON.stringify(`${place.commonDir ?? place.gitDir ?? ""}/objects`);
  }
  const config = [...settings, ...(place.config ?? [])];
  env.GIT_CONFIG_COUNT = String(config.length);
  config.forEach(([key, value], n) => { env[`GIT_CONFIG_KEY_${n}`] = key; env[`GIT_CONFIG_VALUE_${n}`] = value; });
  return { ...env, ...options.env };
};

const faultOf = (stderr: string): GitFault => {
  const lock = /Unable to create '(.+\.lock)': File exists|cannot lock ref .*Unable to create '(.+\.lock)'/.exec(stderr);
  const path = lock?.[1] ?? lock?.[2];
  if (path !== undefined && stderr.includes("File exists")) return { kind: "locked", lock: path };
  const half = /failed to read (.+\/worktrees\/[^/\n]+\/commondir): Success/.exec(stderr)?.[1];
  if (half !== undefined) return { kind: "halfMade", file: half };
  if (/No space left on device|Disk quota exceeded|Out of diskspace/.test(stderr)) return { kind: "noSpace" };
  if (/Read-only file system|Permission denied|insufficient permission|unable to create directory for/.test(stderr)) return { kind: "notWritable" };
  if (/dubious ownership/.test(stderr)) return { kind: "dubiousOwner" };
  if (/not a git repository/i.test(stderr)) return { kind: "notARepository" };
  return { kind: "other" };
};

/** Each git that asks who has a branch reads the files of every worktree, also of one that another git is just making. Milliseconds between two tries, and their number. */
const halfMadeMs = 50, halfMadeTries = 40;

/** Runs git and gives its standard output as bytes. Killed when the effect is interrupted. */
export const gitBytes = (place: GitPlace, args: readonly string[], options: GitOptions = {}): Effect.Effect<Buffer, GitFailed> =>
  once(place, args, options).pipe(Effect.retry({ times: halfMadeTries, while: ({ fault }) => Effect.as(Effect.sleep(fault.kind === "halfMade" ? halfMadeMs : 0), fault.kind === "halfMade") }));

const once = (place: GitPlace, args: readonly string[], options: GitOptions): Effect.Effect<Buffer, GitFailed> =>
  Effect.tryPromise({
    try: (signal) => execa("git", args, {
      cwd: place.cwd, env: environment(place, options), extendEnv: false, encoding: "buffer", stripFinalNewline: false, reject: false, cancelSignal: signal,
      maxBuffer: { stdout: options.maxBytes ?? 268_435_456, stderr: 1_048_576 }, timeout: options.timeoutMs ?? 600_000,
      ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    }),
    catch: (cause) => new GitFailed({ command: args[0] ?? "", exitCode: undefined, stderr: String(cause), fault: { kind: "other" }, stdout: Buffer.alloc(0) }),
  }).pipe(Effect.flatMap((done) => {
    const stdout = Buffer.from(done.stdout);
    if (!done.failed) return Effect.succeed(stdout);
    const stderr = Buffer.from(done.stderr).toString("utf8");
    const fault: GitFault = done.isMaxBuffer ? { kind: "tooMuchOutput" } : done.timedOut ? { kind: "timeout" } : done.code === "ENOENT" ? { kind: "noGit" } : faultOf(stderr);
    return Effect.fail(new GitFailed({ command: args[0] ?? "", exitCode: done.exitCode, stderr: stderr === "" ? done.originalMessage ?? "" : stderr, fault, stdout }));
  }));

/** Runs git and gives its standard output as text without the last newline. */
export const git = (place: GitPlace, args: readonly string[], options: GitOptions = {}): Effect.Effect<string, GitFailed> =>
  gitBytes(place, args, options).pipe(Effect.map((bytes) => bytes.toString("utf8").replace(/\n$/, "")));

/** True on exit 0, false on exit 1: for git's questions (`merge-base --is-ancestor`, `rev-parse -q --verify`). */
export const gitAsks = (place: GitPlace, args: readonly string[]): Effect.Effect<boolean, GitFailed> =>
  gitBytes(place, args).pipe(Effect.as(true), Effect.catchTag("GitFailed", (e) => e.exitCode === 1 ? Effect.succeed(false) : Effect.fail(e)));

/** The commit a name stands for, or `undefined` when there is none. */
export const commitOf = (place: GitPlace, name: string): Effect.Effect<string | undefined, GitFailed> =>
  git(place, ["rev-parse", "-q", "--verify", "--end-of-options", `${name}^{commit}`]).pipe(
    Effect.map((text): string | undefined => text),
    Effect.catchTag("GitFailed", (e) => e.exitCode === 1 || /Needed a single revision|bad revision|unknown revision|bad object|expected .* type/.test(e.stderr) ? Effect.succeed(undefined) : Effect.fail(e)));

/** git-lfs writes these into a repository's own configuration (`git lfs install --local`); they name a program of the owner's PATH. */
const trustedFilters = new Set(["git-lfs clean -- %f", "git-lfs smudge -- %f", "git-lfs filter-process", "git-lfs smudge --skip -- %f", "git-lfs filter-process --skip"]);

/** In place of a repository's own merge driver: git does not take an empty one. */
const plainMerge = "git merge-file --marker-size=%L %A %O %B";

/** What the configuration of a repository says as text, when that is all of it: files it includes are not seen here. `undefined`: git must be asked. */
const ownConfiguration = ({ gitDir, commonDir }: GitPlace): string | undefined => {
  if (gitDir === undefined) return undefined;
  const texts = [join(commonDir ?? gitDir, "config"), join(gitDir, "config.worktree")].map((file) => {
    try {
      // A character a byte: two texts are one only when they are the same bytes.
      return readFileSync(file, "latin1");
    } catch (error) {
      // Most repositories have none for a worktree.
      return error instanceof Error && "code" in error && error.code === "ENOENT" ? "" : undefined;
    }
  });
  const [common, worktree] = texts;
  return common === undefined || worktree === undefined || /include/i.test(common + worktree) ? undefined : `${common}\0${worktree}`;
};

/** Answers of git by the text they depend on alone; the newest are kept. */
const known = new Map<string, readonly (readonly [string, string])[]>();
const knownCap = 64;

/**
 * Settings that switch off the programs which a repository's own configuration wants run on its files: clean and smudge filters,
 * text converters, merge drivers. The owner's own (global, system) configuration stays trusted. Settings reach git as text of UTF-8, so a program
 * under a name that is none could not be switched off: fails with the fault `unswitchable`.
 */
export const distrusted = (place: GitPlace): Effect.Effect<readonly (readonly [string, string])[], GitFailed> => Effect.suspend(() => {
  const text = ownConfiguration(place), found = text === undefined ? undefined : known.get(text);
  if (found !== undefined) return Effect.succeed(found);
  return askDistrusted(place).pipe(Effect.tap((off) => Effect.sync(() => {
    // Asked of what was read, not of what an agent has made of it since.
    if (text === undefined || text !== ownConfiguration(place)) return;
    known.set(text, off);
    for (const oldest of known.keys()) if (known.size > knownCap) known.delete(oldest);
  })));
});

const askDistrusted = (place: GitPlace): Effect.Effect<readonly (readonly [string, string])[], GitFailed> =>
  git(place, ["config", "-z", "--show-scope", "--get-regexp", "^(filter\\..*\\.(clean|smudge|process|required)|diff\\..*\\.(command|textconv)|merge\\..*\\.driver)$"]).pipe(
    Effect.catchTag("GitFailed", (e) => e.exitCode === 1 ? Effect.succeed("") : Effect.fail(e)),
    Effect.flatMap((text) => {
      const fields = text.split("\0");
      const off: (readonly [string, string])[] = [];
      for (let n = 0; n + 1 < fields.length; n += 2) {
        const [scope = "", entry = ""] = [fields[n], fields[n + 1]];
        const split = entry.indexOf("\n");
        const [key, value] = split < 0 ? [entry, ""] : [entry.slice(0, split), entry.slice(split + 1)];
        if ((scope !== "local" && scope !== "worktree") || trustedFilters.has(value)) continue;
        if (key.includes("\ufffd")) return Effect.fail(new GitFailed({ command: "config", exitCode: undefined, stderr: `the repository's configuration sets ${key}, a name that is no UTF-8 text`, fault: { kind: "unswitchable" }, stdout: Buffer.alloc(0) }));
        off.push([key, key.endsWith(".required") ? "false" : key.startsWith("merge.") ? plainMerge : ""]);
      }
      return Effect.succeed(off);
    }));

/** Variables that give our commits a name when the owner has none configured. */
export const identity = (place: GitPlace): Effect.Effect<Readonly<Record<string, string>>, GitFailed> =>
  git(place, ["config", "-z", "--get-regexp", "^user\\.(name|email)$"]).pipe(
    Effect.catchTag("GitFailed", (e) => e.exitCode === 1 ? Effect.succeed("") : Effect.fail(e)),
    Effect.map((text) => {
      // The last of several holds.
      const get = (key: string): string | undefined => text.split("\0").findLast((entry) => entry.startsWith(`${key}\n`))?.slice(key.length + 1);
      const name = get("user.name") || "enact-factory", email = get("user.email") || "enact-factory@localhost";
      return { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email, GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email };
    }));

/** Fields of a NUL-separated list. */
export const nulFields = (bytes: Buffer): readonly string[] => bytes.toString("latin1").split("\0").filter((field) => field !== "");
