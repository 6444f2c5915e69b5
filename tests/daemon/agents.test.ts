/** Agents while their daemon is killed, stopped, restarted and followed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { coder, itemIn, itemsIn, journalIn, lastLine, mend, type Room } from "../cli/room.ts";
import { agentPid, leftIn, only, writesPid } from "../faults/room.ts";
import { gone, guardMs, heard, makeDaemonRoom, started, type DaemonRoom } from "./room.ts";

const show = async (room: Room, id: string) => itemIn((await room.cli(["task", "show", id, "--json"])).stdout);
const turns = async (room: Room, id: string): Promise<readonly unknown[]> => journalIn((await room.cli(["log", id, "--json"])).stdout).filter(({ type }) => type === "turn.ended").map(({ event }) => event["outcome"]);
const runs = (room: DaemonRoom): readonly string[] => readdirSync(join(room.state, "runs")).filter((name) => existsSync(join(room.state, "runs", name, "spec.json"))).toSorted();
const go = (room: Room): void => writeFileSync(join(room.directory, "playbooks", "go"), "");

/** Says much before and after it waits. */
const talkative = (room: Room): string => room.playbook("go", coder(`{ session = "s1" }, ${writesPid(room)}, { say = "${"first half. ".repeat(400)}" }, { wait-for-file = "go" }, { say = "${"second half. ".repeat(400)}" }, { write = "said.txt", text = "${"all of it ".repeat(1_000)}" }, ${mend}`));

/** A daemon with an agent at work on RUN-1, handed in by an `exec` that was killed meanwhile: nobody but the daemon knows of it. */
const atWork = async (room: DaemonRoom): Promise<{ readonly daemon: number; readonly agent: number }> => {
  const { pid } = await started(room);
  const exec = room.cli(["exec", "Fix", "--path", "repo", "--playbook", talkative(room)]);
  const agent = await agentPid(room);
  exec.kill("SIGKILL");
  await exec;
  return { daemon: pid, agent };
};

const isDone = async (room: DaemonRoom): Promise<void> => {
  await expect.poll(async () => (await show(room, "RUN-1")).status, { timeout: guardMs, interval: 500 }).toBe("done");
  const item = await show(room, "RUN-1");
  expect(item.iterations).toBe(1);
  expect(room.git("show", `${item.branch}:said.txt`)).toBe("all of it ".repeat(1_000));
  // Coder and critic, one turn each: no second spawn.
  expect(await turns(room, "RUN-1")).toHaveLength(2);
};

