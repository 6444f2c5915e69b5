/** Directories of a test's own: a git repository, a home, one for temporary files. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

export interface World extends AsyncDisposable {
  /** Holds all of it. */
  readonly base: string;
  readonly repository: string;
  readonly home: string;
  readonly temporary: string;
  readonly git: (...args: readonly string[]) => Promise<string>;
}

/** Files of the repository every test starts from: a bug, and the test that shows it. */
const bug: Readonly<Record<string, string>> = {
  "add.mjs": "export const add = (a, b) => a - b;\n",
  "add.test.mjs": 'import test from "node:test";\nimport assert from "node:assert";\nimport { add } from "./add.mjs";\ntest("add", () => assert.equal(add(1, 2), 3));\n',
};

export const openWorld = async (files: Readonly<Record<string, string>> = {}): Promise<World> => {
  const base = await realpath(await mkdtemp(join(tmpdir(), "enact-clis-")));
  const repository = join(base, "repo"), home = join(base, "home"), temporary = join(base, "tmp");
  for (const directory of [repository, home, temporary]) await mkdir(directory);
  for (const [name, text] of Object.entries({ ...bug, ...files })) {
    await mkdir(dirname(join(repository, name)), { recursive: true });
    await writeFile(join(repository, name), text);
  }
  const git = async (...args: readonly string[]): Promise<string> => (await execa("git", ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "core.excludesFile=", ...args], { cwd: repository, stdin: "ignore", env: { HOME: home, GIT_CONFIG_NOSYSTEM: "1" } })).stdout;
  await git("init", "-q", "-b", "main");
  await git("add", "-A");
  await git("commit", "-q", "-m", "start");
  return { base, repository, home, temporary, git, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true, maxRetries: 5 }) };
};
