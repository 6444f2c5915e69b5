import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WorkspaceEscape, WorkspaceUnusable } from "../../src/ports/workspaces.ts";
import { makeWorkspaces } from "../../src/workspaces/service.ts";
import { failure, git, item, optionsFor, photograph, repositoryAt, run, temporary, write } from "./fixture.ts";

const start = (change: Parameters<typeof optionsFor>[1] = {}, files: Readonly<Record<string, string>> = { "src/a.txt": "one\n", "README.md": "# r\n", ".gitignore": "dist/\n.env\n" }) => {
  const temp = temporary();
  const repository = repositoryAt(join(temp.path, "the repo"), files);
  const root = join(temp.path, "state/worktrees");
  const workspaces = makeWorkspaces(optionsFor(root, change));
  const request = { item, attempt: 1, repository, baseRef: null };
  return { temp, repository, root, workspaces, request, [Symbol.dispose]: temp[Symbol.dispose] };
};
const treeOf = (repository: string, commit: string) => git(repository, "ls-tree", "-r", "--name-only", "-z", commit).split("\0").filter(Boolean).sort();

describe("a workspace", () => {
  test("is made from HEAD, commits on its branch, and is found again as it was", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    expect(ws.branch).toBe("enact/LOC-1");
    expect(ws.base).toBe(git(s.repository, "rev-parse", "HEAD"));
    const nothing = await run(s.workspaces.commit(ws, "nothing"));
    expect(nothing).toMatchObject({ head: ws.base, empty: true, changed: [], summary: "no changes" });
    write(ws.path, { "src/a.txt": "two\n", "new file\n\"ü.txt": "x\n", "dist/out.js": "built" });
    const done = await run(s.workspaces.commit(ws, `"; rm -rf / #{\n\n${"long ".repeat(100_000)}`));
    expect(done.changed).toEqual(["new file\n\"ü.txt", "src/a.txt"]);
    expect(done.empty).toBe(false);
    expect(done.summary).toBe("2 files changed, 2 insertions(+), 1 deletion(-)");
    expect(git(s.repository, "rev-parse", "enact/LOC-1")).toBe(done.head);
    expect(git(s.repository, "log", "-1", "--format=%an <%ae>%n%s", "enact/LOC-1")).toBe("A User <user@example.test>\n\"; rm -rf / #{");
    // The agent's own git sees a clean worktree.
    expect(git(ws.path, "status", "--porcelain")).toBe("");
    expect(await run(s.workspaces.commit(ws, "again"))).toEqual(done);
    write(s.repository, { "later.txt": "the user goes on" });
    git(s.repository, "add", "later.txt");
    git(s.repository, "commit", "-q", "-m", "later");
    write(ws.path, { "half.txt": "uncommitted" });
    expect(await run(makeWorkspaces(optionsFor(s.root)).prepare(s.request))).toEqual(ws);
    expect(readFileSync(join(ws.path, "half.txt"), "utf8")).toBe("uncommitted");
    const diff = await run(s.workspaces.diff(ws, 1_000_000));
    expect(diff).toContain("-one\n+two\n");
    expect(await run(s.workspaces.diff(ws, 40))).toMatch(/^diff --git [^]{28}\n\[the diff is longer; cut after 40 bytes\]/);
    const second = await run(s.workspaces.prepare({ ...s.request, attempt: 2 }));
    expect(second).toMatchObject({ branch: "enact/LOC-1-2", base: git(s.repository, "rev-parse", "HEAD") });
  });

  test("leaves a dirty checkout of the user byte-identical through a whole life", async () => {
    using s = start();
    write(s.repository, { "src/a.txt": "the user's edit\n", "untracked.txt": "u", "staged.txt": "s", ".env": "SECRET=1" });
    git(s.repository, "add", "staged.txt");
    write(s.repository, { "stash-me.txt": "x" });
    git(s.repository, "stash", "push", "-q", "--include-untracked", "--", "stash-me.txt");
    const ours = (path: string) => /^\.git\/(objects|worktrees|refs\/enact|refs\/heads\/enact|logs\/refs\/heads\/enact)(\/|$)/.test(path);
    const before = photograph(s.repository, ours);
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "src/a.txt": "two\n", "code.ts": "x" });
    await run(s.workspaces.fingerprint(ws));
    const done = await run(s.workspaces.commit(ws, "work"));
    write(ws.path, { "more.ts": "y" });
    await run(s.workspaces.checkpoint(item, ws, "a test"));
    await run(s.workspaces.enforce(item, ws, done.head, "nothing"));
    await run(s.workspaces.remove(item, ws, s.repository));
    expect(photograph(s.repository, ours)).toEqual(before);
    expect(before["src/a.txt"]).toBeDefined();
    expect(git(s.repository, "stash", "list")).not.toBe("");
  });

  test("uses the enact-factory identity when the user has none", async () => {
    using s = start();
    git(s.repository, "config", "--unset", "user.name");
    git(s.repository, "config", "--unset", "user.email");
    const home = process.env.HOME, xdg = process.env.XDG_CONFIG_HOME;
    process.env.HOME = s.temp.path;
    delete process.env.XDG_CONFIG_HOME;
    try {
      const ws = await run(s.workspaces.prepare(s.request));
      write(ws.path, { "b.txt": "b" });
      await run(s.workspaces.commit(ws, "work"));
    } finally { process.env.HOME = home; if (xdg !== undefined) process.env.XDG_CONFIG_HOME = xdg; }
    expect(git(s.repository, "log", "-1", "--format=%an <%ae>", "enact/LOC-1")).toBe("enact-factory <enact-factory@localhost>");
  });

  test("fingerprints change if and only if content changes, and leave no objects behind", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    const objects = () => Object.keys(photograph(join(s.repository, ".git/objects")));
    const before = objects();
    const first = (await run(s.workspaces.fingerprint(ws))).tree;
    writeFileSync(join(ws.path, "src/a.txt"), "one\n");
    write(ws.path, { "dist/ignored.js": "x" });
    expect((await run(s.workspaces.fingerprint(ws))).tree).toBe(first);
    // Same size, same second: only reading the file can tell.
    writeFileSync(join(ws.path, "src/a.txt"), "two\n");
    const second = (await run(s.workspaces.fingerprint(ws))).tree;
    expect(second).not.toBe(first);
    write(ws.path, { "untracked.txt": "" });
    const third = (await run(s.workspaces.fingerprint(ws))).tree;
    expect(third).not.toBe(second);
    chmodSync(join(ws.path, "src/a.txt"), 0o755);
    expect((await run(s.workspaces.fingerprint(ws))).tree).not.toBe(third);
    chmodSync(join(ws.path, "src/a.txt"), 0o644);
    unlinkSync(join(ws.path, "untracked.txt"));
    writeFileSync(join(ws.path, "src/a.txt"), "one\n");
    expect((await run(s.workspaces.fingerprint(ws))).tree).toBe(first);
    expect(objects()).toEqual(before);
  });
});

