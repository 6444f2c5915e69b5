import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { hookHash, hookKey } from "../../src/adapters/codex/hook-trust.ts";
import { entriesIn } from "../../src/adapters/hook-entries.ts";
import { lastLine, makeRoom, type Room } from "./room.ts";

const put = (room: Room, path: string, text: string, mode = 0o644): string => {
  const file = join(room.directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
  return file;
};
const json = async (room: Room, ...argv: readonly string[]) => lastLine((await room.cli(["-C", "repo", ...argv, "--json"])).stdout);
const mine = { permissions: { allow: ["Bash"] }, hooks: { Stop: [{ hooks: [{ type: "command", command: "say done" }] }], PreToolUse: [{ matcher: "Bash", hooks: [{ type: "command", command: "look" }] }] } };
/** What doctor says of hooks. */
const checks = async (room: Room, more: Parameters<Room["cli"]>[1] = {}): Promise<unknown> => {
  const { checks: all } = lastLine((await room.cli(["-C", "repo", "doctor", "--json"], more)).stdout) as { readonly checks: readonly { readonly name: string }[] };
  return all.filter(({ name }) => name.startsWith("hooks"));
};

describe("hooks install, status and remove, for real", { timeout: 240_000 }, () => {
  test("entries are added beside a person's own, twice changes nothing, and go again without a trace", async () => {
    await using room = makeRoom();
    const file = put(room, "repo/.claude/settings.local.json", `${JSON.stringify(mine, null, 4)}\n`), before = readFileSync(file, "utf8");
    expect(await json(room, "hooks", "install")).toMatchObject({ changed: true, cli: "claude", scope: "project", file, state: "installed" });
    const text = readFileSync(file, "utf8"), written: unknown = JSON.parse(text);
    expect(written).toMatchObject({ permissions: mine.permissions, hooks: { PreToolUse: mine.hooks.PreToolUse, Stop: [mine.hooks.Stop[0], { hooks: [{ command: expect.stringMatching(/ hook stop --cli claude # enact-factory$/) }] }] } });
    expect(await json(room, "hooks", "install")).toMatchObject({ changed: false });
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(await json(room, "hooks", "status")).toMatchObject({ operator: null, files: [{ cli: "claude", scope: "user", state: "none" }, { cli: "claude", scope: "project", state: "installed" }, { state: "none" }, { state: "none" }] });
    expect(await json(room, "hooks", "remove")).toMatchObject({ changed: true, state: "none" });
    expect(readFileSync(file, "utf8")).toBe(before);
    expect(await json(room, "hooks", "remove")).toMatchObject({ changed: false });
  });

  test("what is not understood is refused and left as it is; in a project nothing is written through a link", async () => {
    await using room = makeRoom();
    const file = put(room, "repo/.claude/settings.local.json", "{ // mine\n}");
    const refused = await room.cli(["-C", "repo", "hooks", "install"]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringMatching(/settings\.local\.json was not changed: it is no JSON/)]);
    expect(readFileSync(file, "utf8")).toBe("{ // mine\n}");
    const outside = put(room, "outside.json", "{}");
    rmSync(file);
    symlinkSync(outside, file);
    expect((await room.cli(["-C", "repo", "hooks", "install"])).stderr).toContain("is a symbolic link");
    expect(readFileSync(outside, "utf8")).toBe("{}");
    // A person's own settings may well be a link, of whoever keeps them in a repository.
    const target = put(room, "dotfiles/claude.json", "{}");
    mkdirSync(join(room.directory, ".claude"));
    symlinkSync(target, join(room.directory, ".claude", "settings.json"));
    expect(await json(room, "hooks", "install", "--scope", "user")).toMatchObject({ changed: true, state: "installed" });
    expect(readFileSync(target, "utf8")).toContain("# enact-factory");
  });

  test("it steps aside for Enact Operator, unless told otherwise", async () => {
    await using room = makeRoom();
    const operator = put(room, "operator/enact-operator", "#!/bin/sh\n", 0o755);
    const env = { PATH: `${dirname(operator)}:${room.env["PATH"] ?? ""}` };
    const aside = await room.cli(["-C", "repo", "hooks", "install"], { env });
    expect([aside.exitCode, aside.stdout]).toEqual([0, expect.stringContaining("owns these hooks; nothing was changed")]);
    expect(await json(room, "hooks", "status")).toMatchObject({ files: [{ state: "none" }, { state: "none" }, { state: "none" }, { state: "none" }] });
    expect((await room.cli(["-C", "repo", "hooks", "install", "--force"], { env })).exitCode).toBe(0);
    expect(await json(room, "hooks", "status")).toMatchObject({ files: [{ state: "none" }, { state: "installed" }, { state: "none" }, { state: "none" }] });
  });

  test("FAIL-01 doctor names missing and stale hooks with their remedy: ours, codex's untrusted ones, and those of Enact Operator", async () => {
    await using room = makeRoom();
    expect(await checks(room)).toEqual([{ name: "hooks", state: "warning", detail: "no agent CLI asks before its agents stop", without: expect.any(String), mend: "enact-factory hooks install --scope user" }]);

    await room.cli(["-C", "repo", "hooks", "install"]);
    await room.cli(["-C", "repo", "hooks", "install", "--cli", "codex", "--scope", "user"]);
    expect(await checks(room)).toMatchObject([{ name: "hooks of claude, project", state: "ok" }, { name: "hooks of codex, user", state: "warning", detail: expect.stringContaining("nobody has trusted: SessionStart, Stop, SessionEnd"), mend: expect.stringContaining("/hooks") }]);
    const codex = join(room.directory, ".codex", "hooks.json");
    const trust = (more: (event: string) => string): void => {
      writeFileSync(join(room.directory, ".codex", "config.toml"), entriesIn(readFileSync(codex, "utf8")).map(({ event, group, handler, settings }) => `[hooks.state."${hookKey(codex, event, group, handler)}"]\ntrusted_hash = "${hookHash(event, settings)}${more(event)}\n`).join(""));
    };
    trust(() => '"');
    expect(await checks(room)).toMatchObject([{ state: "ok" }, { name: "hooks of codex, user", state: "ok" }]);
    trust((event) => (event === "Stop" ? '0"' : event === "SessionEnd" ? '"\nenabled = false' : '"'));
    expect(await checks(room)).toMatchObject([{ state: "ok" }, { state: "warning", detail: expect.stringContaining("have changed since somebody trusted them: Stop; that somebody has switched off: SessionEnd") }]);
    trust(() => '"');

    const claude = join(room.repository, ".claude", "settings.local.json");
    writeFileSync(claude, readFileSync(claude, "utf8").replaceAll(/' '[^']*' hook/g, "' '/gone/old-build/cli.js' hook"));
    expect(await checks(room)).toMatchObject([{ name: "hooks of claude, project", state: "warning", detail: expect.stringContaining("gone: /gone/old-build/cli.js"), mend: "enact-factory hooks install --cli claude --scope project" }, { state: "ok" }]);
    await room.cli(["-C", "repo", "hooks", "install"]);
    expect(await checks(room)).toMatchObject([{ state: "ok" }, { state: "ok" }]);

    const operator = put(room, "operator/enact-operator", "#!/bin/sh\n", 0o755), more = { env: { PATH: `${dirname(operator)}:${room.env["PATH"] ?? ""}` } };
    const remedy = "reinstall or refresh Enact Operator, then rebuild";
    for (const argv of [["--cli", "claude"], ["--cli", "codex", "--scope", "user"]]) await room.cli(["-C", "repo", "hooks", "remove", ...argv]);
    expect(await checks(room, more)).toMatchObject([{ state: "warning", detail: expect.stringContaining("no settings of an agent CLI call it"), mend: remedy }]);
    const settings = put(room, ".claude/settings.json", JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command: "/gone/enact-operator stop" }] }] } }));
    expect(await checks(room, more)).toMatchObject([{ state: "warning", detail: expect.stringContaining("a build of it that is gone"), mend: remedy }]);
    writeFileSync(settings, JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command: `${operator} stop` }] }] } }));
    expect(await checks(room, more)).toMatchObject([{ state: "ok", detail: expect.stringContaining("Enact Operator owns them") }]);
    await room.cli(["-C", "repo", "hooks", "install", "--force"], more);
    expect(await checks(room, more)).toMatchObject([{ state: "warning", detail: expect.stringContaining("agents are asked twice"), mend: "enact-factory hooks remove --cli claude --scope project" }, { state: "ok" }]);
  });
});
