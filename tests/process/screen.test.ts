/** A run in a terminal: the same directory, exit, signals and sweep as a detached one, with a real pseudo-terminal around it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Effect, Scope } from "effect";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadNodePty } from "../../tmux/node-pty.ts";
import { type RunHandle, type RunScreen, SpawnFailed } from "../../src/ports/agent-process.ts";
import { exitOf, isAlive, rig, type Rig, texts } from "./rig.ts";

let it: Rig;
let shown = "";
let scope: Scope.Closeable;
beforeEach(() => {
  it = rig();
  shown = "";
  scope = Scope.makeUnsafe();
});
afterEach(() => it.dispose());

/** A terminal whose first process is another shell, as panes have it. */
const screen = (files: Readonly<Record<string, string>> = {}): RunScreen => ({
  files,
  start: async ({ argv, env, cwd, mark }) => {
    const terminal = loadNodePty().spawn("/bin/sh", ["-c", "trap : INT TERM; \"$@\"; :", "sh", ...argv], { name: "xterm-256color", cwd, env: { ...env, ENACT_RUN_ID: mark }, cols: 90, rows: 20, encoding: null });
    terminal.onData((data) => { shown += data.toString(); });
  },
});
const start = (spec: Parameters<Rig["start"]>[0], on = screen()): Promise<RunHandle> => Effect.runPromise(Scope.provide(it.processes.start(spec, on), scope));
const PATH = process.env["PATH"] ?? "/usr/bin:/bin";

test("the child has the terminal, its hooks write `out`, and its exit is known", async () => {
  const code = `process.stdout.write("size " + process.stdout.columns + "x" + process.stdout.rows + " tty " + process.stdin.isTTY + "\\r\\n"); require("fs").appendFileSync(process.env.OUT, "line one\\nline two\\n"); process.exit(3)`;
  const out = join(it.root, "a.1", "out");
  const handle = await start(it.js("a.1", code, { env: { PATH, OUT: out } }), screen({ "settings.json": "{}" }));
  expect(await exitOf(handle)).toMatchObject({ code: 3, signal: null, lost: false });
  expect(await texts(handle)).toEqual(["line one", "line two"]);
  expect(shown).toContain("size 90x20 tty true");
  expect(readFileSync(join(handle.directory, "settings.json"), "utf8")).toBe("{}");
  expect(existsSync(join(handle.directory, "err"))).toBe(false);
});

test("a second start adopts it, signals reach its group, and a grandchild that left is swept", async () => {
  const code = `const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(()=>{},1e9)"], { detached: true, stdio: "ignore" }); require("fs").appendFileSync(process.env.OUT, c.pid + "\\n"); setInterval(() => {}, 1e9)`;
  const spec = it.js("b.1", code, { env: { PATH, OUT: join(it.root, "b.1", "out") } });
  const handle = await start(spec);
  const again = await start(spec, { files: {}, start: async () => { throw new Error("started twice"); } });
  expect(again.adopted).toBe(true);
  const pid = await Effect.runPromise(Effect.promise(async () => {
    for (;;) {
      const text = existsSync(join(handle.directory, "out")) ? readFileSync(join(handle.directory, "out"), "utf8") : "";
      if (text.endsWith("\n")) return Number(text);
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  }));
  await Effect.runPromise(again.signal("SIGTERM"));
  expect(await exitOf(handle)).toMatchObject({ signal: "SIGTERM" });
  expect(await isAlive(pid)).toBe(true);
  expect(await Effect.runPromise(handle.sweep)).toBeGreaterThanOrEqual(1);
  expect(await isAlive(pid)).toBe(false);
});

test("killed with its terminal, it reads as lost", async () => {
  const handle = await start(it.js("c.1", "setInterval(() => {}, 1e9)", { env: { PATH } }));
  await Effect.runPromise(handle.signal("SIGKILL"));
  expect(await exitOf(handle)).toMatchObject({ code: null, lost: true });
});

test("a terminal that cannot start it is a failed spawn", async () => {
  const refused = await Effect.runPromise(Effect.flip(Scope.provide(it.processes.start(it.js("d.1", "0", { env: { PATH } }), { files: {}, start: async () => { throw new Error("no terminal here"); } }), scope)));
  expect(refused).toBeInstanceOf(SpawnFailed);
  expect(refused.message).toBe("no terminal here");
});
