/** Teams of a daemon: seen, attached to, and under the worst that can happen to what holds them. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { TeamView } from "../../src/domain/team.ts";
import { bin, coder } from "../cli/room.ts";
import { openPane } from "../hud/tmux.ts";
import { gone, guardMs, makeDaemonRoom, started, type DaemonRoom } from "./room.ts";

const Status = z.looseObject({ terminals: z.string(), teams: z.array(z.looseObject({ ...TeamView.shape, members: z.array(z.looseObject({ name: z.string(), state: z.string(), turns: z.number(), restarts: z.number(), terminal: z.string().nullable() })), itemStatus: z.string().nullable() })) });
const statusOf = async (room: DaemonRoom, env: Readonly<Record<string, string>> = {}) => {
  const { stdout, stderr } = await room.cli(["team", "status", "alpha", "--json"], { env });
  const { terminals, teams: [team] } = Status.parse(JSON.parse(String(stdout)));
  if (!team) throw new Error(String(stderr));
  return { terminals, team };
};
const Teams = z.array(z.object({ team: TeamView }));
const Terminals = z.array(z.object({ address: z.string(), pane: z.string().nullable(), state: z.string() }));
/** As the gateway tells it: a command costs half a second of a core each time. While no daemon runs there are none. */
const workers = async (room: DaemonRoom) => {
  const [teams, terminals] = [Teams.parse(await room.get("/api/teams")), Terminals.parse(await room.get("/api/terminals"))];
  return (teams[0]?.team.members ?? []).filter(({ role }) => role === "worker").map(({ name, state, restarts, reason }) => ({ name, state, restarts, reason, terminal: terminals.find(({ address }) => address === `alpha/${name}`) }));
};
const seatOf = (room: DaemonRoom, name: string): string => join(room.state, "terminals", `alpha.${name}`);
const go = (room: DaemonRoom): void => writeFileSync(join(room.directory, "playbooks", "go"), "");

/** Tasks that need one another not at all, and agents that wait for a file named go. */
const plan = (room: DaemonRoom, count: number): string => room.playbook("plan", Array.from({ length: count }, (_, n) => `[[tasks]]\ntitle = "Write ${n + 1}"\ndescription = "a file"\n`).join(""));
const waiting = (room: DaemonRoom, count: number): string => room.playbook("waiting", [
  ...Array.from({ length: count }, (_, n) => coder(`{ session = "s${n + 1}" }, { say = "I am at task ${n + 1}" }, { wait-for-file = "go" }, { write = "${n + 1}.txt", text = "${n + 1}" }, { result = "Written." }`, `task = ${n + 1}`)),
  '[[turn]]\nstage = "critic"\nduty = "criteria"\nsteps = [{ criteria = [{ task = 1, acceptance = ["it is there"] }] }]\n',
  '[[turn]]\nstage = "critic"\nduty = "verdict"\nsteps = [{ verdict = "approve" }]\n',
].join(""));
// Tries come fast in a room; a tmux server that is killed needs a second to be there again, on a busy machine more.
const config = { limits: "infraRetries = 12", rest: "[autonomous.defaultStages.tester]\nenabled = false\n" };

const begin = async (room: DaemonRoom, count: number, ...more: readonly string[]): Promise<void> => {
  const { exitCode, stderr } = await room.cli(["team", "init", "--name", "alpha", "--workers", String(count), "--plan", plan(room, count), "--path", "repo", "--playbook", waiting(room, count), ...more]);
  expect(exitCode, String(stderr)).toBe(0);
  await expect.poll(async () => (await workers(room)).map(({ state }) => state), { timeout: guardMs }).toEqual(Array.from({ length: count }, () => "working"));
};
const finishes = async (room: DaemonRoom, count: number): Promise<void> => {
  go(room);
  await expect.poll(() => room.get("/api/items/RUN-1"), { timeout: 2 * guardMs }).toMatchObject({ item: { status: "done" } });
  for (let n = 1; n <= count; n++) expect(room.git("show", `enact/RUN-1:${n}.txt`)).toBe(String(n));
  expect(room.git("log", "--first-parent", "--merges", "--format=%s", "main..enact/RUN-1").split("\n")).toHaveLength(count);
  expect((await statusOf(room)).team.tasks.map(({ state }) => state)).toEqual(Array.from({ length: count }, () => "done"));
};

