import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { makeAgentProcess } from "../../src/process/agent-process.ts";
import { launcherLives, launcherPid, prepare, runPaths } from "../../src/process/run-directory.ts";
import { exitOf, isAlive, node, rig, runId, texts, until, type Rig } from "./rig.ts";

let it: Rig;
const owners: ChildProcessWithoutNullStreams[] = [];
beforeEach(() => { it = rig(); });
afterEach(async () => {
  for (const owner of owners.splice(0)) owner.kill("SIGKILL");
  await it.dispose();
});

const trace = (): string => join(it.directory, "trace");
const traced = (id: string): number => (existsSync(trace()) ? readFileSync(trace(), "utf8").split("\n").filter((line) => line.startsWith(`${id} `)).length : 0);

interface Owner { readonly child: ChildProcessWithoutNullStreams; readonly pid: number; readonly said: (text: string) => Promise<void> }
const owner = async (detached = false): Promise<Owner> => {
  const child = spawn(node, [join(import.meta.dirname, "owner.ts"), it.root, trace(), it.directory], { detached, env: {} });
  owners.push(child);
  const heard: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => heard.push(line));
  const said = (text: string): Promise<void> => vi.waitFor(() => expect(heard).toContain(text), { timeout: 20_000, interval: 5 });
  await said("ready");
  return { child, pid: child.pid ?? 0, said };
};
const sameRun = (id: string) => it.js(id, "", { argv: ["/bin/sh", "-c", 'echo "$0 $$" >>"$1"; read line; echo "$line"', id, trace()], env: { PATH: "/usr/bin:/bin" }, stdin: "go\n", stdinMode: "open" });

describe("a run outlives its owner", () => {
  const talk = "let n=0;setInterval(()=>console.log('beat',n++),20);process.on('SIGINT',()=>console.log('hurt'));process.stdin.on('data',d=>{console.log('got '+d);if(String(d).includes('stop'))process.exit(5)})";

  test("SIGKILL of the owner: the next owner adopts it, reads every byte, writes to it and sees its exit", async () => {
    const first = await owner();
    first.child.stdin.write("one\n");
    await first.said("started");
    process.kill(first.pid, "SIGKILL");
    await once(first.child, "exit");
    const next = await it.start(sameRun("one"));
    expect(next.adopted).toBe(true);
    expect(await texts(next)).toEqual(["go"]);
    expect(await exitOf(next)).toMatchObject({ code: 0, lost: false });
    expect(traced("one")).toBe(1);
  });

  test("a signal to the owner's whole process group, as Ctrl-C in its terminal sends it, does not reach the run", async () => {
    const first = await owner(true);
    first.child.stdin.write("grouped\n");
    await first.said("started");
    const long = await it.start(it.js("long", talk, { stdinMode: "open" }));
    await until(long, "beat 1");
    for (const signal of ["SIGINT", "SIGHUP", "SIGKILL"] as const) if (first.child.exitCode === null && first.child.signalCode === null) process.kill(-first.pid, signal);
    await once(first.child, "exit");
    expect(await exitOf(await it.adopt("grouped"))).toMatchObject({ code: 0 });
    await Effect.runPromise(long.write("stop"));
    expect(await exitOf(long)).toMatchObject({ code: 5 });
    expect((await texts(long)).join("\n")).not.toContain("hurt");
  });

  test("an exit that happened while no owner lived is read, its time kept", async () => {
    const handle = await it.start(it.js("ended", "process.exit(9)"));
    const exit = await exitOf(handle);
    const fresh = makeAgentProcess({ root: it.root });
    expect(await Effect.runPromise(Effect.scoped(Effect.flatMap(fresh.adopt(runId("ended")), (adopted) => adopted.exit)))).toEqual(exit);
    expect(await Effect.runPromise(Effect.scoped(Effect.map(fresh.start(it.js("ended", "process.exit(1)")), (again) => again.adopted)))).toBe(true);
    expect(await Effect.runPromise(fresh.list)).toMatchObject([{ runId: "ended", alive: false, exit: { code: 9 } }]);
  });

  test("the launcher killed with SIGKILL: the run reads as lost, and its child is still found and ended", async () => {
    const handle = await it.start(it.js("orphaned", "console.log(process.pid);setInterval(()=>{},1000)"));
    const child = Number((await until(handle, "")).text);
    process.kill(launcherPid(runPaths(it.root, runId("orphaned"))) ?? 0, "SIGKILL");
    expect(await exitOf(handle)).toMatchObject({ code: null, signal: null, lost: true });
    expect(await isAlive(child)).toBe(true);
    await Effect.runPromise(handle.signal("SIGTERM"));
    await vi.waitFor(async () => expect(await isAlive(child)).toBe(false), { timeout: 10_000 });
    expect(await Effect.runPromise(handle.sweep)).toBe(0);
  });
});

