/** The product with the real codex CLI, end to end: `enact-factory run` on a repository, coder and critic, one model server; and what it says the work cost. */
import { execa } from "execa";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const wrong = "export const add = (a, b) => a - b;", right = "export const add = (a, b) => a + b;";

/** Coder and critic get the same words. Who may not edit is refused by the CLI and goes on to the verdict; a coder's verdict counts for nothing. */
const verdict = (decision: string, feedback: string): string => `I looked.\n\n\`\`\`enact-verdict\n${JSON.stringify({ decision, feedback, findings: [] })}\n\`\`\``;
const work: Scenario = [
  { say: "I look at the file.", calls: [{ do: "read", path: "add.mjs" }], usage: { input: 900, output: 30 } },
  { calls: [{ do: "edit", path: "add.mjs", from: wrong, to: right }], usage: { input: 1_000, output: 50 } },
  { say: verdict("approve", ""), usage: { input: 1_100, output: 20 } },
];
const never: Scenario = [{ say: verdict("revise", "It still subtracts."), usage: { input: 1_000, output: 100 } }];

const project = { "package.json": '{"type":"module","scripts":{"test":"node --test"}}\n' };
const prices = '[[spend.prices]]\nmodel = "gpt-5*"\ninput = 1\noutput = 10\n';

test("PRE-03 run with the real codex CLI: coder, checks, critic, and a branch with the fix; its cost is that of its tokens", async () => {
  await using room = await openRoom({ work }, { cli: "codex", files: project });
  const { home } = room.host, config = join(home, "config.toml");
  await writeFile(config, `adapter = "codex"\n[verify]\nsandbox = "off"\n[autonomous.defaultStages.coder]\nmodel = "gpt-5.5"\n[autonomous.defaultStages.critic]\nmodel = "gpt-5.5"\n[autonomous.defaultStages.tester]\nenabled = false\n[autonomous.defaultStages.documenter]\nenabled = false\n[autonomous.defaultStages.auditor]\nenabled = false\n${prices}`);
  const factory = (...argv: readonly string[]) => execa(process.execPath, [main, ...argv, "--config", config, "--json"], { cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000, env: { ...room.host.env, HOME: home, XDG_STATE_HOME: join(home, "state") } });
  const { stdout, exitCode, stderr } = await factory("run", `Fix add(). ${marker("work")}`, "-p", room.repository);
  expect(exitCode, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ status: "done", iterations: 1, branch: "enact/RUN-1", checks: { base: "0/1", head: "1/1" } });
  expect((await execa("git", ["show", "enact/RUN-1:add.mjs"], { cwd: room.repository })).stdout).toBe(right);
  const spent: unknown = JSON.parse((await factory("spend", "--by", "stage")).stdout);
  // 3 000 tokens in and 100 out, of each of the two.
  expect(spent).toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ key: "coder", amount: expect.objectContaining({ usage: { inputTokens: 3_000, outputTokens: 100, cachedTokens: 0 }, cost: { usd: 0.004, unpricedTokens: 0, unmeasured: 0 } }) })]) });
});

test("a coder that goes on in its session is charged for each turn once", async () => {
  await using room = await openRoom({ never }, { cli: "codex", files: project });
  const { home } = room.host, config = join(home, "config.toml");
  await writeFile(config, `adapter = "codex"\n[limits]\nmaxIterations = 2\n[verify]\nsandbox = "off"\n[[verify.checks]]\nname = "there"\nargv = ["true"]\n[autonomous.defaultStages.coder]\nmodel = "gpt-5.5"\n[autonomous.defaultStages.critic]\nmodel = "gpt-5.5"\n${prices}`);
  const factory = (...argv: readonly string[]) => execa(process.execPath, [main, ...argv, "--config", config, "--json"], { cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000, env: { ...room.host.env, HOME: home, XDG_STATE_HOME: join(home, "state") } });
  await factory("run", `Fix add(). ${marker("never")}`, "-p", room.repository);
  const asked = room.model.requests.filter(({ scenario }) => scenario === "never").length;
  const spent: unknown = JSON.parse((await factory("spend", "--by", "item")).stdout);
  expect(spent).toMatchObject({ rows: [expect.objectContaining({ amount: expect.objectContaining({ usage: { inputTokens: asked * 1_000, outputTokens: asked * 100, cachedTokens: 0 } }) })] });
});
