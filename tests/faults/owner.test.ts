import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { coder, itemIn, itemsIn, journalIn, makeRoom, mend, type Room } from "../cli/room.ts";
import { agentPid, config, hangsFirst, leftIn, only, writesPid } from "./room.ts";

const heard = (child: ReturnType<Room["cli"]>): (() => string) => {
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
  return () => said;
};
const turns = async (room: Room): Promise<readonly unknown[]> => journalIn((await room.cli(["log", "RUN-1", "--json"])).stdout).filter(({ type }) => type === "turn.ended").map(({ event }) => event["outcome"]);
const waitsForGo = (room: Room): string => room.playbook("go", coder(`{ session = "s1" }, ${writesPid(room)}, { wait-for-file = "go" }, ${mend}`));
const go = (room: Room): void => writeFileSync(join(room.directory, "playbooks", "go"), "");

describe.skipIf(process.platform !== "linux")("owners that are interrupted, killed, frozen and followed", { timeout: 240_000 }, () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    test(`${signal}: exit ${code}, one JSON document, no process left; resume goes on with the session and costs no budget`, async () => {
      await using room = makeRoom({ config: config() });
      const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", hangsFirst(room)]);
      await agentPid(room);
      running.kill(signal);
      const stopped = await running;
      expect(stopped.exitCode, stopped.stderr).toBe(code);
      expect(only(stopped.stdout)).toMatchObject({ id: "RUN-1", status: "interrupted", next: ["enact-factory resume RUN-1"] });
      expect(leftIn(room)).toEqual([]);
      const done = await room.cli(["resume", "RUN-1", "--json"]);
      expect(itemsIn(done.stdout), done.stderr).toMatchObject([{ status: "done", iterations: 1 }]);
      expect(await turns(room)).toMatchObject([{ sessionId: "s1", ended: { failure: { kind: "interrupted" } } }, { sessionId: "s1", ended: { how: "completed" } }, {}]);
    });
  }

  test("kill -9 of the owner: the agent works on, resume adopts it, and nothing is played twice", async () => {
    await using room = makeRoom({ config: config() });
    const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", waitsForGo(room)]);
    const agent = await agentPid(room);
    running.kill("SIGKILL");
    await running;
    expect(existsSync(`/proc/${agent}`)).toBe(true);
    go(room);
    const done = await room.cli(["resume", "RUN-1", "--json"]);
    expect(itemsIn(done.stdout), done.stderr).toMatchObject([{ status: "done", iterations: 1 }]);
    expect(await turns(room)).toHaveLength(2);
    expect(leftIn(room)).toEqual([]);
  });

  for (const [what, alsoOwner] of [["the agent's whole group", false], ["the agent's whole group and the owner", true]] as const) {
    test(`kill -9 of ${what}: a crash that is forgiven`, async () => {
      await using room = makeRoom({ config: config() });
      const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", hangsFirst(room)]);
      const agent = await agentPid(room);
      const launcher = Number(readFileSync(`/proc/${agent}/stat`, "utf8").split(") ")[1]?.split(" ")[1]);
      if (alsoOwner) running.kill("SIGKILL");
      process.kill(-launcher, "SIGKILL");
      const ended = await running;
      if (alsoOwner) expect(itemsIn((await room.cli(["resume", "RUN-1", "--json"])).stdout)).toMatchObject([{ status: "done" }]);
      else expect(only(ended.stdout), ended.stderr).toMatchObject({ status: "done", iterations: 1 });
      expect(leftIn(room)).toEqual([]);
    });
  }

  test("three runs at the same instant on a fresh directory: one owns, the others follow it, all are done", async () => {
    await using room = makeRoom({ config: config() });
    const playbook = room.playbook("mend", coder(mend));
    const all = await Promise.all([1, 2, 3].map((n) => room.cli(["run", `Fix ${n}`, "-p", "repo", "--json", "--playbook", playbook])));
    for (const each of all) expect(each.exitCode, each.stderr).toBe(0);
    expect(new Set(all.map(({ stdout }) => only(stdout).id)).size).toBe(3);
    expect(leftIn(room)).toEqual([]);
  });

  test("a client whose owner is killed becomes the owner and finishes its item", async () => {
    await using room = makeRoom({ config: config() });
    const playbook = waitsForGo(room);
    const owner = room.cli(["run", "first", "-p", "repo", "--playbook", playbook]);
    await agentPid(room);
    const client = room.cli(["run", "second", "-p", "repo", "--json", "--playbook", playbook]);
    const said = heard(client);
    await expect.poll(said, { timeout: 60_000 }).toContain("RUN-2 operating");
    expect(said()).toContain("handed to the running factory");
    owner.kill("SIGKILL");
    await owner;
    go(room);
    const done = await client;
    expect(only(done.stdout), done.stderr).toMatchObject({ id: "RUN-2", status: "done" });
    expect(done.stderr).toContain("this process goes on with it");
    // The first item came with the state: done by the heir, or left to whoever resumes.
    await room.cli(["resume", "--json"]);
    expect(itemIn((await room.cli(["task", "show", "RUN-1", "--json"])).stdout)).toMatchObject({ status: "done", iterations: 1 });
  });

  test("a client beside a frozen owner is told so; it is followed with --take-over; thawed, it leaves by itself and touches nothing", async () => {
    await using room = makeRoom({ config: config() });
    const frozen = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", waitsForGo(room)]);
    const agent = await agentPid(room);
    frozen.kill("SIGSTOP");
    const beside = room.cli(["resume", "RUN-1", "--json"]);
    await expect.poll(heard(beside), { timeout: 60_000 }).toMatch(/pid \d+\) holds its state but does not answer.*--take-over/);
    beside.kill("SIGKILL");
    await beside;
    const next = room.cli(["resume", "RUN-1", "--json", "--take-over"]);
    const said = heard(next);
    await expect.poll(said, { timeout: 60_000 }).toContain("waits for the coder");
    frozen.kill("SIGCONT");
    const left = await frozen;
    expect(left.exitCode, left.stderr).toBe(2);
    expect(left.stderr).toContain("has taken over");
    expect(only(left.stdout)).toMatchObject({ id: "RUN-1", status: "interrupted" });
    expect(existsSync(`/proc/${agent}`)).toBe(true);
    go(room);
    const done = await next;
    expect(itemsIn(done.stdout), done.stderr).toMatchObject([{ status: "done", iterations: 1 }]);
    expect(await turns(room)).toHaveLength(2);
    expect(leftIn(room)).toEqual([]);
  });

  test("the state directory deleted while it runs: said, exit 2, no hang", async () => {
    await using room = makeRoom({ config: config() });
    const running = room.cli(["run", "Fix", "-p", "repo", "--json", "--playbook", waitsForGo(room)]);
    await agentPid(room);
    rmSync(join(room.directory, ".enact"), { recursive: true, force: true });
    go(room);
    const left = await running;
    expect(left.exitCode, left.stderr).toBe(2);
    expect(left.stderr).toContain("was removed or replaced");
    expect(only(left.stdout).status).toBe("interrupted");
  });
});
