/**
 * Secrets of the owner are in the environment of those that its adapters name, and nowhere else: not in arguments, files, the database, logs, answers,
 * terminals or what is said of a crash. What an agent writes into its own output stays there as it is (docs/secrets.md).
 */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { coder, itemIn, mend } from "../cli/room.ts";
import { gone, guardMs } from "../daemon/room.ts";
import { marker, startResponsesServer } from "../support/responses-server.ts";
import { critic, shell } from "./room.ts";
import { foreign, foreignMark, makeSecretsRoom, mark, planted, type SecretsRoom } from "./secrets-room.ts";

const secretNames = (environ: Readonly<Record<string, string>>): readonly string[] => Object.entries(environ).flatMap(([name, value]) => (value.includes(mark) ? [name] : [])).toSorted();
const raw = (room: SecretsRoom): readonly string[] => readdirSync(join(room.state, "runs")).flatMap((run) => ["out", "err"].map((file) => `.enact/factory/runs/${run}/${file}`)).map((file) => file.replace(/[0-9a-f]{12,}/g, "HASH"));
const begin = async (room: SecretsRoom): Promise<void> => {
  const { exitCode, stderr } = await room.owner("start", "--json");
  expect(exitCode, stderr).toBe(0);
};
/** Whatever a person would ask. */
const askAll = async (room: SecretsRoom, ids: readonly string[]): Promise<void> => {
  for (const argv of [["doctor", "--json"], ["status", "--json"], ["inbox"], ["task", "list"], ["logs"], ["panes", "--all"], ["tree"], ["spend", "--json"], ["inspect"], ["validate"], ["adapters", "list", "--json"]]) await room.owner(...argv);
  for (const id of ids) for (const argv of [["task", "show", id, "--json"], ["log", id, "--json"], ["log", id, "--verbose"], ["why", id], ["logs", `${id}/coder`], ["inspect", id]]) await room.owner(...argv);
};

describe.skipIf(process.platform !== "linux")("planted secrets", { timeout: 240_000 }, () => {
  test("a scripted agent, a check and a hook that may know one and print it, a crash of the daemon", async () => {
    await using room = makeSecretsRoom({}, { rest: `[workspace]\nenv = ["DATABASE_URL"]\n[workspace.hooks]\nafter_run = ["sh", "-c", "echo $DATABASE_URL; exit 1"]\n` });
    await begin(room);
    using client = await room.listen();
    const tells = shell('echo "$DATABASE_URL"; echo "$2"; printf "%s" "$DATABASE_URL" >&2; exit 1', "", foreign);
    const playbook = room.playbook("hold", [
      coder([`{ session = "s1" }`, tells, `{ say = "I found ${foreign}" }`, `{ wait-for-file = "go" }`, mend.replace("is 0.", `is 0, not ${foreign}.`)].join(", ")),
      critic(`{ say = "${foreign}" }, { verdict = "approve", feedback = "Never print ${foreign}" }`),
    ].join(""));
    // A person pastes their own password and a stranger's token into the work.
    const running = room.owner("exec", `Fix the sum for ${planted["DATABASE_URL"]} and ${foreign}`, "--path", "repo", "--playbook", playbook, "--verbose");
    await expect.poll(async () => {
      await client.watchTerminals();
      return client.wire.frames.length;
    }, { timeout: guardMs }).toBeGreaterThan(0);
    await expect.poll(() => room.processes().filter(({ cmdline }) => /scripted-agent|scripted\/agent/.test(cmdline)).length, { timeout: guardMs }).toBeGreaterThan(0);
    // Whose environment holds one: the daemon, the command that a person gave, and what the project lets its agents know.
    const holders = room.processes().flatMap(({ cmdline, environ }) => {
      const names = environ.split("\0").filter((entry) => entry.includes(mark)).map((entry) => entry.slice(0, entry.indexOf("="))).toSorted();
      return names.length === 0 || / (start|exec) /.test(cmdline) ? [] : [names.join(" ")];
    });
    expect(new Set(holders)).toEqual(new Set(["DATABASE_URL"]));
    writeFileSync(join(room.directory, "playbooks", "go"), "");
    expect((await running).exitCode).toBe(0);
    for (const { program: name, environ } of room.recorder.recorded()) expect([name, secretNames(environ)]).toEqual([name, name === "node" && "DATABASE_URL" in environ ? ["DATABASE_URL"] : []]);

    await client.readAll(["RUN-1"]);
    await askAll(room, ["RUN-1"]);

    const { pid } = room.note();
    process.kill(pid, "SIGUSR2");
    await expect.poll(() => gone(pid), { timeout: guardMs }).toBe(true);
    await expect.poll(() => room.log(), { timeout: guardMs }).toContain("crashed with");
    await begin(room);
    process.kill(room.note().pid, "SIGKILL");
    await begin(room);
    await askAll(room, ["RUN-1"]);
    expect((await room.owner("stop")).exitCode).toBe(0);

    const own = raw(room);
    expect(own.some((file) => room.found(mark).includes(file))).toBe(true);
    expect(room.found(mark).filter((where) => !own.includes(where))).toEqual([]);
    expect(room.found(foreignMark).filter((where) => !own.includes(where))).toEqual([]);
  });
});

