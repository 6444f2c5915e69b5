/** The real MCP client of the SDK, at the bin over standard input and output, or at a gateway over HTTP. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult, Tool } from "@modelcontextprotocol/sdk/types.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { expect } from "vitest";
import { z } from "zod";
import { bin } from "../cli/room.ts";

export interface Session extends AsyncDisposable {
  readonly client: Client;
  /** As listed; from then on the client checks every result with its tool's output schema. */
  readonly tools: readonly Tool[];
  /** What a good call gives. */
  readonly good: (name: string, given?: Readonly<Record<string, unknown>>) => Promise<Answer>;
  /** How a bad one is refused. */
  readonly bad: (name: string, given?: Readonly<Record<string, unknown>>) => Promise<Refused>;
  /** What the server wrote to standard error. */
  readonly said: () => string;
}

export interface Answer { readonly structured: Readonly<Record<string, unknown>>; readonly text: string }
const Refused = z.object({ kind: z.enum(["input", "refused", "internal"]), field: z.string().optional(), message: z.string().min(1), next: z.string().min(1) });
export type Refused = z.infer<typeof Refused>;

/** Nothing of the inside in what a client gets to see. */
const inside = /node_modules|\.ts\b|\.js:|^\s+at |Zod|invalid_type/m;

const sessionOf = async (client: Client, said: () => string): Promise<Session> => {
  const { tools } = await client.listTools();
  const call = async (name: string, given: Readonly<Record<string, unknown>> = {}): Promise<CallToolResult> => CallToolResultSchema.parse(await client.callTool({ name, arguments: { ...given } }));
  return {
    client, tools, said,
    good: async (name, given) => {
      const result = await call(name, given);
      expect([name, result.isError ?? false, result.content]).toEqual([name, false, [{ type: "text", text: expect.stringMatching(/./) }]]);
      return { structured: result.structuredContent ?? {}, text: textOf(result) };
    },
    bad: async (name, given) => {
      const result = await call(name, given);
      const refused = Refused.parse(result._meta?.["enact-factory/error"]);
      expect([name, result.isError, textOf(result)]).toEqual([name, true, `${refused.message}\nWhat to do: ${refused.next}`]);
      expect(textOf(result)).not.toMatch(inside);
      return refused;
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
};
const textOf = ({ content: [first] }: CallToolResult): string => (first?.type === "text" ? first.text : "");

const about = { name: "tests", version: "1" } as const;

export const overStdio = async (place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }, ...argv: readonly string[]): Promise<Session> => {
  const transport = new StdioClientTransport({ command: process.execPath, args: [bin, "mcp", ...argv], cwd: place.cwd, env: { ...place.env }, stderr: "pipe" });
  let heard = "";
  transport.stderr?.on("data", (chunk: Buffer) => { heard += chunk.toString(); });
  const client = new Client(about);
  await client.connect(transport);
  return sessionOf(client, () => heard);
};

export const overHttp = async (url: string, token: string): Promise<Session> => {
  const client = new Client(about);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  return sessionOf(client, () => "");
};
