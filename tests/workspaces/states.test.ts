import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { WorkspaceUnusable } from "../../src/ports/workspaces.ts";
import { makeWorkspaces } from "../../src/workspaces/service.ts";
import { failure, git, item, optionsFor, repositoryAt, run, temporary, write } from "./fixture.ts";

const request = (repository: string, attempt = 1, baseRef: string | null = null) => ({ item, attempt, repository, baseRef });

describe("states of a repository", () => {
  test("that a person must mend are named with the mend", async () => {
    using temp = temporary();
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    const plain = join(temp.path, "plain"), bare = join(temp.path, "bare.git"), unborn = join(temp.path, "unborn");
    for (const path of [plain, bare, unborn]) mkdirSync(path);
    git(bare, "init", "-q", "--bare");
    git(unborn, "init", "-q");
    const good = repositoryAt(join(temp.path, "good"), { "sub/a.txt": "a" });
    const cases: readonly (readonly [ReturnType<typeof request>, RegExp, RegExp])[] = [
      [request(join(temp.path, "absent")), /does not exist/, /configuration/],
      [request(plain), /no git repository/, /git init/],
      [request(bare), /bare repository/, /working tree/],
      [request(unborn), /no commits yet/, /commit --allow-empty/],
      [request(join(good, "sub")), /is inside the repository/, /name .*good/],
      [request(good, 1, "no-such-branch"), /no commit called/, /fetch/],
      [request(good, 1, "--upload-pack=evil"), /no commit called/, /fetch/],
    ];
    for (const [asked, message, mend] of cases) {
      const error = await failure(workspaces.prepare(asked));
      expect(error).toBeInstanceOf(WorkspaceUnusable);
      expect(error).toMatchObject({ message: expect.stringMatching(message), mend: expect.stringMatching(mend) });
    }
    expect(await failure(makeWorkspaces(optionsFor(join(good, "inner"))).prepare(request(good)))).toMatchObject({ message: expect.stringMatching(/is inside the repository/) });
  });

  test("detached, shallow, linked and oddly named ones work", async () => {
    using temp = temporary();
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    const source = repositoryAt(join(temp.path, "source"), { "a.txt": "1" });
    write(source, { "a.txt": "2" });
    git(source, "commit", "-qam", "second");
    const shallow = join(temp.path, "shallow"), linked = join(temp.path, "linked"), odd = join(temp.path, "o d\nd ü 'x' \"y\"");
    git(temp.path, "clone", "-q", "--depth", "1", `file://${source}`, shallow);
    git(source, "worktree", "add", "-q", "--detach", linked);
    repositoryAt(odd, { "a.txt": "1" });
    git(odd, "checkout", "-q", "--detach");
    for (const repository of [shallow, linked, odd]) {
      const ws = await run(workspaces.prepare(request(repository)));
      write(ws.path, { "b.txt": "b" });
      expect((await run(workspaces.commit(ws, "work"))).changed).toEqual(["b.txt"]);
      await run(workspaces.remove(item, ws, repository));
      expect(existsSync(ws.path)).toBe(false);
    }
  });

  test("a branch of somebody else is never moved", async () => {
    using temp = temporary();
    const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "1" });
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    git(repository, "checkout", "-q", "-b", "enact/LOC-1");
    expect(await failure(workspaces.prepare(request(repository)))).toMatchObject({ message: expect.stringContaining("is checked out in") });
    write(repository, { "mine.txt": "m" });
    git(repository, "add", "-A");
    git(repository, "commit", "-q", "-m", "mine");
    const mine = git(repository, "rev-parse", "HEAD");
    git(repository, "checkout", "-q", "main");
    expect(await failure(workspaces.prepare(request(repository)))).toMatchObject({ message: expect.stringContaining("did not make"), mend: expect.stringContaining("git branch -m") });
    expect(git(repository, "rev-parse", "enact/LOC-1")).toBe(mine);
    git(repository, "branch", "-q", "-D", "enact/LOC-1");
    git(repository, "branch", "-q", "enact");
    expect(await failure(workspaces.prepare(request(repository)))).toMatchObject({ message: expect.stringContaining("beside the branch enact"), mend: expect.stringContaining("enact-old") });
    git(repository, "branch", "-q", "-D", "enact");
    await run(workspaces.prepare(request(repository)));
  });

  test("locks and half-made worktrees of a killed git are recovered, those of others are not touched", async () => {
    using temp = temporary();
    const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "1" });
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    const ws = await run(workspaces.prepare(request(repository)));
    const admin = git(ws.path, "rev-parse", "--absolute-git-dir");
    for (const lock of [join(admin, "index.lock"), join(repository, ".git/refs/heads/enact/LOC-1.lock"), join(repository, ".git/index.lock")]) writeFileSync(lock, "");
    await run(workspaces.prepare(request(repository)));
    expect(existsSync(join(admin, "index.lock"))).toBe(false);
    write(ws.path, { "b.txt": "b" });
    await run(workspaces.commit(ws, "work"));
    expect(existsSync(join(repository, ".git/index.lock"))).toBe(true);
    mkdirSync(join(repository, ".git/worktrees/LOC-1-2"), { recursive: true });
    writeFileSync(join(repository, ".git/worktrees/LOC-1-2/locked"), "initializing");
    expect((await run(workspaces.prepare(request(repository, 2)))).branch).toBe("enact/LOC-1-2");
  });

  test("a worktree that another git is just making is waited for; one that it left half made for good is named with its mend", async () => {
    using temp = temporary();
    const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "1" });
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    const admin = join(repository, ".git/worktrees/theirs"), file = join(admin, "commondir");
    mkdirSync(admin, { recursive: true });
    for (const [name, text] of [["gitdir", `${join(temp.path, "theirs", ".git")}\n`], ["HEAD", "ref: refs/heads/theirs\n"], ["commondir", ""]] as const) writeFileSync(join(admin, name), text);
    expect(() => git(repository, "worktree", "list")).toThrow(/failed to read/);
    // The other git is done once ours has looked for the third time.
    const bin = join(temp.path, "bin"), looks = join(temp.path, "looks"), real = execFileSync("which", ["git"], { encoding: "utf8" }).trim(), path = process.env["PATH"] ?? "";
    mkdirSync(bin);
    writeFileSync(join(bin, "git"), `#!/bin/sh\n${real} "$@"; rc=$?; [ $rc = 0 ] || { echo x >> '${looks}'; [ "$(wc -l < '${looks}')" -lt 3 ] || echo ../.. > '${file}'; }; exit $rc\n`, { mode: 0o755 });
    process.env["PATH"] = `${bin}:${path}`;
    const made = await run(workspaces.prepare(request(repository))).finally(() => { process.env["PATH"] = path; });
    expect(made.branch).toBe("enact/LOC-1");
    writeFileSync(file, "");
    const error: unknown = await failure(workspaces.prepare(request(repository, 2)));
    expect(error).toMatchObject({ message: expect.stringContaining(file), mend: `printf '../..\\n' > ${JSON.stringify(file)}` });
    execFileSync("sh", ["-c", error instanceof WorkspaceUnusable ? error.mend : "false"]);
    expect((await run(workspaces.prepare(request(repository, 2)))).branch).toBe("enact/LOC-1-2");
  });

  test("many are made in one repository at the same time", async () => {
    using temp = temporary();
    const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "1" });
    const workspaces = makeWorkspaces(optionsFor(join(temp.path, "root")));
    const made = await Promise.all(Array.from({ length: 12 }, (_, n) => run(workspaces.prepare({ ...request(repository), item: WorkItemId.parse(`LOC-${n + 1}`) }))));
    expect(made.map(({ branch }) => branch)).toEqual(Array.from({ length: 12 }, (_, n) => `enact/LOC-${n + 1}`));
  });
});

