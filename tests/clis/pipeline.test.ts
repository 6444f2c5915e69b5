/** The product with the real CLI, end to end: `enact-factory run` on a repository, coder and critic, one model server. */
import { execa } from "execa";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Coder and critic get the same words. Who may not edit is refused by the CLI and goes on to the verdict; a coder's verdict counts for nothing. */
const work: Scenario = [
  { say: "I look at the file.", calls: [{ do: "read", path: "add.mjs" }], usage: { input: 900, output: 30 } },
  { calls: [{ do: "call", tool: "Edit", input: { file_path: "add.mjs", old_string: "a - b", new_string: "a + b" } }], usage: { input: 1_000, output: 50 } },
  { say: 'add() adds now.\n\n```enact-verdict\n{"decision": "approve", "feedback": "", "findings": []}\n```', usage: { input: 1_400, output: 20 } },
];

test("PRE-02 HOW-06 run with the real claude CLI, the default adapter: coder, checks, critic, and a branch with the fix", async () => {
  await using room = await openRoom({ work }, { files: { "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n' } });
  const { stdout, exitCode, stderr } = await execa(process.execPath, [main, "run", `Fix add(). ${marker("work")}`, "-p", room.repository, "--json"], {
    cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000,
    env: { ...room.host.env, HOME: room.host.home, XDG_STATE_HOME: `${room.host.home}/state` },
  });
  expect(exitCode, stderr).toBe(0);
  const result: unknown = JSON.parse(stdout);
  expect(result).toMatchObject({ status: "done", iterations: 1, branch: "enact/RUN-1", checks: { base: "0/1", head: "1/1" } });
  const shown = await execa("git", ["show", "enact/RUN-1:add.mjs"], { cwd: room.repository });
  expect(shown.stdout).toBe("export const add = (a, b) => a + b;");
});

test("what one adapter does not get right the next one does: escalation changes to the real claude CLI, in a session of its own", async () => {
  await using room = await openRoom({ work }, { files: { "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n' } });
  const config = join(room.host.home, "config.toml"), playbook = join(room.host.home, "playbook.toml");
  await writeFile(config, `adapter = "scripted"
[verify]
sandbox = "off"
[autonomous.defaultStages.coder]
model = "small"
escalateAfterIteration = 1
escalateAdapter = "claude"
`);
  await writeFile(playbook, `[[turn]]
stage = "coder"
steps = [{ write = "notes.txt", text = "I looked." }, { result = "Looked." }]
[[turn]]
stage = "critic"
iteration = 1
steps = [{ verdict = "revise", feedback = "add() still subtracts." }]
[[turn]]
stage = "critic"
iteration = 2
steps = [{ verdict = "approve" }]
`);
  const factory = (...args: readonly string[]) => execa(process.execPath, [main, ...args, "--config", config, "--json"], {
    cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000,
    env: { ...room.host.env, HOME: room.host.home, XDG_STATE_HOME: `${room.host.home}/state` },
  });
  const { stdout, stderr } = await factory("run", `Fix add(). ${marker("work")}`, "-p", room.repository, "--playbook", playbook);
  expect(JSON.parse(stdout), stderr).toMatchObject({ status: "done", iterations: 2, checks: { base: "0/1", head: "1/1" } });
  const shown = await execa("git", ["show", "enact/RUN-1:add.mjs"], { cwd: room.repository });
  expect(shown.stdout).toBe("export const add = (a, b) => a + b;");
  // The second coder is told what the first one's critic said.
  expect(JSON.stringify(room.model.requests)).toContain("add() still subtracts.");
});