describe.skipIf(process.platform !== "linux")("agents and their daemon", { timeout: 240_000 }, () => {
  test("kill -9 of the daemon, then start: the same run is adopted, nothing is spawned again, no hook is run again under it, and not a byte of its output is missing", async () => {
    await using room = makeDaemonRoom({ rest: `[workspace]\nenv = ["XDG_STATE_HOME"]\n[workspace.hooks]\nbefore_run = ["sh", "-c", "echo begun >> \\"$XDG_STATE_HOME/../begun.log\\""]\n` });
    const { daemon, agent } = await atWork(room);
    const before = runs(room);
    expect(before).toHaveLength(1);
    process.kill(daemon, "SIGKILL");
    await expect.poll(() => gone(daemon), { timeout: guardMs }).toBe(true);
    expect(gone(agent)).toBe(false);
    // The note of the killed one is still there, and nobody believes it.
    expect(room.hasNote()).toBe(true);
    const next = await started(room);
    expect(next.state).toBe("started");
    expect(room.note().generation).toBe(2);
    expect(gone(agent)).toBe(false);
    expect(runs(room)).toEqual(before);
    go(room);
    await isDone(room);
    const [run = ""] = before;
    const said = readFileSync(join(room.state, "runs", run, "out"), "utf8");
    expect(said.split("first half. ").length - 1).toBe(400);
    expect(said.split("second half. ").length - 1).toBe(400);
    // The coder's turn and the critic's.
    expect(readFileSync(join(room.directory, "begun.log"), "utf8")).toBe("begun\nbegun\n");
  });

  test("an agent that ends while there is no daemon: its exit is learnt by the next one", async () => {
    await using room = makeDaemonRoom();
    const { daemon, agent } = await atWork(room);
    process.kill(daemon, "SIGKILL");
    go(room);
    await expect.poll(() => gone(agent), { timeout: guardMs }).toBe(true);
    await started(room);
    await isDone(room);
  });

  test("stop --keep-agents and start, and restart: the agent goes on, the port that was asked for stays", async () => {
    await using room = makeDaemonRoom();
    const { daemon, agent } = await atWork(room);
    const kept = await room.cli(["stop", "--keep-agents"]);
    expect([kept.exitCode, kept.stdout], kept.stderr).toEqual([0, expect.stringContaining("Its agents go on")]);
    expect([gone(daemon), gone(agent)]).toEqual([true, false]);
    const second = await started(room);
    const restarted = await room.cli(["restart", "--json"]);
    expect(restarted.exitCode, restarted.stderr).toBe(0);
    expect(gone(second.pid)).toBe(true);
    expect(gone(agent)).toBe(false);
    expect(runs(room)).toHaveLength(1);
    go(room);
    await isDone(room);
  });

  test("stop ends the agents politely and keeps their work; start goes on with the session", async () => {
    await using room = makeDaemonRoom();
    const { agent } = await atWork(room);
    expect((await room.cli(["stop"])).exitCode).toBe(0);
    expect(gone(agent)).toBe(true);
    expect(leftIn(room)).toEqual([]);
    go(room);
    await started(room);
    await expect.poll(async () => (await show(room, "RUN-1")).status, { timeout: guardMs, interval: 500 }).toBe("done");
    expect(await turns(room, "RUN-1")).toMatchObject([{ sessionId: "s1", ended: { failure: { kind: "interrupted" } } }, { sessionId: "s1" }, {}]);
  });

  test("EXEC-07 EXEC-08 CLI-06 exec starts the daemon when none runs, a second exec uses it, each gets its result and exit 0, and the daemon stays", async () => {
    await using room = makeDaemonRoom();
    const playbook = room.playbook("mend", coder(mend));
    const first = await room.cli(["exec", "Fix the sum", "--path", "repo", "--json", "--playbook", playbook]);
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/started a daemon: process \d+/);
    expect(only(first.stdout)).toMatchObject({ id: "RUN-1", status: "done", iterations: 1 });
    const { pid } = room.note();
    const second = await room.cli(["exec", "Fix it again", "--path", "repo", "--json", "--playbook", playbook]);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.stderr).not.toContain("started a daemon");
    expect(second.stderr).toContain("handed to the running factory");
    expect(only(second.stdout)).toMatchObject({ id: "RUN-2", status: "done" });
    expect(room.note().pid).toBe(pid);
    expect(room.git("show", "enact/RUN-1:src/sum.js")).toContain("a + b, 0)");
    // And the other form, which needs none and leaves none: beside this daemon it hands the work over as well.
    const local = await room.cli(["exec", "Locally", "--local", "--pipeline", "--path", "repo", "--json", "--playbook", playbook]);
    expect(local.exitCode, local.stderr).toBe(0);
  });

  test("EXEC-02 EXEC-10 EXEC-09 exec by the daemon: 2 at its timeout with the agent gone, 1 when the work failed; --help names 600 as the default", async () => {
    await using room = makeDaemonRoom();
    await started(room);
    const hang = room.playbook("hang", coder(`{ ignore = ["SIGINT", "SIGTERM"] }, ${writesPid(room)}, { hang = true }`));
    const late = await room.cli(["exec", "hang", "--path", "repo", "--timeout", "8", "--json", "--playbook", hang]);
    expect(late.exitCode, late.stderr).toBe(2);
    expect(only(late.stdout)).toMatchObject({ status: "cancelled" });
    if (existsSync(join(room.directory, "pid"))) expect(gone(await agentPid(room))).toBe(true);
    const reject = room.playbook("reject", `${coder(mend)}[[turn]]\nstage = "critic"\nsteps = [ { verdict = "reject", feedback = "Nobody wants this." } ]\n`);
    const failed = await room.cli(["exec", "Fix", "--path", "repo", "--json", "--playbook", reject]);
    expect(failed.exitCode, failed.stderr).toBe(1);
    expect((await room.cli(["exec", "--help"])).stdout).toMatch(/--timeout <seconds>.*\n?.*600/);
    expect(lastLine((await room.cli(["status", "--json"])).stdout)).toMatchObject({ daemon: true, slots: { used: 0 } });
  });

  test("Ctrl-C of exec cancels its own item and no other; the daemon stays", async () => {
    await using room = makeDaemonRoom();
    await started(room);
    const mine = room.cli(["exec", "mine", "--path", "repo", "--json", "--playbook", room.playbook("hang", coder("{ hang = true }"))]);
    await expect.poll(heard(mine), { timeout: guardMs }).toContain("RUN-1 operating coder 1/5: waits for the coder");
    const other = room.cli(["exec", "other", "--path", "repo", "--json", "--playbook", room.playbook("go", coder(`{ wait-for-file = "go" }, ${mend}`))]);
    await expect.poll(heard(other), { timeout: guardMs }).toContain("RUN-2 operating");
    mine.kill("SIGINT");
    const cancelled = await mine;
    expect(cancelled.exitCode, cancelled.stderr).toBe(130);
    expect((await show(room, "RUN-1")).status).toBe("cancelled");
    go(room);
    expect(only((await other).stdout)).toMatchObject({ id: "RUN-2", status: "done" });
    expect(room.hasNote()).toBe(true);
  });

  test("kill -9 of the daemon while exec waits: exec starts the next one, which adopts the agent, and nothing is lost", async () => {
    await using room = makeDaemonRoom();
    const { pid } = await started(room);
    const exec = room.cli(["exec", "Fix", "--path", "repo", "--json", "--playbook", talkative(room)]);
    const agent = await agentPid(room);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => room.hasNote() && room.note().generation, { timeout: guardMs }).toBe(2);
    expect(gone(agent)).toBe(false);
    go(room);
    const done = await exec;
    expect(done.exitCode, done.stderr).toBe(0);
    expect(only(done.stdout)).toMatchObject({ id: "RUN-1", status: "done", iterations: 1 });
    await isDone(room);
  });

  test("a restart while exec waits goes unnoticed; kill -9 of the daemon while run waits: run becomes the owner and finishes", async () => {
    await using room = makeDaemonRoom();
    await started(room);
    const playbook = talkative(room);
    const exec = room.cli(["exec", "first", "--path", "repo", "--json", "--playbook", playbook]);
    await agentPid(room);
    expect((await room.cli(["restart"])).exitCode).toBe(0);
    go(room);
    const first = await exec;
    expect(first.exitCode, first.stderr).toBe(0);
    const run = room.cli(["run", "second", "-p", "repo", "--json", "--playbook", room.playbook("more", coder(`{ session = "s2" }, { wait-for-file = "more" }, ${mend}`))]);
    const said = heard(run);
    await expect.poll(said, { timeout: guardMs }).toContain("RUN-2 operating coder 1/5: waits for the coder");
    expect(said()).toContain("handed to the running factory");
    process.kill(room.note().pid, "SIGKILL");
    await expect.poll(said, { timeout: guardMs }).toContain("this process goes on with it");
    writeFileSync(join(room.directory, "playbooks", "more"), "");
    const second = await run;
    expect(second.exitCode, second.stderr).toBe(0);
    expect(only(second.stdout)).toMatchObject({ id: "RUN-2", status: "done", iterations: 1 });
    expect(await turns(room, "RUN-2")).toHaveLength(2);
    // The killed daemon's tmux server and its panes too.
    expect(leftIn(room)).toEqual([]);
  });

  test("start picks up local work items by slots until none is ready, then idles and says why", async () => {
    await using room = makeDaemonRoom({ rest: '[sources.local]\ndirectory = "items"\npollMs = 200\n[[projects]]\nname = "app"\nprojectPath = "repo"\n[scheduler]\nslots = 2\nslotsPerProject = 2\n' });
    const playbooks = join(room.directory, "items", "playbooks");
    mkdirSync(playbooks, { recursive: true });
    writeFileSync(join(playbooks, "ask.toml"), coder('{ question = "Zero or an error?" }', "try = 1") + coder(mend, "try = 2"));
    writeFileSync(join(playbooks, "hold.toml"), coder(`{ wait-for-file = "go" }, ${mend}`));
    const write = (n: number, front: string): void => writeFileSync(join(room.directory, "items", `${n}.md`), `+++\ncreated = 2026-01-0${n}T09:00:00Z\n${front}\n+++\n# Item ${n}\n\nFix it.\n`);
    for (const n of [1, 2, 3]) write(n, 'playbook = "playbooks/hold.toml"');
    write(4, 'playbook = "playbooks/ask.toml"');
    write(5, 'lane = "manual"');
    await started(room);
    const status = async () => lastLine((await room.cli(["status", "--json"])).stdout);
    await expect.poll(status, { timeout: guardMs, interval: 500 }).toMatchObject({ slots: { used: 2, of: 2 }, idle: "all 2 slots are in use (LOC-1, LOC-2); 2 wait (LOC-3, LOC-4)" });
    writeFileSync(join(playbooks, "go"), "");
    await expect.poll(status, { timeout: 2 * guardMs, interval: 1_000 }).toMatchObject({ slots: { used: 0, of: 2 }, idle: "no item is ready: 1 waits for a person (LOC-4), 1 is manual (LOC-5)", needsPerson: ["LOC-4"], workItems: { done: 3, blocked: 1, ready: 1 } });
    expect((await room.cli(["status"])).stdout).toMatch(/needs you +1: LOC-4; see enact-factory task list --open/);
    await expect.poll(room.log, { timeout: guardMs }).toContain("nothing more is started: no item is ready: 1 waits for a person (LOC-4), 1 is manual (LOC-5)");
    // Answered over the gateway, it goes on by itself.
    expect((await room.cli(["task", "answer", "LOC-4", "Zero."])).stdout).toContain("LOC-4: answered.");
    await expect.poll(async () => itemsIn((await room.cli(["task", "list", "--json"])).stdout).map(({ status: state }) => state), { timeout: guardMs, interval: 500 }).toEqual(["done", "done", "done", "done", "ready"]);
    await expect.poll(room.log, { timeout: guardMs }).toContain("nothing more is started: no item is ready: 1 is manual (LOC-5)");
  });
});
