/** What `Terminals` promises, on every backend. */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openSeatLog, type BackendName, type Pane, readPaneExit, readSeatLog, readTyped, segmentBytes, TerminalError } from "../../tmux/index.ts";
import { endProcesses } from "../../tmux/end-processes.ts";
import { scan } from "../../tmux/process-table.ts";
import { logOf, makeRoom, node, processesOf, type Room } from "./room.ts";

const patience = { timeout: 30_000, interval: 20 };
const text = async (directory: string): Promise<string> => (await logOf(directory)).toString();
const says = (directory: string, what: string): Promise<void> => vi.waitFor(async () => expect(await text(directory)).toContain(what), patience);
const isAlive = async (pid: number): Promise<boolean> => (await scan()).some((row) => row.pid === pid);
const forever = "setInterval(()=>{},1000)";

export const contract = (backend: BackendName): void => void describe(`terminals on ${backend}`, () => {
  const room = (): Promise<Room> => makeRoom(backend);
  /** One room for the tests of a group, which keep to names of their own. */
  const shared = (): (() => Room) => {
    let it: Room | undefined;
    beforeAll(async () => { it = await room(); });
    afterAll(() => it?.[Symbol.asyncDispose]());
    return () => {
      if (it) return it;
      throw new Error("there is no room");
    };
  };

  describe("show", () => {
    test("makes a pane once, whoever asks and how often; a dead one is replaced", async () => {
      await using it = await room();
      expect(it.terminals.backend).toBe(backend);
      const spec = it.sh("coder", "echo once; exec sleep 1000");
      const [first, second] = await Promise.all([it.terminals.show(spec), it.terminals.show(spec)]);
      expect([first.adopted, second.adopted, second.id]).toEqual([false, true, first.id]);
      expect(await it.terminals.panes()).toEqual([{
        session: "LOC-1", name: "coder", kind: "program", directory: spec.directory, id: first.id, pid: first.pid, dead: false, columns: 90, rows: 24, attached: 0,
      }]);
      const found = await it.terminals.find("LOC-1", "coder");
      expect(found).toMatchObject({ id: first.id, adopted: true, directory: spec.directory });
      expect(await it.terminals.find("LOC-1", "critic")).toBe(undefined);
      await says(spec.directory, "once");
      await first.kill();
      await first.exit();
      expect((await first.state())?.dead).toBe(true);
      const third = await it.terminals.show(spec);
      expect(third.adopted).toBe(false);
      expect(third.pid).not.toBe(first.pid);
      expect(await it.terminals.panes()).toHaveLength(1);
      expect(await first.state()).toBe(undefined);
      await expect(first.keys("Enter")).rejects.toMatchObject({ name: "TerminalError", reason: "gone" });
      await first.remove();
      expect((await third.state())?.dead).toBe(false);
    });

    test("many panes and sessions at once", async () => {
      await using it = await room();
      const names = Array.from({ length: 12 }, (_, n) => [`LOC-${n % 4}`, `seat-${n}`] as const);
      const panes = await Promise.all(names.map(([session, name]) => it.terminals.show(it.sh(name, `echo I am ${name}; exec sleep 1000`, { session }))));
      expect(new Set(panes.map(({ id }) => id)).size).toBe(12);
      expect((await it.terminals.panes()).map(({ session, name }) => [session, name]).sort()).toEqual(names.map((each) => [...each]).sort());
      for (const pane of panes) await says(pane.directory, `I am ${pane.name}`);
      await it.terminals.removeSession("LOC-2");
      expect((await it.terminals.panes()).filter(({ session }) => session === "LOC-2")).toEqual([]);
      expect(await it.terminals.panes()).toHaveLength(9);
    });

  });

  describe("refuses", () => {
    const here = shared();
    test.for([
      ["a session that is no name", { session: "a.b:c" }],
      ["a name that would run a command", { name: "#(touch x)" }],
      ["a name that would be expanded", { name: "#{pid}" }],
      ["a name with a blank", { name: "two words" }],
      ["a name that is an option", { name: "-n" }],
      ["an empty name", { name: "" }],
      ["a name of two lines", { name: "a\nkill-server" }],
      ["a size that is none", { columns: 0 }],
      ["a size beyond sense", { rows: 100_000 }],
      ["a directory that is not there", { directory: "/no/such/directory" }],
      ["a directory of two lines", { directory: "/tmp/a\nb" }],
      ["a relative directory", { directory: "tmp" }],
    ] as const)("%s", async ([, more]) => {
      const it = here();
      await expect(it.terminals.show({ ...it.sh("plain", "sleep 1000"), ...more })).rejects.toMatchObject({ reason: "refused" });
      await expect(it.terminals.show({ ...it.viewer("plain"), ...more })).rejects.toMatchObject({ reason: "refused" });
      expect(await it.terminals.panes()).toEqual([]);
    });

    test.for([
      ["a program that is not there", { argv: ["no-such-program"] as const }, /no program "no-such-program" on PATH/],
      ["a working directory that is not there", { cwd: "/no/such/place" }, /not there/],
      ["an argument with NUL", { argv: ["/bin/echo", "a\0b"] as const }, /NUL/],
      ["a variable that no shell hands on", { env: { "a-b": "1" } }, /no shell can hand on/],
      ["a mark with a blank", { mark: "a b" }, /mark/],
    ] as const)("%s", async ([, more, message]) => {
      const it = here();
      const spec = it.sh("plain", "sleep 1000", more as object);
      await expect(it.terminals.show(spec)).rejects.toSatisfy((error) => error instanceof TerminalError && error.reason === "refused" && message.test(error.message));
      expect(existsSync(join(spec.directory, "launch"))).toBe(false);
    });
  });

  describe("programs", () => {
    const here = shared();
    test("get argv, environment and directory exactly, and nothing else", async () => {
      process.env["SECRET_LEAK"] = "planted";
      try {
        const it = here();
        const odd = ["two words", "it's", '"$(touch pwned)`touch pwned`', "#{pid} #(touch pwned) ${HOME} %H", "line\nbreak\n", "-n", "--", "", "\\", ";", "x;", "*", "~", "한국어 까큁 ✓ \u0081\u0088", "a=b", "x".repeat(100_000)];
        const env = { ENACT_TEST_ROOM: it.directory, WITH_NEWLINE: "a\nb", QUOTES: `'"$(id)\``, KOREAN: "큁까 \u0081", EMPTY: "", PATH: "/nowhere", ENACT_RUN_ID: "not this", LINES: "7" };
        const cwd = join(it.directory, "a 'dir' $(x) #{pid} 한");
        mkdirSync(cwd);
        const tell = "require('fs').writeFileSync(process.argv[1], JSON.stringify({ argv: process.argv.slice(2), env: process.env, cwd: process.cwd(), tty: process.stdout.isTTY, size: [process.stdout.columns, process.stdout.rows] }))";
        const told = join(it.directory, "told.json");
        const pane = await it.terminals.show(it.program("exact", [node, "-e", tell, "--", told, ...odd], { env, cwd, mark: "run-7@abc", columns: 111, rows: 33 }));
        expect(await pane.exit()).toEqual({ code: 0, signal: null, lost: false });
        const { TMUX, TMUX_PANE, ...rest } = JSON.parse(readFileSync(told, "utf8")).env as Record<string, string>;
        expect({ ...JSON.parse(readFileSync(told, "utf8")), env: rest }).toEqual({
          argv: odd, env: { ...env, ENACT_RUN_ID: "run-7@abc", TERM: backend === "tmux" ? "screen-256color" : "xterm-256color" }, cwd, tty: true, size: [111, 33],
        });
        expect([TMUX !== undefined, TMUX_PANE]).toEqual(backend === "tmux" ? [true, pane.id] : [false, undefined]);
        expect([existsSync(join(cwd, "pwned")), existsSync(join(pane.directory, "launch"))]).toEqual([false, false]);
      } finally {
        delete process.env["SECRET_LEAK"];
      }
    });

    test("no argument or variable of a program is in anybody's command line", async () => {
      const it = here();
      const pane = await it.terminals.show(it.sh("secret", "echo up; exec sleep 1000", { env: { PATH: "/usr/bin:/bin", ENACT_TEST_ROOM: it.directory, TOKEN: "s3cr3t-value" } }));
      await says(pane.directory, "up");
      expect(processesOf(it.directory).filter(({ command }) => command.includes("s3cr3t"))).toEqual([]);
      expect(statSync(join(pane.directory, "out.000000")).mode & 0o077).toBe(0);
    });

    test("every byte is in the log, characters split over writes too", async () => {
      const it = here();
      const pieces = Buffer.from("한국어 👍🏽 e\u0301 \x1b[31m빨강\x1b[0m 끝\n");
      const code = `const b=Buffer.from(${JSON.stringify(pieces.toString("base64"))},'base64');let n=0;const t=setInterval(()=>{if(n<b.length)process.stdout.write(b.subarray(n,++n));else clearInterval(t)},2)`;
      const pane = await it.terminals.show(it.js("split", code));
      await pane.exit();
      await vi.waitFor(async () => expect(await text(pane.directory)).toBe(pieces.toString().replace("\n", "\r\n")), patience);
    });

    test("the first and the last byte of a program that ends at once are kept", { timeout: 120_000 }, async () => {
      const it = here();
      const whole = `FIRST\r\n${Array.from({ length: 4_000 }, (_, n) => `${n + 1}\r\n`).join("")}LAST`;
      for (let round = 0; round < 3; round++) {
        const panes = await Promise.all(Array.from({ length: 5 }, (_, n) => it.terminals.show(it.sh(`fast-${round}-${n}`, "echo FIRST; seq 1 4000; printf LAST; exit 7"))));
        for (const pane of panes) {
          expect(await pane.exit()).toEqual({ code: 7, signal: null, lost: false });
          await vi.waitFor(async () => expect(await text(pane.directory)).toBe(whole), patience);
        }
        await Promise.all(panes.map((pane) => pane.remove()));
      }
    });

    test("exit codes and signals come from the exit file; a launcher that was killed is a loss", async () => {
      const it = here();
      const code = await it.terminals.show(it.sh("code", "exit 42"));
      const signal = await it.terminals.show(it.sh("signal", "kill -SEGV $$"));
      const killed = await it.terminals.show(it.sh("killed", "echo up; exec sleep 1000"));
      await says(killed.directory, "up");
      process.kill(-killed.pid, "SIGKILL");
      expect(await code.exit()).toEqual({ code: 42, signal: null, lost: false });
      expect(readPaneExit(code.directory)).toEqual({ code: 42, signal: null, lost: false });
      expect(await signal.exit()).toEqual({ code: null, signal: "SIGSEGV", lost: false });
      expect(await killed.exit()).toEqual({ code: null, signal: null, lost: true });
      await vi.waitFor(() => expect(it.events.flatMap((event) => (event.type === "pane-ended" ? [event.name] : []))).toEqual(expect.arrayContaining(["code", "signal", "killed"])), patience);
    });

    test("started again in the same directory, the log goes on and the old exit is gone", async () => {
      const it = here();
      const first = await it.terminals.show(it.sh("again", "echo one; exit 3"));
      await first.exit();
      const second = await it.terminals.show(it.sh("again", "echo two; exec sleep 1000"));
      await says(second.directory, "two");
      expect(await text(second.directory)).toBe("one\r\ntwo\r\n");
      expect(readPaneExit(second.directory)).toBe(undefined);
    });

    test("hear of a new size", async () => {
      const it = here();
      const pane = await it.terminals.show(it.js("size", `const s=()=>console.log('size '+process.stdout.columns+' '+process.stdout.rows);process.stdout.on('resize',s);s();${forever}`));
      await says(pane.directory, "size 90 24");
      await pane.resize(133, 41);
      await says(pane.directory, "size 133 41");
      expect(await pane.state()).toMatchObject({ columns: 133, rows: 41 });
      await expect(pane.resize(1, 41)).rejects.toMatchObject({ reason: "refused" });
    });

    test("a key is a key and text is text, whatever it looks like", async () => {
      const it = here();
      const pane = await it.terminals.show(it.js("keys", "process.stdin.setRawMode(true);console.log('up');process.stdin.on('data',d=>console.log(JSON.stringify(d.toString())))"));
      await says(pane.directory, "up");
      await pane.keys({ text: "Enter; x\\; C-c $HOME #{pid}\x03\x1b\r 한 y;" });
      await pane.keys("Enter");
      await pane.keys("C-c", "Escape", "Up");
      await vi.waitFor(async () => expect((await text(pane.directory)).replace(/"\r\n"/g, "")).toBe(String.raw`up` + '\r\n"' + String.raw`Enter; x\\; C-c $HOME #{pid}  한 y;\r\u0003\u001b\u001b[A` + '"\r\n'), patience);
    });
  });

  describe("viewers", () => {
    const here = shared();
    test("typed lines arrive whole, control characters removed; no key ends the viewer", async () => {
      const it = here();
      const spec = it.viewer("seat");
      const log = await openSeatLog(spec.directory);
      const pane = await it.terminals.show(spec);
      const arrived = (...lines: readonly string[]): Promise<void> => vi.waitFor(async () => expect((await readTyped(spec.directory, 0)).lines).toEqual(lines), patience);
      await pane.keys({ text: "first line" }, "Enter");
      await arrived("first line");
      await pane.keys("C-c", "C-d", "C-z", "C-s", "C-q", "Enter", "Enter");
      await pane.keys({ text: "둘째 줄 👍 'quotes' $(touch x) \\n" }, "Tab", { text: "z" }, "Enter");
      await pane.keys({ text: "wrong한" }, "BSpace", { text: "!" }, "Enter");
      await vi.waitFor(async () => expect((await readTyped(spec.directory, 0)).lines.length).toBe(3), patience);
      const { lines } = await readTyped(spec.directory, 0);
      expect(readFileSync(join(spec.directory, "typed"), "utf8")).not.toMatch(/[^\n\P{Cc}]/u);
      expect(lines).toEqual(["first line", "둘째 줄 👍 'quotes' $(touch x) \\n z", "wrong!"]);
      expect((await pane.state())?.dead).toBe(false);
      expect(existsSync(join(spec.directory, "x"))).toBe(false);
      await log.close();
    });

    test("is one pane a seat, and goes with all it runs", async () => {
      const it = here();
      const pane = await it.terminals.show(it.viewer("one"));
      expect((await it.terminals.show(it.viewer("one"))).adopted).toBe(true);
      await expect(pane.deliver("hello")).rejects.toMatchObject({ reason: "refused" });
      await pane.remove();
      expect(await it.terminals.find("LOC-1", "one")).toBe(undefined);
      expect((await scan()).filter((row) => row.group === pane.pid)).toEqual([]);
    });
  });

  describe("messages", () => {
    const here = shared();
    let apps = 0;
    const receiver = async (it: Room, ...flags: readonly string[]): Promise<Pane> => {
      const name = `app-${++apps}`;
      const spec = it.program(name, [node, join(import.meta.dirname, "receiver.ts"), join(it.directory, name), ...flags]);
      const pane = await it.terminals.show(spec);
      if (!flags.includes("never") && !flags.includes("late")) await vi.waitFor(() => expect(existsSync(join(spec.directory, "ready"))).toBe(true), patience);
      return pane;
    };
    const submitted = (pane: Pane): readonly string[] =>
      existsSync(join(pane.directory, "submitted")) ? readFileSync(join(pane.directory, "submitted"), "utf8").trim().split("\n").map((line) => JSON.parse(line) as string) : [];
    const received = (pane: Pane): string => (existsSync(join(pane.directory, "received")) ? readFileSync(join(pane.directory, "received"), "utf8") : "");

    test.for([["a cursor in its box", []], ["a parked cursor", ["park"]]] as const)("are seen before Enter, and accepted, by a program with %s", async ([, flags]) => {
      const it = here();
      const pane = await receiver(it, ...flags);
      const messages = ["Please fix the failing test", "한국어로 된 메시지 👍🏽\n둘째 줄\n\t- item", "Please fix the failing test", "x"];
      for (const message of messages) expect(await pane.deliver(message), message).toEqual({ state: "accepted", enters: 1 });
      expect(submitted(pane)).toEqual(messages);
      expect(received(pane)).toBe(messages.map((message) => `\x1b[200~${message}\x1b[201~\r`).join(""));
    });

    test("of many senders come one after the other, each whole", async () => {
      const it = here();
      const pane = await receiver(it);
      const messages = ["first message", "second message", "third message"];
      expect((await Promise.all(messages.map((message) => pane.deliver(message)))).map(({ state }) => state)).toEqual(["accepted", "accepted", "accepted"]);
      expect(submitted(pane)).toEqual(messages);
    });

    test("cannot act as keys: no end of paste, Enter, interrupt or sequence gets through", async () => {
      const it = here();
      const pane = await receiver(it);
      const delivery = await pane.deliver("one\x1b[201~\rtwo\x03\x04\x1b]0;title\x07 \u009b201~three\u0090\r\nfour\x00\x7f\n\n\r");
      expect(delivery).toEqual({ state: "accepted", enters: 1 });
      expect(submitted(pane)).toEqual(["one[201~\ntwo]0;title 201~three\nfour"]);
      expect(received(pane)).toBe("\x1b[200~one[201~\ntwo]0;title 201~three\nfour\x1b[201~\r");
      expect(await pane.deliver("\x1b\x03 \r\n")).toMatchObject({ state: "undelivered", phase: "sanitise" });
    });

    test("a megabyte arrives byte by byte, also at a program that reads slowly", { timeout: 180_000 }, async () => {
      const it = here();
      const pane = await receiver(it, "fold", "slow");
      const message = Array.from({ length: 21_000 }, (_, n) => `${n} 한국어 line with some text and a number`).join("\n");
      expect(Buffer.byteLength(message)).toBeGreaterThan(1_000_000);
      expect(await pane.deliver(message, { pointerBytes: Infinity, seenMs: 120_000 })).toEqual({ state: "accepted", enters: 1 });
      expect(submitted(pane)).toEqual([message]);
    });

    test("a long one is put into a file, and a line that points at it is delivered", async () => {
      const it = here();
      const pane = await receiver(it);
      const place = join(it.directory, "a 'place' #{pid}");
      mkdirSync(place);
      const message = "long ".repeat(3_000).trim();
      const delivery = await pane.deliver(message, { pointerDirectory: place });
      if (delivery.state !== "accepted" || delivery.file === undefined) throw new Error(JSON.stringify(delivery));
      expect([readFileSync(delivery.file, "utf8"), statSync(delivery.file).mode & 0o777]).toEqual([`${message}\n`, 0o600]);
      expect(delivery.file.startsWith(`${place}/`)).toBe(true);
      expect(submitted(pane)).toEqual([`Read this file whole and follow it: ${delivery.file}`]);
    });

    test.for([
      ["swallowed, cursor in the box", ["swallow=1"], 2, "hello there"], ["swallowed twice, cursor parked", ["park", "swallow=2"], 3, "hello there"],
      ["taken for a line break, cursor in the box", ["newline=1"], 2, "hello there\n"], ["taken for a line break, cursor parked", ["park", "newline=1"], 2, "hello there\n"],
    ] as const)("an Enter that is %s is pressed again, the text is not pasted again", async ([, flags, enters, whole]) => {
      const it = here();
      const pane = await receiver(it, ...flags);
      expect(await pane.deliver("hello there")).toEqual({ state: "accepted", enters });
      expect(submitted(pane)).toEqual([whole]);
      expect(received(pane).split("hello there").length).toBe(2);
    });

    test("undelivered, with the phase: never ready, not seen, not accepted, ended", async () => {
      const it = here();
      const never = await receiver(it, "never");
      expect(await never.deliver("hello", { readyMs: 600 })).toMatchObject({ state: "undelivered", phase: "ready", detail: /bracketed paste is off/ });
      expect(received(never)).toBe("");
      const busy = await it.terminals.show(it.js("busy", "process.stdout.write('\\x1b[?2004h');setInterval(()=>process.stdout.write('.'),20)"));
      expect(await busy.deliver("hello", { readyMs: 900 })).toMatchObject({ state: "undelivered", phase: "ready", detail: /rest/ });
      const blind = await it.terminals.show(it.js("blind", `process.stdin.setRawMode(true);process.stdin.on('data',d=>require('fs').appendFileSync('${it.directory}/blind/received',d));process.stdout.write('\\x1b[?2004hup');`));
      await says(blind.directory, "up");
      expect(await blind.deliver("hello", { seenMs: 500 })).toMatchObject({ state: "undelivered", phase: "seen" });
      expect(received(blind)).not.toContain("\r");
      const deaf = await receiver(it, "swallow=9");
      expect(await deaf.deliver("hello")).toMatchObject({ state: "undelivered", phase: "accepted" });
      expect(received(deaf)).toBe("\x1b[200~hello\x1b[201~\r\r\r");
      await deaf.kill();
      await deaf.exit();
      expect(await deaf.deliver("hello")).toMatchObject({ state: "undelivered", phase: "ready", detail: /ended/ });
      const abort = new AbortController();
      const waits = never.deliver("hello", { signal: abort.signal });
      abort.abort();
      expect(await waits).toMatchObject({ state: "undelivered", phase: "ready", detail: /cancelled/ });
    }, 120_000);

    test("waits until the program is ready, and believes the program's own word", async () => {
      const it = here();
      const late = await receiver(it, "late");
      expect(await late.deliver("when you can")).toEqual({ state: "accepted", enters: 1 });
      const deaf = await receiver(it, "swallow=9");
      expect(await deaf.deliver("hello", { accepted: Promise.resolve() })).toEqual({ state: "accepted", enters: 1 });
    });

    test("a program whose early output was rotated away is still known to take pastes", async () => {
      const it = here();
      const flood = "process.stdin.setRawMode(true);let t='';process.stdin.on('data',d=>{t+=d;process.stdout.write('\\x1b[H\\x1b[2J> '+t.replace(/\\x1b\\[20.~|\\r/g,''));if(t.endsWith('\\r')){require('fs').writeFileSync('submitted',JSON.stringify(t));t='';process.stdout.write('\\x1b[H\\x1b[2J> ')}});process.stdout.write('\\x1b[?2004h');process.stdout.write('old line of output\\r\\n'.repeat(150_000),()=>process.stdout.write('> UP'))";
      const pane = await it.terminals.show(it.js("flood", flood, { cwd: it.place("flood") }));
      await vi.waitFor(async () => expect((await logOf(pane.directory)).subarray(-4).toString()).toBe("> UP"), patience);
      expect(await pane.deliver("hello")).toMatchObject({ state: "accepted" });
    });
  });

  describe("kill", () => {
    const here = shared();
    test("asks first, kills what ignores it, and finds what left the group", async () => {
      const it = here();
      const away = `for(const s of ['SIGINT','SIGTERM','SIGHUP'])process.on(s,()=>{});require('fs').writeFileSync('AWAY',String(process.pid));${forever}`;
      const code = `const c=require('child_process').spawn(process.execPath,['-e',${JSON.stringify(away)}],{detached:true,stdio:'ignore'});c.unref();for(const s of ['SIGTERM','SIGHUP'])process.on(s,()=>console.log('ignored',s));console.log('up');${forever}`;
      const pane = await it.terminals.show(it.js("tree", code, { cwd: it.place("tree") }));
      await says(pane.directory, "up");
      await vi.waitFor(() => expect(Number(readFileSync(join(pane.directory, "AWAY"), "utf8"))).toBeGreaterThan(1), patience);
      const grandchild = Number(readFileSync(join(pane.directory, "AWAY"), "utf8"));
      expect(await pane.kill({ steps: [{ signal: "SIGTERM", graceMs: 300 }] })).toEqual({ swept: 1 });
      expect(await text(pane.directory)).toContain("ignored SIGTERM");
      expect([await isAlive(grandchild), await isAlive(pane.pid)]).toEqual([false, false]);
      expect(await pane.exit()).toEqual({ code: null, signal: null, lost: true });
      expect(await pane.kill()).toEqual({ swept: 0 });
    });

    test("a program that heeds SIGTERM ends by itself, with its exit written", async () => {
      const it = here();
      const pane = await it.terminals.show(it.js("polite", `process.on('SIGTERM',()=>{console.log('bye');process.exit(5)});console.log('up');${forever}`));
      await says(pane.directory, "up");
      await pane.kill();
      expect(await pane.exit()).toEqual({ code: 5, signal: null, lost: false });
      await says(pane.directory, "bye");
    });

    test("survivors of an earlier program of that name are ended before the next one starts", async () => {
      const it = here();
      const code = `const c=require('child_process').spawn('/bin/sleep',['1000'],{detached:true,stdio:'ignore'});c.unref();console.log('child '+c.pid)`;
      const first = await it.terminals.show(it.js("name", code));
      await first.exit();
      const child = Number(/child (\d+)/.exec(await text(first.directory))?.[1]);
      expect(await isAlive(child)).toBe(true);
      await it.terminals.show(it.sh("name", "exec sleep 1000"));
      expect(await isAlive(child)).toBe(false);
    });

    test("a pid or group that is another's by now is left alone", async () => {
      const it = here();
      const stranger = await it.terminals.show(it.sh("stranger", "echo up; exec sleep 1000"));
      await says(stranger.directory, "up");
      expect(await endProcesses([{ mark: "another", leader: stranger.pid }], [])).toBe(0);
      expect((await stranger.state())?.dead).toBe(false);
    });
  });

  test("a noisy pane keeps to its cap and its neighbours lose nothing", { timeout: 180_000 }, async () => {
    await using it = await makeRoom(backend, { keepSegments: 2 });
    const noisy = await it.terminals.show(it.sh("noisy", "exec yes 'a line that is written without end'"));
    const quiet = await Promise.all(Array.from({ length: 6 }, (_, n) => it.terminals.show(it.sh(`quiet-${n}`, "n=0; while [ $n -lt 40 ]; do n=$((n+1)); echo line $n; sleep 0.05; done"))));
    for (const pane of quiet) expect(await pane.exit()).toMatchObject({ code: 0 });
    for (const pane of quiet) expect(await text(pane.directory)).toBe(Array.from({ length: 40 }, (_, n) => `line ${n + 1}\r\n`).join(""));
    await vi.waitFor(async () => expect((await readSeatLog(noisy.directory).window()).from).toBeGreaterThan(0), { timeout: 90_000 });
    await noisy.kill({ steps: [] });
    await vi.waitFor(async () => {
      const { from, to } = await readSeatLog(noisy.directory).window();
      expect(to - from).toBeLessThanOrEqual(2 * segmentBytes);
    }, patience);
  });

  test("closing with `end` leaves no process", async () => {
    await using it = await room();
    const panes = await Promise.all([it.terminals.show(it.viewer("seat")), it.terminals.show(it.js("stubborn", `for(const s of ['SIGTERM','SIGHUP'])process.on(s,()=>{});console.log('up');${forever}`))]);
    await says(join(it.directory, "stubborn"), "up");
    await it.terminals.close("end");
    expect(processesOf(it.directory)).toEqual([]);
    for (const pane of panes) expect(await pane.state()).toBe(undefined);
    await expect(it.terminals.show(it.viewer("late"))).rejects.toMatchObject({ reason: "gone" });
    rmSync(join(it.directory, "fabric"), { recursive: true });
  });
});
