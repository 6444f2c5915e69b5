import { z } from "zod";
import { Stage, writeScope } from "./stage.ts";

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable, without its value");
const where = "a command as an array of its words, or an address that begins with http:// or https://";
const isReading = (stage: Stage): boolean => writeScope[stage] === "nothing";

/** A server of tools (Model Context Protocol) that agents of a stage get besides the tools of their CLI. */
export const McpServer = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,31}$/, "letters, digits and dash; at most 32").meta({ description: "How its tools are named in front; unique.", examples: ["docs"] }),
  at: z.union([z.array(z.string()).min(1), z.url({ protocol: /^https?$/, error: where })], { error: where }).meta({ description: "A command (stdio) that the agent's CLI starts in the worktree, as an array of its words; or the address of a server that runs already (streamable HTTP).", examples: [["docs-server", "--stdio"], "https://docs.example/mcp"] }),
  env: z.array(variable).default([]).meta({ description: "Names of variables of the factory's own environment. A command gets them; to an address the only one is sent as its bearer token. The agent's commands may see them too.", examples: [["DOCS_TOKEN"]] }),
  stages: z.array(Stage.refine((stage) => !isReading(stage), { error: ({ input }) => `${String(input)} only reads, and a server's tools cannot be held to reading` })).default(["coder", "tester", "documenter"]).describe("Stages whose agents get it; only such as may write."),
}).refine(({ at, env }) => typeof at !== "string" || env.length < 2, { path: ["env"], error: "an address takes one bearer token" });
export type McpServer = z.infer<typeof McpServer>;

/** Variables of the factory's environment that a CLI needs for these servers. */
export const mcpVariables = (servers: readonly McpServer[]): readonly string[] => [...new Set(servers.flatMap(({ env }) => env))];