/** The factory's own tmux server. */
const Fabric = z.object({ terminals: z.object({ backend: z.string(), detail: z.string() }) });
const serverOf = async (room: DaemonRoom): Promise<string> => {
  // Agents do not wait for their panes.
  await expect.poll(async () => Fabric.parse(await room.get("/api/status")).terminals, { timeout: guardMs }).toMatchObject({ backend: "tmux", detail: expect.stringContaining("/") });
  return Fabric.parse(await room.get("/api/status")).terminals.detail;
};
const tmux = async (socket: string, ...words: readonly string[]): Promise<readonly string[]> => {
  const { stdout } = await execa("tmux", ["-S", socket, ...words], { reject: false, stdin: "ignore" });
  return stdout === "" ? [] : stdout.split("\n");
};
const living = (pids: readonly string[]): boolean => pids.length > 0 && pids.every((pid) => !gone(Number(pid)));
const kill = (pid: number): void => void process.kill(pid, "SIGKILL");
const agentOf = (room: DaemonRoom, mark: string): readonly number[] => readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("scripted-agent") && readFileSync(`/proc/${pid}/environ`, "utf8").includes(mark) && readFileSync(`/proc/${pid}/environ`, "utf8").includes(room.directory);
  } catch {
    return false;
  }
});

describe.skipIf(process.platform !== "linux")("a team and its terminals", { timeout: 400_000 }, () => {
  test("CARD-25 CARD-27 CARD-30 SURF-08 SURF-09 three workers in tmux, seen, attached to and followed in the HUD; the tmux server, the daemon and a worker are killed in turn; each task is done once", async () => {
    await using room = makeDaemonRoom(config);
    await begin(room, 3);
    const socket = await serverOf(room);
    await expect.poll(async () => tmux(socket, "list-sessions", "-F", "#{session_name}"), { timeout: guardMs }).toContain("alpha");
    await expect.poll(async () => living(await tmux(socket, "list-panes", "-s", "-t", "=alpha", "-F", "#{pane_pid}")), { timeout: guardMs }).toBe(true);
    await expect.poll(async () => (await tmux(socket, "list-windows", "-t", "=alpha", "-F", "#{window_name}")).toSorted(), { timeout: guardMs }).toEqual(["worker-1", "worker-2", "worker-3"]);
    expect((await statusOf(room)).terminals).toContain("tmux is ready");
    await expect.poll(async () => (await workers(room)).every(({ terminal }) => terminal?.state === "running" && terminal.pane?.startsWith("%") === true), { timeout: guardMs }).toBe(true);
    {
      using person = openPane([process.execPath, bin, "--config", join(room.directory, "config.toml"), "attach", "alpha/worker-2"], { columns: 100, rows: 30 }, { ...room.env, TERM: "tmux-256color" });
      await person.shows((lines) => lines.some((line) => line.includes("I am at task")), "attach shows the agent");
    }
    // The server with every pane: nobody dies, and all panes come back.
    await tmux(socket, "kill-server");
    await expect.poll(async () => (await workers(room)).every(({ state, restarts, terminal }) => state === "working" && restarts === 0 && terminal?.pane?.startsWith("%") === true), { timeout: guardMs }).toBe(true);
    // The daemon: its agents work on.
    const { pid } = room.note();
    kill(pid);
    await expect.poll(() => gone(pid), { timeout: guardMs }).toBe(true);
    await started(room);
    expect((await workers(room)).map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
    // A worker: the leader is told, and another turn does the task.
    const [victim = 0] = agentOf(room, "worker-1");
    expect(victim).toBeGreaterThan(0);
    kill(victim);
    await expect.poll(async () => (await workers(room)).find(({ name }) => name === "worker-1")?.restarts, { timeout: guardMs }).toBe(1);
    expect((await statusOf(room)).team.messages.find(({ text }) => text.includes("worker-1 died (1)"))).toMatchObject({ from: "team", to: "leader" });
    // The HUD has it over the gateway's WebSocket: what was said before, and what comes while it looks.
    using hud = openPane([process.execPath, bin, "--config", join(room.directory, "config.toml"), "hud"], { columns: 100, rows: 30 }, { ...room.env, TERM: "tmux-256color" });
    await hud.shows((lines) => lines.some((line) => line.includes("worker-3")), "the HUD shows the team");
    hud.send("3");
    for (const row of ["alpha", "leader", "worker-1", "worker-2"]) {
      await hud.shows((lines) => lines.some((line) => line.startsWith("▸") && line.includes(row)), `the HUD chooses ${row}`);
      hud.send(row === "worker-2" ? "\r" : "\u001b[B");
    }
    await hud.shows((lines) => lines.some((line) => /^\s*I am at task \d\b/.test(line)) && !lines.some((line) => line.includes("it has ended")), "the HUD shows the terminal");
    await finishes(room, 3);
    await hud.shows((lines) => lines.some((line) => line.includes("── end of turn ──")), "the HUD follows the terminal");
    expect((await room.cli(["stop"])).exitCode).toBe(0);
    expect((await statusOf(room)).terminals).toContain("no factory runs here");
  });

  test("SURF-08 SURF-09 with tmux off PATH the team runs in pseudo-terminals, and init and status say so", async () => {
    await using room = makeDaemonRoom(config);
    const without = join(room.directory, "bin");
    mkdirSync(without);
    for (const from of (room.env["PATH"] ?? "").split(delimiter)) {
      for (const name of namesIn(from)) {
        if (name === "tmux") continue;
        try { symlinkSync(join(from, name), join(without, name)); } catch { /* The first of PATH wins. */ }
      }
    }
    const env = { PATH: without };
    const init = await room.cli(["team", "init", "--name", "alpha", "--workers", "2", "--plan", plan(room, 2), "--path", "repo", "--playbook", waiting(room, 2)], { env });
    expect(init.exitCode, String(init.stderr)).toBe(0);
    await expect.poll(async () => (await workers(room)).filter(({ state, terminal }) => state === "working" && terminal?.pane?.startsWith("pty-") === true).length, { timeout: guardMs }).toBe(2);
    const told = await statusOf(room, env);
    expect(told.terminals).toContain("no tmux:");
    expect(told.team.members.filter(({ terminal }) => /^pty-\d, running$/.test(terminal ?? ""))).toHaveLength(2);
    const log = await room.cli(["logs", "alpha/worker-1"], { env });
    expect(String(log.stdout)).toContain("I am at task");
    await finishes(room, 2);
  });

  test("CARD-26 workers in screens of their own: prompts are typed, a kill of the daemon between is survived, a kill of the tmux server costs a restart and no work", async () => {
    await using room = makeDaemonRoom(config);
    await begin(room, 2, "--interactive");
    const screens = async (): Promise<readonly boolean[]> => ["worker-1", "worker-2"].map((name) => /I am at task \d/.test(readLog(seatOf(room, name))));
    await expect.poll(screens, { timeout: guardMs }).toEqual([true, true]);
    const socket = await serverOf(room);
    expect((await tmux(socket, "capture-pane", "-p", "-t", "=alpha:worker-1")).join("\n")).toContain("I am at task");
    const agents = agentOf(room, "worker-");
    const { pid } = room.note();
    kill(pid);
    await expect.poll(() => gone(pid), { timeout: guardMs }).toBe(true);
    await started(room);
    // Adopted: a turn whose prompt was taken goes on in the same process.
    expect(agents.every((each) => !gone(each))).toBe(true);
    // Known to the new one before they lose their terminals.
    await expect.poll(async () => (await workers(room)).map(({ restarts, terminal }) => [restarts, terminal?.state, terminal?.pane?.startsWith("%")]), { timeout: guardMs }).toEqual([[0, "running", true], [0, "running", true]]);
    await tmux(socket, "kill-server");
    await expect.poll(async () => (await workers(room)).map(({ state, restarts, reason }) => ({ state, restarts, reason })), { timeout: guardMs }).toMatchObject([{ state: "working", restarts: 1 }, { state: "working", restarts: 1 }]);
    await finishes(room, 2);
  });
});

const namesIn = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
};
const readLog = (directory: string): string => {
  try {
    return readFileSync(join(directory, "out.000000"), "utf8");
  } catch {
    return "";
  }
};