describe("checkpoints", () => {
  test("hold untracked, staged, force-added and hidden work, touch no index, and are not repeated", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "untracked.txt": "u", "staged.txt": "s", "dist/forced.js": "f", "dist/ignored.js": "i", "src/a.txt": "hidden edit\n" });
    git(ws.path, "add", "staged.txt");
    git(ws.path, "add", "-f", "dist/forced.js");
    git(ws.path, "update-index", "--assume-unchanged", "src/a.txt");
    const admin = git(ws.path, "rev-parse", "--absolute-git-dir");
    const index = readFileSync(join(admin, "index"));
    const first = await run(s.workspaces.checkpoint(item, ws, "test"));
    expect(readFileSync(join(admin, "index"))).toEqual(index);
    expect(first.ref).toBe("refs/enact/checkpoints/LOC-1/1");
    expect(treeOf(s.repository, first.commit)).toEqual([".gitignore", "README.md", "dist/forced.js", "src/a.txt", "staged.txt", "untracked.txt"]);
    expect(git(s.repository, "show", `${first.commit}:src/a.txt`)).toBe("hidden edit");
    expect(await run(s.workspaces.checkpoint(item, ws, "again"))).toEqual(first);
    write(ws.path, { "more.txt": "m" });
    const second = await run(s.workspaces.checkpoint(item, ws, "again"));
    expect(await run(s.workspaces.checkpoints(item, s.repository))).toEqual([first, second]);
    const to = join(s.temp.path, "restored");
    expect(await run(s.workspaces.restore(item, s.repository, first.ref, to))).toBe(to);
    expect(await run(s.workspaces.restore(item, s.repository, first.ref, to))).toBe(to);
    expect(readFileSync(join(to, "untracked.txt"), "utf8")).toBe("u");
    expect(existsSync(join(to, "more.txt"))).toBe(false);
    expect(await failure(s.workspaces.restore(item, s.repository, "refs/heads/main", join(s.temp.path, "other")))).toBeInstanceOf(WorkspaceUnusable);
    expect(await failure(s.workspaces.restore(item, s.repository, second.ref, s.repository))).toBeInstanceOf(WorkspaceUnusable);
  });

  test("remove keeps everything, nested repositories included, and may be asked twice", async () => {
    using s = start({ hooks: { before_remove: ["sh", "-c", "echo last words > from-hook.txt"] } });
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "work.txt": "w" });
    repositoryAt(join(ws.path, "nested"), { "inner.txt": "inner" });
    mkdirSync(join(ws.path, "empty-repo"));
    git(join(ws.path, "empty-repo"), "init", "-q");
    write(ws.path, { "empty-repo/loose.txt": "l", "locked/deep/file.txt": "d" });
    chmodSync(join(ws.path, "locked/deep"), 0o555);
    const committed = await run(s.workspaces.commit(ws, "with nested repositories"));
    expect(committed.changed).toEqual(["empty-repo/loose.txt", "locked/deep/file.txt", "nested/inner.txt", "work.txt"]);
    await run(s.workspaces.remove(item, ws, s.repository));
    await run(s.workspaces.remove(item, ws, s.repository));
    expect(existsSync(ws.path)).toBe(false);
    const last = (await run(s.workspaces.checkpoints(item, s.repository))).at(-1);
    expect(treeOf(s.repository, last?.commit ?? "")).toEqual([".gitignore", "README.md", "empty-repo/loose.txt", "from-hook.txt", "locked/deep/file.txt", "nested/inner.txt", "src/a.txt", "work.txt"]);
    const kept = photograph(join(ws.path, "../.kept"));
    expect(Object.keys(kept).filter((path) => path.endsWith("/HEAD") && path.split("/").length === 2)).toHaveLength(2);
    expect(git(s.repository, "worktree", "list", "--porcelain")).not.toContain("LOC-1");
    expect(git(s.repository, "rev-parse", "enact/LOC-1")).toBe(committed.head);
    // Prepared again, it goes on from its branch.
    const again = await run(s.workspaces.prepare(s.request));
    expect(again).toEqual(ws);
    expect(readFileSync(join(ws.path, "work.txt"), "utf8")).toBe("w");
  });

  test("an agent that rewrites or leaves its branch loses nothing", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "one.txt": "1" });
    const one = await run(s.workspaces.commit(ws, "one"));
    git(ws.path, "checkout", "-q", "--orphan", "elsewhere");
    write(ws.path, { "two.txt": "2" });
    git(ws.path, "add", "-A");
    git(ws.path, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "orphan");
    const orphan = git(ws.path, "rev-parse", "HEAD");
    const two = await run(s.workspaces.commit(ws, "two"));
    expect(git(s.repository, "rev-list", "--count", `${ws.base}..${two.head}`)).toBe("2");
    expect(git(s.repository, "rev-parse", `${two.head}^`)).toBe(one.head);
    expect(git(ws.path, "symbolic-ref", "HEAD")).toBe("refs/heads/enact/LOC-1");
    const reachable = git(s.repository, "rev-list", "--glob=refs/enact/*").split("\n");
    expect(reachable).toContain(orphan);
    git(ws.path, "update-ref", "-d", "refs/heads/enact/LOC-1");
    write(ws.path, { "three.txt": "3" });
    const three = await run(s.workspaces.commit(ws, "three"));
    expect(three.changed).toEqual(["one.txt", "three.txt", "two.txt"]);
    expect(git(s.repository, "merge-base", ws.base, three.head)).toBe(ws.base);
    expect(git(s.repository, "rev-parse", "main")).toBe(ws.base);
  });
});

