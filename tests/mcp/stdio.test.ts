/** The bin as a server on standard input and output: when it ends, what it prints, what each scope offers, and without a factory. */
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { bin, coder, makeRoom, mend, type Room } from "../cli/room.ts";
import { overStdio, type Session } from "./room.ts";

const Message = z.looseObject({ jsonrpc: z.literal("2.0"), id: z.number().optional(), result: z.looseObject({}).optional(), error: z.looseObject({ code: z.number() }).optional() });
const say = (id: number, method: string, params: object = {}): string => `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
const hello = say(1, "initialize", { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } });

/** What comes back when all of `input` is said at once and the pipe is closed. */
const raw = async (room: Room, input: string, ...argv: readonly string[]) => {
  const done = await execa(process.execPath, [bin, "mcp", ...argv], { cwd: room.repository, env: room.env, extendEnv: false, input, reject: false, timeout: 60_000 });
  return { ...done, messages: done.stdout.split("\n").filter((line) => line !== "").map((line) => Message.parse(JSON.parse(line))) };
};
const namesOf = ({ tools }: Session): readonly string[] => tools.map(({ name }) => name);

describe("mcp over stdio", () => {
  test("it ends when its input ends, with code 0, everything answered and nothing but the protocol on its output", async () => {
    await using room = makeRoom();
    const { exitCode, messages, stderr } = await raw(room, hello + say(2, "tools/list") + say(3, "tools/call", { name: "factory_workItem_list", arguments: {} }));
    expect([exitCode, stderr, messages.map(({ id }) => id).toSorted()]).toEqual([0, "", [1, 2, 3]]);
    expect(messages.find(({ id }) => id === 3)?.result).toMatchObject({ structuredContent: { workItems: [], total: 0, next: null } });
    expect((await raw(room, "")).exitCode).toBe(0);
  });

  test("what is no message leaves a note on standard error, and the next one is answered", async () => {
    await using room = makeRoom();
    const { exitCode, messages, stderr } = await raw(room, `{"jsonrpc":\n[]\n${hello}${say(2, "no/such/method")}`);
    expect([exitCode, messages.map(({ id }) => id).toSorted()]).toEqual([0, [1, 2]]);
    expect(messages.find(({ id }) => id === 2)?.error?.code).toBe(-32_601);
    expect(stderr).toContain("enact-factory mcp:");
  });

  test("without a factory it reads what the last one left and notes commands; what needs one says which command starts it", { timeout: 240_000 }, async () => {
    await using room = makeRoom();
    await using early = await overStdio({ cwd: room.repository, env: room.env });
    // Nothing was there when it began.
    expect((await early.good("factory_state_list")).structured).toEqual({ running: false, actors: [], total: 0 });
    const { exitCode } = await room.cli(["run", "Mend the sum", "-p", "repo", "--playbook", room.playbook("mend", coder(mend)), "--coder-only"]);
    expect(exitCode).toBe(0);
    expect((await early.good("factory_workItem_get", { workItemId: "RUN-1" })).structured).toMatchObject({ workItem: { status: "done" }, waitsFor: { on: "nothing" } });
    expect(await early.bad("factory_workItem_create", { title: "More" })).toMatchObject({ kind: "refused", next: "start it with: enact-factory start" });
    expect(await early.bad("factory_team_init", { task: "More" })).toMatchObject({ kind: "refused", next: "start it with: enact-factory start" });
    expect((await early.good("factory_workItem_update", { workItemId: "RUN-1", action: "retry" })).structured).toMatchObject({ delivered: "queued" });
  });

  test("a configuration that is broken is said by the call, not by a server that does not start", async () => {
    await using room = makeRoom({ config: "adapter = 3\n" });
    await using session = await overStdio({ cwd: room.repository, env: room.env });
    expect(await session.bad("factory_workItem_list")).toMatchObject({ kind: "refused", message: expect.stringContaining("adapter"), next: expect.stringContaining("enact-factory validate") });
  });

  test("read looks only; an agent that the factory runs gets the session's tools, and none that decides for a person", async () => {
    await using room = makeRoom();
    const place = { cwd: room.repository, env: room.env };
    const agent = { ...place, env: { ...room.env, ENACT_RUN_ID: "loc-1.1.coder.1@0123456789ab" } };
    await using read = await overStdio(place, "--tools", "read");
    await using session = await overStdio(place, "--tools", "session");
    await using own = await overStdio(agent);
    expect(read.tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true);
    expect(namesOf(session).filter((name) => !namesOf(read).includes(name))).toEqual(["factory_skill_activate", "factory_ralph_advance", "factory_autopilot_advance", "factory_ultrawork_advance", "factory_session_start", "factory_stop_check"]);
    expect(namesOf(own)).toEqual(namesOf(session));
    for (const name of ["factory_workItem_create", "factory_workItem_update", "factory_team_init", "factory_team_message", "factory_team_shutdown", "factory_stop_acknowledge", "factory_ralph_start", "factory_ralph_pause", "factory_ralph_resume", "factory_ralph_cancel", "factory_ralph_unlink_workitem"]) {
      expect([namesOf(own).includes(name), (await own.bad(name)).message]).toEqual([false, `${name} is not offered to a session with --tools session`]);
    }
    expect(await own.bad("factory_skill_activate", { skill: "ralph", workItemId: "RUN-1" })).toMatchObject({ kind: "refused", message: expect.stringContaining("starts no lane") });
    expect((await own.good("factory_skill_activate", { skill: "executor" })).structured).toMatchObject({ from: "packaged" });
    const refused = await raw({ ...room, env: agent.env }, "", "--tools", "all");
    expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([1, "", expect.stringContaining("no tools of a person")]);
    const unknown = await raw(room, "", "--tools", "everything");
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining("read, session, all")]);
  });

  test("FLIGHT-02 a build that is not complete starts no server: it says that the build is missing, and exits 1", async () => {
    await using room = makeRoom();
    const whole = dirname(bin), build = join(dirname(whole), `half-${process.pid}`);
    try {
      // Beside the whole one, so that installed packages are found from there.
      cpSync(whole, build, { recursive: true, filter: (from) => from !== join(whole, "cache") && from !== join(whole, "skills") });
      const done = await execa(process.execPath, [join(build, "cli.js"), "mcp"], { cwd: room.repository, env: room.env, extendEnv: false, input: hello, reject: false, timeout: 60_000 });
      expect([done.exitCode, done.stdout, done.stderr]).toEqual([1, "", expect.stringMatching(/build is not complete[\s\S]*npm run build/)]);
    } finally {
      rmSync(build, { recursive: true, force: true });
    }
  });

  test("help shows the scopes and an example", async () => {
    await using room = makeRoom();
    const { stdout } = await room.cli(["mcp", "--help"]);
    for (const said of ["--tools <scope>", "read", "session", "Examples:", "enact-factory mcp --tools read"]) expect(stdout).toContain(said);
  });
});
