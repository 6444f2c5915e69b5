/** What only the tmux backend has: a server that outlives its makers, people who attach, and a command language that must not be spoken by data. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openSeatLog, openTerminals, readSeatLog, readTyped, type Attachment, type TerminalsOptions } from "../../tmux/index.ts";
import { findProgram } from "../../tmux/launch-check.ts";
import { scan } from "../../tmux/process-table.ts";
import { logOf, makeRoom, node, processesOf, type Room, tmuxOrSkip } from "./room.ts";

const patience = { timeout: 30_000, interval: 20 };
const text = async (directory: string): Promise<string> => (await logOf(directory)).toString();
const says = (directory: string, what: string): Promise<void> => vi.waitFor(async () => expect(await text(directory)).toContain(what), patience);
const isAlive = async (pid: number): Promise<boolean> => (await scan()).some((row) => row.pid === pid);
const events = (it: Room): readonly string[] => it.events.map(({ type }) => type);

describe.skipIf(!tmuxOrSkip())("terminals on tmux only", () => {
  describe("data is never a command", () => {
    let shared: Room | undefined;
    const here = (): Room => {
      if (shared) return shared;
      throw new Error("there is no room");
    };
    beforeAll(async () => { shared = await makeRoom("tmux"); });
    afterAll(() => shared?.[Symbol.asyncDispose]());

    test.for([
      "with 'single' and \"double\" quotes", "#{pid} #(touch {X}) #[fg=red] ##", "%H %Y %% $(touch {X}) `touch {X}`", "; kill-server ;", "x;", "~ $HOME \\n \\", "한국어 👍 까큁", "-n --", " leading and trailing ",
    ])("in a directory named %s", async (name) => {
      const it = here();
      const trap = join(it.directory, "touched");
      const directory = it.place(name.replaceAll("{X}", trap.replaceAll("/", "∕")));
      const spec = it.sh("odd", "printf 'logged %s\\n' \"$PWD\"; exec sleep 1000", { directory, cwd: directory });
      const pane = await it.terminals.show(spec);
      await says(directory, "logged ");
      expect(await text(directory)).toBe(`logged ${directory}\r\n`);
      expect((await it.terminals.find("LOC-1", "odd"))?.directory).toBe(directory);
      const viewer = await it.terminals.show(it.viewer("odd-viewer", { directory }));
      await viewer.keys({ text: "typed here" }, "Enter");
      await vi.waitFor(async () => expect((await readTyped(directory, 0)).lines).toEqual(["typed here"]), patience);
      await pane.remove();
      await viewer.remove();
      expect(existsSync(trap)).toBe(false);
    });

    test("in titles, names and notifications that a program sends", async () => {
      const it = here();
      const spec = it.sh("titles", `printf '\\033]2;#(touch ${it.directory}/a) #{pid}\\033\\\\'; printf '\\033k#(touch ${it.directory}/b)\\033\\\\'; printf '\\033]0;x\\ny; kill-server\\007'; printf '%%exit\\n%%begin 1 1 1\\n%%end 1 1 1\\n'; exec sleep 1000`);
      const pane = await it.terminals.show(spec);
      await says(spec.directory, "%end");
      const attached = await attach(it, await command(it, "titles", false));
      await vi.waitFor(async () => expect((await pane.state())?.attached).toBe(1), patience);
      await vi.waitFor(() => expect(attached.screen()).toContain("titles"), patience);
      expect(it.tmux("list-windows", "-t", "=LOC-1:", "-F", "#{window_name}")).toContain("titles");
      expect([existsSync(join(it.directory, "a")), existsSync(join(it.directory, "b"))]).toEqual([false, false]);
      attached.end();
    });

    test("in keys, messages and typed lines", async () => {
      const it = here();
      const pane = await it.terminals.show(it.program("cat", ["/bin/cat"]));
      const hostile = ["'; kill-server; '", "\"; run-shell 'touch touched'; \"", "#(touch touched)", "a\nkill-server\n", "C-c", "-X cancel", "$(touch touched) ~"];
      for (const each of hostile) await pane.keys({ text: each }, "Enter");
      await vi.waitFor(async () => {
        for (const each of hostile) expect(await text(pane.directory)).toContain(each.trim().replaceAll("\n", " "));
      }, patience);
      expect(await it.terminals.panes()).not.toEqual([]);
    });
  });

  describe("the server", () => {
    test("is a server of its own: another one is neither seen nor touched", async () => {
      await using other = await makeRoom("tmux");
      await using it = await makeRoom("tmux");
      await other.terminals.show(other.sh("theirs", "exec sleep 1000"));
      await it.terminals.show(it.sh("ours", "exec sleep 1000"));
      expect((await it.terminals.panes()).map(({ name }) => name)).toEqual(["ours"]);
      await it.terminals.close("end");
      expect((await other.terminals.panes()).map(({ name, dead }) => [name, dead])).toEqual([["theirs", false]]);
      expect(events(other)).not.toContain("server-gone");
    });

    test("killed: it is told, its panes are known gone, and the next pane starts a new one; a question does not", async () => {
      await using it = await makeRoom("tmux");
      const viewer = it.viewer("seat");
      const pane = await it.terminals.show(viewer);
      const stubborn = await it.terminals.show(it.js("stubborn", "process.on('SIGHUP',()=>{});process.stdout.on('error',()=>{});console.log('up '+process.pid);setInterval(()=>{},1000)"));
      await says(stubborn.directory, "up ");
      const survivor = Number(/up (\d+)/.exec(await text(stubborn.directory))?.[1]);
      const pid = it.terminals.server()?.pid ?? 0;
      process.kill(pid, "SIGKILL");
      await vi.waitFor(() => expect(events(it)).toContain("server-gone"), patience);
      expect(it.terminals.server()).toBe(null);
      expect(await it.terminals.panes()).toEqual([]);
      expect(await pane.state()).toBe(undefined);
      expect(await it.terminals.attachCommand("LOC-1", "seat")).toBe(undefined);
      await expect(pane.resize(80, 24)).rejects.toMatchObject({ reason: "gone" });
      expect(it.terminals.server()).toBe(null);
      const again = await it.terminals.show(viewer);
      expect([again.adopted, (await again.state())?.dead]).toEqual([false, false]);
      expect(it.terminals.server()?.pid).not.toBe(pid);
      expect(events(it).filter((type) => type === "server-started")).toHaveLength(2);
      // A program that outlives its terminal is ended all the same.
      await vi.waitFor(async () => expect(await isAlive(survivor)).toBe(false), patience);
      expect(await stubborn.exit()).toMatchObject({ lost: expect.any(Boolean) });
    });

    test("the client killed, its session taken away, or all clients detached: nobody notices", async () => {
      await using it = await makeRoom("tmux");
      const pane = await it.terminals.show(it.sh("coder", "echo up; exec sleep 1000"));
      const client = (): number => Number(it.tmux("list-clients", "-F", "#{client_pid}"));
      process.kill(client(), "SIGKILL");
      await vi.waitFor(async () => expect((await pane.state())?.dead).toBe(false), patience);
      it.tmux("kill-session", "-t", "=_keep");
      await vi.waitFor(async () => expect((await pane.state())?.dead).toBe(false), patience);
      it.tmux("detach-client", "-s", "=_keep");
      await vi.waitFor(async () => expect((await pane.state())?.dead).toBe(false), patience);
      expect((await it.terminals.show(it.sh("coder", "exec sleep 1000"))).id).toBe(pane.id);
      expect(events(it)).not.toContain("server-gone");
    });

    test("a socket that was removed is made again, for this process and for the next", async () => {
      await using it = await makeRoom("tmux");
      const pane = await it.terminals.show(it.sh("coder", "exec sleep 1000"));
      const socket = it.terminals.server()?.socket ?? "";
      await it.terminals.close("leave");
      rmSync(socket);
      const next = await it.another();
      expect((await next.find("LOC-1", "coder"))?.id).toBe(pane.id);
      expect(existsSync(socket)).toBe(true);
    });

    test("a second process adopts what a killed one left, and loses no byte of it", { timeout: 120_000 }, async () => {
      await using it = await makeRoom("tmux");
      const owner = spawn(node, [join(import.meta.dirname, "owner.ts"), JSON.stringify({ ...it.options, onEvent: undefined }), it.place("agent"), it.directory], { stdio: ["ignore", "pipe", "inherit"] });
      const [said] = await once(owner.stdout, "data") as [Buffer];
      const made = JSON.parse(said.toString()) as { id: string; pid: number };
      owner.kill("SIGKILL");
      await once(owner, "exit");
      const directory = join(it.directory, "agent");
      const next = await it.another();
      expect(await next.panes()).toMatchObject([{ session: "LOC-9", name: "agent", id: made.id, pid: made.pid, dead: false, directory }]);
      const pane = await next.find("LOC-9", "agent");
      await says(directory, "tick 9\r");
      await pane?.keys({ text: "finish" }, "Enter");
      expect(await pane?.exit()).toEqual({ code: 4, signal: null, lost: false });
      const lines = (await text(directory)).split("\r\n").filter((line) => line.startsWith("tick "));
      expect(lines).toEqual(lines.map((_, n) => `tick ${n}`));
      expect(lines.length).toBeGreaterThan(9);
    });

    test("left with panes it goes on, left without any it ends", async () => {
      await using it = await makeRoom("tmux");
      const first = it.terminals.server();
      const pane = await it.terminals.show(it.sh("coder", "exec sleep 1000"));
      await it.terminals.close("leave");
      expect(await isAlive(first?.pid ?? 0)).toBe(true);
      const next = await it.another();
      expect(next.server()).toEqual(first);
      await (await next.find("LOC-1", "coder"))?.remove();
      await next.close("leave");
      expect(await isAlive(first?.pid ?? 0)).toBe(false);
      expect(await isAlive(pane.pid)).toBe(false);
    });

    test("that does not answer is left alone and told; it is used again when it does", { timeout: 120_000 }, async () => {
      await using it = await makeRoom("tmux");
      const pane = await it.terminals.show(it.sh("coder", "exec sleep 1000"));
      const pid = it.terminals.server()?.pid ?? 0;
      process.kill(pid, "SIGSTOP");
      try {
        await expect(pane.resize(80, 24)).rejects.toMatchObject({ name: "TerminalError", reason: "failed", message: /has not answered/ });
        // Clients that come and go meanwhile would crash it when it goes on (tmux 3.3a): nobody attaches.
        for (const backend of ["tmux", "tmux", "tmux", "auto"] as const) await expect(openTerminals({ ...it.options, backend })).rejects.toMatchObject({ reason: "unavailable", message: /is stopped; kill -CONT/ });
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await vi.waitFor(async () => expect(await pane.state()).toMatchObject({ dead: false }), patience);
      expect(events(it)).not.toContain("server-gone");
    });

    test("knows nothing of this process's environment", async () => {
      process.env["SECRET_LEAK"] = "planted";
      try {
        await using it = await makeRoom("tmux");
        await it.terminals.show(it.viewer("seat"));
        const processes = processesOf(it.directory);
        expect(processes).not.toEqual([]);
        for (const { environment } of processes) expect(environment).not.toContain("SECRET_LEAK");
        expect(it.tmux("show-environment", "-g")).not.toContain("SECRET_LEAK");
      } finally {
        delete process.env["SECRET_LEAK"];
      }
    });
  });

  describe("the log", () => {
    test("of a pipe that was ended is taken up again", async () => {
      await using it = await makeRoom("tmux");
      const pane = await it.terminals.show(it.sh("coder", "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done"));
      await says(pane.directory, "line 3");
      const pipe = processesOf(it.directory).find(({ command }) => command.startsWith("split "));
      process.kill(pipe?.pid ?? 0, "SIGKILL");
      await vi.waitFor(async () => expect((await readSeatLog(pane.directory).window()).to).toBeGreaterThan(4 * 1024 * 1024), patience);
      expect(it.events).toContainEqual({ type: "problem", detail: expect.stringContaining("LOC-1/coder") });
    });

    test("is written by cat where split cannot number its files", async () => {
      const programs = ["tmux", "sh", "cat", "tail", "stty", "sleep", "rm", "mv", "env", "tr", "sed"];
      await using tools = await makeRoom("pty");
      for (const name of programs) symlinkSync(findProgram(name, process.env["PATH"], "/") ?? "", join(tools.directory, name));
      await using it = await makeRoom("tmux", { env: { ...tools.env, PATH: tools.directory } });
      const pane = await it.terminals.show(it.sh("coder", "seq 1 1000; echo end"));
      await pane.exit();
      await says(pane.directory, "end");
      expect(processesOf(tools.directory).some(({ command }) => command === "cat")).toBe(true);
    });
  });

  describe("people", () => {
    test("who may look see the pane and cannot type; who may write can; nothing is resized and nothing is left", { timeout: 120_000 }, async () => {
      await using it = await makeRoom("tmux");
      const pane = await it.terminals.show(it.program("cat", ["/bin/sh", "-c", "echo hello there; exec cat"], { columns: 120, rows: 40 }));
      await says(pane.directory, "hello there");
      const reader = await attach(it, await command(it, "cat", false));
      await vi.waitFor(() => expect(reader.screen()).toContain("hello there"), patience);
      await vi.waitFor(async () => expect((await pane.state())?.attached).toBe(1), patience);
      reader.type("not allowed", "Enter");
      const writer = await attach(it, await command(it, "cat", true));
      await vi.waitFor(async () => expect((await pane.state())?.attached).toBe(2), patience);
      writer.type("written", "Enter");
      await says(pane.directory, "written\r\nwritten");
      expect(await text(pane.directory)).not.toContain("not allowed");
      expect(await pane.state()).toMatchObject({ columns: 120, rows: 40 });
      expect(events(it)).toContain("attached");
      reader.end();
      writer.end();
      await vi.waitFor(() => expect(it.tmux("list-sessions", "-F", "#{session_name}").split("\n").sort()).toEqual(["LOC-1", "_keep"]), patience);
      expect((await pane.state())?.attached).toBe(0);
    });

    test("two who look at different panes of one session do not disturb each other", { timeout: 120_000 }, async () => {
      await using it = await makeRoom("tmux");
      for (const name of ["coder", "critic"]) await it.terminals.show(it.sh(name, `echo I am the ${name}; exec sleep 1000`));
      const one = await attach(it, await command(it, "coder", false)), two = await attach(it, await command(it, "critic", false));
      await vi.waitFor(() => expect([one.screen(), two.screen()]).toEqual([expect.stringContaining("I am the coder"), expect.stringContaining("I am the critic")]), patience);
      expect((await it.terminals.panes()).map(({ name, attached }) => [name, attached])).toEqual([["coder", 1], ["critic", 1]]);
      one.end();
      two.end();
    });

    test("are told when there is nothing to attach to, and get no session of their own then", async () => {
      await using it = await makeRoom("tmux");
      expect(await it.terminals.attachCommand("LOC-1", "coder")).toBe(undefined);
      const pane = await it.terminals.show(it.sh("coder", "exec sleep 1000"));
      const late = await command(it, "coder", false);
      await pane.remove();
      const attached = await attach(it, late);
      await vi.waitFor(() => expect(attached.screen()).toContain("can't find session"), patience);
      expect(it.tmux("list-sessions", "-F", "#{session_name}")).toBe("_keep");
      attached.end();
    });

    test("see a seat's log in its viewer, also after its tail died and after a new segment", { timeout: 120_000 }, async () => {
      await using it = await makeRoom("tmux");
      const spec = it.viewer("seat");
      const log = await openSeatLog(spec.directory);
      await log.append("first \x1b[31mline\x1b[0m 한국어\r\n");
      const pane = await it.terminals.show(spec);
      const shows = (what: string): Promise<void> => vi.waitFor(() => expect(it.tmux("capture-pane", "-p", "-t", pane.id)).toContain(what), patience);
      await shows("first line 한국어");
      await log.append("second line\r\n");
      await shows("second line");
      const tail = processesOf(it.directory).find(({ command }) => command.startsWith("tail "));
      process.kill(tail?.pid ?? 0, "SIGKILL");
      await log.append("third line\r\n");
      await shows("third line");
      await log.append(`${"filler\r\n".repeat(530_000)}last line\r\n`);
      expect(log.size()).toBeGreaterThan(4 * 1024 * 1024);
      await shows("last line");
      await pane.keys({ text: "hello" }, "Enter");
      await shows("» queued");
      await log.close();
    });
  });
});

describe("which backend", () => {
  const optionsIn = (room: Room, prepare: (bin: string) => void): TerminalsOptions => {
    const bin = room.place("bin");
    prepare(bin);
    return { server: `${room.server}-x`, backend: "auto", directory: join(room.directory, "other"), env: { ...room.env, PATH: bin } };
  };
  const script = (bin: string, body: string): void => {
    writeFileSync(join(bin, "tmux"), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, "tmux"), 0o755);
  };

  test.for([
    ["there is none", () => undefined, /tmux is not on PATH/],
    ["it is too old", (bin: string) => script(bin, "echo tmux 3.1c"), /tmux 3\.1c is too old/],
    ["it starts no server", (bin: string) => script(bin, 'if [ "$*" = -V ]; then echo tmux 3.3a; else echo "no server running on x, cannot fork" >&2; exit 1; fi'), /cannot fork/],
    ["it crashes", (bin: string) => script(bin, "kill -SEGV $$"), /tmux/],
  ] as const)("auto takes node-pty and says why when tmux does not work: %s", async ([, prepare, reason]) => {
    await using room = await makeRoom("pty");
    const options = optionsIn(room, prepare);
    const terminals = await openTerminals(options);
    expect(terminals.backend).toBe("pty");
    expect(terminals.reason).toMatch(reason);
    expect(terminals.server()).toBe(null);
    await terminals.close("end");
    await expect(openTerminals({ ...options, backend: "tmux" })).rejects.toMatchObject({ name: "TerminalError", reason: "unavailable" });
  });

  test("without both, opening fails with a typed error that names both", async () => {
    await using bare = await makeRoom("pty");
    // A copy of the room's code in a place where no package can be found from.
    const copy = bare.place("copy");
    spawnSync("cp", ["-R", join(import.meta.dirname, "../../tmux"), copy]);
    mkdirSync(join(copy, "node_modules"));
    for (const name of ["execa", "@xterm"]) symlinkSync(join(import.meta.dirname, "../../node_modules", name), join(copy, "node_modules", name));
    const code = `import { openTerminals } from ${JSON.stringify(join(copy, "tmux/index.ts"))}; await openTerminals({ server: "none", backend: "auto", directory: ${JSON.stringify(bare.place("f"))}, env: { PATH: "/nowhere" } }).catch((error) => console.log(error.name, error.reason, error.message));`;
    const done = spawnSync(node, ["--input-type=module", "-e", code], { encoding: "utf8" });
    expect(done.stdout).toMatch(/^TerminalError unavailable no terminals here: tmux is not on PATH \(\/nowhere\); node-pty cannot be loaded: /);
  });
});

const command = async (it: Room, name: string, write: boolean): Promise<Attachment> => {
  const found = await it.terminals.attachCommand("LOC-1", name, { write });
  if (!found) throw new Error(`nothing to attach to: ${name}`);
  return found;
};

let seats = 0;
/** A person: a terminal of 70x20 in a tmux of their own, in which the command runs. */
const attach = async (it: Room, { argv, env }: Attachment) => {
  const server = `${it.server}-person`, name = `person-${++seats}`;
  const outer = (...args: readonly string[]): string => spawnSync("tmux", ["-L", server, "-f", "/dev/null", "-u", ...args], { encoding: "utf8", env: it.env }).stdout;
  const run = join(it.directory, `${name}.sh`);
  const word = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
  writeFileSync(run, `${Object.entries(env).map(([key, value]) => `export ${key}=${word(value)}`).join("\n")}\n${argv.map(word).join(" ")}\nexec cat\n`);
  outer("new-session", "-d", "-s", name, "-x", "70", "-y", "20", "--", "/bin/sh", run);
  return {
    screen: () => outer("capture-pane", "-p", "-t", `=${name}:`),
    type: (...keys: readonly string[]) => void outer("send-keys", "-t", `=${name}:`, ...keys),
    end: () => void outer("kill-session", "-t", `=${name}:`),
  };
};
