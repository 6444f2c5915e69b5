import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { installRecordedCli } from "../support/fakes/recorded-cli.ts";
import { fileText, lastLine, makeRoom } from "./room.ts";

const Doctored = z.object({ checks: z.array(z.looseObject({ name: z.string() })) });

describe("init, validate and doctor, for real", { timeout: 240_000 }, () => {
  test("CLI-07 init writes a config.toml that validates, and never overwrites one", async () => {
    await using room = makeRoom({ config: null });
    const file = join(room.directory, "config.toml");
    const made = await room.cli(["init"]);
    expect(made.exitCode, made.stderr).toBe(0);
    const text = fileText(file);
    const valid = await room.cli(["validate"]);
    expect([valid.exitCode, valid.stdout]).toEqual([0, `active: ${file}\nvalid`]);
    writeFileSync(file, `${text}# mine\n`);
    const again = await room.cli(["init", "--postgres"]);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain(`${file} exists already`);
    expect(fileText(file)).toBe(`${text}# mine\n`);
    const shared = await room.cli(["init", "--postgres", "--path", "~/shared", "--json"]);
    expect(lastLine(shared.stdout)).toEqual({ file: join(room.directory, "shared", "config.toml") });
    expect(fileText(join(room.directory, "shared", "config.toml"))).toMatch(/^url = "postgres:\/\/enact:enact@localhost:45432\/enact_factory_dev"$/m);
  });

  test("CLI-08 validate names every problem with its place and what to write, and exits non-zero", async () => {
    await using room = makeRoom({ config: null });
    const check = async (text: string) => {
      writeFileSync(join(room.directory, "config.toml"), text);
      return room.cli(["validate"]);
    };
    const bad = await check('[autonomous]\nclaimUnasigned = true\n[scheduler]\nslots = "two"\n[azdo]\napiKey = "${NO_SUCH_VARIABLE_HERE}"\n');
    expect(bad.exitCode).toBe(1);
    expect(bad.stdout).toContain(`active: ${join(room.directory, "config.toml")}`);
    expect(bad.stdout).toMatch(/config\.toml:2:1: error: .*claimUnasigned/);
    expect(bad.stdout).toContain("claimUnassigned");
    expect(bad.stdout).toMatch(/config\.toml:4:\d+: error: scheduler\.slots/);
    expect(bad.stdout).toContain("NO_SUCH_VARIABLE_HERE");
    expect(bad.stdout).toContain("3 problems.");
    const old = await check('[autonomous.defaultStages.executor]\nmodel = "m"\n');
    expect(old.exitCode).toBe(1);
    expect(old.stdout).toContain("[autonomous.defaultStages.coder]");
    const yaml = await check("autonomous:\n  defaultStages:\n    coder:\n      model: m\n");
    expect(yaml.exitCode).toBe(1);
    expect(yaml.stdout).toContain('model = "m"');
    expect((await check("[scheduler]\nslots = 3\n")).exitCode).toBe(0);
    expect((await room.cli(["validate", "missing.toml"])).exitCode).toBe(1);
  });

  test("CONF-01 the configuration is the one named, else the nearest upwards, else the one under ~; validate says which", async () => {
    await using room = makeRoom({ config: null });
    const active = async (argv: readonly string[], cwd?: string): Promise<unknown> => lastLine((await room.cli([...argv, "--json"], cwd === undefined ? {} : { cwd })).stdout);
    const home = join(room.directory, "repo", "elsewhere", "home");
    mkdirSync(join(home, ".enact"), { recursive: true });
    expect(await active(["validate"])).toMatchObject({ file: null, valid: true });
    writeFileSync(join(home, ".enact", "config.toml"), "[scheduler]\nslots = 1\n");
    const underHome = await room.cli(["validate", "--json"], { env: { HOME: home } });
    expect(lastLine(underHome.stdout)).toMatchObject({ file: join(home, ".enact", "config.toml") });
    const parent = join(room.directory, "config.toml");
    writeFileSync(parent, "[scheduler]\nslots = 2\n");
    expect(await active(["validate"], room.repository)).toMatchObject({ file: parent });
    expect(await active(["-C", "repo", "validate"])).toMatchObject({ file: parent });
    writeFileSync(join(room.directory, "other.toml"), "[scheduler]\nslots = 3\n");
    expect(await active(["--config", "~/other.toml", "validate"], room.repository)).toMatchObject({ file: join(room.directory, "other.toml") });
  });

  test("SURF-04 doctor lists every check, changes nothing, and fails when something is missing", async () => {
    await using room = makeRoom();
    const before = room.git("status", "--porcelain", "--ignored");
    const ready = await room.cli(["-C", "repo", "doctor", "--json"]);
    expect(lastLine(ready.stdout)).toMatchObject({ ready: true, checks: expect.arrayContaining([expect.objectContaining({ name: "git", state: "ok" }), expect.objectContaining({ name: "store", state: "ok" })]) });
    expect(ready.exitCode, ready.stdout).toBe(0);
    const broken = await room.cli(["doctor"], { env: { PATH: join(room.directory, "tmp") } });
    expect(broken.exitCode).toBe(1);
    expect(broken.stdout).toMatch(/failed +git/);
    expect(broken.stdout).toContain("without it:");
    expect(broken.stdout).toContain("Not ready");
    expect(room.git("status", "--porcelain", "--ignored")).toBe(before);
    const tree = await room.cli(["tree"]);
    expect(tree.exitCode).toBe(0);
    expect(tree.stdout).toContain("No factory is running");
  });

  test("doctor asks for the agent that the coder escalates to, and names what is set but not served", async () => {
    await using room = makeRoom();
    const file = join(room.directory, "other.toml");
    writeFileSync(file, `adapter = "scripted"\n[[projects]]\nname = "app"\nprojectPath = "repo"\nheartbeatMs = 5000\n[verify]\nsandbox = "off"\n[autonomous.defaultStages.coder]\nescalateAdapter = "codex"\n`);
    const { stdout, exitCode } = await room.cli(["--config", file, "doctor", "--json"]);
    expect(exitCode, stdout).toBe(1);
    expect(lastLine(stdout)).toMatchObject({ ready: false, checks: expect.arrayContaining([
      expect.objectContaining({ name: "agent codex", state: "failed" }), expect.objectContaining({ name: "agent scripted", state: "ok" }),
      expect.objectContaining({ name: "projects.heartbeatMs", state: "warning" }),
    ]) });
  });

  test.each(["cursor", "hermes"])("doctor says that %s is untested against the real program, and that it cannot be a critic", async (adapter) => {
    await using room = makeRoom();
    const program = adapter === "cursor" ? "cursor-agent" : adapter;
    const bin = await installRecordedCli(room.directory, program, [{ argv: ["--version"], lines: ["2026.11.1"] }]);
    const agent = async (toml: string): Promise<unknown> => {
      writeFileSync(join(room.directory, "other.toml"), `adapter = "scripted"\n[[projects]]\nname = "app"\nprojectPath = "repo"\n${toml}`);
      const { stdout } = await room.cli(["--config", join(room.directory, "other.toml"), "doctor", "--json"], { env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, CURSOR_API_KEY: "test-key" } });
      return Doctored.parse(lastLine(stdout)).checks.find(({ name }) => name === `agent ${adapter}`);
    };
    expect(await agent(`[autonomous.defaultStages.coder]\nadapter = "${adapter}"\n`)).toMatchObject({ state: "warning", detail: expect.stringContaining("2026.11.1") });
    expect(await agent(`[autonomous.defaultStages.coder]\nadapter = "${adapter}"\n`)).toMatchObject({ detail: expect.stringContaining("untested against the real program") });
    expect(await agent(`[autonomous.defaultStages.critic]\nadapter = "${adapter}"\n`)).toMatchObject({ state: "failed", detail: "it cannot be held to reading, so it refuses to be critic" });
  });
});
