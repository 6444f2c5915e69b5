import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { guardMs, makeDaemonRoom, started } from "../daemon/room.ts";
import { bin, lastLine, makeRoom, type Room } from "./room.ts";

const payload = (sessionId: string, cwd: string, more: Readonly<Record<string, unknown>> = {}): string => JSON.stringify({ session_id: sessionId, cwd, hook_event_name: "Stop", stop_hook_active: false, last_assistant_message: "Done.", ...more });

/** A hook as a CLI calls it. */
const hook = async (room: Room, event: string, input: string, more: { readonly env?: Readonly<Record<string, string>>; readonly argv?: readonly string[]; readonly cwd?: string } = {}) => {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [bin, "hook", event, ...more.argv ?? []], { cwd: more.cwd ?? room.directory, env: { ...room.env, ENACT_HOOK_PATIENCE_MS: "30000", ...more.env }, extendEnv: false, input, reject: false, timeout: 60_000 });
  return { exitCode, stdout, stderr };
};
const silent = { exitCode: 0, stdout: "", stderr: "" };
const sources = '[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n';
const putItem = (room: Room): void => {
  mkdirSync(join(room.directory, "items"));
  writeFileSync(join(room.directory, "items", "one.md"), '+++\nlane = "manual"\n+++\n# Write it\n');
};

