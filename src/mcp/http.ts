/**
 * The server over HTTP: one request, one answer, no session and no stream, so that nothing is kept between them.
 * Who may ask was decided before (the gateway's guard).
 */
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { makeServer, type ServerOptions } from "./server.ts";
import { type Scope, scopes } from "./tool.ts";

export interface Asked { readonly headers: Readonly<Record<string, string>>; /** Parsed JSON. */ readonly body: unknown; /** `tools` of the query; absent: all. */ readonly tools: string | undefined }
export interface Answered { readonly status: number; readonly contentType: string; readonly body: string }

export const answerHttp = (options: Omit<ServerOptions, "scope">) => async ({ headers, body, tools = "all" }: Asked): Promise<Answered> => {
  if (!isScope(tools)) return { status: 400, contentType: "application/json; charset=utf-8", body: JSON.stringify({ error: { message: "query.tools: it is none of the scopes", next: `write one of ${scopes.join(", ")}`, path: "query.tools" } }) };
  const server = makeServer({ ...options, scope: tools });
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  try {
    await server.connect(transport);
    // The address is of no interest to the transport.
    const response = await transport.handleRequest(new Request("http://127.0.0.1/mcp", { method: "POST", headers }), { parsedBody: body });
    return { status: response.status, contentType: response.headers.get("content-type") ?? "application/json", body: await response.text() };
  } finally {
    await server.close();
  }
};

const isScope = (text: string): text is Scope => scopes.some((scope) => scope === text);
