import { Cause, Effect, Exit, Option } from "effect";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { PublishFailed } from "../../src/ports/publisher.ts";
import { makeLocalPublisher } from "../../src/publish/local.ts";

const git = (cwd: string, ...args: string[]): string => execFileSync("git", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } }).replace(/\n$/, "");

/**
 * A repository with a finished branch and a bare remote that counts every update of a reference twice. Its reflog has every update that is
 * there, but forgets a deleted branch. Its hook has every change, but git runs it afterwards: a kill in between hides one.
 */
const bench = () => {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "enact publish-")));
  const repository = join(top, "repo"), remote = join(top, "remote.git"), reports = join(top, "reports"), counter = join(top, "heard");
  for (const path of [repository, remote]) mkdirSync(path);
  git(remote, "init", "-q", "--bare");
  git(remote, "config", "core.logAllRefUpdates", "always");
  writeFileSync(join(remote, "hooks/post-receive"), `#!/bin/sh\ncat >> '${counter}'\n`);
  chmodSync(join(remote, "hooks/post-receive"), 0o755);
  git(repository, "init", "-q", "-b", "main");
  for (const [key, value] of [["user.name", "A User"], ["user.email", "u@example.test"]] as const) git(repository, "config", key, value);
  const commit = (name: string) => { writeFileSync(join(repository, name), name); git(repository, "add", "-A"); git(repository, "commit", "-q", "-m", name); return git(repository, "rev-parse", "HEAD"); };
  const base = commit("a.txt");
  git(repository, "checkout", "-q", "-b", "enact/LOC-1");
  const head = commit("b.txt");
  git(repository, "remote", "add", "origin", remote);
  const publication = { item: WorkItemId.parse("LOC-1"), attempt: 1, repository, branch: "enact/LOC-1", base, head, summary: "Mended it.\n\n3/4 → 4/4" };
  const publisher = makeLocalPublisher({ reports, remote: () => "origin", timeoutMs: 60_000 });
  return { top, repository, remote, reports, publication, publisher, commit, base, head, updates: () => linesOf(join(remote, "logs/refs/heads/enact/LOC-1")), heard: () => linesOf(counter), [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) };
};
/** Old and new value of each update. A hook that is just running has made its file, and written nothing yet. */
const linesOf = (file: string): readonly string[] => existsSync(file) ? readFileSync(file, "utf8").split("\n").filter((line) => line !== "").map((line) => line.slice(0, 81)) : [];
const key = "item/LOC-1/1:9:publish:0";
const failure = async <A>(effect: Effect.Effect<A, PublishFailed>): Promise<PublishFailed> => {
  const exit = await Effect.runPromiseExit(effect);
  if (Exit.isSuccess(exit)) throw new Error("expected a failure");
  const error = Cause.findErrorOption(exit.cause);
  if (Option.isNone(error)) throw new Error(Cause.pretty(exit.cause));
  return error.value;
};

test("pushes the verified head once, however often it is asked", async () => {
  using b = bench();
  const hook = join(b.top, "ran");
  for (const name of ["pre-push", "reference-transaction"]) { writeFileSync(join(b.repository, ".git/hooks", name), `#!/bin/sh\ntouch '${hook}'\nexit 1\n`); chmodSync(join(b.repository, ".git/hooks", name), 0o755); }
  git(b.repository, "config", "remote.origin.receivepack", `touch '${hook}'; git-receive-pack`);
  git(b.repository, "config", "remote.origin.uploadpack", `touch '${hook}'; git-upload-pack`);
  const first = await Effect.runPromise(b.publisher.publish(key, b.publication));
  expect(first).toEqual({ where: "origin/enact/LOC-1" });
  expect(await Effect.runPromise(b.publisher.publish(key, b.publication))).toEqual(first);
  expect([b.updates(), b.heard()]).toEqual([[`${"0".repeat(40)} ${b.head}`], [`${"0".repeat(40)} ${b.head}`]]);
  const [note, ...others] = readdirSync(b.reports);
  expect(others).toEqual([]);
  expect(readFileSync(join(b.reports, note ?? ""), "utf8")).toContain(`- commit: \`${b.head}\``);
  expect(existsSync(hook)).toBe(false);
  // A later attempt that continues the branch moves it forward.
  for (const name of ["pre-push", "reference-transaction"]) rmSync(join(b.repository, ".git/hooks", name));
  const next = b.commit("c.txt");
  await Effect.runPromise(b.publisher.publish("another", { ...b.publication, head: next }));
  expect(b.updates()).toHaveLength(2);
});

