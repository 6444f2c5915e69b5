import { spawn } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { git, photograph, repositoryAt, temporary, write } from "./fixture.ts";

/** How many of the boundaries, and random instants, are tried; `test:full` raises it. */
const tries = Number(process.env.ENACT_SWEEP ?? "3");

/** Stands before git in PATH: counts git's processes and, at the chosen one, kills the driver before, while or after git runs. */
const shim = `#!/bin/sh
echo x >> "$TMPDIR/count"
n=$(wc -l < "$TMPDIR/count")
if [ "$n" -eq "$(cat "$TMPDIR/at")" ]; then
  case "$(cat "$TMPDIR/how")" in
    before) kill -9 $PPID; exit 1;;
    after) "$(cat "$TMPDIR/git")" "$@"; r=$?; kill -9 $PPID; exit $r;;
    orphan) kill -9 $PPID; exec "$(cat "$TMPDIR/git")" "$@";;
    inside) "$(cat "$TMPDIR/git")" "$@" & p=$!; n=0; while [ $n -lt "$(cat "$TMPDIR/spin")" ]; do n=$((n+1)); done; kill -9 $p; kill -9 $PPID; exit 1;;
  esac
fi
exec "$(cat "$TMPDIR/git")" "$@"
`;
const never = 1_000_000;

test(`kill -9 at any boundary of git, and inside it, loses nothing and ends the same (${tries} tries)`, { timeout: 60_000 + tries * 60_000 }, async () => {
  using temp = temporary();
  const pristine = repositoryAt(join(temp.path, "pristine"), { "src/a.txt": "one\n", ".gitignore": "dist/\n*.env\n" });
  write(pristine, { "local.env": "K=1", "src/a.txt": "the user's edit\n" });
  write(join(temp.path, "bin"), { git: shim });
  chmodSync(join(temp.path, "bin/git"), 0o755);
  const real = (process.env.PATH ?? "").split(":").map((folder) => join(folder, "git")).find((path) => existsSync(path)) ?? "";
  const driver = join(import.meta.dirname, "driver.ts");
  const repository = join(temp.path, "repository"), root = join(temp.path, "root"), progress = join(temp.path, "progress"), control = join(temp.path, "control");
  const ours = (path: string) => /^\.git\/(objects|worktrees|refs\/enact|refs\/heads\/enact|logs\/refs\/heads\/enact)(\/|$)/.test(path);

  const drive = (at: number, how: string, spin: number, killAfterMs?: number): Promise<{ readonly signal: string | null; readonly code: number | null; readonly calls: number; readonly text: string }> => {
    rmSync(control, { recursive: true, force: true });
    write(control, { count: "", at: String(at), how, spin: String(spin), git: real });
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [driver, repository, root, progress], { env: { ...process.env, PATH: `${join(temp.path, "bin")}:${process.env.PATH ?? ""}`, TMPDIR: control }, stdio: ["ignore", "pipe", "pipe"], detached: true });
      let text = "";
      child.stderr.on("data", (chunk: Buffer) => { text += chunk.toString(); });
      child.stdout.resume();
      const timer = killAfterMs === undefined ? undefined : setTimeout(() => { try { process.kill(-(child.pid ?? 0), "SIGKILL"); } catch { /* it was faster */ } }, killAfterMs);
      child.once("close", (code, signal) => { clearTimeout(timer); resolve({ signal, code, text, calls: readFileSync(join(control, "count"), "utf8").split("\n").length - 1 }); });
    });
  };
  const reset = () => {
    for (const path of [repository, root, progress]) rmSync(path, { recursive: true, force: true });
    cpSync(pristine, repository, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    // git's own index of the user's checkout: settle it now, so that a later comparison is fair.
    git(repository, "status");
    return photograph(repository, ours);
  };
  const outcome = () => {
    const last = git(repository, "for-each-ref", "--sort=-v:refname", "--count=1", "--format=%(objectname)", "refs/enact/checkpoints/LOC-1/");
    return { branch: git(repository, "rev-parse", "enact/LOC-1^{tree}"), commits: git(repository, "log", "--format=%s", "main..enact/LOC-1"), checkpoint: git(repository, "rev-parse", `${last}^{tree}`), worktrees: git(repository, "worktree", "list", "--porcelain").split("\n\n").length, fsck: git(repository, "fsck", "--connectivity-only", "--no-dangling") };
  };

  reset();
  const begun = performance.now();
  const whole = await drive(never, "never", 0);
  const lifetimeMs = performance.now() - begun;
  expect(whole).toMatchObject({ code: 0, text: "" });
  const wanted = outcome();
  expect(wanted.commits.split("\n")).toEqual(["three", "two", "one"]);

  // A fixed seed: a failing try can be tried again.
  let seed = 20_26;
  const random = (below: number) => { seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff; return (seed >>> 8) % below; };
  const hows = ["before", "inside", "after", "orphan", "instant", "inside"] as const;
  let killed = 0;
  for (let n = 0; n < tries; n++) {
    const before = reset();
    const how = hows[n % hows.length] ?? "before";
    const at = 1 + (n * 7 + random(7)) % whole.calls;
    const first = how === "instant" ? await drive(never, how, 0, random(Math.ceil(lifetimeMs))) : await drive(at, how, random(4_000));
    if (first.signal === "SIGKILL") killed += 1;
    else expect(first, `${how} at ${at}`).toMatchObject({ code: 0 });
    const second = await drive(never, "never", 0);
    expect(second, `try ${n}: ${how} at ${at}`).toMatchObject({ code: 0, text: "" });
    expect(outcome(), `try ${n}: ${how} at ${at}`).toEqual(wanted);
    expect(photograph(repository, ours), `try ${n}: ${how} at ${at}`).toEqual(before);
  }
  expect(killed).toBeGreaterThan(tries / 2);
  console.log(`kill sweep of workspaces: ${tries} tried, ${killed} killed, 0 failed, over ${whole.calls} git processes`);
});
