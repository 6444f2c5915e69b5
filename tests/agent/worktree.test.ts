/** Paths of a hostile model in a hostile repository. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openWorktree, PathRefused, type Worktree } from "../../src/agent/worktree.ts";

let top: string, root: string, worktree: Worktree;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "enact-worktree-"));
  root = join(top, "work");
  for (const directory of ["work/src", "work/.git/hooks", "work/sub/.git", "outside"]) mkdirSync(join(top, directory), { recursive: true });
  for (const [file, text] of [["work/src/a.txt", "a\n"], ["work/.git/config", "secret"], ["work/sub/.git/config", "secret"], ["outside/secret", "secret"], ["work/.gitignore", "node_modules\n"]] as const) writeFileSync(join(top, file), text);
  worktree = openWorktree(root, "/project");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const refusal = (act: () => unknown): { readonly denied: boolean; readonly message: string } => {
  try { act(); } catch (error) {
    if (error instanceof PathRefused) return { denied: error.denied, message: error.message };
    throw error;
  }
  throw new Error("it was let through");
};
/** Reads, writes and removals alike. */
const everyWay = (path: string): readonly { readonly denied: boolean; readonly message: string }[] => [() => worktree.read(path), () => worktree.write(path, "evil"), () => worktree.remove(path)].map(refusal);

test("files of the worktree, by every name that they have", () => {
  for (const path of ["src/a.txt", "./src/../src/a.txt", join(root, "src/a.txt"), "/project/src/a.txt"]) expect(worktree.read(path)).toBe("a\n");
  worktree.write("new/deep/b.txt", "b");
  expect(readFileSync(join(root, "new/deep/b.txt"), "utf8")).toBe("b");
  symlinkSync("src", join(root, "alias"));
  expect(worktree.read("alias/a.txt")).toBe("a\n");
  worktree.write("alias/c.txt", "c");
  expect(readFileSync(join(root, "src/c.txt"), "utf8")).toBe("c");
  expect(worktree.read(".gitignore")).toBe("node_modules\n");
});

describe("outside of it", () => {
  test.each(["../outside/secret", "src/../../outside/secret", "/etc/passwd", "/project/../outside/secret", "/projects/x", "..", "/"])("%s is refused", (path) => {
    for (const { denied, message } of everyWay(path)) expect([denied, message]).toEqual([true, expect.stringContaining("outside of the worktree")]);
  });
  test("through links: to a file, a directory, another link, a place that is not there yet", () => {
    symlinkSync("../outside/secret", join(root, "link"));
    symlinkSync("../outside", join(root, "folder"));
    symlinkSync("folder", join(root, "chain"));
    symlinkSync("../outside/not-yet", join(root, "dangling"));
    symlinkSync(join(root, "chain/deeper"), join(root, "dangling-chain"));
    for (const path of ["link", "folder/secret", "chain/secret", "chain/new", "dangling", "dangling-chain", "chain/../../outside/secret"]) for (const { denied } of everyWay(path)) expect([path, denied]).toEqual([path, true]);
    expect(readFileSync(join(top, "outside/secret"), "utf8")).toBe("secret");
    expect(existsSync(join(top, "outside/not-yet"))).toBe(false);
  });
  test("a link that leads nowhere but to itself ends somewhere", () => {
    symlinkSync("loop", join(root, "loop"));
    for (const { message } of everyWay("loop")) expect(message).toContain("cannot be followed");
  });
  test("a second name of a file outside keeps what it had", () => {
    linkSync(join(top, "outside/secret"), join(root, "hard"));
    worktree.write("hard", "mine");
    expect(readFileSync(join(top, "outside/secret"), "utf8")).toBe("secret");
  });
  test("whatever a path is, what it names lies inside or is refused", () => {
    symlinkSync("../outside", join(root, "folder"));
    const part = fc.constantFrom("..", ".", "src", "folder", "a.txt", "", "~", "sub", "outside", "work", "project", "\u0000", "/");
    fc.assert(fc.property(fc.array(part, { maxLength: 8 }), fc.boolean(), (parts, absolute) => {
      try {
        const { real } = worktree.place(`${absolute ? "/" : ""}${parts.join("/")}`);
        expect(real === root || real.startsWith(`${root}/`)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(PathRefused);
      }
    }));
  });
});

describe("git's own files", () => {
  test.each([".git/config", ".git", ".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", "src/../.git/config", "/project/.git/config"])("%s is refused", (path) => {
    for (const { denied, message } of everyWay(path)) expect([denied, message]).toEqual([true, expect.stringContaining("git's own files")]);
  });
  test("through a link too", () => {
    symlinkSync(".git", join(root, "harmless"));
    for (const { denied } of everyWay("harmless/config")) expect(denied).toBe(true);
  });
});

describe("what is no regular file", () => {
  test("a FIFO is not waited for, a device not opened, a directory not read", () => {
    execFileSync("mkfifo", [join(root, "fifo")]);
    symlinkSync("/dev/zero", join(root, "zero"));
    for (const { message } of everyWay("fifo")) expect(message).toContain("no regular file");
    for (const { denied } of everyWay("zero")) expect(denied).toBe(true);
    for (const { message } of everyWay("src")) expect(message).toMatch(/is a directory|no regular file/);
  });
  test("neither binary files nor huge ones", () => {
    writeFileSync(join(root, "binary"), Buffer.from([1, 0, 2]));
    writeFileSync(join(root, "huge"), Buffer.alloc(9 * 1024 * 1024, 97));
    expect(refusal(() => worktree.read("binary")).message).toContain("not a text file");
    expect(refusal(() => worktree.read("huge")).message).toContain("too large");
  });
});

test("a file keeps its mode, and a write that fails leaves nothing behind", () => {
  chmodSync(join(root, "src/a.txt"), 0o755);
  worktree.write("src/a.txt", "new");
  expect(statSync(join(root, "src/a.txt")).mode & 0o777).toBe(0o755);
  expect(execFileSync("ls", ["-A", join(root, "src")], { encoding: "utf8" })).toBe("a.txt\n");
});
