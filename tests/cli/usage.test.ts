import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { bin, fileText, makeRoom } from "./room.ts";

/** Every command with what it documents. */
const documented: readonly (readonly [string, readonly string[]])[] = [
  ["run", ["--path <dir>", "-p", "--adapter", "-a", "--model", "-m", "--playbook", "--timeout", "--coder-only", "--executor-only", "--pipeline", "--verbose", "--take-over"]],
  ["exec", ["--local", "--path", "--timeout <seconds>", '"600"', "--pipeline", "--executor-only", "--coder-only", "-m, --model", "--verbose"]],
  ["resume", ["[id]", "--take-over"]],
  ["diff", ["<id>", "--stat"]],
  ["undo", ["<id>", "--onto <branch>"]],
  ["receipt", ["[id]", "-o, --output", "verify", "key"]],
  ["receipt verify", ["<file>", "--key <file>", "--keyid", "--repository"]],
  ["receipt key", []],
  ["init", ["--postgres", "--path"]],
  ["validate", ["[file]"]],
  ["inbox", ["show", "answer", "approve", "reject", "retry", "open"]],
  ["inbox show", ["<id>"]],
  ["inbox answer", ["<id> <text>"]],
  ["inbox approve", ["<id>"]],
  ["inbox reject", ["--reason"]],
  ["inbox retry", ["<id>"]],
  ["inbox open", ["--print"]],
  ["hud", ["--once", "--watch"]],
  ["session", ["status", "list", "start", "end", "link", "unlink", "acknowledge"]],
  ["session status", ["[id]"]],
  ["session list", ["--all"]],
  ["session start", ["--id", "--item", "--cli"]],
  ["session end", ["[id]"]],
  ["session link", ["<item>", "--id"]],
  ["session unlink", ["[id]"]],
  ["session acknowledge", ["[id]", "--reason"]],
  ["hook", ["stop", "session-start", "session-end", "notification", "--cli"]],
  ["hooks", ["install", "status", "remove"]],
  ["hooks install", ["--cli", "--scope", "--force"]],
  ["hooks status", ["--json"]],
  ["hooks remove", ["--cli", "--scope"]],
  ["task", ["list", "show", "cancel", "retry", "restore", "answer", "approve", "reject", "pause", "resume", "close"]],
  ["lane", ["set", "status"]],
  ["lane status", ["[id]"]],
  ["provider", ["[name]", "--reset", "--json"]],
  ["adapters", ["list", "verify", "login-help"]],
  ["adapters list", ["--json"]],
  ["adapters verify", ["[names...]", "--model", "-m"]],
  ["adapters login-help", ["<name>"]],
  ["push", ["drain"]],
  ["push drain", ["--json"]],
  ["task list", ["--open"]],
  ["task show", ["<id>"]],
  ["task cancel", ["<id>"]],
  ["task retry", ["<id>"]],
  ["task restore", ["--ref", "--to", "--list"]],
  ["task answer", ["<id> <text>"]],
  ["task approve", ["<id>"]],
  ["task reject", ["--reason"]],
  ["task close", ["--reason"]],
  ["task pause", ["<id>"]],
  ["task resume", ["<id>"]],
  ["lane set", ["manual, none, autopilot, ralph, ultrawork or team"]],
  ["why", ["<id>"]],
  ["log", ["--follow", "--verbose"]],
  ["tree", []],
  ["start", ["--foreground", "--port"]],
  ["stop", ["--keep-agents", "--timeout"]],
  ["restart", ["--port", "--timeout"]],
  ["status", []],
  ["logs", ["[address]", "-f, --follow", "--lines"]],
  ["doctor", []],
  ["mcp", ["--tools <scope>", "session"]],
  ["skills", ["list", "show"]],
  ["skills list", []],
  ["skills show", ["<name>", ".enact/skills/NAME.md"]],
  ["agents", ["install"]],
  ["agents install", ["--path", "--check", "--remove"]],
  ["store", ["backup", "restore"]],
  ["store backup", ["<file>"]],
  ["store restore", ["--force"]],
  ["demo", ["--keep", "--adapter"]],
  ["panes", ["--all"]],
  ["attach", ["<address>", "--write"]],
  ["message", ["<address> <text>", "--interrupt"]],
];

