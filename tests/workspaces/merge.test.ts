/** A team's branches on real git: members' worktrees, the team's branch, conflicts. */
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Workspace } from "../../src/ports/workspaces.ts";
import { makeWorkspaces } from "../../src/workspaces/service.ts";
import { failure, git, item, optionsFor, photograph, repositoryAt, run, temporary, write } from "./fixture.ts";

const files = { "src/a.txt": "one\ntwo\nthree\nfour\nfive\n", "src/b.txt": "b\n", ".gitignore": "dist/\n" };

const open = async (more: { readonly files?: Readonly<Record<string, string>> } = {}) => {
  const temp = temporary("enact team"), repository = repositoryAt(join(temp.path, "repository"), { ...files, ...more.files });
  const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
  const prepare = (member?: string, baseRef: string | null = null) => run(workspaces.prepare({ item, attempt: 1, repository, baseRef, ...(member === undefined ? {} : { member }) }));
  const team = await prepare();
  const read = (ws: Workspace, name: string): string => readFileSync(join(ws.path, name), "utf8");
  const head = (): string => git(repository, "rev-parse", team.branch);
  return {
    repository, workspaces, team, read, head, prepare, worker: (n: number) => prepare(`worker-${n}`, team.base),
    work: async (ws: Workspace, change: Readonly<Record<string, string>>, message = "work") => { write(ws.path, change); return (await run(workspaces.commit(ws, message))).head; },
    merge: (commit: string) => run(workspaces.merge(item, team, commit, `merge ${commit.slice(0, 7)}`)),
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
};

test("each member has a worktree and branch of its own beside the item's; the user's checkout is not touched", async () => {
  using room = await open();
  write(room.repository, { "src/a.txt": "the user's edit\n" });
  git(room.repository, "status");
  const before = photograph(room.repository, (path) => path.startsWith(".git/") && !["index", "HEAD", "config"].includes(path.slice(5)));
  const [one, two] = await Promise.all([room.worker(1), room.worker(2)]);
  expect([room.team.branch, one.branch, two.branch]).toEqual(["enact/LOC-1", "enact/LOC-1--worker-1", "enact/LOC-1--worker-2"]);
  expect(new Set([room.team.path, one.path, two.path]).size).toBe(3);
  const commit = await room.work(one, { "src/new.txt": "new\n" });
  expect(await room.merge(commit)).toEqual({ merged: true, head: room.head() });
  expect(photograph(room.repository, (path) => path.startsWith(".git/") && !["index", "HEAD", "config"].includes(path.slice(5)))).toEqual(before);
});

test("work of two members is merged in order, each by one merge commit, and the team's worktree follows; asked again nothing changes", async () => {
  using room = await open();
  const one = await room.worker(1), two = await room.worker(2);
  const first = await room.work(one, { "src/a.txt": files["src/a.txt"].replace("one", "ONE") }), second = await room.work(two, { "src/a.txt": files["src/a.txt"].replace("five", "FIVE"), "src/c.txt": "c\n" });
  await room.merge(first);
  const merged = await room.merge(second);
  expect(await room.merge(second)).toEqual(merged);
  expect(await room.merge(first)).toEqual(merged);
  expect(git(room.repository, "log", "--merges", "--format=%s", `${room.team.base}..${room.team.branch}`).split("\n")).toEqual([`merge ${second.slice(0, 7)}`, `merge ${first.slice(0, 7)}`]);
  expect(room.read(room.team, "src/a.txt")).toBe("ONE\ntwo\nthree\nfour\nFIVE\n");
  expect(room.read(room.team, "src/c.txt")).toBe("c\n");
  expect(git(room.team.path, "status", "--porcelain")).toBe("");
});

test("in conflict nothing is changed, and the files are named", async () => {
  using room = await open();
  const one = await room.worker(1), two = await room.worker(2);
  await room.merge(await room.work(one, { "src/a.txt": "mine\n" }));
  const before = room.head();
  expect(await room.merge(await room.work(two, { "src/a.txt": "yours\n", "src/b.txt": "fine\n" }))).toEqual({ merged: false, files: ["src/a.txt"] });
  expect([room.head(), git(room.team.path, "status", "--porcelain"), room.read(room.team, "src/b.txt")]).toEqual([before, "", "b\n"]);
});

test("sync: anew at the team's head, with what lay around in a checkpoint; or as it stands, with the team's work merged in", async () => {
  using room = await open();
  const one = await room.worker(1), two = await room.worker(2);
  await room.merge(await room.work(one, { "src/new.txt": "new\n" }));
  write(two.path, { "half.txt": "half a thought\n", "src/b.txt": "half\n" });
  const here = await run(room.workspaces.sync(item, two, room.head(), "here"));
  expect(here.conflicts).toEqual([]);
  expect([room.read(two, "half.txt"), room.read(two, "src/new.txt"), room.read(two, "src/b.txt")]).toEqual(["half a thought\n", "new\n", "half\n"]);
  expect(await run(room.workspaces.sync(item, two, room.head(), "here"))).toEqual(here);
  write(two.path, { "more.txt": "and more\n" });
  for (let n = 0; n < 2; n++) expect(await run(room.workspaces.sync(item, two, room.head(), "team"))).toEqual({ head: room.head(), conflicts: [] });
  expect([existsSync(join(two.path, "half.txt")), existsSync(join(two.path, "more.txt")), git(two.path, "status", "--porcelain"), git(two.path, "rev-parse", "HEAD")]).toEqual([false, false, "", room.head()]);
  // Everything is in a checkpoint.
  const kept = await run(room.workspaces.checkpoints(item, room.repository));
  expect(kept.length).toBe(1);
  expect(git(room.repository, "show", `${kept[0]?.ref}:more.txt`)).toBe("and more");
  expect(git(room.repository, "show", `${kept[0]?.ref}:half.txt`)).toBe("half a thought");
});

test("a conflict is left in the worktree; its resolution becomes a merge with both parents; markers and work taken back are refused", async () => {
  using room = await open();
  const one = await room.worker(1), two = await room.worker(2);
  const lost = await room.work(two, { "src/a.txt": "yours\ntwo\nthree\nfour\nfive\n" });
  await room.merge(await room.work(one, { "src/a.txt": "mine\ntwo\nthree\nfour\nfive\n", "src/b.txt": "theirs\n", "src/new.txt": "new\n" }));
  expect((await room.merge(lost)).merged).toBe(false);
  const synced = await run(room.workspaces.sync(item, two, room.head(), "here"));
  expect(synced).toEqual({ head: lost, conflicts: ["src/a.txt"] });
  expect(room.read(two, "src/a.txt")).toMatch(/^<<<<<<< .+\nyours\n=======\nmine\n>>>>>>> .+\ntwo/);
  expect(room.read(two, "src/new.txt")).toBe("new\n");
  // Markers left behind: no commit.
  expect(await run(room.workspaces.commit(two, "resolved?"))).toMatchObject({ head: lost, unresolved: ["src/a.txt"], dropped: [] });
  // Half resolved, then killed: it goes on where it stood.
  write(two.path, { "src/a.txt": "both\ntwo\nthree\nfour\nfive\n", "src/b.txt": "b\n" });
  expect(await run(room.workspaces.sync(item, two, room.head(), "here"))).toEqual(synced);
  expect(room.read(two, "src/a.txt")).toBe("both\ntwo\nthree\nfour\nfive\n");
  // The team's change of src/b.txt was taken back.
  expect(await run(room.workspaces.commit(two, "resolved?"))).toMatchObject({ head: lost, unresolved: [], dropped: ["src/b.txt"] });
  write(two.path, { "src/b.txt": "theirs\n" });
  const resolved = await run(room.workspaces.commit(two, "resolved"));
  expect(resolved.unresolved ?? []).toEqual([]);
  expect(git(room.repository, "rev-parse", `${resolved.head}^1`, `${resolved.head}^2`).split("\n")).toEqual([lost, room.head()]);
  expect((await run(room.workspaces.commit(two, "again"))).head).toBe(resolved.head);
  expect(await room.merge(resolved.head)).toEqual({ merged: true, head: room.head() });
  expect(room.read(room.team, "src/a.txt")).toBe("both\ntwo\nthree\nfour\nfive\n");
});

test("a member's branch goes with its worktree when the team has all of it, not before, and not while somebody has it checked out", async () => {
  using room = await open();
  const [one, two, three] = [await room.worker(1), await room.worker(2), await room.worker(3)];
  await room.merge(await room.work(one, { "src/one.txt": "1\n" }));
  await room.work(two, { "src/two.txt": "2\n" });
  await room.merge(await room.work(three, { "src/three.txt": "3\n" }));
  await run(room.workspaces.remove(item, one, room.repository));
  await run(room.workspaces.remove(item, two, room.repository));
  git(room.repository, "worktree", "unlock", three.path);
  git(room.repository, "worktree", "remove", "--force", three.path);
  git(room.repository, "checkout", "-q", three.branch);
  await run(room.workspaces.remove(item, three, room.repository));
  expect(git(room.repository, "branch", "--list", "--format=%(refname:short)", "enact/*--*").split("\n")).toEqual([two.branch, three.branch]);
  // Made again when it is needed again.
  expect((await room.worker(1)).branch).toBe(one.branch);
});

test("another worker takes a conflict over from its commit", async () => {
  using room = await open();
  const one = await room.worker(1), two = await room.worker(2);
  const lost = await room.work(two, { "src/a.txt": "yours\n" });
  await room.merge(await room.work(one, { "src/a.txt": "mine\n" }));
  write(one.path, { "scratch.txt": "of another task\n" });
  for (let n = 0; n < 2; n++) expect(await run(room.workspaces.sync(item, one, room.head(), { commit: lost }))).toEqual({ head: lost, conflicts: ["src/a.txt"] });
  expect(existsSync(join(one.path, "scratch.txt"))).toBe(false);
  write(one.path, { "src/a.txt": "mine and yours\n" });
  expect((await room.merge((await run(room.workspaces.commit(one, "resolved"))).head)).merged).toBe(true);
  expect(git(room.repository, "merge-base", "--is-ancestor", lost, room.team.branch)).toBe("");
});

test("a hostile repository runs nothing of its own while its branches are merged", async () => {
  using room = await open({ files: { ".gitattributes": "*.txt merge=evil filter=evil diff=evil\n" } });
  const proof = join(room.repository, "..", "proof");
  for (const [key, value] of [["merge.evil.driver", `touch '${proof}'`], ["filter.evil.clean", `touch '${proof}'; cat`], ["filter.evil.smudge", `touch '${proof}'; cat`], ["diff.evil.textconv", `touch '${proof}'`], ["commit.gpgSign", "true"], ["gpg.program", `touch '${proof}'`]] as const) git(room.repository, "config", key, value);
  for (const hook of ["post-checkout", "pre-merge-commit", "post-merge", "reference-transaction", "post-index-change", "prepare-commit-msg"]) {
    write(room.repository, { [`.git/hooks/${hook}`]: `#!/bin/sh\ntouch '${proof}'\n` });
    chmodSync(join(room.repository, ".git/hooks", hook), 0o755);
  }
  const one = await room.worker(1), two = await room.worker(2);
  await room.merge(await room.work(one, { "src/a.txt": files["src/a.txt"].replace("one", "ONE") }));
  expect((await room.merge(await room.work(two, { "src/a.txt": files["src/a.txt"].replace("five", "FIVE") }))).merged).toBe(true);
  expect(room.read(room.team, "src/a.txt")).toBe("ONE\ntwo\nthree\nfour\nFIVE\n");
  const three = await room.worker(3);
  await room.work(three, { "src/a.txt": "all\n" });
  expect((await run(room.workspaces.sync(item, three, room.head(), "here"))).conflicts).toEqual(["src/a.txt"]);
  expect(existsSync(proof)).toBe(false);
});

test("what a person did in the team's worktree is checkpointed before it follows its branch; a link out of the worktree is not work", async () => {
  using room = await open();
  const one = await room.worker(1);
  write(room.team.path, { "note.txt": "mine\n" });
  await room.merge(await room.work(one, { "src/new.txt": "new\n" }));
  const kept = await run(room.workspaces.checkpoints(item, room.repository));
  expect(git(room.repository, "show", `${kept.at(-1)?.ref}:note.txt`)).toBe("mine");
  expect(await failure(room.workspaces.merge(item, room.team, "0".repeat(40), "m"))).toMatchObject({ _tag: "WorkspaceIo" });
  rmSync(one.path, { recursive: true });
  expect(await failure(room.workspaces.sync(item, one, room.head(), "here"))).toMatchObject({ _tag: "WorkspaceUnusable" });
});

test("a worktree that was removed is made again on its branch", async () => {
  using room = await open();
  const one = await room.worker(1);
  const commit = await room.work(one, { "src/new.txt": "new\n" });
  await run(room.workspaces.remove(item, one, room.repository));
  expect(existsSync(one.path)).toBe(false);
  const again = await room.worker(1);
  expect([again.path, git(again.path, "rev-parse", "HEAD")]).toEqual([one.path, commit]);
});
