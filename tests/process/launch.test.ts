import { existsSync, readFileSync, statSync, writeFileSync, mkdirSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { Effect } from "effect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exitOf, node, rig, runId, texts, until, type Rig } from "./rig.ts";

const shells = ["/bin/sh", "/bin/bash", "/bin/dash"].filter((shell) => existsSync(shell));
const tell = "process.stdout.write(JSON.stringify({ argv: process.argv.slice(1), env: process.env, cwd: process.cwd() }) + '\\n')";

describe.each(shells)("the launcher under %s", (shell) => {
  let it: Rig;
  beforeEach(() => { it = rig({ shell }); });
  afterEach(() => it.dispose());

  test("hands on argv, environment and directory exactly", async () => {
    const odd = ["two words", "it's", '"$(touch pwned)`touch pwned`', "#{pid} ${HOME}", "line\nbreak\n", "-n", "--", "", "\\", "*", "~", "한국어 ✓", "a=b", "x".repeat(100_000)];
    const env = { WITH_NEWLINE: "a\nb", QUOTES: `'"$(id)`, path: "lower", mode: "m", dir: "d", EMPTY: "", PATH: "/nowhere" };
    const cwd = join(it.directory, "a 'dir' $(x)\n");
    mkdirSync(cwd);
    const handle = await it.start(it.js("exact", tell, { argv: [node, "-e", tell, "--", ...odd], env, cwd }));
    const [told] = await texts(handle);
    expect(JSON.parse(told ?? "")).toEqual({ argv: odd, env: { ...env, ENACT_RUN_ID: expect.stringMatching(/^exact@[0-9a-f]{12}$/) }, cwd });
    expect(await exitOf(handle)).toMatchObject({ code: 0, signal: null, lost: false });
    expect(existsSync(join(cwd, "pwned"))).toBe(false);
  });

  test("a program whose path looks like an assignment or an option still runs", async () => {
    const folder = join(it.directory, "-x a=b");
    mkdirSync(folder);
    const program = join(folder, "exit");
    writeFileSync(program, "#!/bin/sh\necho ran \"$@\"\n");
    chmodSync(program, 0o755);
    const byPath = await it.start(it.js("odd-path", "", { argv: [program, "1"] }));
    expect(await texts(byPath)).toEqual(["ran 1"]);
    const byName = await it.start(it.js("odd-name", "", { argv: ["exit", "2"], env: { PATH: folder } }));
    expect(await texts(byName)).toEqual(["ran 2"]);
  });

  test("the tools of the launcher never come from the agent's PATH", async () => {
    const bin = join(it.directory, "bin");
    mkdirSync(bin);
    for (const tool of ["mv", "cat", "ln", "mkfifo", "rm", "env"]) {
      writeFileSync(join(bin, tool), `#!/bin/sh\ntouch '${it.directory}/hijacked'\n`);
      chmodSync(join(bin, tool), 0o755);
    }
    const handle = await it.start(it.js("hijack", "process.stdin.once('data', () => process.exit(3))", { env: { PATH: bin }, stdin: "x", stdinMode: "open" }));
    expect(await exitOf(handle)).toMatchObject({ code: 3 });
    expect(existsSync(join(it.directory, "hijacked"))).toBe(false);
  });

  test("standard input: a megabyte and then its end", async () => {
    const stdin = "ab\n".repeat(400_000);
    const handle = await it.start(it.js("stdin", "let n=0;process.stdin.on('data',d=>n+=d.length).on('end',()=>console.log(n))", { stdin }));
    expect(await texts(handle)).toEqual([String(stdin.length)]);
  });

  test("standard input kept open: the first input, then messages in order, never mixed", async () => {
    const first = "f".repeat(200_000);
    const code = "let t='';process.stdin.on('data',d=>{t+=d;if(t.endsWith('END\\n')){console.log(JSON.stringify([t.split('\\n').map(l=>l.length+l.slice(0,1))]));process.exit()}})";
    const handle = await it.start(it.js("open", code, { stdin: `${first}\n`, stdinMode: "open" }));
    await Effect.runPromise(Effect.all([handle.write(`${"a".repeat(100_000)}\n`), handle.write(`${"b".repeat(5_000)}\n`), handle.write("END\n")], { concurrency: "unbounded" }));
    expect(await texts(handle)).toEqual([JSON.stringify([["200000f", "100000a", "5000b", "3E", "0"]])]);
    const late = await Effect.runPromise(Effect.flip(handle.write("late")));
    expect(late).toMatchObject({ _tag: "RunIo" });
  });

  test("exit codes and signals come from the exit file", async () => {
    const code = await it.start(it.js("code", "process.exit(42)"));
    const signal = await it.start(it.js("signal", "process.kill(process.pid, 'SIGSEGV'); setInterval(() => {}, 1000)"));
    expect(await exitOf(code)).toMatchObject({ code: 42, signal: null, lost: false });
    expect(await exitOf(signal)).toMatchObject({ code: null, signal: "SIGSEGV", lost: false });
    expect(await Effect.runPromise(signal.errorTail)).toBe("");
  });

  test("a program that cannot be executed ends with the shell's code and says why", async () => {
    const program = join(it.directory, "not-a-program");
    writeFileSync(program, "#!/no/such/interpreter\n", { mode: 0o755 });
    const handle = await it.start(it.js("no-interpreter", "", { argv: [program] }));
    expect((await exitOf(handle)).code).toBeGreaterThanOrEqual(126);
    expect(await Effect.runPromise(handle.errorTail)).toContain("not-a-program");
  });
});

describe("before anything is started", () => {
  let it: Rig;
  beforeEach(() => { it = rig(); });
  afterEach(() => it.dispose());

  test.each([
    ["no program", { argv: ["no-such-program"], env: { PATH: "/usr/bin" } }, /no program "no-such-program" on PATH/],
    ["no directory", { cwd: "/no/such/directory" }, /not there/],
    ["an argument that the kernel refuses", { argv: [node, "x".repeat(200_000)] }, /give long text through stdin/],
    ["a NUL", { argv: [node, "a\0b"] }, /NUL/],
    ["a name that shells drop", { env: { "a-b": "1" } }, /no shell can hand on/],
    ["a name that shells change", { env: { PWD: "/" } }, /belongs to the shell/],
  ] as const)("%s is refused with a reason", async (_, more, message) => {
    const failure = await Effect.runPromise(Effect.scoped(Effect.flip(it.processes.start({ ...it.js("refused", ""), ...more }))));
    expect(failure).toMatchObject({ _tag: "SpawnFailed", message: expect.stringMatching(message) });
    expect(existsSync(join(it.root, "refused", "started"))).toBe(false);
  });

  test("the run's files are for its owner alone, and hold no value of the environment", async () => {
    const handle = await it.start(it.js("files", "console.log(process.env.TOKEN)", { env: { TOKEN: "s3cret" }, labels: { item: "LOC-1" } }));
    expect(await texts(handle)).toEqual(["s3cret"]);
    await exitOf(handle);
    expect(statSync(handle.directory).mode & 0o777).toBe(0o700);
    for (const name of ["spec.json", "stdin", "out", "err", "exit", "started"]) expect(statSync(join(handle.directory, name)).mode & 0o777, name).toBe(0o600);
    expect(readFileSync(join(handle.directory, "spec.json"), "utf8")).not.toContain("s3cret");
    expect(await Effect.runPromise(it.processes.list)).toEqual([{ runId: runId("files"), alive: false, exit: await exitOf(handle), labels: { item: "LOC-1" } }]);
  });

  test("files of a run are there before its program, for nobody else, and in no other file", async () => {
    const handle = await it.start(it.js("files", "process.stdout.write(require('node:fs').readFileSync(process.env.FILE, 'utf8') + '\\n')", { files: { "settings.json": "its own settings" }, env: { FILE: join(it.root, "files", "settings.json") } }));
    expect(await texts(handle)).toEqual(["its own settings"]);
    expect(statSync(join(handle.directory, "settings.json")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(handle.directory, "spec.json"), "utf8")).not.toContain("its own settings");
  });

  test("a run directory that cannot be made is an error of the run, not a crash", async () => {
    writeFileSync(join(it.root, "blocked"), "a file where a directory should be");
    const failure = await Effect.runPromise(Effect.scoped(Effect.flip(it.processes.start(it.js("blocked", "")))));
    expect(failure).toMatchObject({ _tag: "RunIo" });
  });

  test("adopting a run that was never started says so", async () => {
    expect(await Effect.runPromise(Effect.scoped(Effect.flip(it.processes.adopt(runId("nobody")))))).toMatchObject({ _tag: "RunMissing" });
  });

  test("the child's umask is the owner's, not the launcher's", async () => {
    const handle = await it.start(it.js("umask", "console.log(process.umask())"));
    expect(await until(handle, "")).toMatchObject({ text: String(process.umask()) });
  });
});