describe("the command line", { timeout: 240_000 }, () => {
  test("STRUCT-02 CARD-16 --help of every command lists its options with an example, and loads nothing heavy", async () => {
    // One process for all of them: it prints the help of each and then what was loaded.
    const script = `
      import { registerHooks } from "node:module";
      const loaded = new Set();
      registerHooks({ load: (url, context, next) => { loaded.add(url); return next(url, context); } });
      const { runCli } = await import(${JSON.stringify(new URL("../../src/cli/program.ts", import.meta.url).href)});
      const results = {};
      for (const name of ${JSON.stringify(documented.map(([name]) => name))}) {
        let text = "";
        const screen = { write: (part) => { text += part; }, isTty: false, colour: false, columns: () => Infinity, rows: () => Infinity };
        const code = await runCli([...name.split(" "), "--help"], { out: screen, err: screen, canAsk: false, input: process.stdin, prompt: process.stderr, env: {}, cwd: "/", home: "/" }, () => { throw new Error("the composition was loaded"); });
        results[name] = { code, text };
      }
      console.log(JSON.stringify({ results, loaded: [...loaded] }));`;
    const { stdout } = await execa(process.execPath, ["--input-type=module", "-e", script], { stdin: "ignore" });
    const { results, loaded }: { results: Record<string, { code: number; text: string }>; loaded: string[] } = JSON.parse(stdout);
    for (const [name, options] of documented) {
      expect(results[name]?.code, name).toBe(0);
      for (const option of [...options, "--json", "--config", "-C, --directory", "-h, --help"]) expect(results[name]?.text, name).toContain(option);
      expect(results[name]?.text, name).toMatch(new RegExp(`Examples?:\\n  enact-factory ${name}`));
    }
    expect(loaded.some((url) => url.includes("node_modules/commander/"))).toBe(true);
    expect(loaded.filter((url) => url.includes("node_modules") && !url.includes("node_modules/commander/"))).toEqual([]);
    expect(loaded.filter((url) => /\/src\/(?!cli\/|client\/(contract|text\/safe-text)\.ts|domain\/secret\.ts)/.test(url))).toEqual([]);
  });

  test("EXEC-10 usage errors exit 1, say what was meant, and where the help is", async () => {
    await using room = makeRoom();
    for (const [argv, says] of [
      [["rnu"], "run"], [["task", "lst"], "list"], [["run", "x", "--pth", "."], "--path"], [["run"], "task"], [["why"], "id"], [["exec", "x", "--local", "--executor-only", "--pipeline"], "opposite"],
      [["run", "x", "-p", "nowhere"], "no directory"], [["run", "x", "-p", "repo", "--timeout", "soon"], "seconds"], [["run", "x", "-p", "repo", "--adapter", "cluade"], "claude"], [["run", " ", "-p", "repo"], "empty"],
      [["task", "show", "nonsense"], "LOC-12"], [["lane", "set", "RUN-1", "swarm"], "ultrawork"],
    ] as const) {
      const done = await room.cli(argv);
      expect([done.exitCode, done.stdout], argv.join(" ")).toEqual([1, ""]);
      expect(done.stderr).toContain(says);
      expect(done.stderr).toMatch(/^enact-factory: /);
      expect(done.stderr).not.toContain("    at ");
    }
  });

  test("no arguments print the help, with or without a terminal", async () => {
    await using room = makeRoom();
    const done = await room.cli([]);
    expect([done.exitCode, done.stderr]).toEqual([0, ""]);
    expect(done.stdout).toContain("Usage: enact-factory");
  });

  test("--version prints the version of package.json", async () => {
    await using room = makeRoom();
    const { version }: { version: string } = JSON.parse(fileText(new URL("../../package.json", import.meta.url).pathname));
    expect((await room.cli(["--version"])).stdout).toBe(version);
  });

  test("PRE-01 an older Node gets one clear line and exit 2, before anything is imported", async () => {
    const directory = mkdtempSync(join(tmpdir(), "enact-old-node-"));
    try {
      // The bin itself, its types taken off, where nothing it could import exists.
      writeFileSync(join(directory, "bin.mjs"), stripTypeScriptTypes(fileText(bin)));
      for (const [version, code] of [["18.20.4", 2], ["20.20.2", 2], ["22.18.0", 2], ["22.19.0", 1], ["24.0.0", 1]] as const) {
        const pretend = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"${version}"})`;
        const done = await execa(process.execPath, ["--import", pretend, join(directory, "bin.mjs")], { reject: false, stdin: "ignore" });
        expect([version, done.exitCode]).toEqual([version, code]);
        if (code === 2) expect(done.stderr.split("\n")).toEqual([expect.stringContaining("needs Node 22.19 or newer")]);
        else expect(done.stderr).toContain("ERR_MODULE_NOT_FOUND");
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
