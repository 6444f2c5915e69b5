import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execaSync } from "execa";
import { z } from "zod";
import { describe, expect, test } from "vitest";
import { coder, itemIn, itemsIn, journalIn, makeRoom, mend, stagesIn } from "./room.ts";

/** The command that a message offers, as arguments. */
const offered = (text: string, command: string): readonly string[] => {
  const line = text.split("\n").find((each) => each.includes("enact-factory ") && each.includes(` ${command} `)) ?? "";
  return (line.slice(line.indexOf("enact-factory ") + 14).match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll(/^["']|["']$/g, ""));
};
/** Runs, or is at least not dead: a zombie is. */
const alive = (pid: number): boolean => {
  const { stdout } = execaSync("ps", ["-o", "stat=", "-p", String(pid)], { reject: false });
  return stdout.trim() !== "" && !stdout.startsWith("Z");
};

/** A guard against hanging, not a measure: every test starts several processes on a machine that may be busy. */
describe("run, exec and resume, for real", { timeout: 240_000 }, () => {
  test("CLI-05 EXEC-08 run does one task on the repository behind ~ and leaves a branch, not a trace in the checkout", async () => {
    await using room = makeRoom();
    const before = room.git("rev-parse", "HEAD");
    const done = await room.cli(["run", "Fix the sum of nothing", "-p", "~/repo", "--playbook", room.playbook("mend", coder(mend)), "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    const item = itemIn(done.stdout);
    expect(item).toMatchObject({ status: "done", iterations: 1, checks: { base: "0/1", head: "1/1" } });
    expect(room.git("show", `${item.branch}:src/sum.js`)).toContain("a + b, 0)");
    expect(room.git("rev-parse", `${item.branch}`)).toBe(item.commit);
    expect(room.git("rev-parse", "HEAD")).toBe(before);
    expect(room.git("status", "--porcelain")).toBe("");
    // Progress is no part of the result.
    expect(done.stdout.trim().split("\n")).toHaveLength(1);
    expect(done.stderr).toContain(`${item.id} operating coder 1/5`);
  });

  test("EXEC-01 EXEC-03 EXEC-04 exec --local --pipeline runs the four stages on the current directory, and leaves no daemon", async () => {
    await using room = makeRoom();
    const done = await room.cli(["exec", "Fix the sum", "--local", "--pipeline", "--playbook", room.playbook("mend", coder(mend)), "--json"], { cwd: room.repository });
    expect(done.exitCode, done.stderr).toBe(0);
    const { id } = itemIn(done.stdout);
    expect(stagesIn((await room.cli(["log", id, "--json"])).stdout)).toEqual(["coder", "critic", "tester", "documenter"]);
    // A daemon left behind would own the state directory, and this would be handed to it.
    const second = await room.cli(["run", "again", "-p", "repo", "--coder-only", "--playbook", room.playbook("mend", coder(mend))]);
    expect(second.stderr).toContain("factory in this process");
    expect(second.exitCode, second.stderr).toBe(0);
  });

  test("EXEC-05 EXEC-06 --executor-only runs the coder alone, with the model given; a hostile task does nothing to the terminal", async () => {
    await using room = makeRoom();
    const title = '"; rm -rf / #{ \u001b]0;owned\u0007\u001b[2J\u202e';
    const playbook = room.playbook("mend", coder(mend));
    const done = await room.cli(["run", title, "-p", "repo", "--executor-only", "-m", "model-x", "--playbook", playbook, "--verbose"]);
    expect(done.exitCode, done.stderr).toBe(0);
    // oxlint-disable-next-line no-control-regex
    expect(done.stdout + done.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202e]/);
    expect(done.stdout).toContain('"; rm -rf / #{');
    const log = (await room.cli(["log", "RUN-1", "--json"])).stdout;
    expect(stagesIn(log)).toEqual(["coder"]);
    const reviewed = await room.cli(["run", "again", "-p", "repo", "-m", "model-x", "--playbook", playbook, "--json"]);
    const models = journalIn((await room.cli(["log", itemIn(reviewed.stdout).id, "--json"])).stdout).filter(({ actor, type }) => type === "actor.start" && actor.startsWith("stage/"))
      .map(({ event }) => z.looseObject({ stage: z.string(), model: z.string().nullable() }).parse(event["input"])).map(({ stage, model }) => [stage, model]);
    expect(models).toEqual([["coder", "model-x"], ["critic", null]]);
  });

  test("EXEC-02 EXEC-10 a hanging agent is cancelled at the timeout: exit 2, and its process is gone", async () => {
    await using room = makeRoom();
    const pidFile = join(room.directory, "pid");
    const playbook = room.playbook("hang", coder(`{ ignore = ["SIGINT", "SIGTERM"] }, { run = ["sh", "-c", 'echo $PPID > "$1"', "sh", "${pidFile}"] }, { hang = true }`));
    const done = await room.cli(["exec", "hang", "--local", "--path", "repo", "--timeout", "4", "--playbook", playbook, "--json"]);
    expect(done.exitCode, done.stderr).toBe(2);
    expect(itemIn(done.stdout).status).toBe("cancelled");
    expect(alive(Number(readFileSync(pidFile, "utf8")))).toBe(false);
  });

  test("EXEC-09 a rejected work item, an adapter without its account and a bad configuration are failures: exit 1, with the reason", async () => {
    await using room = makeRoom();
    const playbook = room.playbook("reject", `${coder(mend)}[[turn]]\nstage = "critic"\nsteps = [ { verdict = "reject", feedback = "Nobody wants this." } ]\n`);
    const done = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook]);
    expect(done.exitCode, done.stderr).toBe(1);
    expect(done.stdout).toContain("failed");
    expect(done.stdout).toContain("Nobody wants this.");
    const refused = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", room.playbook("auth", coder('{ fail = "auth", message = "log in first" }'))]);
    expect(refused.exitCode, refused.stderr).toBe(1);
    expect(refused.stdout).toContain("log in first");
    expect(refused.stdout).toContain("resume RUN-2");
    writeFileSync(join(room.directory, "config.toml"), "[scheduler]\nslots = 0\n");
    const misconfigured = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook]);
    expect(misconfigured.exitCode, misconfigured.stderr).toBe(1);
    expect(misconfigured.stderr).toContain("scheduler.slots");
  });

  test("a question unattended: exit 1 and the commands; answered offline, resume finishes it", async () => {
    await using room = makeRoom();
    const playbook = room.playbook("ask", `${coder('{ question = "Zero or an error?" }', "try = 1")}${coder(mend, "try = 2")}`);
    const asked = await room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook, "--json"]);
    expect(asked.exitCode, asked.stderr).toBe(1);
    const item = itemIn(asked.stdout);
    expect(item).toMatchObject({ status: "blocked", question: "Zero or an error?" });
    expect(item.next.some((line) => line.includes(`task answer ${item.id}`))).toBe(true);
    const why = await room.cli(["why", item.id]);
    expect(why.stdout).toContain("waits for your answer");
    expect(why.stdout).toContain("Zero or an error?");
    const answered = await room.cli(["task", "answer", item.id, "Zero."]);
    expect(answered.exitCode, answered.stderr).toBe(0);
    const done = await room.cli(["resume", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(itemsIn(done.stdout)).toMatchObject([{ id: item.id, status: "done" }]);
    expect((await room.cli(["resume"])).stdout).toBe("Nothing is unfinished.");
  });

  test("a question while somebody else can answer: the command is printed, and the answer of another process goes on", async () => {
    await using room = makeRoom();
    const playbook = room.playbook("ask", `${coder('{ question = "Zero or an error?" }', "try = 1")}${coder(mend, "try = 2")}`);
    const running = room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook]);
    let said = "";
    running.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
    await expect.poll(() => said, { timeout: 60_000 }).toContain("task answer");
    expect(said).toContain("Zero or an error?");
    const answered = await room.cli(offered(said, "task answer").map((word) => (word === "…" ? "Zero." : word)));
    expect(answered.exitCode, answered.stderr).toBe(0);
    const done = await running;
    expect(done.exitCode, done.stderr).toBe(0);
    expect(done.stdout).toContain("RUN-1 done");
  });

  test("Ctrl-C ends the agents, keeps uncommitted work, and the command it prints finishes the item", async () => {
    await using room = makeRoom();
    const pidFile = join(room.directory, "pid");
    const first = `{ write = "half.txt", text = "half done" }, { run = ["sh", "-c", 'echo $PPID > "$1"', "sh", "${pidFile}"] }, { hang = true }`;
    const playbook = room.playbook("hang", `${coder(first, "try = 1")}${coder(mend, "try = 2")}`);
    const running = room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook], { cwd: room.directory });
    await expect.poll(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"), { timeout: 60_000 }).toBe(true);
    running.kill("SIGINT");
    const stopped = await running;
    expect(stopped.exitCode, stopped.stderr).toBe(130);
    expect(alive(Number(readFileSync(pidFile, "utf8")))).toBe(false);
    const resume = offered(stopped.stderr, "resume");
    expect(resume).toContain("RUN-1");
    const done = await room.cli([...resume, "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    const [item] = itemsIn(done.stdout);
    expect(item).toMatchObject({ id: "RUN-1", status: "done" });
    expect(room.git("show", `${item?.branch}:half.txt`)).toBe("half done");
  });

  test("run beside a running factory hands the work to it; Ctrl-C there cancels only that item", async () => {
    await using room = makeRoom();
    const gate = join(room.directory, "playbooks", "go");
    const owner = room.cli(["run", "first", "-p", "repo", "--json", "--playbook", room.playbook("wait", coder(`{ wait-for-file = "go" }, ${mend}`))]);
    let ownerSaid = "";
    owner.stderr.on("data", (chunk: Buffer) => { ownerSaid += chunk.toString(); });
    await expect.poll(() => ownerSaid, { timeout: 60_000 }).toContain("waits for the coder (scripted)");
    const client = room.cli(["run", "second", "-p", "repo", "--playbook", room.playbook("hang", coder("{ hang = true }"))]);
    let said = "";
    client.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
    await expect.poll(() => said, { timeout: 60_000 }).toContain("RUN-2 operating coder 1/5: waits for the coder (scripted)");
    expect(said).toContain("handed to the running factory");
    client.kill("SIGINT");
    const cancelled = await client;
    expect(cancelled.exitCode, cancelled.stderr).toBe(130);
    expect(itemIn((await room.cli(["task", "show", "RUN-2", "--json"])).stdout).status).toBe("cancelled");
    writeFileSync(gate, "");
    const done = await owner;
    expect(done.exitCode, done.stderr).toBe(0);
    expect(itemIn(done.stdout)).toMatchObject({ id: "RUN-1", status: "done" });
  });

  test("task cancel, restore and retry without a running factory: mail that the next one takes up, and no line of work is lost", async () => {
    await using room = makeRoom();
    const first = '{ write = "half.txt", text = "half done" }, { touch = "written" }, { hang = true }';
    const playbook = room.playbook("hang", `${coder(first, "try = 1\nattempt = 1")}${coder(first, "try = 2\nattempt = 1")}${coder(mend, "attempt = 2")}`);
    const running = room.cli(["run", "Fix the sum", "-p", "repo", "--playbook", playbook]);
    await expect.poll(() => existsSync(join(room.directory, "playbooks", "written")), { timeout: 60_000 }).toBe(true);
    running.kill("SIGINT");
    expect((await running).exitCode).toBe(130);
    expect((await room.cli(["task", "cancel", "run-1"])).exitCode).toBe(0);
    const cancelled = await room.cli(["resume", "RUN-1", "--json"]);
    expect(cancelled.exitCode, cancelled.stderr).toBe(1);
    expect(itemsIn(cancelled.stdout)).toMatchObject([{ id: "RUN-1", status: "cancelled" }]);
    const restored = await room.cli(["task", "restore", "RUN-1", "--to", "rescued"]);
    expect(restored.exitCode, restored.stderr).toBe(0);
    expect(readFileSync(join(room.directory, "rescued", "half.txt"), "utf8")).toBe("half done");
    const twice = await room.cli(["task", "restore", "RUN-1", "--to", "rescued"]);
    expect(twice.exitCode).toBe(1);
    expect(twice.stderr).toContain("exists already");
    const retried = await room.cli(["task", "retry", "RUN-1"]);
    expect(retried.exitCode, retried.stderr).toBe(0);
    const done = await room.cli(["resume", "RUN-1", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(itemsIn(done.stdout)).toMatchObject([{ id: "RUN-1", status: "done" }]);
    const lane = await room.cli(["lane", "set", "RUN-1", "none"]);
    expect(lane.exitCode).toBe(1);
    expect(lane.stderr).toContain("done already");
  });

  test("resume --take-over takes the items of an owner that hangs, and that one writes nothing more", async () => {
    await using room = makeRoom();
    const playbook = room.playbook("wait", `${coder('{ wait-for-file = "go" }, ' + mend)}`);
    const hung = room.cli(["run", "Fix the sum", "-p", "repo", "--json", "--playbook", playbook]);
    let said = "";
    hung.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
    await expect.poll(() => said, { timeout: 60_000 }).toContain("waits for the coder (scripted)");
    hung.kill("SIGSTOP");
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    const done = await room.cli(["resume", "RUN-1", "--take-over", "--json"]);
    expect(done.exitCode, done.stderr).toBe(0);
    const events = (await room.cli(["log", "RUN-1", "--json"])).stdout;
    hung.kill("SIGCONT");
    await hung;
    expect((await room.cli(["log", "RUN-1", "--json"])).stdout).toBe(events);
    expect(journalIn(events).filter(({ type }) => type === "published")).toHaveLength(1);
  });
});
