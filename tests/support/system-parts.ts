/**
 * The parts of the system that tests need beside Node: found by running them, never by their name alone.
 * `tests/run.ts` says what is missing; `.toolchain/setup.ts` installs it when asked.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { findPostgres } from "./postgres.ts";

export interface SystemPart {
  readonly name: string;
  /** What is not tested without it. */
  readonly tests: string;
  /** Debian and Ubuntu package. */
  readonly apt: string;
  /** Homebrew formula; null where macOS has its own way. */
  readonly brew: string | null;
  /** A line about what was found, or why it does not work. */
  readonly probe: () => Promise<{ readonly ok: boolean; readonly detail: string }>;
}

/** Runs one program with nothing to read; its first line, or why it failed. */
const run = async (program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<{ readonly ok: boolean; readonly detail: string }> => {
  const done = await execa(program, args, { stdin: "ignore", reject: false, timeout: 20_000, env });
  const said = (done.failed ? done.stderr || done.shortMessage : done.stdout) ?? "";
  return { ok: !done.failed, detail: done.code === "ENOENT" ? "not on PATH" : said.trim().split("\n")[0] ?? "" };
};

const inTemporary = async <A>(use: (directory: string) => Promise<A>): Promise<A> => {
  const directory = await mkdtemp(join(tmpdir(), "enact-probe-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

const tmux = (): ReturnType<SystemPart["probe"]> => inTemporary(async (directory) => {
  const version = await run("tmux", ["-V"]);
  if (!version.ok) return version;
  const own = ["-S", join(directory, "socket"), "-f", "/dev/null"];
  const started = await run("tmux", [...own, "new-session", "-d", "-x", "80", "-y", "24", "sleep 20"]);
  await run("tmux", [...own, "kill-server"]);
  return started.ok ? version : { ok: false, detail: `it starts no session: ${started.detail}` };
});

const git = (): ReturnType<SystemPart["probe"]> => inTemporary(async (directory) => {
  const made = await run("git", ["init", "-q", directory]);
  return made.ok ? run("git", ["--version"]) : made;
});

const postgres = async (): ReturnType<SystemPart["probe"]> => {
  const bin = findPostgres();
  if (bin === undefined) return { ok: false, detail: "no initdb, pg_ctl and postgres on PATH or under /usr/lib/postgresql" };
  const version = await run(join(bin, "postgres"), ["--version"]);
  if (!version.ok || process.getuid?.() !== 0) return version;
  // PostgreSQL refuses root, so the tests start it as its own user.
  const drop = await run("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", join(bin, "initdb"), "--version"]);
  return drop.ok ? version : { ok: false, detail: `it refuses root, and cannot be run as the user postgres: ${drop.detail}` };
};

const bubblewrap = async (): ReturnType<SystemPart["probe"]> => {
  const version = await run("bwrap", ["--version"]);
  if (!version.ok) return version;
  const tried = await run("bwrap", ["--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--", "true"]);
  return tried.ok ? version : { ok: false, detail: `it is installed, but this system does not let it make a sandbox: ${tried.detail}` };
};

export const systemParts: readonly SystemPart[] = [
  { name: "git", tests: "workspaces, publishing, the demo", apt: "git", brew: "git", probe: git },
  { name: "tmux", tests: "terminals in tmux", apt: "tmux", brew: "tmux", probe: tmux },
  { name: "PostgreSQL", tests: "the store on PostgreSQL", apt: "postgresql", brew: "postgresql@17", probe: postgres },
  ...(process.platform === "linux" ? [{ name: "bubblewrap", tests: "checks in a sandbox", apt: "bubblewrap", brew: null, probe: bubblewrap }] : []),
];

export interface Probed { readonly part: SystemPart; readonly ok: boolean; readonly detail: string }
export const probeParts = (): Promise<readonly Probed[]> => Promise.all(systemParts.map(async (part) => ({ part, ...(await part.probe()) })));

/** The exact command that installs a part here. */
export const installCommand = (part: SystemPart): string =>
  process.platform === "darwin" ? (part.brew === null ? `(nothing to install on macOS for ${part.name})` : `brew install ${part.brew}`) : `${process.getuid?.() === 0 ? "" : "sudo "}apt-get install --no-install-recommends ${part.apt}`;