/** What each adapter's program gets, by name: of the secrets, and everything. `HOME`, `PATH` and their like come from the owner, the rest is the adapter's own. */
const usual = ["ENACT_RUN_ID", "HOME", "LC_ALL", "PATH", "TMPDIR"];
/** Where the CLI's own hook finds the factory. */
const hooks = ["BIN", "CONFIG", "ITEM", "NODE", "PATIENCE_MS", "REPOSITORY", "RUN", "SINCE", "STAGE"].map((name) => `ENACT_HOOK_${name}`);
const children: Readonly<Record<string, { readonly adapter: string; readonly secrets: readonly string[]; readonly others: readonly string[] }>> = {
  claude: {
    adapter: "claude", secrets: ["ANTHROPIC_API_KEY", "ANTHROPIC_CUSTOM_HEADERS"],
    others: [
      "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS", "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "CLAUDE_CODE_DISABLE_FILE_MENTIONS",
      "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "CLAUDE_ENABLE_BYTE_WATCHDOG", "CLAUDE_ENABLE_STREAM_WATCHDOG", "CLAUDE_STREAM_IDLE_TIMEOUT_MS", "DISABLE_AUTOUPDATER", ...hooks,
    ],
  },
  codex: { adapter: "codex", secrets: ["AZURE_OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_API_KEY"], others: hooks },
  "cursor-agent": { adapter: "cursor", secrets: ["CURSOR_API_KEY"], others: [] },
  hermes: { adapter: "hermes", secrets: ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"], others: [] },
  opencode: { adapter: "opencode", secrets: ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "OPENCODE_API_KEY", "OPENROUTER_API_KEY"], others: [
    "OPENCODE_CONFIG_CONTENT", "OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_CLAUDE_CODE", "OPENCODE_DISABLE_EXTERNAL_SKILLS", "OPENCODE_DISABLE_LSP_DOWNLOAD", "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_PROJECT_CONFIG", "OPENCODE_DISABLE_SHARE", "OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER", "XDG_STATE_HOME", "npm_config_offline",
  ] },
};

describe.skipIf(process.platform !== "linux")("agent CLIs that tell their keys", { timeout: 240_000 }, () => {
  test("each gets what its adapter names and hands it to its children; what it tells, in its stream, its errors and its summary, stays in its own output", async () => {
    await using room = makeSecretsRoom(
      Object.fromEntries(Object.entries(children).map(([name, { secrets }]) => [name, { leaks: secrets, found: foreign }])),
      { limits: "infraRetries = 0\ncrashRetries = 0\nrefusedRetries = 0\nitemFailures = 0", rest: "[autonomous.defaultStages.critic]\nenabled = false\n" },
    );
    await begin(room);
    using client = await room.listen();
    const ids: string[] = [];
    for (const [name, { adapter, secrets, others }] of Object.entries(children)) {
      const { exitCode, stdout, stderr } = await room.owner("exec", "Fix the sum", "--path", "repo", "--adapter", adapter, "--json");
      expect([name, exitCode], stderr).toEqual([name, name === "claude" ? 0 : 1]);
      ids.push(itemIn(stdout).id);
      await client.watchTerminals();
      // Its own processes only: the others' programs have run before.
      const mine = room.recorder.recorded().filter(({ program: ran, cmdline }) => (ran === name || ran === `${name}-child`) && !cmdline.includes("--version"));
      expect([name, ...mine.map(({ program: ran }) => ran).toSorted()]).toEqual([name, name, `${name}-child`]);
      for (const { environ } of mine) {
        expect([name, secretNames(environ)]).toEqual([name, secrets]);
        expect([name, Object.keys(environ).filter((variable) => variable !== "PWD").toSorted()]).toEqual([name, [...usual, ...secrets, ...others].toSorted()]);
      }
    }
    await client.readAll(ids);
    await askAll(room, ids);
    const own = raw(room);
    expect(room.found(mark).filter((where) => !own.includes(where))).toEqual([]);
    expect(room.found(foreignMark).filter((where) => !own.includes(where))).toEqual([]);
    // They did tell them.
    for (const what of [mark, foreignMark]) expect(room.found(what).filter((where) => own.includes(where)).length).toBeGreaterThanOrEqual(ids.length);
  });
});

describe.skipIf(process.platform !== "linux")("our own agent", { timeout: 240_000 }, () => {
  test("a model server that echoes the bearer in its refusal, its answer and the tool it asks for: not even the run's own files have it", async () => {
    const key = planted["ENACT_GATEWAY_API_KEY"] ?? "";
    await using server = await startResponsesServer({
      refused: [{ fault: { fault: "status", status: 401, message: `invalid Authorization: Bearer ${key}` } }],
      told: [{ say: `You are ${key}, and this is ${foreign}` }],
    }, key);
    await using room = makeSecretsRoom({}, {
      limits: "infraRetries = 0\ncrashRetries = 0\nrefusedRetries = 0\nitemFailures = 0", rest: "[autonomous.defaultStages.critic]\nenabled = false\n",
      env: { ENACT_GATEWAY_BASE_URL: server.url, ENACT_RESPONSES_MODEL: "gpt-5" },
    });
    await begin(room);
    using client = await room.listen();
    const ids: string[] = [];
    for (const scenario of ["refused", "told"]) {
      const { exitCode, stdout, stderr } = await room.owner("exec", `Fix the sum ${marker(scenario)}`, "--path", "repo", "--adapter", "responses", "--json");
      expect([scenario, exitCode], stderr).toEqual([scenario, 1]);
      ids.push(itemIn(stdout).id);
      await client.watchTerminals();
    }
    expect(server.requests.every(({ headers }) => headers["authorization"] === `Bearer ${key}`)).toBe(true);
    await client.readAll(ids);
    await askAll(room, ids);
    expect(room.found(mark)).toEqual([]);
    const own = raw(room);
    expect(room.found(foreignMark).filter((where) => !own.includes(where) && !where.includes(".responses-sessions"))).toEqual([]);
  });
});
