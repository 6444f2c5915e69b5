/** Teams of the real CLI on a daemon: structured turns with panes that show them, and the CLI's own screen in tmux, prompts typed in; work merged. */
import { execa } from "execa";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const guard = { timeout: 120_000, interval: 1_000 } as const;

const writes = (name: string): Scenario => [
  { say: `I write ${name}.`, calls: [{ do: "write", path: `${name}.txt`, content: `${name}\n` }], usage: { input: 900, output: 30 } },
  { say: `${name} is written.`, usage: { input: 1_000, output: 20 } },
];

/** The leader works in the background. */
const verdict: Scenario = [{ say: 'Both are there.\n\n```enact-verdict\n{"decision": "approve", "feedback": "", "findings": []}\n```', usage: { input: 900, output: 30 } }];

const Status = z.object({ terminals: z.string(), teams: z.array(z.looseObject({ phase: z.string(), tasks: z.array(z.looseObject({ state: z.string() })), members: z.array(z.looseObject({ name: z.string(), restarts: z.number(), terminal: z.string().nullable() })) })) });

const ways = [{ how: "in the background, by structured protocol", options: [] }, { how: "in screens of their own, prompts typed in", options: ["--interactive"] }] as const;
test.for(ways)("CARD-26 two workers of the real claude CLI $how, the daemon killed while they work: both tasks are done and merged", { timeout: 300_000 }, async ({ options }) => {
  await using room = await openRoom({ alpha: writes("alpha"), beta: writes("beta"), verdict });
  const { home, env } = room.host;
  const put = async (name: string, text: string): Promise<string> => {
    await writeFile(join(home, name), text);
    return join(home, name);
  };
  // Somebody has used this CLI before, and said yes to the key.
  await mkdir(env["CLAUDE_CONFIG_DIR"] ?? home, { recursive: true });
  await put(".claude/.claude.json", JSON.stringify({ hasCompletedOnboarding: true, theme: "dark", customApiKeyResponses: { approved: [env["ANTHROPIC_API_KEY"]], rejected: [] } }));
  const config = await put("config.toml", 'adapter = "claude"\n[gateway]\nport = 0\n[verify]\nsandbox = "off"\n[[verify.checks]]\nname = "there"\nargv = ["true"]\n[autonomous.defaultStages.tester]\nenabled = false\n');
  const plan = await put("plan.toml", `body = "Two files. ${marker("verdict")}"\n` + ["alpha", "beta"].map((name) => `[[tasks]]\ntitle = "Write ${name}"\ndescription = "Write ${name}.txt. ${marker(name)}"\n`).join(""));
  const factory = (...args: readonly string[]) => execa(process.execPath, [main, ...args, "--config", config], {
    cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000, env: { ...env, HOME: home, XDG_STATE_HOME: join(home, "state"), TMUX_TMPDIR: home },
  });
  const status = async () => Status.parse(JSON.parse((await factory("team", "status", "alpha", "--json")).stdout));
  try {
    const begun = await factory("team", "init", "--name", "alpha", "--workers", "2", "--adapter", "claude", ...options, "--plan", plan, "--path", room.repository);
    expect(begun.exitCode, begun.stderr).toBe(0);
    // Both prompts were taken by the CLI: the model was asked.
    await expect.poll(() => ["alpha", "beta"].map((name) => room.model.requests.some(({ scenario }) => scenario === name)), guard).toEqual([true, true]);
    const note = z.object({ pid: z.number() }).parse(JSON.parse(await readFile(join(home, ".enact", "factory", "state", "gateway.json"), "utf8")));
    process.kill(note.pid, "SIGKILL");
    const restarted = await factory("start");
    expect(restarted.exitCode, restarted.stderr).toBe(0);
    await expect.poll(async () => (await status()).teams[0]?.phase, guard).toBe("done");
    const { terminals, teams: [team] } = await status();
    expect(terminals).toContain("tmux");
    expect(team?.tasks.map(({ state }) => state)).toEqual(["done", "done"]);
    for (const name of ["alpha", "beta"]) expect((await execa("git", ["show", `enact/RUN-1:${name}.txt`], { cwd: room.repository })).stdout).toBe(name);
  } finally {
    await factory("stop");
  }
});