describe("one child, whatever crashes (I1, I6)", () => {
  test("prepared, then the owner died: the next start starts it", async () => {
    const spec = sameRun("prepared");
    await prepare(runPaths(it.root, spec.runId), spec);
    const handle = await it.start(spec);
    expect(handle.adopted).toBe(false);
    expect(await texts(handle)).toEqual(["go"]);
    expect(traced("prepared")).toBe(1);
  });

  test("many owners start the same run at once: one started, all others adopted, one child", async () => {
    const spec = sameRun("crowd");
    const handles = await Promise.all(Array.from({ length: 8 }, () => it.start(spec, makeAgentProcess({ root: it.root }))));
    expect(handles.filter((handle) => !handle.adopted)).toHaveLength(1);
    for (const handle of handles) expect(await exitOf(handle)).toMatchObject({ code: 0, lost: false });
    expect(traced("crowd")).toBe(1);
  });

  test("a launch that failed before the race leaves a run that can be started", async () => {
    const spec = sameRun("again");
    const paths = runPaths(it.root, spec.runId);
    mkdirSync(paths.alive, { recursive: true });
    const failure = await Effect.runPromise(Effect.scoped(Effect.flip(it.processes.start(spec))));
    expect(failure).toMatchObject({ _tag: "SpawnFailed", message: expect.stringContaining("cannot make the FIFO alive") });
    rmSync(paths.alive, { recursive: true });
    expect(await texts(await it.start(spec))).toEqual(["go"]);
    expect(traced("again")).toBe(1);
  });

  test("a launcher held up before the race and let go after another one won does nothing", async () => {
    const spec = sameRun("late");
    const gate = join(it.directory, "gate");
    const slowShell = join(it.directory, "slow-sh");
    // The gate is a FIFO: reading it blocks until the test writes to it.
    execFileSync("mkfifo", [gate]);
    writeFileSync(slowShell, `#!/bin/sh\nread line <'${gate}'\nexec /bin/sh "$@"\n`, { mode: 0o755 });
    const held = it.start(spec, makeAgentProcess({ root: it.root, shell: slowShell }));
    await vi.waitFor(() => expect(existsSync(runPaths(it.root, spec.runId).launcherLog)).toBe(true), { interval: 5, timeout: 20_000 });
    const winner = await it.start(spec);
    expect(winner.adopted).toBe(false);
    await writeFile(gate, "go\n");
    expect((await held).adopted).toBe(true);
    expect(await texts(winner)).toEqual(["go"]);
    expect(await exitOf(winner)).toMatchObject({ code: 0 });
    expect(traced("late")).toBe(1);
  });

  test("kill sweep: the owner dies at many instants around start, and every run has exactly one child", { timeout: 240_000 }, async () => {
    const tries = Number(process.env["ENACT_SWEEP"] ?? "7");
    // What a start leaves on disk, step by step; the kill comes once a step is there, or some turns of the loop later.
    const steps = ["", "stdin", "spec.json", "launcher.err", "alive", "started", "out"];
    const outcomes = { startedBefore: 0, startedAfter: 0 };
    for (let n = 0; n < tries; n++) {
      const id = `sweep-${n}`;
      const first = await owner();
      const step = join(runPaths(it.root, runId(id)).directory, steps[n % steps.length] ?? "");
      first.child.stdin.write(`${id}\n`);
      while (!existsSync(step)) await new Promise<void>((resume) => setImmediate(resume));
      for (let turn = 0; turn < Math.floor(n / steps.length) * 40; turn++) await new Promise<void>((resume) => setImmediate(resume));
      process.kill(first.pid, "SIGKILL");
      await once(first.child, "exit");
      const next = await it.start(sameRun(id));
      outcomes[next.adopted ? "startedBefore" : "startedAfter"]++;
      expect(await exitOf(next), id).toMatchObject({ code: 0, lost: false });
      expect(await texts(next), id).toEqual(["go"]);
      expect(traced(id), id).toBe(1);
    }
    // The sweep must have hit both sides of the start, or it proved nothing.
    expect(outcomes.startedBefore).toBeGreaterThan(0);
    expect(outcomes.startedAfter).toBeGreaterThan(0);
    console.log(`kill sweep of start: ${tries} tried, ${outcomes.startedBefore} had started before the kill, ${outcomes.startedAfter} were started by the next owner`);
  });
});

test("a pid that was used again is never signalled (I7)", async () => {
  const handle = await it.start(it.js("reused", "process.exit(0)"));
  await exitOf(handle);
  const stranger = spawn(node, ["-e", "setInterval(()=>{},1000)"], { detached: true, stdio: "ignore" });
  try {
    const paths = runPaths(it.root, runId("reused"));
    await vi.waitFor(() => expect(launcherLives(paths)).toBe(false), { timeout: 10_000 });
    writeFileSync(paths.started, `${stranger.pid}\n`);
    rmSync(paths.exit);
    for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) await Effect.runPromise(handle.signal(signal));
    expect(await Effect.runPromise(handle.sweep)).toBe(0);
    expect(await Effect.runPromise(handle.activity)).toEqual({ cpuMs: 0, processes: 0 });
    expect(await exitOf(await it.adopt("reused"))).toMatchObject({ lost: true });
    expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
    expect(await isAlive(stranger.pid ?? 0)).toBe(true);
  } finally {
    stranger.kill("SIGKILL");
  }
});
