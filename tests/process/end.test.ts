import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { interruptLadder } from "../../actors/interrupt-ladder.ts";
import { parsePs } from "../../tmux/process-table.ts";
import { SimulatedClock } from "../support/clock.ts";
import { exitOf, isAlive, node, rig, until, type Rig } from "./rig.ts";

let it: Rig;
beforeEach(() => { it = rig(); });
afterEach(() => it.dispose());

const forever = "setInterval(()=>{},1000)";
/** Says `ready` once its handlers are set. */
const ignoring = (...signals: string[]): string => `for(const s of ${JSON.stringify(signals)})process.on(s,()=>console.log('ignored',s));console.log('ready');${forever}`;
const stays = `const c=require('child_process').spawn(process.execPath,['-e',"for(const s of ['SIGINT','SIGTERM','SIGHUP'])process.on(s,()=>{});process.stdout.write('up '+process.pid+'\\\\n');${forever}"],{detached:true,stdio:['ignore','inherit','inherit']});c.unref();`;
const steps = { sigintMs: 1_000, sigtermMs: 2_000 };

describe("the interrupt ladder", () => {
  /** Runs the ladder and moves time only when it waits, one grace at a time. */
  const climb = async (id: string, code: string, more: { readonly polite?: { readonly message: string; readonly graceMs: number }; readonly ready?: string } = {}) => {
    const clock = new SimulatedClock();
    const handle = await it.start(it.js(id, code, { stdinMode: "open" }));
    await until(handle, more.ready ?? "ready");
    const end = Effect.runPromise(interruptLadder(handle, clock, { ...steps, ...(more.polite ? { polite: more.polite } : {}) }));
    return { handle, clock, end };
  };

  test("an agent that heeds SIGINT is asked once and time need not pass", async () => {
    const { end, clock } = await climb("heeds", "process.on('SIGINT',()=>process.exit(130));console.log('ready');setInterval(()=>{},1000)");
    expect(await end).toMatchObject({ by: "SIGINT", exit: { signal: "SIGINT", lost: false }, swept: 0 });
    expect(clock.pending).toBe(0);
  });

  test("one that ignores SIGINT gets SIGTERM after the grace, not before", async () => {
    const { end, clock, handle } = await climb("term", `process.on('SIGTERM',()=>process.exit(0));${ignoring("SIGINT")}`);
    await until(handle, "ignored SIGINT");
    clock.advance(steps.sigintMs - 1);
    expect(clock.next).toBe(steps.sigintMs);
    clock.advance(1);
    expect(await end).toMatchObject({ by: "SIGTERM", exit: { code: 0 } });
  });

  test("one that ignores both is killed with its group, and a setsid grandchild is swept", async () => {
    const { end, clock, handle } = await climb("stubborn", `${stays}${ignoring("SIGINT", "SIGTERM")}`, { ready: "up " });
    const grandchild = Number((await until(handle, "up ")).text.slice(3));
    await until(handle, "ignored SIGINT");
    clock.advance(steps.sigintMs);
    await until(handle, "ignored SIGTERM");
    clock.advance(steps.sigtermMs);
    expect(await end).toMatchObject({ by: "SIGKILL", exit: { code: null, lost: true }, swept: 1 });
    expect(await isAlive(grandchild)).toBe(false);
  });

  test("a message is tried first when the agent can be told", async () => {
    const polite = { message: "please stop\n", graceMs: 500 };
    const told = await climb("told", "process.stdin.on('data',()=>process.exit(0));console.log('ready')", { polite });
    expect(await told.end).toMatchObject({ by: "message", exit: { code: 0 } });
    const deaf = await climb("deaf", `${ignoring()}`, { polite });
    await vi.waitFor(() => expect(deaf.clock.next).toBe(500));
    deaf.clock.advance(500);
    expect(await deaf.end).toMatchObject({ by: "SIGINT", exit: { signal: "SIGINT" } });
  });

  test("a run that had ended already is only swept", async () => {
    const clock = new SimulatedClock();
    const handle = await it.start(it.js("over", `${stays}process.stdout.write('bye\\n')`));
    await exitOf(handle);
    await vi.waitFor(async () => expect((await Effect.runPromise(handle.activity)).processes).toBe(1), { timeout: 10_000 });
    expect(await Effect.runPromise(interruptLadder(handle, clock, steps))).toMatchObject({ by: "itself", exit: { code: 0 }, swept: 1 });
  });
});

