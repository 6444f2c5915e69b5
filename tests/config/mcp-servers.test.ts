/** Which servers of tools a configuration may name. */
import { expect, test } from "vitest";
import { McpServer } from "../../src/domain/mcp.ts";

test("a server is a command or an address, and none is given to a stage that only reads", () => {
  const problems = (server: object): readonly string[] => McpServer.safeParse({ name: "docs", at: ["docs-server"], ...server }).error?.issues.map(({ message }) => message) ?? [];
  expect(problems({})).toEqual([]);
  expect(problems({ at: "https://docs.example/mcp", env: ["DOCS_TOKEN"] })).toEqual([]);
  for (const stage of ["critic", "auditor", "planner", "stage-documenter"]) expect(problems({ stages: ["coder", stage] })).toEqual([`${stage} only reads, and a server's tools cannot be held to reading`]);
  expect(problems({ at: "docs-server --stdio" })).toEqual(["a command as an array of its words, or an address that begins with http:// or https://"]);
  expect(problems({ at: "https://docs.example/mcp", env: ["A", "B"] })).toEqual(["an address takes one bearer token"]);
  expect(problems({ env: ["A=b"] })).toEqual(["the name of an environment variable, without its value"]);
});