describe("scopes", () => {
  test("undo what a stage may not change, committed or not, and keep it in a checkpoint", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "src/code.ts": "code", "gone.txt": "g" });
    const since = (await run(s.workspaces.commit(ws, "coder"))).head;
    write(ws.path, { "src/code.ts": "tampered", "src/code.test.ts": "test", "évil.txt": "e" });
    git(ws.path, "add", "-A");
    git(ws.path, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "tester");
    unlinkSync(join(ws.path, "gone.txt"));
    write(ws.path, { "tests/more.ts": "more", "src/late.ts": "late" });
    expect(await run(s.workspaces.enforce(item, ws, since, "tests"))).toEqual(["gone.txt", "src/code.ts", "src/late.ts", "évil.txt"]);
    expect(readFileSync(join(ws.path, "src/code.ts"), "utf8")).toBe("code");
    expect(readFileSync(join(ws.path, "gone.txt"), "utf8")).toBe("g");
    expect(existsSync(join(ws.path, "src/late.ts"))).toBe(false);
    expect(readFileSync(join(ws.path, "tests/more.ts"), "utf8")).toBe("more");
    expect(await run(s.workspaces.enforce(item, ws, since, "tests"))).toEqual([]);
    const checkpoint = (await run(s.workspaces.checkpoints(item, s.repository))).at(-1);
    expect(git(s.repository, "show", `${checkpoint?.commit ?? ""}:src/code.ts`)).toBe("tampered");
    const done = await run(s.workspaces.commit(ws, "tests"));
    expect(git(s.repository, "diff", "--name-only", since, done.head).split("\n")).toEqual(["src/code.test.ts", "tests/more.ts"]);
    expect(git(s.repository, "log", "--format=%s", `${since}..${done.head}`)).not.toContain("tester");
    write(ws.path, { "docs/x.md": "docs", "README.md": "better", "src/code.ts": "// a comment\ncode", "requirements.txt": "evil" });
    expect(await run(s.workspaces.enforce(item, ws, done.head, "docs"))).toEqual(["requirements.txt", "src/code.ts"]);
    expect(await run(s.workspaces.enforce(item, ws, done.head, "nothing"))).toEqual(["README.md", "docs/x.md"]);
    expect(git(ws.path, "status", "--porcelain")).toBe("");
    expect(git(s.repository, "rev-parse", "enact/LOC-1")).toBe(done.head);
  });
});