test("ADAPT-10 runs are listed and ended one by one: only that group ends, and after the last none is left", async () => {
  const names = ["first", "second", "third"];
  const handles = await Promise.all(names.map((name) => it.start(it.js(name, `console.log(process.pid);${forever}`, { labels: { name } }))));
  const pids = await Promise.all(handles.map(async (handle) => Number((await until(handle, "")).text)));
  const listed = async () => (await Effect.runPromise(it.processes.list)).map(({ labels, alive }) => [labels["name"], alive]).sort();
  expect(await listed()).toEqual([["first", true], ["second", true], ["third", true]]);
  const [one, ...others] = handles;
  if (!one) throw new Error("no handle");
  await Effect.runPromise(one.signal("SIGTERM"));
  expect(await exitOf(one)).toMatchObject({ signal: "SIGTERM", lost: false });
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, true, true]);
  expect(await listed()).toEqual([["first", false], ["second", true], ["third", true]]);
  for (const handle of others) await Effect.runPromise(handle.sweep);
  for (const handle of others) await exitOf(handle);
  expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false]);
  expect((await listed()).map(([, alive]) => alive)).toEqual([false, false, false]);
});

test("activity counts the CPU of every living process of the run, and stands still when they sleep", async () => {
  const busy = "const until=process.cpuUsage().user+300000;while(process.cpuUsage().user<until);";
  const handle = await it.start(it.js("cpu", `require('child_process').spawn(process.execPath,['-e',${JSON.stringify(`${busy}console.log('done');${forever}`)}],{detached:true,stdio:'inherit'}).unref();${forever}`));
  await until(handle, "done");
  const first = await Effect.runPromise(handle.activity);
  expect(first.processes).toBe(2);
  expect(first.cpuMs).toBeGreaterThanOrEqual(300);
  await Effect.runPromise(handle.signal("SIGKILL"));
  await exitOf(handle);
  expect(await Effect.runPromise(handle.sweep)).toBe(1);
  expect(await Effect.runPromise(handle.activity)).toEqual({ cpuMs: 0, processes: 0 });
});

test("a sweep ends a chain of processes that keeps replacing itself, and touches no other run", async () => {
  const other = await it.start(it.js("other", `console.log('ready');${forever}`));
  await until(other, "ready");
  const chain = "const next=()=>{require('child_process').spawn(process.execPath,['-e',process.env.CODE],{detached:true,stdio:['ignore','inherit','inherit']}).unref()};process.on('SIGTERM',()=>{});console.log('link');next();setTimeout(()=>process.exit(),50)";
  const handle = await it.start(it.js("chain", chain, { env: { CODE: chain } }));
  await until(handle, "link");
  await exitOf(handle);
  expect(await Effect.runPromise(handle.sweep)).toBeGreaterThan(0);
  expect((await Effect.runPromise(handle.activity)).processes).toBe(0);
  expect((await Effect.runPromise(other.activity)).processes).toBe(1);
});

test("a process that emptied its environment is swept while its group proves it, and is gone when the sweep says so", async () => {
  // Giving back much memory keeps a killed process in the table for a while.
  const handle = await it.start(it.js("bare", `require('child_process').spawn(process.execPath,['-e',"process.on('SIGTERM',()=>{});globalThis.held=Buffer.alloc(2e8,1);console.log('bare '+process.pid);${forever}"],{env:{},stdio:'inherit'});${forever}`));
  const bare = Number((await until(handle, "bare ")).text.slice(5));
  expect((await Effect.runPromise(handle.activity)).processes).toBe(2);
  expect(await Effect.runPromise(handle.sweep)).toBe(2);
  expect(await isAlive(bare)).toBe(false);
  expect(await exitOf(handle)).toMatchObject({ lost: true });
});

test("the same run id in another directory of runs is another run", async () => {
  const twin = rig();
  try {
    const [mine, theirs] = [await it.start(it.js("twin", `console.log('ready');${forever}`)), await twin.start(twin.js("twin", `console.log('ready');${forever}`))];
    await Promise.all([until(mine, "ready"), until(theirs, "ready")]);
    expect(await Effect.runPromise(mine.sweep)).toBe(1);
    expect((await Effect.runPromise(theirs.activity)).processes).toBe(1);
  } finally {
    await twin.dispose();
  }
});

test("ps as macOS documents it", () => {
  const rows = parsePs(`  501     1   501 S      1:02.50 ${node} agent.js ENACT_RUN_ID=a.1@0123 PATH=/bin\n  77 501   501 Z      0:00.00 (node)\n 9  8  7 Ss+  02-03:04:05 /usr/bin/login\n`);
  expect(rows).toEqual([
    { pid: 501, ppid: 1, group: 501, cpuMs: 62_500, mark: "a.1@0123", startedAt: undefined },
    { pid: 9, ppid: 8, group: 7, cpuMs: ((2 * 24 + 3) * 3_600 + 4 * 60 + 5) * 1_000, mark: undefined, startedAt: undefined },
  ]);
});
