/** The repository's own git configuration and hooks, looked at before and after a turn. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { touchedBetween } from "../../src/domain/fingerprint.ts";
import { makeWorkspaces } from "../../src/workspaces/service.ts";
import { git, item, optionsFor, photograph, repositoryAt, run, temporary, write } from "./fixture.ts";

const start = async () => {
  const temp = temporary();
  const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "one\n" });
  const workspaces = makeWorkspaces(optionsFor(join(temp.path, "state/worktrees")));
  const workspace = await run(workspaces.prepare({ item, attempt: 1, repository, baseRef: null }));
  return {
    temp, repository, workspaces, workspace,
    hook: (name: string): string => join(repository, ".git/hooks", name),
    /** What is told of a change that was made between two looks. */
    after: async (change: () => void): Promise<readonly string[]> => {
      const before = await run(workspaces.fingerprint(workspace));
      change();
      return touchedBetween(before, await run(workspaces.fingerprint(workspace)));
    },
    [Symbol.dispose]: temp[Symbol.dispose],
  };
};

test("a changed setting, and a hook that is new, changed, made executable, linked or gone, are each named", async () => {
  using s = await start();
  // As git itself would be told, from inside the agent's worktree.
  expect(await s.after(() => git(s.workspace.path, "config", "core.fsmonitor", "/tmp/evil"))).toEqual(["config"]);
  mkdirSync(dirname(s.hook("x")), { recursive: true });
  expect(await s.after(() => writeFileSync(s.hook("pre-commit"), "#!/bin/sh\n"))).toEqual(["hooks/pre-commit"]);
  expect(await s.after(() => chmodSync(s.hook("pre-commit"), 0o755))).toEqual(["hooks/pre-commit"]);
  expect(await s.after(() => writeFileSync(s.hook("pre-commit"), "#!/bin/sh\ntouch x\n"))).toEqual(["hooks/pre-commit"]);
  expect(await s.after(() => rmSync(s.hook("pre-commit")))).toEqual(["hooks/pre-commit"]);
  expect(await s.after(() => symlinkSync("/nonexistent", s.hook("post-merge")))).toEqual(["hooks/post-merge"]);
  expect(await s.after(() => write(join(s.repository, ".git"), { "info/attributes": "* filter=evil\n", "objects/info/alternates": "/elsewhere\n" }))).toEqual(["info/attributes", "objects/info/alternates"]);
});

test("what git, the factory and an honest agent do is no change; samples are not looked at", async () => {
  using s = await start();
  expect(await s.after(() => {
    write(s.workspace.path, { "a.txt": "two\n", "b.txt": "new\n" });
    git(s.workspace.path, "add", "-A");
    git(s.workspace.path, "commit", "-q", "-m", "work");
    git(s.repository, "branch", "other");
    writeFileSync(s.hook("pre-push.sample"), "# a sample\n");
  })).toEqual([]);
  const before = await run(s.workspaces.fingerprint(s.workspace));
  await run(s.workspaces.prepare({ item, attempt: 2, repository: s.repository, baseRef: null }));
  await run(s.workspaces.commit(s.workspace, "work"));
  await run(s.workspaces.checkpoint(item, s.workspace, "a test"));
  expect(touchedBetween(before, await run(s.workspaces.fingerprint(s.workspace)))).toEqual([]);
});

test("I1 I2 pipes, links and large files neither hang it nor are read, and nothing of the repository is written", async () => {
  using s = await start();
  mkdirSync(dirname(s.hook("x")), { recursive: true });
  expect(await s.after(() => execFileSync("mkfifo", [s.hook("pre-commit")]))).toEqual(["hooks/pre-commit"]);
  writeFileSync(s.hook("large"), "");
  expect(await s.after(() => truncateSync(s.hook("large"), 3_000_000_000))).toEqual(["hooks/large"]);
  // Hooks moved out of the repository.
  rmSync(join(s.repository, ".git/hooks"), { recursive: true });
  const elsewhere = join(s.temp.path, "elsewhere");
  mkdirSync(elsewhere);
  expect(await s.after(() => symlinkSync(elsewhere, join(s.repository, ".git/hooks")))).toEqual(["hooks"]);
  const before = photograph(s.repository);
  expect((await run(s.workspaces.fingerprint(s.workspace))).git["hooks"]).toMatch(/^link /);
  expect(photograph(s.repository)).toEqual(before);
});
