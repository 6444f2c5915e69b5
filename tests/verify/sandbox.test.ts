import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";
import { Effect } from "effect";
import { describe, expect, test } from "vitest";
import { runConfined } from "../../src/sandbox/run-confined.ts";
import { probeSandbox } from "../../src/sandbox/probe.ts";
import { bench, failure, skipSandbox } from "./fixture.ts";

const room = () => {
  const top = mkdtempSync(join(tmpdir(), "enact sandbox-"));
  const directory = join(top, "export"), temporary = join(top, "own");
  for (const path of [directory, temporary]) mkdirSync(path);
  return { top, directory, temporary, [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) };
};

describe.skipIf(skipSandbox)("the sandbox", () => {
  test("keeps a hostile check from the disk, the network, the owner's environment and other processes", async () => {
    using r = room();
    const server = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", resolve); });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    writeFileSync(join(r.top, "secret"), "s");
    writeFileSync(join(r.directory, "attack.mjs"), `
import fs from "node:fs"; import os from "node:os"; import net from "node:net"; import { spawnSync } from "node:child_process";
const tried = (f) => { try { return f(); } catch (e) { return e.code ?? String(e); } };
const connect = (host, port) => new Promise((resolve) => { const s = net.connect({ host, port, timeout: 3000 }); s.on("connect", () => resolve("connected")); s.on("error", (e) => resolve(e.code)); s.on("timeout", () => resolve("timeout")); });
const [, , top, port, home] = process.argv;
const caps = /CapEff:\\s*(\\w+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1];
const lo = await new Promise((resolve) => { const s = net.createServer(); s.listen(0, "127.0.0.1", async () => { resolve(await connect("127.0.0.1", s.address().port)); s.close(); }); });
fs.writeFileSync("report.json", JSON.stringify({
  secret: tried(() => fs.readFileSync(top + "/secret", "utf8")), home: tried(() => fs.readdirSync(home).length), shadow: tried(() => fs.readFileSync("/etc/shadow", "utf8")), usr: tried(() => fs.writeFileSync("/usr/enact", "x")),
  tmp: tried(() => fs.writeFileSync("/tmp/enact-escaped", "x")), pids: fs.readdirSync("/proc").filter((p) => /^\\d+$/.test(p)).length, caps, lo, host: await connect("127.0.0.1", Number(port)), out: await connect("192.0.2.1", 80),
  env: Object.keys(process.env).filter((k) => /HIDDEN|SSH|TOKEN/.test(k)), given: process.env.GIVEN, user: os.userInfo().username, uid: process.getuid(), userns: spawnSync("unshare", ["-U", "true"]).status, cwd: process.cwd(),
}));
process.exit(0);`);
    process.env.ENACT_HIDDEN = "leak";
    try {
      const sandbox = await Effect.runPromise(probeSandbox("auto", join(r.top, "scratch")));
      const done = await runConfined(sandbox, { argv: ["node", "attack.mjs", r.top, String(port), process.env.HOME ?? "/"], directory: r.directory, temporary: r.temporary, env: { GIVEN: "yes" }, dependencies: [] }, 30_000);
      expect(done).toMatchObject({ exitCode: 0, output: "" });
      const report: unknown = JSON.parse(readFileSync(join(r.directory, "report.json"), "utf8"));
      expect(report).toMatchObject({ secret: "ENOENT", shadow: "ENOENT", usr: "EROFS", caps: "0000000000000000", lo: "connected", host: "ECONNREFUSED", out: "ENETUNREACH", env: [], given: "yes", user: "check", uid: 1000, cwd: "/project" });
      expect(report).toHaveProperty("pids", expect.toSatisfy((n: number) => n < 8));
      expect(report).toHaveProperty("userns", expect.toSatisfy((n: number) => n !== 0));
      expect(existsSync("/tmp/enact-escaped")).toBe(false);
    } finally { delete process.env.ENACT_HIDDEN; server.close(); }
  });

  test("bounds processes and output, also for root", async () => {
    using r = room();
    const sandbox = await Effect.runPromise(probeSandbox("auto", join(r.top, "scratch")));
    const flood = await runConfined(sandbox, { argv: ["sh", "-c", "yes flood | head -c 40000000; echo end"], directory: r.directory, temporary: r.temporary, env: {}, dependencies: [] }, 60_000);
    expect(flood.exitCode).toBe(0);
    expect(flood.output.length).toBeLessThan(20_000_000);
    expect(flood.output.endsWith("end\n")).toBe(true);
    const limit = await runConfined(sandbox, { argv: ["sh", "-c", "sed -n 's/^Max processes *\\([0-9]*\\).*/\\1/p; s/^Max core file size *\\([0-9]*\\).*/\\1/p' /proc/self/limits"], directory: r.directory, temporary: r.temporary, env: {}, dependencies: [] }, 10_000);
    expect(limit.output).toBe("0\n4096\n");
  });

  test("holds a directory that is only to be read, and what is guarded in one that may be written", async () => {
    using r = room();
    const sandbox = await Effect.runPromise(probeSandbox("auto", join(r.top, "scratch")));
    const ran = (command: string, more: { readonly readOnly?: boolean; readonly guarded?: readonly string[] }) => runConfined(sandbox, { argv: ["sh", "-c", command], directory: r.directory, temporary: r.temporary, env: {}, dependencies: [], ...more }, 30_000);
    writeFileSync(join(r.directory, ".git"), "gitdir: /elsewhere\n");
    const { output } = await ran("cat .git; echo x > made; echo x > /tmp/fine && echo fine", { readOnly: true });
    for (const said of ["gitdir: /elsewhere", "Read-only", "fine"]) expect(output).toContain(said);
    expect(existsSync(join(r.directory, "made"))).toBe(false);
    await ran("echo x > .git; rm -f .git; mv .git away; echo x > made", { guarded: [".git", "missing"] });
    expect(existsSync(join(r.directory, "made"))).toBe(true);
    expect(readFileSync(join(r.directory, ".git"), "utf8")).toBe("gitdir: /elsewhere\n");
    mkdirSync(join(r.directory, "secret"));
    writeFileSync(join(r.directory, "secret", "config"), "token");
    expect((await ran("ls -A secret; echo x > secret/hook; rm -rf secret; true", { guarded: ["secret"] })).output).not.toContain("config");
    expect([existsSync(join(r.directory, "secret", "hook")), readFileSync(join(r.directory, "secret", "config"), "utf8")]).toEqual([false, "token"]);
  });

  const script = join(import.meta.dirname, "child.ts");
  const as = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const readable = process.getuid?.() === 0 && spawnSync("setpriv", [...as, "sh", "-c", 'test -r "$0" && test -x "$1"', script, process.execPath]).status === 0;
  if (!readable) console.warn("SKIPPED: bubblewrap as another user needs root, and a checkout that other users can read");
  test.skipIf(!readable)("works for an unprivileged user too", () => {
    using r = room();
    chmodSync(r.top, 0o777);
    const node = spawnSync("setpriv", [...as, "env", `HOME=${r.top}`, process.execPath, script, r.top], { encoding: "utf8" });
    expect(node.stderr).toBe("");
    expect(node.stdout).toBe("bubblewrap 0 hello\n");
  });
});

test("no sandbox refuses with the mend, and runs nothing", async () => {
  using b = bench({ "package.json": JSON.stringify({ scripts: { test: "touch ran" } }) });
  const path = process.env.PATH;
  mkdirSync(join(b.top, "bin"));
  for (const tool of ["git", "sh"]) spawnSync("sh", ["-c", `ln -s "$(command -v ${tool})" "$0/${tool}"`, join(b.top, "bin")]);
  process.env.PATH = join(b.top, "bin");
  try {
    const error = await failure(b.make().run({ repository: b.repository, base: b.base, head: b.base }));
    expect(error).toMatchObject({ _tag: "SandboxMissing", mend: expect.stringContaining("bubblewrap") });
    expect(await failure(b.make({ sandbox: { container: "an-image" } }).run({ repository: b.repository, base: b.base, head: b.base }))).toMatchObject({ _tag: "SandboxMissing" });
  } finally { process.env.PATH = path; }
});