test("refuses to overwrite other commits, and says what to do", async () => {
  using b = bench();
  git(b.repository, "push", "-q", "origin", "main:refs/heads/enact/LOC-1");
  git(b.repository, "checkout", "-q", "main");
  const other = b.commit("other.txt");
  git(b.repository, "push", "-q", "origin", "main:refs/heads/enact/LOC-1");
  expect(await failure(b.publisher.publish(key, b.publication))).toMatchObject({ retry: false, message: expect.stringMatching(/other commits on enact\/LOC-1.*Mend:/s) });
  expect(git(b.remote, "rev-parse", "enact/LOC-1")).toBe(other);
  expect(existsSync(b.reports)).toBe(false);
  writeFileSync(join(b.remote, "hooks/pre-receive"), "#!/bin/sh\necho not today >&2\nexit 1\n");
  chmodSync(join(b.remote, "hooks/pre-receive"), 0o755);
  git(b.remote, "update-ref", "-d", "refs/heads/enact/LOC-1");
  expect(await failure(b.publisher.publish(key, b.publication))).toMatchObject({ retry: false, message: expect.stringContaining("not today") });
});

test("publishes only what was verified, only to a remote by name, and tries again when the remote is away", async () => {
  using b = bench();
  const moved = b.commit("unverified.txt");
  expect(await failure(b.publisher.publish(key, b.publication))).toMatchObject({ retry: false, message: expect.stringContaining(moved.slice(0, 12)) });
  git(b.repository, "reset", "-q", "--hard", b.head);
  for (const remote of ["--upload-pack=evil", "ext::sh -c evil", "absent"]) {
    expect(await failure(makeLocalPublisher({ reports: b.reports, remote: () => remote, timeoutMs: 60_000 }).publish(key, b.publication))).toMatchObject({ retry: false });
  }
  expect(await failure(b.publisher.publish(key, { ...b.publication, branch: "../../etc" }))).toMatchObject({ retry: false });
  // A port nobody listens on: the discard port of loopback.
  git(b.repository, "remote", "set-url", "origin", "http://user:hidden@127.0.0.1:9/x.git");
  const away = await failure(b.publisher.publish(key, b.publication));
  expect(away.retry).toBe(true);
  expect(away.message).not.toContain("hidden");
  expect(b.updates()).toEqual([]);
  expect(await Effect.runPromise(makeLocalPublisher({ reports: b.reports, remote: () => null, timeoutMs: 60_000 }).publish(key, b.publication))).toEqual({ where: "branch enact/LOC-1" });
});

test("killed at random instants and asked again, the remote sees exactly one update", { timeout: 120_000 }, async () => {
  let seed = 7;
  for (let n = 0; n < 8; n++) {
    using b = bench();
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    const delay = (seed >>> 8) % 700;
    await new Promise<void>((resolve) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), b.repository, b.reports, b.base, b.head], { stdio: "ignore", detached: true });
      // Half of the time only the owner dies and its git goes on, half of the time all of them.
      const timer = setTimeout(() => { try { process.kill(n % 2 === 0 ? -(child.pid ?? 0) : child.pid ?? 0, "SIGKILL"); } catch { /* it was faster */ } }, delay);
      child.once("close", () => { clearTimeout(timer); resolve(); });
    });
    // The next owner meets a remote where an orphaned push may still be under way: it retries what can be retried.
    await expect.poll(() => Effect.runPromise(b.publisher.publish(key, b.publication).pipe(Effect.as("published"), Effect.catch((e) => Effect.succeed(e.message)))), { timeout: 20_000 }).toBe("published");
    const once = [`${"0".repeat(40)} ${b.head}`];
    // Git logs before it moves the reference: a kill in between leaves a line that the next try writes again.
    expect([...new Set(b.updates())], `try ${n}`).toEqual(once);
    expect([[], once], `try ${n}`).toContainEqual(b.heard());
    expect(git(b.remote, "rev-parse", "enact/LOC-1")).toBe(b.head);
    expect(readdirSync(b.reports).filter((name) => name.endsWith(".md"))).toHaveLength(1);
  }
});
