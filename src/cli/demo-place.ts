/**
 * The demo's throwaway directory: a git repository with failing tests, work items, playbooks, a configuration and, while it runs, the
 * factory's state and worktrees.
 *
 * I1 Everything the demo makes lies in this directory. I2 `remove` takes all of it away; called twice it does nothing more.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CliProblem, exitCode } from "./problem.ts";

export interface DemoPlace {
  readonly directory: string;
  readonly configFile: string;
  readonly repository: string;
  /** The commit that work starts from. */
  readonly base: string;
  readonly git: (...argv: readonly string[]) => Promise<string>;
  readonly remove: () => void;
}

/** Beside the package's sources or its bundle, whichever this is. */
const fixtures = (): string => {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const found = join(at, "fixtures", "demo");
    if (existsSync(join(found, "config.toml"))) return found;
    if (dirname(at) === at) throw new CliProblem("The demo's files (fixtures/demo) are missing from this installation.", "Run it from a clone of the repository: npm run demo", exitCode.notRun);
  }
};

/** What git and the tests may see of the environment: no settings of the user's own. */
export const plainEnvironment = (env: Readonly<Record<string, string | undefined>>): Record<string, string> => ({
  PATH: env["PATH"] ?? "", HOME: env["HOME"] ?? "", LC_ALL: "C.UTF-8", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0",
  GIT_AUTHOR_NAME: "Demo", GIT_AUTHOR_EMAIL: "demo@localhost", GIT_COMMITTER_NAME: "Demo", GIT_COMMITTER_EMAIL: "demo@localhost",
});

export const makeDemoPlace = async (env: Readonly<Record<string, string | undefined>>): Promise<DemoPlace> => {
  const source = fixtures();
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "enact-factory-demo-")));
  const remove = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  try {
    cpSync(source, directory, { recursive: true });
    // Worktrees would else lie under the user's home (I1). In this process, as a variable of the user's own would win over the file; and in
    // the file, for whoever looks around in a kept directory.
    const worktrees = join(directory, "worktrees");
    mkdirSync(worktrees);
    process.env["XDG_STATE_HOME"] = worktrees;
    writeFileSync(join(directory, ".env"), `XDG_STATE_HOME=${worktrees}\n`);
    const repository = join(directory, "repository");
    const git = gitIn(repository, env);
    await git("init", "-q", "-b", "main");
    await git("add", "-A");
    await git("commit", "-q", "-m", "pocket as it is, with what does not work yet");
    return { directory, configFile: join(directory, "config.toml"), repository, base: await git("rev-parse", "HEAD"), git, remove };
  } catch (error) {
    remove();
    throw error;
  }
};

/** git with no settings but its own; gives standard output. */
export const gitIn = (cwd: string, env: Readonly<Record<string, string | undefined>>) => async (...argv: readonly string[]): Promise<string> => {
  const { execa } = await import("execa");
  const done = await execa("git", argv, { cwd, env: plainEnvironment(env), extendEnv: false, stdin: "ignore", reject: false, timeout: 60_000 });
  if (done.failed) throw new CliProblem(`git ${argv[0] ?? ""} failed: ${done.stderr || done.shortMessage}`, "The demo needs git; `enact-factory doctor` looks for it.", exitCode.notRun);
  return done.stdout;
};
