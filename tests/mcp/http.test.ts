/** The same tools over HTTP: from a real daemon, and behind the gateway's guard with what may not pass. */
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { mcp } from "../../src/client/api.ts";
import { answerHttp } from "../../src/mcp/http.ts";
import { skillShelf } from "../../src/prompts/skill-shelf.ts";
import { makeDaemonRoom, started } from "../daemon/room.ts";
import { open, token, withToken } from "../gateway/open.ts";
import { itemId, standIn } from "../gateway/stand-in.ts";
import { overHttp, overStdio } from "./room.ts";

const opened = async () => {
  const client = standIn();
  const loads: string[] = [];
  const inside: unknown[] = [];
  const load = async () => {
    loads.push("loaded");
    return answerHttp({ version: "0", withClient: (use) => use(client), skills: skillShelf(), repository: null, now: () => 0, onError: (error) => inside.push(error) });
  };
  return { ...await open({ client, mcp: load }), loads, inside };
};

interface Sent { readonly method?: string; readonly path?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
/** `fetch` would not let us lie about Host and Origin. */
const ask = (port: number, { method = "POST", path = mcp.path, headers = {}, body }: Sent): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>; readonly text: string }> => new Promise((resolve, reject) => {
  const sent = request({ host: "127.0.0.1", port, method, path, setHost: false, headers: { host: `127.0.0.1:${port}`, accept: "application/json, text/event-stream", ...(body === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }), ...headers } }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => { text += chunk; }).on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
  });
  sent.on("error", reject);
  sent.end(body);
});
const list = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });

describe("mcp over HTTP", () => {
  const rows: readonly (readonly [what: string, status: number, passes: "passes" | "refused", sent: (port: number) => Sent])[] = [
    ["the token", 200, "passes", () => ({ headers: withToken, body: list })],
    ["no token", 401, "refused", () => ({ body: list })],
    ["a wrong token", 401, "refused", () => ({ headers: { authorization: `Bearer ${token.replace("0", "1")}` }, body: list })],
    ["a foreign Host", 403, "refused", (port) => ({ headers: { ...withToken, host: `evil.example:${port}` }, body: list })],
    ["a foreign Origin", 403, "refused", () => ({ headers: { ...withToken, origin: "https://evil.example" }, body: list })],
    ["another page without an Origin", 403, "refused", () => ({ headers: { ...withToken, "sec-fetch-site": "cross-site" }, body: list })],
    ["a stream that is asked for", 405, "refused", () => ({ method: "GET", headers: withToken })],
    ["a session that is to end", 405, "refused", () => ({ method: "DELETE", headers: withToken })],
    ["a plain form", 415, "refused", () => ({ headers: { ...withToken, "content-type": "text/plain" }, body: list })],
    ["who takes no JSON", 406, "passes", () => ({ headers: { ...withToken, accept: "text/html" }, body: list })],
    ["no JSON", 400, "refused", () => ({ headers: withToken, body: '{"jsonrpc":' })],
    ["no message", 400, "passes", () => ({ headers: withToken, body: '{"hello":1}' })],
    ["an unknown revision of the protocol", 400, "passes", () => ({ headers: { ...withToken, "mcp-protocol-version": "1999-01-01" }, body: list })],
    ["a body that is too large", 413, "refused", () => ({ headers: withToken, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { x: "x".repeat(mcp.bodyLimit) } }) })],
    ["a scope that is none", 400, "passes", () => ({ path: `${mcp.path}?tools=everything`, headers: withToken, body: list })],
    ["a query that nobody knows", 400, "refused", () => ({ path: `${mcp.path}?token=${token}`, headers: withToken, body: list })],
  ];
  test.for(rows)("%s: %i, %s", async ([, status, passes, sent]) => {
    await using gateway = await opened();
    const answer = await ask(gateway.gateway.port, sent(gateway.gateway.port));
    expect(answer.status, answer.text).toBe(status);
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
    expect(["node_modules", ".ts:", token].filter((word) => answer.text.includes(word))).toEqual([]);
    expect([gateway.errors, gateway.inside, gateway.loads.length]).toEqual([[], [], passes === "passes" ? 1 : 0]);
  });

  test("the library is loaded by the first request that passes, and what goes wrong inside stays there", async () => {
    await using gateway = await opened();
    expect(gateway.loads).toEqual([]);
    await using session = await overHttp(`${gateway.url}${mcp.path}`, token);
    expect((await session.good("factory_workItem_list", { limit: 1 })).structured["total"]).toBeGreaterThan(0);
    expect(await session.bad("factory_workItem_update", { workItemId: itemId(1), action: "pause" })).toMatchObject({ kind: "internal" });
    expect(gateway.inside).toHaveLength(1);
    expect(await session.bad("factory_workItem_create", { title: "x" })).toMatchObject({ kind: "input", field: "repository" });
    await using read = await overHttp(`${gateway.url}${mcp.path}?tools=read`, token);
    expect(read.tools.length).toBeLessThan(session.tools.length);
  });

  test("a daemon serves over HTTP what the bin serves over stdio beside it", { timeout: 240_000 }, async () => {
    await using room = makeDaemonRoom();
    await started(room);
    const { port, token: secret } = room.note();
    await using http = await overHttp(`http://127.0.0.1:${port}${mcp.path}`, secret);
    await using stdio = await overStdio({ cwd: room.repository, env: room.env });
    expect(http.tools).toEqual(stdio.tools);
    const { structured } = await http.good("factory_workItem_create", { title: "Wait", operatorLane: "manual", repository: room.repository });
    const given = { workItemId: structured["workItemId"] };
    expect((await stdio.good("factory_workItem_get", given)).structured).toEqual((await http.good("factory_workItem_get", given)).structured);
    expect((await stdio.good("factory_workItem_update", { ...given, action: "cancel" })).structured).toMatchObject({ delivered: "now", workItem: { status: "cancelled" } });
    expect((await stdio.good("factory_state_list")).structured).toMatchObject({ running: true });
  });
});
