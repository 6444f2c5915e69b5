/** The demo's proof: the repository's own tests, run by itself on the results, in worktrees of their own. */
import { join } from "node:path";
import type { ItemState } from "../client/contract.ts";
import { type DemoPlace, gitIn, plainEnvironment } from "./demo-place.ts";

/** What the repository's tests say of one commit. */
export interface TestCount { readonly what: string; readonly commit: string; readonly tests: number; readonly pass: number; readonly fail: number; readonly failed: readonly string[] }

export interface Proof {
  readonly base: TestCount;
  readonly branches: ReadonlyMap<string, TestCount>;
  /** All results merged into one tree; null when they do not merge. */
  readonly together: TestCount | null;
}

export const prove = async (place: DemoPlace, states: readonly ItemState[], env: Readonly<Record<string, string | undefined>>): Promise<Proof> => {
  const at = async (name: string, commit: string): Promise<string> => {
    const directory = join(place.directory, "proof", name);
    await place.git("worktree", "add", "-q", "--detach", directory, commit);
    return directory;
  };
  const base = await countTests("base", place.base, await at("base", place.base), env);
  const branches = new Map<string, TestCount>();
  const finished = states.flatMap(({ item }) => (item.status === "done" && item.branch !== null ? [{ id: item.id, branch: item.branch }] : []));
  for (const { id, branch } of finished) {
    const commit = await place.git("rev-parse", "--verify", `refs/heads/${branch}^{commit}`);
    branches.set(id, await countTests(id, commit, await at(id, commit), env));
  }
  return { base, branches, together: await mergeAll(await at("together", place.base), finished.map(({ branch }) => branch), env) };
};

const mergeAll = async (directory: string, branches: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<TestCount | null> => {
  const git = gitIn(directory, env);
  try {
    for (const branch of branches) await git("merge", "-q", "--no-edit", "--no-gpg-sign", `refs/heads/${branch}`);
  } catch {
    // Results of real agents may well touch the same lines; that is the reviewer's business, not a failure of the items.
    return null;
  }
  return countTests("together", await git("rev-parse", "HEAD"), directory, env);
};

/** `node --test`, counted from TAP: the summary lines and the names at the outermost level. */
const countTests = async (what: string, commit: string, cwd: string, env: Readonly<Record<string, string | undefined>>): Promise<TestCount> => {
  const { execa } = await import("execa");
  const { stdout } = await execa(process.execPath, ["--test", "--test-reporter=tap"], { cwd, env: plainEnvironment(env), extendEnv: false, stdin: "ignore", reject: false, timeout: 60_000 });
  const total = (name: string): number => Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(stdout)?.[1] ?? Number.NaN);
  const [tests, pass, fail] = [total("tests"), total("pass"), total("fail")];
  if (![tests, pass, fail].every(Number.isInteger)) throw new Error(`the tests of ${what} gave no summary:\n${stdout.slice(-500)}`);
  return { what, commit, tests, pass, fail, failed: [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map((match) => match[1] ?? "") };
};
