import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { execaSync } from "execa";
import { expect, test } from "vitest";
import { itemsIn, lastLine, makeRoom } from "./room.ts";
import { z } from "zod";

const guardMs = 240_000;

test("INTRO-04 SURF-06 demo: five items from a directory, two at a time, and its claim holds when the tests are run by somebody else", { timeout: guardMs }, async () => {
  await using room = makeRoom({ config: null });
  const done = await room.cli(["demo", "--json", "--keep"]);
  expect(done.exitCode, done.stderr).toBe(0);
  const items = itemsIn(done.stdout);
  const { workItems: [first] } = z.object({ workItems: z.array(z.record(z.string(), z.unknown())) }).parse(lastLine(done.stdout));
  expect(Object.keys(first ?? {})).toEqual(["id", "status", "iterations", "branch", "commit", "checks"]);
  expect(items.map(({ id, status, iterations }) => [id, status, iterations])).toEqual([["LOC-1", "done", 1], ["LOC-2", "done", 1], ["LOC-3", "done", 2], ["LOC-4", "done", 1], ["LOC-5", "done", 1]]);
  for (const { checks } of items) expect(checks).toEqual({ base: "1/6", head: "2/6" });

  const directory = join(room.env["TMPDIR"] ?? "", readdirSync(room.env["TMPDIR"] ?? "").find((name) => name.startsWith("enact-factory-demo-")) ?? "");
  expect(done.stderr).toContain(`Kept: ${directory}`);
  const repository = join(directory, "repository");
  const git = (...argv: readonly string[]): string => execaSync("git", argv, { cwd: repository, env: room.env, extendEnv: false }).stdout;
  // Not the demo's own proof: its tests once more, in a clone, on every branch and on all of them merged.
  const clone = join(room.directory, "clone");
  git("clone", "-q", repository, clone);
  const failing = (commit: string): number => {
    execaSync("git", ["checkout", "-q", "--detach", commit], { cwd: clone, env: room.env, extendEnv: false });
    const { stdout } = execaSync(process.execPath, ["--test", "--test-reporter=tap"], { cwd: clone, env: room.env, extendEnv: false, reject: false });
    return Number(/^# fail (\d+)$/m.exec(stdout)?.[1]);
  };
  const base = failing("origin/main");
  expect(base).toBeGreaterThan(0);
  for (const { branch, commit } of items) {
    expect(git("rev-parse", `refs/heads/${branch}`)).toBe(commit);
    expect(failing(commit ?? "")).toBeLessThan(base);
  }
  execaSync("git", ["checkout", "-q", "--detach", "origin/main"], { cwd: clone, env: room.env, extendEnv: false });
  for (const { branch } of items) execaSync("git", ["merge", "-q", "--no-edit", `origin/${branch}`], { cwd: clone, env: room.env, extendEnv: false });
  expect(failing("HEAD")).toBe(0);

  // The kept directory is a factory like any other.
  const list = await room.cli(["-C", directory, "task", "list"]);
  const lines = list.stdout.split("\n");
  expect(lines).toHaveLength(6);
  for (const [n, { id }] of items.entries()) expect(lines[n + 1]).toMatch(new RegExp(`^${id} +done .*\\S`));
  expect((await room.cli(["-C", directory, "task", "list", "--open"])).stdout).toBe("Every work item has ended.");
  const both = z.looseObject({ last: z.array(z.looseObject({ type: z.string() })) }).parse(lastLine((await room.cli(["-C", directory, "why", "LOC-1", "--json"])).stdout));
  expect(both.last.slice(-2).map(({ type }) => type)).toEqual(["workspace.removed", "source.pushed"]);
  // Nothing of it lies in the user's home.
  expect(existsSync(room.env["XDG_STATE_HOME"] ?? "")).toBe(false);
});

test("demo without --keep leaves nothing behind, also when it is interrupted", { timeout: guardMs }, async () => {
  await using room = makeRoom({ config: null });
  const running = room.cli(["demo"]);
  let said = "";
  running.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
  await expect.poll(() => said, { timeout: guardMs }).toContain("waits for the coder (scripted");
  running.kill("SIGINT");
  const stopped = await running;
  expect(stopped.exitCode, stopped.stderr).toBe(130);
  expect(readdirSync(room.env["TMPDIR"] ?? "")).toEqual([]);
  const { stdout } = execaSync("ps", ["-eo", "args"]);
  expect(stdout).not.toContain(room.directory);
});
