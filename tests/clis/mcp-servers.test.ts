/** What a stage is given besides its prompt reaches the real CLIs: servers of tools, and how much the model is to think. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Effort } from "../../src/domain/agent.ts";
import { McpServer } from "../../src/domain/mcp.ts";
import { marker, type Scenario } from "../support/model-server.ts";
import { openRoom } from "./room.ts";
import type { CliName } from "./under-test.ts";

const server = McpServer.parse({ name: "words", at: [process.execPath, join(import.meta.dirname, "../support/tool-server.ts")], env: ["GREETED"] });
/** As each CLI names it to its model. codex keeps tools of servers back until they are searched for, and calls them by their group. */
const tools: Readonly<Record<CliName, { readonly namespace?: string; readonly tool: string }>> = { claude: { tool: "mcp__words__say" }, codex: { namespace: "mcp__words", tool: "say" }, opencode: { tool: "words_say" } };
/** Such as can be told: of others their CLI says nothing. */
const thinking: Partial<Readonly<Record<CliName, string>>> = { claude: "claude-opus-4-6", opencode: "loop/thinking-1" };
const env = { GREETED: "Ada", UNNAMED: "leaked" };
const usage = { input: 100, output: 10 };

describe.each(["claude", "codex", "opencode"] as const)("%s", { timeout: 180_000 }, (cli) => {
  const says: Scenario = [{ say: "I ask.", calls: [{ do: "call", ...tools[cli], input: { word: "hello" } }], usage }, { say: "Done.", usage }];

  test("a stage that works can use a server of tools, which gets the variables that are named and no others", async () => {
    await using room = await openRoom({ says }, { cli, env });
    const host = { ...room.host, mcp: [server] };
    const turned = await room.run(room.turn(marker("says")), {}, host);
    expect(turned.outcome.ended).toMatchObject({ how: "completed" });
    expect(room.model.requests.some(({ body }) => body.includes("<<hello, Ada, nothing else>>"))).toBe(true);
    expect(turned.outcome.permissionDenials).toEqual([]);
    // No value is on the command line, which every user of the machine can read.
    expect(turned.argv.join(" ")).not.toContain("Ada");
  });

  test.each(["low", "high"] as const satisfies readonly Effort[])("effort %s reaches the model", async (effort) => {
    await using room = await openRoom({ says: [{ say: "Done.", usage }] }, { cli });
    const turned = await room.run(room.turn(marker("says"), { effort, ...(thinking[cli] === undefined ? {} : { model: thinking[cli] }) }));
    expect(turned.outcome.ended).toMatchObject({ how: "completed" });
    expect(room.model.requests.some(({ body }) => new RegExp(`"(reasoning_effort|reasoningEffort|effort)":"${effort}"`).test(body))).toBe(true);
  });
});