const bwrap = spawnSync("bwrap", ["--unshare-user", "--ro-bind", "/", "/", "true"]).status === 0;
if (!bwrap) console.warn("SKIPPED: disk tests of workspaces need bubblewrap that works (apt-get install bubblewrap)");

describe.skipIf(!bwrap && process.env.CI !== "true")("disks", () => {
  const inside = (temp: string, mounts: readonly string[], repository: string): { readonly stderr: string; readonly stdout: string } => {
    write(temp, { "once.ts": `
      import { Effect } from "effect";
      import { makeWorkspaces } from ${JSON.stringify(join(import.meta.dirname, "../../src/workspaces/service.ts"))};
      import { item, optionsFor, failure } from ${JSON.stringify(join(import.meta.dirname, "fixture.ts"))};
      const error = await failure(makeWorkspaces(optionsFor(${JSON.stringify(join(temp, "root"))})).prepare({ item, attempt: 1, repository: ${JSON.stringify(repository)}, baseRef: null }));
      console.log(JSON.stringify({ tag: error["_tag"], message: error.message, mend: error.mend }));`.replace('import { Effect } from "effect";\n', "") });
    const done = spawnSync("bwrap", ["--bind", "/", "/", "--dev", "/dev", ...mounts, process.execPath, join(temp, "once.ts")], { encoding: "utf8" });
    return { stdout: done.stdout, stderr: done.stderr };
  };
  test("a read-only repository or state directory is unusable, a full disk is worth another try, and the next try completes", async () => {
    using temp = temporary();
    const repository = repositoryAt(join(temp.path, "repo"), { "a.txt": "1", "big.bin": "x".repeat(3_000_000) });
    const readOnly = inside(temp.path, ["--ro-bind", repository, repository], repository);
    expect(readOnly.stderr).toBe("");
    expect(JSON.parse(readOnly.stdout)).toMatchObject({ tag: "WorkspaceUnusable", message: expect.stringContaining("cannot be written") });
    mkdirSync(join(temp.path, "root"), { recursive: true });
    const noState = inside(temp.path, ["--remount-ro", "/", "--ro-bind", join(temp.path, "root"), join(temp.path, "root")], repository);
    expect(JSON.parse(noState.stdout)).toMatchObject({ tag: "WorkspaceUnusable", mend: expect.stringMatching(/write/) });
    const full = inside(temp.path, ["--size", "1048576", "--tmpfs", join(temp.path, "root")], repository);
    expect(JSON.parse(full.stdout)).toMatchObject({ tag: "WorkspaceIo", message: expect.stringMatching(/No space left|unable to write file/) });
    expect(git(repository, "worktree", "list", "--porcelain").split("\n\n").length).toBeLessThanOrEqual(2);
    // The disk is back, what was on the full one is gone.
    const ws = await run(makeWorkspaces(optionsFor(join(temp.path, "root"))).prepare(request(repository)));
    expect(readFileSync(join(ws.path, "a.txt"), "utf8")).toBe("1");
    expect(execFileSync("git", ["fsck", "--connectivity-only"], { cwd: repository, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })).toBe("");
  });
});
