import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect, Result } from "effect";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { factoryHash, prepareStateDirectory, stateDirectory, stateFolders, worktreeRoot } from "../../src/config/state-directory.ts";

let root = "";
const git = (...argv: string[]) => execa("git", argv, { cwd: root, stdin: "ignore", env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" } });
const unignored = async () => (await git("status", "--porcelain", "-uall")).stdout;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "enact-state-")));
  await git("init", "-q");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test(".enact/factory stands beside the configuration in use, else in the target repository", () => {
  expect(stateDirectory({ configFile: "/w/config.toml", repository: "/w/repo" })).toBe("/w/.enact/factory");
  expect(stateDirectory({ configFile: "/home/me/.enact/config.toml", repository: "/w/repo" })).toBe("/home/me/.enact/factory");
  expect(stateDirectory({ configFile: null, repository: "/w/repo" })).toBe("/w/repo/.enact/factory");
});

test("worktrees stand outside of the repository, one root for each factory", () => {
  const of = (env: Readonly<Record<string, string>>, platform: NodeJS.Platform) => worktreeRoot(join(root, ".enact/factory"), { home: "/home/me", env, platform });
  const hash = factoryHash(join(root, ".enact/factory"));
  expect(hash).toMatch(/^[0-9a-f]{12}$/);
  expect(of({ XDG_STATE_HOME: "/state" }, "linux")).toBe(`/state/enact-factory/${hash}/worktrees`);
  expect(of({ XDG_STATE_HOME: "relative" }, "linux")).toBe(`/home/me/.local/state/enact-factory/${hash}/worktrees`);
  expect(of({}, "darwin")).toBe(`/home/me/Library/Application Support/enact-factory/${hash}/worktrees`);
  expect(factoryHash(join(root, "other"))).not.toBe(hash);
});

test("it is 0700 and excluded from git, in a linked worktree and in odd folders too; again changes nothing", async () => {
  const odd = "a [b]*?! #c";
  mkdirSync(join(root, odd));
  await git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "--allow-empty", "-m", "first");
  await git("worktree", "add", "-q", "linked");
  for (const at of [".", odd, "linked"]) {
    const directory = join(root, at, ".enact", "factory");
    for (let time = 0; time < 2; time += 1) expect(await Effect.runPromise(prepareStateDirectory(directory))).toBe(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    writeFileSync(join(directory, "factory.db"), "");
  }
  expect(await unignored()).toBe("?? linked/");
  expect((await execa("git", ["status", "--porcelain"], { cwd: join(root, "linked"), stdin: "ignore" })).stdout).toBe("");
  const lines = readFileSync(join(root, ".git/info/exclude"), "utf8").trim().split("\n").filter((line) => !line.startsWith("#"));
  expect(lines).toEqual(["/.enact/factory/", "/a \\[b\\]\\*\\?\\! \\#c/.enact/factory/"]);
  mkdirSync(join(root, "a b"), { recursive: true });
  writeFileSync(join(root, "a b", "seen.txt"), "");
  expect(await unignored()).toContain("seen.txt");
});

test("STATE-01 the state directory has its ten folders, each 0700, and each with its use in the documentation; what is in them stays", async () => {
  const directory = join(root, ".enact/factory");
  mkdirSync(join(directory, "reports"), { recursive: true, mode: 0o755 });
  writeFileSync(join(directory, "reports/LOC-1.md"), "done");
  await Effect.runPromise(prepareStateDirectory(directory));
  expect(readdirSync(directory).toSorted()).toEqual(["cache", "logs", "memory", "plans", "reports", "research", "sessions", "state", "team", "ultragoal"]);
  const page = readFileSync(join(import.meta.dirname, "../../docs/configuration.md"), "utf8");
  for (const name of stateFolders) {
    expect([name, statSync(join(directory, name)).mode & 0o777]).toEqual([name, 0o700]);
    expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\| \\S.{10,} \\|$`, "m"));
  }
  expect(readFileSync(join(directory, "reports/LOC-1.md"), "utf8")).toBe("done");
});

test("a link in its place, or files of it that git tracks, are refused", async () => {
  const refused = async (directory: string) => {
    const result = await Effect.runPromise(Effect.result(prepareStateDirectory(directory)));
    if (Result.isSuccess(result)) throw new Error("accepted, but should not have been");
    return result.failure;
  };
  const elsewhere = mkdtempSync(join(tmpdir(), "enact-else-"));
  try {
    symlinkSync(elsewhere, join(root, ".enact"));
    expect(await refused(join(root, ".enact/factory"))).toMatchObject({ _tag: "StateDirectoryUnusable", message: expect.stringContaining("symbolic link") });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
  rmSync(join(root, ".enact"));
  const within = mkdtempSync(join(tmpdir(), "enact-else-"));
  try {
    mkdirSync(join(root, ".enact/factory"), { recursive: true });
    symlinkSync(within, join(root, ".enact/factory/logs"));
    expect(await refused(join(root, ".enact/factory"))).toMatchObject({ message: expect.stringMatching(/logs is a symbolic link/) });
  } finally {
    rmSync(within, { recursive: true, force: true });
  }
  rmSync(join(root, ".enact"), { recursive: true });
  mkdirSync(join(root, ".enact/factory"), { recursive: true });
  writeFileSync(join(root, ".enact/factory/factory.db"), "planted");
  await git("add", "-f", ".enact");
  expect(await refused(join(root, ".enact/factory"))).toMatchObject({ message: expect.stringContaining("git tracks files"), mend: expect.stringContaining("git rm -r --cached") });
  writeFileSync(join(root, "file"), "");
  expect(await refused(join(root, "file/.enact/factory"))).toMatchObject({ message: expect.stringContaining("cannot be made") });
});
