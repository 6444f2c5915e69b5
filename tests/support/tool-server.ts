/** A server of one tool, over stdio: says a word with what its environment holds. Started by agents. */
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";

const server = new McpServer({ name: "words", version: "1.0.0" });
server.registerTool("say", { description: "Says a word.", inputSchema: { word: z.string() } }, ({ word }) => ({ content: [{ type: "text", text: `<<${word}, ${process.env["GREETED"] ?? "nobody"}, ${process.env["UNNAMED"] ?? "nothing else"}>>` }] }));
await server.connect(new StdioServerTransport());
