/** A home, a repository with one failing test and a configuration of its own, and the real command line in it. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa, execaSync } from "execa";
import { z } from "zod";

/** The command line: bundled once a run of the tests, as it is published (`support/bundled.ts`); outside of one, its source. */
export const bin = process.env["ENACT_TEST_BIN"] ?? join(import.meta.dirname, "..", "..", "src", "main.ts");

const cache = process.env["ENACT_TEST_CACHE"];
const compiled: Readonly<Record<string, string>> = cache === undefined ? {} : { NODE_COMPILE_CACHE: cache };

export interface Room {
  readonly directory: string;
  readonly repository: string;
  readonly env: Readonly<Record<string, string>>;
  readonly playbook: (name: string, toml: string) => string;
  readonly cli: (argv: readonly string[], more?: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }) => ReturnType<typeof start>;
  readonly git: (...argv: readonly string[]) => string;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const start = (argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>) =>
  execa(process.execPath, [bin, ...argv], { cwd, env, extendEnv: false, stdin: "ignore", reject: false, timeout: 120_000, killSignal: "SIGKILL" });

const config = `
adapter = "scripted"
[verify]
sandbox = "off"
[[verify.checks]]
name = "test"
argv = ["node", "--test-reporter=tap", "test/sum.test.js"]
[limits]
retryBaseMs = 50
interruptGraceMs = 300
`;

export const makeRoom = (options: { readonly config?: string | null } = {}): Room => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-cli-")));
  const repository = join(directory, "repo");
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`, HOME: directory, XDG_STATE_HOME: join(directory, "xdg"), TMPDIR: join(directory, "tmp"), TMUX_TMPDIR: join(directory, "tmp"), LC_ALL: "C.UTF-8",
    GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_AUTHOR_NAME: "T", GIT_AUTHOR_EMAIL: "t@localhost", GIT_COMMITTER_NAME: "T", GIT_COMMITTER_EMAIL: "t@localhost",
    ...compiled,
  };
  const git = (...argv: readonly string[]): string => execaSync("git", argv, { cwd: repository, env, extendEnv: false, stdin: "ignore" }).stdout;
  const put = (path: string, text: string): string => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  mkdirSync(env.TMPDIR);
  if (options.config !== null) put("config.toml", options.config ?? config);
  put("repo/package.json", '{ "name": "sums", "private": true, "type": "module" }\n');
  put("repo/src/sum.js", "export const sum = (list) => list.reduce((a, b) => a + b);\n");
  put("repo/test/sum.test.js", 'import assert from "node:assert/strict";\nimport { test } from "node:test";\nimport { sum } from "../src/sum.js";\n\ntest("some", () => assert.equal(sum([1, 2]), 3));\ntest("none", () => assert.equal(sum([]), 0));\n');
  git("init", "-q", "-b", "main");
  git("add", "-A");
  git("commit", "-q", "-m", "sums");
  const running = new Set<ReturnType<typeof start>>();
  return {
    directory, repository, env, git,
    playbook: (name, toml) => put(`playbooks/${name}.toml`, toml),
    cli: (argv, more = {}) => {
      const child = start(argv, more.cwd ?? directory, { ...env, ...more.env });
      running.add(child);
      void child.finally(() => running.delete(child));
      return child;
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of running) child.kill("SIGTERM");
      await Promise.allSettled(running);
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
};

/** Steps of a coder that mends the repository. */
export const mend = `{ patch = "src/sum.js", find = "a + b)", replace = "a + b, 0)" }, { result = "The sum of nothing is 0." }`;
export const coder = (steps: string, more = ""): string => `[[turn]]\nstage = "coder"\n${more}\nsteps = [ ${steps} ]\n`;

const Item = z.looseObject({ id: z.string(), status: z.string(), iterations: z.number(), branch: z.string().nullable(), commit: z.string().nullable(), checks: z.object({ base: z.string(), head: z.string() }).nullable(), next: z.array(z.string()).default([]), question: z.string().nullable().default(null), worktree: z.string().nullable().default(null) });
/** The JSON that a command printed as its last line. */
export const lastLine = (text: string): unknown => JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
export const itemIn = (text: string): z.infer<typeof Item> => Item.parse(lastLine(text));
export const itemsIn = (text: string): readonly z.infer<typeof Item>[] => z.looseObject({ workItems: z.array(Item) }).parse(lastLine(text)).workItems;

const Line = z.looseObject({ actor: z.string(), type: z.string(), event: z.record(z.string(), z.unknown()) });
export const journalIn = (text: string): readonly z.infer<typeof Line>[] => text.trimEnd().split("\n").map((line) => Line.parse(JSON.parse(line)));
/** Stages in the order in which they were started. */
export const stagesIn = (text: string): readonly string[] => journalIn(text).filter(({ actor, type }) => type === "actor.start" && actor.startsWith("stage/")).map(({ actor }) => (actor.split("/")[3] ?? "").replace(/\.\d+$/, ""));

export const fileText = (path: string): string => readFileSync(path, "utf8");
