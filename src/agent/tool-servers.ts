/**
 * Tools of servers that the owner has configured for this stage (Model Context Protocol).
 *
 * Owns: the connections, and the processes of servers that are started. Talks to: the servers.
 * I1 A server that cannot be reached takes nothing from the turn: it is said, and its tools are not offered. I2 A started server sees the variables that are
 * named for it, and carries the run's mark: it goes with the run. I3 What a server answers is a text like any other tool's output, cut by the shelf.
 */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { McpServer } from "../domain/mcp.ts";
import type { Done, Tool } from "./tools/index.ts";

export interface ToolServers {
  readonly tools: readonly Tool[];
  /** What people should know: servers that are not there. */
  readonly notes: readonly string[];
  readonly close: () => Promise<void>;
}

/** Milliseconds until a server must have said what it offers. */
const beginMs = 30_000;
/** As providers take names of tools. */
const toolName = /^[A-Za-z0-9_-]{1,64}$/;

const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** `longestMs`: for one call. `env`: the agent's own. */
export const openToolServers = async (servers: readonly McpServer[], { cwd, longestMs, env }: { readonly cwd: string; readonly longestMs: number; readonly env: Readonly<Record<string, string | undefined>> }): Promise<ToolServers> => {
  const opened = await Promise.all(servers.map(async (server) => {
    try {
      return { server, ...(await connect(server, cwd, longestMs, env)) };
    } catch (error) {
      return { server, why: errorText(error) };
    }
  }));
  const reached = opened.flatMap((each) => ("why" in each ? [] : [each]));
  return {
    tools: reached.flatMap(({ tools }) => tools),
    notes: [...opened.flatMap((each) => ("why" in each ? [`the tool server ${each.server.name} is not there: ${each.why}`] : [])), ...reached.flatMap(({ passedOver }) => passedOver)],
    close: async () => { await Promise.all(reached.map(({ client }) => client.close().catch(() => undefined))); },
  };
};

const connect = async ({ name, at, env: names }: McpServer, cwd: string, longestMs: number, env: Readonly<Record<string, string | undefined>>) => {
  const [{ Client: Connection }, transport] = await Promise.all([import("@modelcontextprotocol/sdk/client/index.js"), typeof at === "string" ? remote(at, names, env) : started(at, cwd, names, env)]);
  const client = new Connection({ name: "enact-factory", version: "1" });
  await client.connect(transport, { timeout: beginMs });
  const { tools: listed } = await client.listTools(undefined, { timeout: beginMs });
  const named = listed.map((each) => ({ ...each, offered: `mcp__${name}__${each.name}` }));
  return {
    client,
    passedOver: named.filter(({ offered }) => !toolName.test(offered)).map(({ offered }) => `the tool ${JSON.stringify(offered.slice(0, 100))} has a name that no provider takes, and is not offered`),
    tools: named.filter(({ offered }) => toolName.test(offered)).map(({ name: own, offered, description = "", inputSchema }): Tool => ({
      name: offered, kind: "other", parallel: false,
      // A stranger's schema is rarely one that strict modes take.
      offer: { name: offered, description: description.trim() === "" ? own : description, parameters: { ...inputSchema }, loose: true },
      about: (args) => ({ summary: args.slice(0, 200).toWellFormed() }),
      call: (args, { signal, shelf }) => ask(client, own, args, longestMs, signal, (text) => shelf.shown(text)),
    })),
  };
};

const remote = async (address: string, names: readonly string[], env: Readonly<Record<string, string | undefined>>) => {
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const [token] = names.map((name) => env[name] ?? "");
  return new StreamableHTTPClientTransport(new URL(address), token === undefined ? {} : { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
};

const started = async (argv: readonly string[], cwd: string, names: readonly string[], env: Readonly<Record<string, string | undefined>>) => {
  const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const [command = "", ...args] = argv;
  const given = Object.fromEntries(["PATH", "HOME", "LANG", "TMPDIR", "ENACT_RUN_ID", ...names].flatMap((name) => { const value = env[name]; return value === undefined ? [] : [[name, value]]; }));
  return new StdioClientTransport({ command, args, cwd, env: given, stderr: "ignore" });
};

const ask = async (client: Client, name: string, args: string, longestMs: number, signal: AbortSignal, shown: (text: string) => string): Promise<Done> => {
  let given: unknown;
  try { given = JSON.parse(args); } catch { return { ok: false, output: "Not done: the arguments are not JSON." }; }
  if (typeof given !== "object" || given === null || Array.isArray(given)) return { ok: false, output: "Not done: the arguments are no object." };
  try {
    const { content, isError } = await client.callTool({ name, arguments: { ...given } }, undefined, { timeout: longestMs, signal });
    const parts = Array.isArray(content) ? content : [];
    // It may have done anything, also in the worktree.
    return { ok: isError !== true, changed: true, output: shown(parts.map((part) => (part.type === "text" ? part.text : `[${part.type}: not shown]`)).join("\n")) };
  } catch (error) {
    return { ok: false, changed: true, output: `Failed: ${errorText(error)}` };
  }
};