describe.skipIf(process.platform !== "linux")("sessions and hooks, for real", { timeout: 240_000 }, () => {
  test("E2E-13 E2E-14 FAIL-06 SURF-07 a stop with open gates is denied with the daemon up and down; the verdict survives a restart, is shown once at the next session's start, and is silenced for one session", async () => {
    await using room = makeDaemonRoom({ rest: sources });
    putItem(room);
    await started(room);
    await expect.poll(async () => lastLine((await room.cli(["task", "list", "--json"])).stdout), { timeout: guardMs }).toMatchObject({ workItems: [{ id: "LOC-1", status: "ready" }] });
    const status = async (...argv: readonly string[]) => lastLine((await room.cli(["session", "status", "--json", ...argv])).stdout);
    const here = payload("s-1", room.directory);

    expect((await room.cli(["session", "status"])).stdout).toContain("Session: none.");
    expect(await status()).toEqual({ session: null });
    expect(await hook(room, "session-start", here)).toEqual(silent);
    expect(await hook(room, "stop", here)).toEqual(silent);
    expect((await room.cli(["session", "link", "LOC-1"])).exitCode).toBe(0);
    expect(await status()).toMatchObject({ session: { sessionId: "s-1", cli: "claude", item: "LOC-1", lane: "manual", phase: "ready", cwd: room.directory } });
    expect((await room.cli(["session", "status"])).stdout).toMatch(/item +LOC-1\n +lane +manual\n +phase +ready/);

    const denied = await hook(room, "stop", here);
    expect(denied).toMatchObject({ exitCode: 0, stderr: "" });
    const said = { decision: "block", reason: expect.stringMatching(/\[gatesPending\] LOC-1 still needs .*testsPassed.*factory_stop_acknowledge.*Pending gates: implementationComplete/) };
    expect(JSON.parse(denied.stdout)).toEqual(said);
    expect((await room.cli(["stop"])).exitCode).toBe(0);
    expect(JSON.parse((await hook(room, "stop", here)).stdout)).toEqual(said);
    // Mail until somebody owns the store again, and counted all the same.
    expect(await status()).toMatchObject({ session: { denials: 2, verdict: { decision: "deny", ruleId: "gatesPending" } } });
    await started(room);
    expect(await status("s-1")).toMatchObject({ session: { denials: 2, denied: { ruleId: "gatesPending", pendingGates: expect.arrayContaining(["testsPassed"]) } } });

    const next = await hook(room, "session-start", payload("s-2", room.directory, { hook_event_name: "SessionStart" }));
    expect(JSON.parse(next.stdout)).toEqual({ hookSpecificOutput: { hookEventName: "SessionStart", additionalContext: expect.stringMatching(/on LOC-1 tried to stop and was denied\. \[gatesPending\].*Pending gates: .*testsPassed/) } });
    expect(await hook(room, "session-start", payload("s-3", room.directory))).toEqual(silent);

    expect((await room.cli(["session", "acknowledge", "s-1", "--reason", "waits for the release"])).exitCode).toBe(0);
    expect(await hook(room, "stop", here)).toEqual(silent);
    expect((await room.cli(["session", "link", "LOC-1", "--id", "s-3"])).exitCode).toBe(0);
    expect(JSON.parse((await hook(room, "stop", payload("s-3", room.directory))).stdout)).toEqual(said);
    expect(await hook(room, "stop", payload("s-3", room.directory, { last_assistant_message: "Which of the two?" }))).toEqual(silent);
    expect(await hook(room, "stop", payload("s-3", room.directory, { hook_event_name: "StopFailure", error: "rate_limit", last_assistant_message: "API Error: 429" }))).toEqual(silent);

    expect(await hook(room, "notification", payload("s-3", room.directory, { hook_event_name: "Notification" }))).toEqual(silent);
    expect((await room.cli(["session", "list"])).stdout).toMatch(/s-3 +claude +waits +LOC-1 +manual +ready/);
    expect(await hook(room, "session-end", payload("s-3", room.directory))).toEqual(silent);
    expect((await room.cli(["session", "list"])).stdout).not.toContain("s-3");
    for (const [argv, says] of [[["--cli", "Two Words"], "cli: a-z, 0-9 and -"], [["--id", ""], "sessionId: "], [["--id", "x".repeat(300)], "sessionId: "], [["--item", "nonsense"], "no work item id"]] as const) {
      const wrong = await room.cli(["session", "start", ...argv]);
      expect([wrong.exitCode, wrong.stdout, wrong.stderr], argv.join(" ").slice(0, 30)).toEqual([1, "", expect.stringContaining(says)]);
    }
    const own = await room.cli(["session", "start", "--id", "s-9", "--cli", "codex", "--item", "LOC-1", "--json"]);
    expect(lastLine(own.stdout)).toMatchObject({ session: { sessionId: "s-9", cli: "codex", item: "LOC-1" }, warning: { ruleId: "gatesPending" } });
    expect((await room.cli(["session", "end", "s-9"])).stdout).toContain("ended");
    const refused = await room.cli(["session", "link", "LOC-9", "--id", "s-2"]);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining("there is no work item LOC-9")]);
  });

  test("whatever a hook is given, it never breaks the CLI: exit 0, no denial, one line", async () => {
    await using room = makeRoom();
    expect((await room.cli(["run", "Fix", "-p", "repo", "--playbook", join(room.directory, "none.toml")])).exitCode).not.toBe(0);
    for (const input of ["", "{", "[]", "null", '{"session_id":7}', `{"session_id":"${"x".repeat(300)}"}`, JSON.stringify({ session_id: "s", last_assistant_message: "x".repeat(5_000_000) })]) {
      const { exitCode, stdout, stderr } = await hook(room, "stop", input);
      expect([exitCode, stdout, stderr.split("\n")], input.slice(0, 50)).toEqual([0, "", [expect.stringMatching(/^enact-factory hook stop: .*; the CLI goes on without it$/)]]);
    }
    // Odd, but a session: nothing is linked to it.
    for (const odd of [{ cwd: 7 }, { cwd: "relative" }, { cwd: "/nowhere/at/all" }, { last_assistant_message: null }, { session_id: "../../'; rm -rf $HOME" }, { session_id: "" }]) expect(await hook(room, "stop", JSON.stringify({ session_id: "s", cwd: room.directory, ...odd }))).toEqual(silent);
    expect(await hook(room, "stop", payload("s", room.directory), { env: { ENACT_HOOK_PATIENCE_MS: "1" } })).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("no answer within 1 ms") });
    // A CLI that never closes its end.
    const open = execa(process.execPath, [bin, "hook", "stop"], { cwd: room.directory, env: { ...room.env, ENACT_HOOK_PATIENCE_MS: "50" }, extendEnv: false, reject: false, timeout: 60_000 });
    expect(await open).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("no answer within 50 ms") });
  });

  test("a hook says nothing where no factory is, and passes over a state directory that anybody could have put there", async () => {
    await using room = makeRoom({ config: null });
    expect(await hook(room, "stop", payload("s", room.repository))).toEqual(silent);
    expect(await hook(room, "session-start", payload("s", room.repository))).toEqual(silent);
    const state = join(room.repository, ".enact", "factory");
    mkdirSync(join(state, "state"), { recursive: true });
    chmodSync(state, 0o755);
    expect(await hook(room, "stop", payload("s", join(room.repository, "src")))).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("is not this user's own, or open to others") });
    renameSync(state, `${state}-real`);
    chmodSync(`${state}-real`, 0o700);
    symlinkSync(`${state}-real`, state);
    expect(await hook(room, "stop", payload("s", room.repository))).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("passed over") });
  });

  test("a person's own hook is silent in a turn that the factory runs, and that turn's hook outside of one", async () => {
    await using room = makeRoom();
    expect(await hook(room, "stop", payload("s", room.directory), { env: { ENACT_HOOK_RUN: "run.1" } })).toEqual(silent);
    expect(await hook(room, "stop", payload("s", room.directory), { argv: ["--run"] })).toEqual(silent);
    expect(await hook(room, "stop", payload("s", room.directory), { argv: ["--run"], env: { ENACT_HOOK_RUN: "../run" } })).toMatchObject({ exitCode: 0, stdout: "", stderr: expect.stringContaining("the environment of this turn is damaged") });
  });
});
