/** The real claude CLI uses the factory's tools through --mcp-config: the documented example, the bin over stdio. */
import { execa } from "execa";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { z } from "zod";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

const asks: Scenario = [
  { say: "I look at the work item.", calls: [{ do: "call", tool: "mcp__enact-factory__factory_workItem_get", input: { workItemId: "RUN-1" } }], usage: { input: 900, output: 30 } },
  { say: "And at one that is not there.", calls: [{ do: "call", tool: "mcp__enact-factory__factory_workItem_get", input: { workItemId: "RUN-99" } }], usage: { input: 1_000, output: 30 } },
  { say: "It is done.", usage: { input: 1_000, output: 20 } },
];

const Line = z.looseObject({ type: z.string(), subtype: z.string().optional(), mcp_servers: z.array(z.object({ name: z.string(), status: z.string() })).optional(), tools: z.array(z.string()).optional(), is_error: z.boolean().optional() });

test("E2E-02 MCP-11 the real claude CLI lists the tools, calls factory_workItem_get, and its model gets the item, or what to do instead", { timeout: 300_000 }, async () => {
  await using room = await openRoom({ asks });
  const { home, env } = room.host;
  const playbook = join(home, "playbook.toml"), config = join(home, "config.toml"), servers = join(home, "mcp.json");
  await mkdir(env["CLAUDE_CONFIG_DIR"] ?? home, { recursive: true });
  await writeFile(playbook, '[[turn]]\nstage = "coder"\nsteps = [{ write = "note.txt", text = "x" }, { result = "Done." }]\n');
  await writeFile(config, 'adapter = "scripted"\n[verify]\nsandbox = "off"\n[[verify.checks]]\nname = "there"\nargv = ["true"]\n');
  const surroundings = { cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 120_000, env: { ...env, HOME: home, XDG_STATE_HOME: join(home, "state") } } as const;
  const ran = await execa(process.execPath, [main, "run", "Write the note that is asked for", "-p", room.repository, "--playbook", playbook, "--coder-only", "--config", config], surroundings);
  expect(ran.exitCode, ran.stderr).toBe(0);

  await writeFile(servers, JSON.stringify({ mcpServers: { "enact-factory": { command: process.execPath, args: [main, "mcp", "--tools", "read", "--config", config] } } }));
  const said = await execa("claude", ["-p", `Look at RUN-1. ${marker("asks")}`, "--mcp-config", servers, "--strict-mcp-config", "--allowedTools", "mcp__enact-factory", "--output-format", "stream-json", "--verbose"], surroundings);
  expect(said.exitCode, said.stderr).toBe(0);
  const lines = said.stdout.split("\n").filter((line) => line !== "").map((line) => Line.parse(JSON.parse(line)));
  const begin = lines.find(({ subtype }) => subtype === "init");
  expect(begin?.mcp_servers).toEqual([{ name: "enact-factory", status: "connected" }]);
  expect(begin?.tools).toContain("mcp__enact-factory__factory_workItem_list");
  expect(begin?.tools).not.toContain("mcp__enact-factory__factory_workItem_update");
  expect(lines.at(-1)).toMatchObject({ type: "result", is_error: false });
  // What the model was told: the fields, not only the line beside them.
  const told = room.model.requests.at(-1)?.body ?? "";
  expect(told).toContain("Write the note that is asked for");
  expect(told).toMatch(/operatorLane.{1,20}manual/);
  expect(told).toContain("there is no work item RUN-99");
  expect(told).toContain("What to do:");
});