describe("escapes", () => {
  test("a directory replaced by a link to outside is refused, nothing outside is read or written", async () => {
    using s = start();
    const outside = join(s.temp.path, "outside");
    write(outside, { "a.txt": "precious\n", "secret.txt": "s" });
    const before = photograph(outside);
    const ws = await run(s.workspaces.prepare(s.request));
    rmSync(join(ws.path, "src"), { recursive: true });
    symlinkSync(outside, join(ws.path, "src"));
    const refused = await failure(s.workspaces.commit(ws, "escape"));
    expect(refused).toBeInstanceOf(WorkspaceEscape);
    expect(refused).toMatchObject({ path: "src" });
    expect(git(s.repository, "rev-parse", "enact/LOC-1")).toBe(ws.base);
    const checkpoint = await run(s.workspaces.checkpoint(item, ws, "test"));
    expect(treeOf(s.repository, checkpoint.commit)).toEqual([".gitignore", "README.md", "src"]);
    expect(await run(s.workspaces.enforce(item, ws, ws.base, "nothing"))).toEqual(["src", "src/a.txt"]);
    expect(readFileSync(join(ws.path, "src/a.txt"), "utf8")).toBe("one\n");
    symlinkSync("README.md", join(ws.path, "inner-link"));
    expect((await run(s.workspaces.commit(ws, "a link inside"))).changed).toEqual(["inner-link"]);
    expect(photograph(outside)).toEqual(before);
  });

  test("a worktree swapped for a link, or a .git file that points elsewhere, is not followed", async () => {
    using s = start();
    const ws = await run(s.workspaces.prepare(s.request));
    const other = repositoryAt(join(s.temp.path, "other"), { "o.txt": "o" });
    const evil = join(s.temp.path, "evil");
    git(other, "config", "core.fsmonitor", `touch ${evil}`);
    writeFileSync(join(ws.path, ".git"), `gitdir: ${other}/.git\n`);
    write(ws.path, { "work.txt": "w" });
    const before = photograph(other);
    expect((await run(s.workspaces.commit(ws, "work"))).changed).toEqual(["work.txt"]);
    await run(s.workspaces.prepare(s.request));
    expect(readFileSync(join(ws.path, ".git"), "utf8")).toContain(join(s.repository, ".git"));
    const aside = `${ws.path}.aside`;
    renameSync(ws.path, aside);
    symlinkSync(other, ws.path);
    for (const operation of [s.workspaces.commit(ws, "x"), s.workspaces.checkpoint(item, ws, "x"), s.workspaces.remove(item, ws, s.repository), s.workspaces.prepare(s.request), s.workspaces.enforce(item, ws, ws.base, "nothing")]) {
      expect(await failure<unknown, unknown>(operation)).toBeInstanceOf(WorkspaceEscape);
    }
    expect(await failure(s.workspaces.commit({ ...ws, path: other }, "x"))).toBeInstanceOf(WorkspaceEscape);
    expect(photograph(other)).toEqual(before);
    expect(existsSync(evil)).toBe(false);
  });

  test("programs that a repository's configuration wants run are not run", async () => {
    using s = start({}, { "a.txt": "one\n", ".gitattributes": "*.txt filter=evil diff=evil merge=evil\n" });
    const evil = join(s.temp.path, "evil");
    const touch = `touch '${evil}'; cat`;
    for (const [key, value] of Object.entries({
      "core.fsmonitor": touch, "core.hooksPath": join(s.temp.path, "hooks"), "core.editor": touch, "core.pager": touch, "core.sshCommand": touch, "diff.external": touch, "commit.gpgSign": "true", "gpg.program": join(s.temp.path, "hooks/post-checkout"),
      "log.showSignature": "true", "filter.evil.clean": touch, "filter.evil.smudge": touch, "filter.evil.required": "true", "diff.evil.textconv": touch, "diff.evil.command": touch, "alias.status": `!${touch}`, "alias.update-index": `!${touch}`,
    })) git(s.repository, "config", key, value);
    for (const hook of ["post-checkout", "pre-commit", "reference-transaction", "post-index-change", "post-commit", "prepare-commit-msg"]) {
      for (const folder of [join(s.temp.path, "hooks"), join(s.repository, ".git/hooks")]) {
        write(folder, { [hook]: `#!/bin/sh\ntouch '${evil}'\n` });
        chmodSync(join(folder, hook), 0o755);
      }
    }
    const ws = await run(s.workspaces.prepare(s.request));
    write(ws.path, { "a.txt": "two\n", "b.txt": "b\n" });
    await run(s.workspaces.fingerprint(ws));
    await run(s.workspaces.commit(ws, "work"));
    expect(await run(s.workspaces.diff(ws, 100_000))).toContain("+two");
    write(ws.path, { "c.txt": "c\n" });
    await run(s.workspaces.enforce(item, ws, ws.base, "nothing"));
    const [checkpoint] = await run(s.workspaces.checkpoints(item, s.repository));
    await run(s.workspaces.restore(item, s.repository, checkpoint?.ref ?? "", join(s.temp.path, "restored")));
    await run(s.workspaces.remove(item, ws, s.repository));
    expect(existsSync(evil)).toBe(false);
  });

  test("a program under a name that is no text, which could not be switched off, is not run either: the repository is refused", async () => {
    using s = start({}, { "a.txt": "one\n" });
    const evil = join(s.temp.path, "evil"), name = Buffer.from([0x65, 0xff]);
    appendFileSync(join(s.repository, ".git/config"), Buffer.concat([Buffer.from('[filter "'), name, Buffer.from(`"]\n\tclean = "touch '${evil}'; cat"\n`)]));
    writeFileSync(join(s.repository, ".git/info/attributes"), Buffer.concat([Buffer.from("*.txt filter="), name, Buffer.from("\n")]));
    await expect(run(s.workspaces.prepare(s.request))).rejects.toThrow("a name that is no UTF-8 text");
    expect(existsSync(evil)).toBe(false);
  });
});

