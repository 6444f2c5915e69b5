/** Teams through the real command line, on a real repository, with scripted agents. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { TeamView } from "../../src/domain/team.ts";
import { itemIn, lastLine, makeRoom, type Room } from "./room.ts";

const playbook = (room: Room): string => {
  mkdirSync(join(room.directory, "playbooks"));
  const file = join(room.directory, "playbooks", "team.toml");
  copyFileSync(join(import.meta.dirname, "../../fixtures/team/playbook.toml"), file);
  return file;
};
const Status = z.looseObject({ terminals: z.string(), teams: z.array(z.looseObject({ ...TeamView.shape, itemStatus: z.string().nullable() })) });
const statusOf = async (room: Room, name: string) => {
  const { stdout, stderr } = await room.cli(["team", "status", name, "--json"]);
  const [team] = Status.parse(JSON.parse(String(stdout))).teams;
  if (!team) throw new Error(String(stderr));
  return team;
};

test("VOC-09 CARD-19 a team plans, shares the work, merges it in order, resolves a conflict, survives a crash and a review, and publishes one branch", { timeout: 400_000 }, async () => {
  await using room = makeRoom();
  const { stdout, stderr, exitCode } = await room.cli(["team", "init", "--local", "--name", "alpha", "--workers", "3", "--task", "Mend sum and document it", "--path", "repo", "--playbook", playbook(room), "--json"]);
  expect(exitCode, String(stderr)).toBe(0);
  expect(itemIn(String(stdout))).toMatchObject({ team: "alpha", status: "done", branch: "enact/RUN-1", checks: { base: "0/1", head: "1/1" }, published: "branch enact/RUN-1" });
  // What everybody did is on the branch, each task by one merge.
  expect(room.git("show", "enact/RUN-1:src/sum.js")).toContain("a + b, 0)");
  expect(room.git("show", "enact/RUN-1:notes.md")).toBe("# Notes\n\nUse: sum([1, 2]) is 3.\nLimits: numbers only.");
  expect(room.git("show", "enact/RUN-1:README.md")).toBe("# sums\n\nSee notes.md.");
  const merges = room.git("log", "--first-parent", "--merges", "--format=%s", "main..enact/RUN-1").split("\n").map((line) => /merge task (\d)/.exec(line)?.[1]);
  // Tasks 1, 4, one of 2 and 3, the conflict that brings in the other, and what the review asked for, last.
  expect(merges.length).toBe(5);
  expect(merges[0]).toBe("6");
  expect(new Set(merges)).toEqual(new Set(["1", "4", "5", "6", merges.includes("2") ? "2" : "3"]));
  expect(room.git("status", "--porcelain")).toBe("");

  const team = await statusOf(room, "alpha");
  expect(team).toMatchObject({ phase: "done", fixes: 1, itemStatus: "done", branch: "enact/RUN-1" });
  expect(team.tasks.map(({ id, kind, state }) => [id, kind, state])).toEqual([[1, "work", "done"], [2, "work", "done"], [3, "work", "done"], [4, "work", "done"], [5, "conflict", "done"], [6, "fix", "done"]]);
  for (const task of team.tasks) expect(task.evidence).toMatchObject({ checks: expect.stringMatching(/^\d\/1 → \d\/1$/), summary: expect.stringMatching(/./) });
  expect(team.members.map(({ name, role, state }) => [name, role, state])).toEqual([["leader", "leader", "gone"], ["worker-1", "worker", "gone"], ["worker-2", "worker", "gone"], ["worker-3", "worker", "gone"]]);
  // Each had a branch of its own; it is gone with its worktree, now that the team has what it held.
  expect(new Set(team.members.map(({ branch }) => branch))).toEqual(new Set(["leader", "worker-1", "worker-2", "worker-3"].map((name) => `enact/RUN-1--${name}`)));
  expect(room.git("branch", "--list", "--format=%(refname:short)", "enact/*")).toBe("enact/RUN-1");
  for (const { worktree } of team.members) expect(existsSync(String(worktree))).toBe(false);
  // One death, told to the leader; what a worker said to the leader was read by it.
  expect(team.members.reduce((sum, { restarts }) => sum + restarts, 0)).toBe(1);
  expect(team.messages.find(({ text }) => text.includes("died (1)"))).toMatchObject({ from: "team", to: "leader", state: "acknowledged" });
  expect(team.messages.find(({ text }) => text.startsWith("The sum of nothing"))).toMatchObject({ to: "leader", state: "acknowledged", deliveries: 1 });
  expect(team.costUsd).toBeGreaterThan(0.06);
  // The prompt of the conflict has both sides; the marker that was left behind was refused.
  const log = String((await room.cli(["log", "RUN-1", "--verbose"])).stdout);
  expect(log).toContain("Notes on use");
  expect(log).toContain('"unresolved":["notes.md"]');
});

test("given tasks need no plan; a plan that cannot be followed, and what makes no sense, is refused before anything begins", { timeout: 400_000 }, async () => {
  await using room = makeRoom();
  const book = playbook(room);
  const plan = room.playbook("plan", '[[tasks]]\ntitle = "Mend the sum"\ndescription = "It is 0."\n');
  const refused = async (...argv: readonly string[]) => { const { exitCode, stderr } = await room.cli(["team", ...argv]); expect(exitCode).toBe(1); return String(stderr); };
  expect(await refused("init", "--task", "x", "--interactive", "--local")).toContain("terminals of a daemon");
  expect(await refused("init", "--path", "repo")).toContain("nothing to do");
  expect(await refused("init", "--task", "x", "--name", "No Good")).toContain("a-z, 0-9 and -");
  expect(await refused("init", "--task", "x", "--workers", "21")).toContain("1 to 20");
  expect(await refused("init", "--task", "x", "--adapter", "scripted,nobody")).toContain("no adapter");
  expect(await refused("init", "--plan", room.playbook("cycle", '[[tasks]]\ntitle = "a"\ndependsOn = [2]\n[[tasks]]\ntitle = "b"\ndependsOn = [1]\n'))).toContain("wait for each other");
  expect(await refused("init", "--plan", room.playbook("bad", "tasks = 3\n"))).toContain("no plan");
  expect(await refused("status", "nobody")).toContain('no team "nobody"');
  expect(existsSync(join(room.directory, ".enact/factory/state/factory.db"))).toBe(false);

  const { stdout, stderr, exitCode } = await room.cli(["team", "init", "--local", "--name", "beta", "--workers", "1", "--plan", plan, "--path", "repo", "--playbook", room.playbook("one", readFileSync(book, "utf8").replaceAll('try = 1\nsteps = [{ verdict = "revise"', 'try = 9\nsteps = [{ verdict = "revise"')), "--json"]);
  expect(exitCode, String(stderr)).toBe(0);
  expect(lastLine(String(stdout))).toMatchObject({ team: "beta", status: "done", checks: { head: "1/1" } });
  const team = await statusOf(room, "beta");
  expect(team.events.map(({ text }) => text)).toEqual(expect.arrayContaining([expect.stringContaining("the tasks were given"), expect.stringContaining("no criteria were asked for")]));
  for (const argv of [["message", "beta", "all", "hello"], ["add", "beta"], ["remove", "beta", "worker-1"], ["shutdown", "beta"]]) expect(await refused(...argv)).toContain("beta is done already");
});
