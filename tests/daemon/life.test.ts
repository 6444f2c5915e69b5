import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { bin, coder, itemsIn, lastLine, mend } from "../cli/room.ts";
import { agentPid, leftIn, writesPid } from "../faults/room.ts";
import { gone, guardMs, heard, hold, makeDaemonRoom, started, type DaemonRoom } from "./room.ts";

const mounts = process.platform === "linux" && spawnSync("unshare", ["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).status === 0;
if (!mounts) console.log("skipped: a start on a full disk needs unshare --map-root-user --mount, which this machine refuses");

const items = async (room: DaemonRoom) => itemsIn((await room.cli(["task", "list", "--json"])).stdout);

describe.skipIf(process.platform !== "linux")("start, stop, restart, status and logs, for real", { timeout: 240_000 }, () => {
  test("CLI-04 start brings up the daemon of the config.toml in use, detached; health answers, status and logs tell; a second start changes nothing; stop ends it and its lock", async () => {
    await using room = makeDaemonRoom();
    const before = await room.cli(["status"]);
    expect(before.stdout).toContain("No daemon runs here.");
    const { state, pid, address, log } = await started(room);
    expect(state).toBe("started");
    expect(room.note()).toMatchObject({ pid, host: "127.0.0.1" });
    expect(await (await fetch(`${address}/api/health`)).json()).toEqual({ ok: true });
    // A session of its own: the terminal's end is not its end.
    expect(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[3]).toBe(String(pid));
    for (const file of ["state/gateway.json", "state/gateway.token", "logs/daemon.log"]) expect([file, statSync(join(room.state, file)).mode & 0o777]).toEqual([file, 0o600]);

    const status = lastLine((await room.cli(["status", "--json"])).stdout);
    expect(status).toMatchObject({ running: true, daemon: true, pid, address, slots: { used: 0, of: 2 }, idle: "no item is ready: none is open", needsPerson: [], factory: { role: "client", stateDirectory: room.state } });
    expect((await room.cli(["status"])).stdout).toMatch(/A daemon runs: process \d+[^]*no item is ready/);
    expect(log).toBe(join(room.state, "logs", "daemon.log"));
    expect((await room.cli(["logs"])).stdout).toMatch(/info +ready: http:\/\/127\.0\.0\.1:\d+, store sqlite/);

    const again = await started(room);
    expect(again).toMatchObject({ state: "running", pid, address });

    const stopped = await room.cli(["stop"]);
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    expect(gone(pid)).toBe(true);
    expect(room.hasNote()).toBe(false);
    expect(leftIn(room)).toEqual([]);
    const nothing = await room.cli(["stop"]);
    expect([nothing.exitCode, nothing.stdout]).toEqual([0, "No daemon runs here."]);
    // The lock is free: the next one gets it at once, with the next generation.
    const next = await room.cli(["run", "Fix", "-p", "repo", "--playbook", room.playbook("mend", coder(mend))]);
    expect(next.exitCode, next.stderr).toBe(0);
    expect(next.stderr).toContain("factory in this process");
  });

  test("in the foreground: the log on standard error, SIGHUP is not heard, SIGTERM ends it politely with exit 0 and the agent's work kept", async () => {
    await using room = makeDaemonRoom();
    const daemon = room.cli(["start", "--foreground"]);
    const said = heard(daemon);
    await expect.poll(said, { timeout: guardMs }).toContain("ready: http://127.0.0.1:");
    const waiting = room.cli(["exec", "Fix", "--path", "repo", "--json", "--playbook", room.playbook("half", coder(`{ session = "s1" }, { write = "half.txt", text = "half" }, ${writesPid(room)}, { hang = true }`, "try = 1") + coder(mend, "try = 2"))]);
    await agentPid(room);
    daemon.kill("SIGHUP");
    expect((await room.cli(["status", "--json"])).stdout).toContain('"daemon":true');
    daemon.kill("SIGTERM");
    const ended = await daemon;
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stderr).toContain("SIGTERM: agents are asked to end");
    // It was stopped, not killed: nobody starts it again behind the user's back.
    const left = await waiting;
    expect(left.exitCode, left.stderr).toBe(2);
    expect(left.stderr).toContain("the factory was stopped");
    expect(leftIn(room)).toEqual([]);
    const [item] = await items(room);
    expect(item).toMatchObject({ id: "RUN-1", status: "operating" });
    const [, worktree = ""] = /^worktree (.*worktrees.*)$/m.exec(room.git("worktree", "list", "--porcelain")) ?? [];
    expect(readFileSync(join(worktree, "half.txt"), "utf8")).toBe("half");
  });

  test("two starts at once: one daemon, both say which; two stops at once: both find it ended", async () => {
    await using room = makeDaemonRoom();
    const [one, two] = await Promise.all([started(room), started(room)]);
    expect(one.pid).toBe(two.pid);
    expect([one.state, two.state].toSorted()).toEqual(["running", "started"]);
    const stops = await Promise.all([room.cli(["stop"]), room.cli(["stop"])]);
    for (const stop of stops) expect(stop.exitCode, stop.stderr).toBe(0);
    expect(leftIn(room)).toEqual([]);
  });

  test("stop while start is under way: whatever comes first, nothing is left half-started", async () => {
    await using room = makeDaemonRoom();
    const starting = room.cli(["start", "--json"]);
    await expect.poll(room.log, { timeout: guardMs }).toContain("starts: enact-factory");
    const stop = await room.cli(["stop"]);
    expect(stop.exitCode, stop.stderr).toBe(0);
    const start = await starting;
    if (stop.stdout.startsWith("Stopped")) expect(leftIn(room)).toEqual([]);
    else {
      expect(start.exitCode, start.stderr).toBe(0);
      expect((await room.cli(["stop"])).stdout).toContain("Stopped");
    }
    expect(leftIn(room)).toEqual([]);
  });

  test("ports: one named and taken is refused before anything begins; the usual one, when taken, gives way to a free one and it is said", async () => {
    await using room = makeDaemonRoom();
    await using taken = await hold(0);
    const refused = await room.cli(["start", "--port", String(taken?.port)]);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.stderr).toContain(`port ${taken?.port} is taken by another program`);
    expect(refused.stderr).toContain("gateway.port");
    expect(refused.stderr).toContain("the last lines of its log");
    expect(leftIn(room)).toEqual([]);
    writeFileSync(join(room.directory, "config.toml"), 'adapter = "scripted"\n[verify]\nsandbox = "off"\n');
    // Somebody else on this machine may have it; then it is taken all the same.
    const usual = await hold(3_847);
    const second = await room.cli(["start", "--json"]);
    await usual?.[Symbol.asyncDispose]();
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.stderr).toContain("port 3847 is taken");
    expect(room.note().port).not.toBe(3_847);
    for (const [given, why] of [["x", "is no port"], ["70000", "is no port"]] as const) {
      const wrong = await room.cli(["start", "--port", given]);
      expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining(why)]);
    }
  });

  test("a log that cannot be written, and a store that cannot be read: the reason, and no process left", async () => {
    await using room = makeDaemonRoom();
    mkdirSync(room.state, { recursive: true });
    writeFileSync(join(room.state, "logs"), "a file where the folder should be");
    const unwritable = await room.cli(["start"]);
    expect(unwritable.exitCode).toBe(1);
    expect(unwritable.stderr).toMatch(/the log .*daemon\.log cannot be written/);
    rmSync(join(room.state, "logs"));
    mkdirSync(join(room.state, "state"), { recursive: true });
    writeFileSync(join(room.state, "state", "factory.db"), "this is no database, whatever its name says. ".repeat(100));
    const broken = await room.cli(["start"]);
    expect(broken.exitCode).not.toBe(0);
    expect(broken.stderr).toMatch(/factory\.db/);
    expect(broken.stderr).toContain("could not start");
    writeFileSync(join(room.directory, "config.toml"), "[scheduler]\nslots = 0\n");
    const misconfigured = await room.cli(["start"]);
    expect([misconfigured.exitCode, misconfigured.stderr]).toEqual([1, expect.stringContaining("scheduler.slots")]);
    expect(leftIn(room)).toEqual([]);
  });

  test.skipIf(!mounts)("a full disk: start says so although its log cannot, and leaves no process", async () => {
    await using room = makeDaemonRoom();
    const disk = join(room.directory, ".enact");
    mkdirSync(disk);
    const inside = 'mount -t tmpfs -o size=1m tmpfs "$1"; dd if=/dev/zero of="$1/fill" bs=1k 2>/dev/null; shift; exec "$@"';
    const full = await execa("unshare", ["--map-root-user", "--mount", "sh", "-c", inside, "sh", disk, process.execPath, bin, "start"], { cwd: room.directory, env: room.env, extendEnv: false, stdin: "ignore", reject: false, timeout: 120_000, killSignal: "SIGKILL" });
    expect([full.exitCode, full.stderr]).toEqual([1, expect.stringContaining("no room on the disk")]);
    expect(full.stderr).toContain("make room on the disk");
    expect(leftIn(room)).toEqual([]);
  });

  test("files of a daemon that was killed, with its pid and port in other hands by now, prove nothing", async () => {
    await using other = makeDaemonRoom();
    await using room = makeDaemonRoom();
    const [first, second] = [await started(room), await started(other)];
    // Two factories on one machine: each its own port, token, state.
    expect(first.address).not.toBe(second.address);
    const crossed = await fetch(`${second.address}/api/items`, { headers: { authorization: `Bearer ${room.note().token}` } });
    expect(crossed.status).toBe(401);
    process.kill(first.pid, "SIGKILL");
    await expect.poll(() => gone(first.pid), { timeout: guardMs }).toBe(true);
    const file = join(room.state, "state", "gateway.json");
    const note: object = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...note, pid: second.pid, port: other.note().port }));
    expect((await room.cli(["status"])).stdout).toContain("No daemon runs here.");
    const stop = await room.cli(["stop"]);
    expect([stop.exitCode, stop.stdout]).toEqual([0, "No daemon runs here."]);
    expect(gone(second.pid)).toBe(false);
    const again = await started(room);
    expect(again.state).toBe("started");
    expect(await room.get("/api/status")).toMatchObject({ pid: again.pid, description: { stateDirectory: room.state } });
    expect(await other.get("/api/status")).toMatchObject({ pid: second.pid, description: { stateDirectory: other.state } });
  });

  test("beside a command that owns the state: start says so and fails, stop and restart touch nothing, exec hands its work to it", async () => {
    await using room = makeDaemonRoom();
    const playbook = room.playbook("go", coder(`{ session = "s1" }, ${writesPid(room)}, { wait-for-file = "go" }, ${mend}`));
    const owner = room.cli(["run", "first", "-p", "repo", "--playbook", playbook]);
    await agentPid(room);
    const [start, stop, restart, status] = await Promise.all([room.cli(["start"]), room.cli(["stop"]), room.cli(["restart"]), room.cli(["status"])]);
    expect([start.exitCode, start.stderr]).toEqual([1, expect.stringMatching(/a command \(process \d+\) works with this state directory/)]);
    for (const { exitCode, stderr } of [stop, restart]) expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/No daemon runs here; a command \(process \d+\)/)]);
    expect(status.stdout).toContain("A command works here");
    const beside = room.cli(["exec", "second", "--path", "repo", "--json", "--playbook", playbook]);
    await expect.poll(heard(beside), { timeout: guardMs }).toContain("RUN-2 operating");
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    for (const done of [await owner, await beside]) expect(done.exitCode, done.stderr).toBe(0);
    // The command may have ended first; then exec saw to it that a daemon went on with its item.
    expect((await room.cli(["stop"])).exitCode).toBe(0);
    expect(leftIn(room)).toEqual([]);
  });

  test("logs --follow goes on over new lines and over a log that was cut; secrets of the environment are not in it", async () => {
    await using room = makeDaemonRoom();
    const secret = "very-secret-value-0123456789";
    const started = await room.cli(["start"], { env: { SOME_API_KEY: secret } });
    expect(started.exitCode, started.stderr).toBe(0);
    const following = room.cli(["logs", "--follow", "--lines", "0"]);
    let said = "";
    following.stdout.on("data", (chunk: Buffer) => { said += chunk.toString(); });
    const done = await room.cli(["exec", `Say ${secret}`, "--path", "repo", "--playbook", room.playbook("mend", coder(mend))]);
    expect(done.exitCode, done.stderr).toBe(0);
    await expect.poll(() => said, { timeout: guardMs }).toContain("RUN-1: ");
    writeFileSync(join(room.state, "logs", "daemon.log"), "");
    await room.cli(["exec", "again", "--path", "repo", "--playbook", room.playbook("mend", coder(mend))]);
    await expect.poll(() => said, { timeout: guardMs }).toContain("RUN-2: ");
    following.kill("SIGINT");
    expect((await following).exitCode).toBe(0);
    for (const file of readdirSync(join(room.state, "logs"))) expect(readFileSync(join(room.state, "logs", file), "utf8")).not.toContain(secret);
    expect(existsSync(join(room.state, "logs", "daemon.log"))).toBe(true);
  });
});
