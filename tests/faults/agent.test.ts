import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { coder, makeRoom, mend, type Room } from "../cli/room.ts";
import { sampled } from "../support/sampled.ts";
import { config, critic, leftIn, only, program, shell } from "./room.ts";

const run = async (room: Room, playbook: string, more: { readonly argv?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {}) => {
  const done = await room.cli(["run", "Fix the sum", "-p", "repo", "--json", "--playbook", room.playbook("play", playbook), ...(more.argv ?? [])], more.env ? { env: more.env } : {});
  return { ...only(done.stdout), exitCode: done.exitCode, stderr: done.stderr, stdout: done.stdout };
};
const rounds = (steps: (n: number) => string): string => [1, 2, 3, 4, 5].map((n) => coder(steps(n), `iteration = ${n}`)).join("");

interface Row { readonly what: string; readonly playbook: string; readonly config?: string; readonly ends: { readonly exitCode: number; readonly status: string; readonly reason?: string; readonly iterations?: number } }
/** Every row runs at the default caps unless it names a limit. */
const misbehaviours: readonly Row[] = [
  { what: "crashes twice, then works", playbook: coder("{ crash = 3 }", "try = 1") + coder('{ crash = "SIGSEGV" }', "try = 2") + coder(mend, "try = 3"), ends: { exitCode: 0, status: "done", iterations: 1 } },
  { what: "hangs every time", playbook: coder('{ say = "x" }, { hang = true }'), config: config({ limits: "stallMs = 1500" }), ends: { exitCode: 1, status: "blocked", reason: "no output and no CPU use" } },
  { what: "hangs and ignores polite signals", playbook: coder('{ ignore = ["SIGINT", "SIGTERM", "SIGHUP"] }, { hang = true }'), config: config({ rest: "[autonomous.defaultStages.coder]\ntimeoutMs = 1500" }), ends: { exitCode: 1, status: "blocked", reason: "the turn took longer than" } },
  { what: "leaves a process of another session behind", playbook: coder(`{ orphan = true }, ${mend}`), ends: { exitCode: 0, status: "done" } },
  { what: "prints garbage", playbook: coder(`{ garbage = "Segmentation fault" }, { flood = 300000, as = "garbage" }, ${mend}`), ends: { exitCode: 0, status: "done" } },
  { what: "repeats one tool call", playbook: coder(`{ repeat = 60, steps = [${program("node", "-e", "0")}] }, { hang = true }`), ends: { exitCode: 1, status: "blocked", reason: "repeatedTool", iterations: 1 } },
  { what: "talks and does nothing", playbook: coder('{ repeat = 200, steps = [{ say = "hmm" }] }, { hang = true }'), ends: { exitCode: 1, status: "blocked", reason: "monologue", iterations: 1 } },
  { what: "goes back and forth", playbook: rounds((n) => `{ write = "f.txt", text = "${n % 2}" }, { result = "ok" }`) + critic('{ verdict = "revise", feedback = "no" }'), ends: { exitCode: 1, status: "blocked", reason: "oscillation" } },
  { what: "gets the same review again and again", playbook: rounds((n) => `{ write = "f.txt", text = "${n}" }, { result = "ok" }`) + critic('{ verdict = "revise", feedback = "The names are wrong, take better ones." }'), ends: { exitCode: 1, status: "blocked", reason: "sameFeedback" } },
  { what: "claims success without a change", playbook: coder('{ result = "All tests pass." }'), ends: { exitCode: 1, status: "blocked", reason: "nothing in the repository changed" } },
  { what: "spends money without a change", playbook: coder('{ cost = 50 }, { result = "ok" }'), ends: { exitCode: 1, status: "blocked", reason: "costWithoutChange" } },
  { what: "spends money on a change", playbook: coder(`${mend.replace("{ result", "{ cost = 50 }, { result")}`) + critic('{ cost = 50 }, { verdict = "approve" }'), ends: { exitCode: 0, status: "done", iterations: 1 } },
  { what: "gives no verdict, twice", playbook: coder(mend) + critic('{ malformed-verdict = { decision = "looks good" } }'), ends: { exitCode: 1, status: "failed", reason: "no valid verdict, twice" } },
  { what: "gives a verdict when asked once more", playbook: coder(mend) + critic('{ malformed-verdict = { decision = "looks good" } }', "try = 1") + critic('{ verdict = "approve" }', "try = 2"), ends: { exitCode: 0, status: "done", iterations: 1 } },
  { what: "is not signed in", playbook: coder('{ fail = "auth", message = "not signed in" }'), ends: { exitCode: 1, status: "blocked", reason: "not signed in" } },
  { what: "works long and silently, burning CPU", playbook: coder(`{ burn = 3000 }, ${program("node", "-e", "while (process.cpuUsage().user + process.cpuUsage().system < 3e6);")}, ${mend}`), config: config({ limits: "stallMs = 2000" }), ends: { exitCode: 0, status: "done", iterations: 1 } },
  { what: "deletes the tests", playbook: coder(`${program("rm", "-rf", "test")}, { result = "All tests pass." }`), ends: { exitCode: 1, status: "blocked", reason: "failures that were not there before" } },
  { what: "leaves a link out of its worktree", playbook: coder(`${program("ln", "-s", "/", "esc")}, ${mend}`), ends: { exitCode: 1, status: "blocked", reason: "esc, a symbolic link to /" } },
  { what: "replaces its worktree by a link", playbook: coder(shell('W=$PWD; mkdir "$HOME/out"; cp -r "$W/." "$HOME/out"; cd ..; rm -rf "$W"; ln -s "$HOME/out" "$W"')), ends: { exitCode: 1, status: "blocked", reason: "was replaced by a symbolic link" } },
];

describe.skipIf(process.platform !== "linux")("agents that misbehave", { timeout: 240_000 }, () => {
  test.for(sampled(misbehaviours, 6))("one that $what", async ({ playbook, config: own, ends }) => {
    // What does not come to a review needs none.
    await using room = makeRoom({ config: own ?? config({ rest: playbook.includes('"critic"') ? "" : "[autonomous.defaultStages.critic]\nenabled = false\n" }) });
    const { reason, ...rest } = ends;
    const end = await run(room, playbook);
    expect(end, end.stderr).toMatchObject(rest);
    if (reason !== undefined) expect(end.reason).toContain(reason);
    expect(leftIn(room)).toEqual([]);
    expect(room.git("status", "--porcelain")).toBe("");
  });

  test("one that changes git's configuration or a hook of the repository: the work goes on, and the item warns of it", async () => {
    await using room = makeRoom({ config: config() });
    const end = await run(room, coder(`${shell('git config core.fsmonitor "$HOME/evil"; G=$(git rev-parse --git-common-dir)/hooks; mkdir -p "$G"; echo > "$G/pre-push"')}, ${mend}`));
    expect(end, end.stderr).toMatchObject({ exitCode: 0, status: "done" });
    // Once: what changed before a turn is not its doing.
    expect(end.warnings.filter((warning) => warning.startsWith("git's own files"))).toEqual([expect.stringMatching(/changed while the coder worked: \.git\/config, \.git\/hooks\/pre-push; /)]);
  });

  const mended = "package.json\nsrc/sum.js\ntest/sum.test.js";
  test.for(sampled([
    { what: "removes .git of its worktree", steps: program("rm", ".git"), files: mended },
    { what: "makes another repository of it", steps: shell("rm .git; git init -q; git add -A; git commit -qm evil"), files: mended },
    { what: "changes the branch", steps: program("git", "checkout", "-q", "-b", "other"), files: mended },
    { what: "throws the history away", steps: shell("git checkout -q --orphan z; git add -A; git commit -qm orphan"), files: mended },
    { what: "plants hooks", steps: shell('G=$(git rev-parse --git-common-dir)/hooks; mkdir -p "$G"; for h in pre-commit post-commit reference-transaction; do printf "#!/bin/sh\\ntouch $HOME/pwned\\n" > "$G/$h"; chmod +x "$G/$h"; done'), files: mended },
    { what: "adds a submodule", steps: shell('git -c protocol.file.allow=always submodule add -q "$HOME/repo" sub'), files: `.gitmodules\n${mended.replace("test/", "sub\ntest/")}` },
    { what: "adds a submodule and breaks it", steps: shell('git -c protocol.file.allow=always submodule add -q "$HOME/repo" sub; rm sub/.git; mkdir sub/.git'), files: ".gitmodules\npackage.json\nsrc/sum.js\nsub/package.json\nsub/src/sum.js\nsub/test/sum.test.js\ntest/sum.test.js" },
    { what: "leaves a pipe and a repository of its own", steps: shell("mkfifo pipe; mkdir n; cd n; git init -q; echo 1 > a; git add a; git commit -qm n"), files: mended.replace("package", "n/a\npackage") },
  ], 2))("one that $what: its work is one commit on the item's branch all the same", async ({ steps, files }) => {
    await using room = makeRoom({ config: config() });
    const end = await run(room, coder(`${steps}, ${mend}`));
    expect(end, end.stderr).toMatchObject({ exitCode: 0, status: "done" });
    expect(room.git("ls-tree", "-r", "--name-only", String(end.branch))).toBe(files);
    expect(room.git("log", "--format=%s", `main..${end.branch}`)).toBe("RUN-1: Fix the sum");
    expect(existsSync(join(room.directory, "pwned"))).toBe(false);
  });

  test("stages that write outside of their scope are undone, with a warning, as is what an agent was not let do", async () => {
    await using room = makeRoom({ config: config() });
    const stage = (name: string, steps: string): string => coder(steps).replace('"coder"', `"${name}"`);
    const end = await run(room, coder(`{ deny = "WebFetch", detail = "http://example.invalid" }, ${mend}`)
      + stage("critic", `{ write = "src/sum.js", text = "evil", escape = true }, ${shell("git add -A; git commit -qm evil")}, { verdict = "approve" }`)
      + stage("tester", '{ write = "src/sum.js", text = "evil" }, { write = "test/more.test.js", text = "//" }, { result = "r" }')
      + stage("documenter", '{ write = "src/sum.js", text = "evil" }, { write = "README.md", text = "# Sums" }, { result = "r" }'), { argv: ["--pipeline"] });
    expect(end, end.stderr).toMatchObject({ exitCode: 0, status: "done" });
    expect(room.git("show", `${end.branch}:src/sum.js`)).toContain("a + b, 0)");
    expect(room.git("ls-tree", "-r", "--name-only", String(end.branch))).toBe("README.md\npackage.json\nsrc/sum.js\ntest/more.test.js\ntest/sum.test.js");
    for (const each of ["critic", "tester", "documenter"]) expect(end.warnings.join("\n")).toContain(`${each} changed what it may not; undone: src/sum.js`);
    expect(end.warnings).toContain("coder was not let: WebFetch: http://example.invalid");
  });

  test("secrets of the factory reach no agent, and secrets an agent prints reach no store, journal or screen", async () => {
    await using room = makeRoom({ config: config() });
    const secret = "hunter2hunter2";
    writeFileSync(join(room.directory, "secret"), secret);
    const tell = program("node", "-e", 'process.stdout.write(require("fs").readFileSync(process.env.HOME + "/secret", "utf8"))');
    const end = await run(room, coder(`${shell('env > "$HOME/seen"; tr "\\\\000" " " < /proc/$PPID/cmdline > "$HOME/argv"')}, ${tell}, { say = "it is ${secret}" }, ${mend.replace("The sum", `${secret}: the sum`)}`), { argv: ["--verbose"], env: { MY_TOKEN: secret, OTHER_API_KEY: "sk-0123456789" } });
    expect(end, end.stderr).toMatchObject({ exitCode: 0, status: "done" });
    expect(readFileSync(join(room.directory, "seen"), "utf8")).not.toMatch(/hunter2|sk-0123/);
    expect(readFileSync(join(room.directory, "argv"), "utf8")).not.toMatch(/hunter2|Fix the sum/);
    expect(end.stdout + end.stderr).not.toContain(secret);
    const state = join(room.directory, ".enact", "factory", "state");
    for (const name of readdirSync(state)) expect(readFileSync(join(state, name)).includes(secret), name).toBe(false);
    expect((await room.cli(["log", "RUN-1", "--verbose"])).stdout).not.toContain(secret);
  });

  test("odd names of repositories and playbooks are only names", async () => {
    await using room = makeRoom({ config: config() });
    const odd = '-my "re\'po\n é $(id)';
    renameSync(room.repository, join(room.directory, odd));
    const done = await room.cli(["run", '"; rm -rf / #{\nsecond line \u001b[31m', `--path=${odd}`, "--json", "--playbook", room.playbook("a b ' $(id)", coder(mend))]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(only(done.stdout).title).toMatch(/^"; rm -rf \/ #\{ second line/);
  });

  test("a state directory that is a link, and a damaged store, are refused and left alone", async () => {
    await using linked = makeRoom({ config: config() });
    mkdirSync(join(linked.directory, "elsewhere"));
    symlinkSync(join(linked.directory, "elsewhere"), join(linked.directory, ".enact"));
    const refused = await linked.cli(["run", "Fix", "-p", "repo", "--json"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("is a symbolic link");
    expect(readdirSync(join(linked.directory, "elsewhere"))).toEqual([]);
    await using damaged = makeRoom({ config: config() });
    expect((await run(damaged, coder(mend))).exitCode).toBe(0);
    const file = join(damaged.directory, ".enact", "factory", "state", "factory.db");
    writeFileSync(file, "not a database");
    const broken = await damaged.cli(["run", "Fix", "-p", "repo", "--json"]);
    expect(broken.exitCode).toBe(1);
    expect(broken.stderr).toContain("store restore");
    expect(readFileSync(file, "utf8")).toBe("not a database");
  });
});