describe("hooks and files", () => {
  test("run in order with the named environment only, and copied files are never committed", async () => {
    const log = ["sh", "-c", "echo $0 ${ENACT_ITEM} ${GIVEN-no} ${HIDDEN-no} $PWD >> ../hook.log"];
    using s = start({ hooks: { after_create: [...log, "after_create"], before_run: [...log, "before_run"], after_run: [...log, "after_run"], before_remove: [...log, "before_remove"] }, env: ["GIVEN"], copy: ["local.env", "secrets", "absent"] });
    write(s.repository, { "local.env": "KEY=1", "secrets/key.pem": "k" });
    process.env.GIVEN = "yes"; process.env.HIDDEN = "leak";
    try {
      const ws = await run(s.workspaces.prepare(s.request));
      expect(readFileSync(join(ws.path, "secrets/key.pem"), "utf8")).toBe("k");
      await run(s.workspaces.prepare(s.request));
      expect(await run(s.workspaces.hook(item, ws, "before_run"))).toBeUndefined();
      expect(await run(s.workspaces.hook(item, ws, "after_run"))).toBeUndefined();
      git(ws.path, "add", "-A");
      git(ws.path, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-m", "the agent commits everything");
      write(ws.path, { "work.txt": "w" });
      const done = await run(s.workspaces.commit(ws, "work"));
      expect(done.changed).toEqual(["work.txt"]);
      expect(git(s.repository, "log", "--name-only", "--format=", `${ws.base}..${done.head}`)).toBe("work.txt");
      await run(s.workspaces.remove(item, ws, s.repository));
      const line = (name: string) => `${name} LOC-1 yes no ${ws.path}`;
      expect(readFileSync(join(ws.path, "../hook.log"), "utf8").trim().split("\n")).toEqual(["after_create", "before_run", "after_run", "before_remove"].map(line));
    } finally { delete process.env.GIVEN; delete process.env.HIDDEN; }
  });

  test("a failing or hanging hook is a person's to mend, and leaves no process behind", async () => {
    using s = start({ hooks: { after_create: ["sh", "-c", "echo what went wrong >&2; exit 3"] } });
    expect(await failure(s.workspaces.prepare(s.request))).toMatchObject({ _tag: "WorkspaceUnusable", message: expect.stringMatching(/exit code 3\nwhat went wrong/) });
    const hanging = makeWorkspaces(optionsFor(s.root, { hooks: { after_create: ["sh", "-c", "sleep 300 & echo $! > ../pid; wait"] }, hookTimeoutMs: 400 }));
    expect(await failure(hanging.prepare(s.request))).toMatchObject({ _tag: "WorkspaceUnusable", message: expect.stringContaining("was killed after 400 ms") });
    const ws = await run(makeWorkspaces(optionsFor(s.root, { hooks: { after_create: ["true"] } })).prepare(s.request));
    const pid = Number(readFileSync(join(ws.path, "../pid"), "utf8"));
    await expect.poll(() => { try { return readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2]; } catch { return "gone"; } }).toMatch(/gone|Z/);
    const broken = makeWorkspaces(optionsFor(s.root, { hooks: { before_run: ["no-such-program-here"], after_run: ["false"] } }));
    const again = await run(broken.prepare(s.request));
    expect(await failure(broken.hook(item, again, "before_run"))).toMatchObject({ _tag: "WorkspaceUnusable" });
    expect(await run(broken.hook(item, again, "after_run"))).toContain("hook after_run");
    for (const copy of ["../outside", "/etc/passwd", ".git/config"]) {
      expect(await failure(makeWorkspaces(optionsFor(s.root, { copy: [copy] })).prepare({ ...s.request, attempt: 7 }))).toBeInstanceOf(WorkspaceEscape);
    }
  });
});
