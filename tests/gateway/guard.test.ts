/** Who is refused, and how: every row goes over a real socket. */
import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { health, livePath, routes } from "../../src/client/api.ts";
import { protocolName, tokenProtocol } from "../../src/client/live-protocol.ts";
import { securityHeaders } from "../../src/gateway/guard.ts";
import { open, token, withToken } from "./open.ts";

interface Answer { readonly status: number; readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>; readonly text: string }

/** Plain requests: `fetch` would not let us lie about Host and Origin. */
const ask = (port: number, options: { readonly method?: string; readonly path?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }): Promise<Answer> => new Promise((resolve, reject) => {
  const { method = "GET", path = "/api/items", headers = {}, body } = options;
  const sent = request({ host: "127.0.0.1", port, method, path, headers: { host: `127.0.0.1:${port}`, ...headers, ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }) }, setHost: false }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => { text += chunk; });
    response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
  });
  sent.on("upgrade", (response, socket) => {
    socket.destroy();
    resolve({ status: response.statusCode ?? 0, headers: response.headers, text: "" });
  });
  sent.on("error", reject);
  sent.end(body);
});

const raw = (port: number, text: string): Promise<string> => new Promise((resolve) => {
  const socket = connect(port, "127.0.0.1");
  let got = "";
  socket.on("data", (chunk: Buffer) => { got += chunk.toString("latin1"); });
  socket.on("close", () => resolve(got));
  socket.on("error", () => {});
  socket.end(text);
});

const json = { "content-type": "application/json" };
const failureOf = (answer: Answer): { readonly message: string; readonly next: string; readonly path?: string } => JSON.parse(answer.text).error;
const wellMade = (answer: Answer): void => {
  expect(answer.headers).toMatchObject(securityHeaders);
  if (answer.status >= 400) {
    const failure = failureOf(answer);
    expect([failure.message, failure.next]).toEqual([expect.stringMatching(/./), expect.stringMatching(/./)]);
    expect(answer.text).not.toMatch(/node_modules|\.ts:|\s+at .*\(|secret-inner/);
    expect(answer.text).not.toContain(token);
  }
};

describe("REST", () => {
  const rows: readonly (readonly [what: string, status: number, options: (port: number) => Parameters<typeof ask>[1]])[] = [
    ["the token as bearer", 200, () => ({ headers: withToken })],
    ["localhost", 200, (port) => ({ headers: { ...withToken, host: `localhost:${port}` } })],
    ["[::1]", 200, (port) => ({ headers: { ...withToken, host: `[::1]:${port}` } })],
    ["its own origin", 200, (port) => ({ headers: { ...withToken, origin: `http://localhost:${port}` } })],
    ["no token", 401, () => ({})],
    ["a wrong token", 401, () => ({ headers: { authorization: `Bearer ${token.replace("0", "1")}` } })],
    ["a shorter token", 401, () => ({ headers: { authorization: `Bearer ${token.slice(1)}` } })],
    ["the token by another scheme", 401, () => ({ headers: { authorization: `Basic ${token}` } })],
    ["the token in the address", 401, () => ({ path: `/api/items?token=${token}` })],
    ["the token as a subprotocol, which is for the WebSocket", 401, () => ({ headers: { "sec-websocket-protocol": `${tokenProtocol}${token}` } })],
    ["a name that resolves here (DNS rebinding)", 403, (port) => ({ headers: { ...withToken, host: `evil.example:${port}` } })],
    ["Host without the port", 403, () => ({ headers: { ...withToken, host: "127.0.0.1" } })],
    ["Host with another port", 403, () => ({ headers: { ...withToken, host: "127.0.0.1:1" } })],
    ["a Host that begins well", 403, (port) => ({ headers: { ...withToken, host: `127.0.0.1:${port}.evil.example` } })],
    ["a foreign origin", 403, () => ({ headers: { ...withToken, origin: "https://evil.example" } })],
    ["an opaque origin", 403, () => ({ headers: { ...withToken, origin: "null" } })],
    ["the origin of another local port", 403, () => ({ headers: { ...withToken, origin: "http://127.0.0.1:1" } })],
    ["another page without an origin", 403, () => ({ headers: { ...withToken, "sec-fetch-site": "cross-site" } })],
    ["an unknown path", 404, () => ({ path: "/api/nothing", headers: withToken })],
    ["an unknown path without the token", 401, () => ({ path: "/api/nothing" })],
    ["a path that climbs", 404, () => ({ path: "/api/items/../../etc/passwd", headers: withToken })],
    ["a path that cannot be decoded", 400, () => ({ path: "/api/items/%ff", headers: withToken })],
    ["a method that is not there", 405, () => ({ method: "DELETE", path: "/api/items", headers: withToken })],
    ["a command by GET", 405, () => ({ path: "/api/stop", headers: withToken })],
    ["a preflight", 401, () => ({ method: "OPTIONS", path: "/api/stop", headers: { "access-control-request-method": "POST" } })],
    ["HEAD", 405, () => ({ method: "HEAD", path: "/api/items", headers: withToken })],
    ["an id that is none", 400, () => ({ path: "/api/items/loc", headers: withToken })],
    ["an item that is not there", 404, () => ({ path: "/api/items/LOC-99", headers: withToken })],
    ["a query that is unknown", 400, () => ({ path: "/api/items?all=1", headers: withToken })],
    ["a query of the wrong type", 400, () => ({ path: "/api/journal?after=-1", headers: withToken })],
    ["a limit beyond the page", 400, () => ({ path: "/api/journal?limit=1000000", headers: withToken })],
    ["bad JSON", 400, () => ({ method: "POST", path: "/api/items/LOC-1/commands", headers: { ...withToken, ...json }, body: '{"type":' })],
    ["a poisoned prototype", 400, () => ({ method: "POST", path: "/api/items/LOC-1/commands", headers: { ...withToken, ...json }, body: '{"type":"cancel","__proto__":{"x":1}}' })],
    ["no body", 400, () => ({ method: "POST", path: "/api/items/LOC-1/commands", headers: withToken })],
    ["another type of body (a plain form needs no preflight)", 415, () => ({ method: "POST", path: "/api/stop", headers: { ...withToken, "content-type": "text/plain" }, body: '{"keepAgents":false}' })],
    ["a command that is none", 400, () => ({ method: "POST", path: "/api/items/LOC-1/commands", headers: { ...withToken, ...json }, body: '{"type":"explode"}' })],
    ["a field that nobody knows", 400, () => ({ method: "POST", path: "/api/stop", headers: { ...withToken, ...json }, body: '{"keepAgents":true,"force":true}' })],
    ["a body that is too large", 413, () => ({ method: "POST", path: "/api/stop", headers: { ...withToken, ...json }, body: `{"keepAgents":"${"x".repeat(600_000)}"}` })],
    ["a relative path", 400, () => ({ method: "POST", path: "/api/items/LOC-1/restore", headers: { ...withToken, ...json }, body: '{"ref":"x","to":"../out"}' })],
    ["what the factory refuses", 409, () => ({ method: "POST", path: "/api/items/LOC-99/commands", headers: { ...withToken, ...json }, body: '{"type":"cancel"}' })],
    ["what goes wrong inside", 500, () => ({ method: "POST", path: "/api/items/LOC-1/commands", headers: { ...withToken, ...json }, body: '{"type":"pause"}' })],
  ];
  test.for(rows)("%s: %i", async ([, status, options]) => {
    await using opened = await open();
    const answer = await ask(opened.gateway.port, options(opened.gateway.port));
    expect(answer.status, answer.text).toBe(status);
    if (options(0).method !== "HEAD") wellMade(answer);
    expect(opened.client.stops).toEqual([]);
    expect(opened.errors).toHaveLength(status === 500 ? 1 : 0);
  });

  test("a wrong field is named with its place, and every GET of the table is one", async () => {
    await using opened = await open();
    const { port } = opened.gateway;
    const wrong = await ask(port, { method: "POST", path: "/api/items", headers: { ...withToken, ...json }, body: JSON.stringify({ title: "x", body: "", kind: "chore", priority: 9 }) });
    expect(failureOf(wrong)).toMatchObject({ path: "body.priority" });
    for (const { method, path } of Object.values(routes)) {
      const other = method === "GET" ? "POST" : "GET";
      const both = Object.values(routes).some((route) => route.path === path && route.method === other);
      if (!both) expect([path, (await ask(port, { method: other, path: path.replace(":id", "LOC-1").replace(":name", "alpha"), headers: { ...withToken, ...json }, ...(other === "POST" ? { body: "{}" } : {}) })).status]).toEqual([path, 405]);
    }
  });

  test("health needs no token, tells nothing, and proves to who knows the token that this is the one", async () => {
    await using opened = await open();
    const { port } = opened.gateway;
    const plain = await ask(port, { path: health.path });
    expect([plain.status, JSON.parse(plain.text)]).toEqual([200, { ok: true }]);
    wellMade(plain);
    const proved = JSON.parse((await ask(port, { path: `${health.path}?challenge=0123456789abcdef` })).text);
    expect(proved).toEqual({ ok: true, proof: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await ask(port, { path: `${health.path}?challenge=x` })).status).toBe(400);
    expect((await ask(port, { path: health.path, headers: { host: "evil.example" } })).status).toBe(403);
    expect((await ask(port, { path: health.path, headers: { origin: "https://evil.example" } })).status).toBe(403);
  });

  test("what is no HTTP is answered in the same form, with the same headers", async () => {
    await using opened = await open();
    const { port } = opened.gateway;
    for (const text of ["nonsense\r\n\r\n", "GET /api/items HTTP/1.1\r\n\r\n", `GET /api/items HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX: ${"y".repeat(40_000)}\r\n\r\n`]) {
      const answer = await raw(port, text);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer.toLowerCase()).toContain("content-security-policy: default-src 'none'");
      expect(answer).toContain('{"error":{"message":');
    }
  });
});

describe("the WebSocket", () => {
  const upgrade = (port: number) => ({ host: `127.0.0.1:${port}`, connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==", "sec-websocket-protocol": protocolName });
  const rows: readonly (readonly [what: string, status: number, headers: (port: number) => Readonly<Record<string, string>>, path?: string])[] = [
    ["the token as bearer", 101, () => withToken],
    ["the token as a subprotocol", 101, () => ({ "sec-websocket-protocol": `${protocolName}, ${tokenProtocol}${token}` })],
    ["its own origin", 101, (port) => ({ ...withToken, origin: `http://127.0.0.1:${port}` })],
    ["no token", 401, () => ({})],
    ["a wrong subprotocol token", 401, () => ({ "sec-websocket-protocol": `${protocolName}, ${tokenProtocol}${"0".repeat(64)}` })],
    ["a foreign origin", 403, () => ({ ...withToken, origin: "https://evil.example" })],
    ["a foreign host", 403, () => ({ ...withToken, host: "evil.example" })],
    ["another path", 404, () => withToken, "/api/items"],
  ];
  test.for(rows)("%s: %i", async ([, status, headers, path = livePath]) => {
    await using opened = await open();
    const { port } = opened.gateway;
    const answer = await ask(port, { path, headers: { ...upgrade(port), ...headers(port) } });
    expect(answer.status).toBe(status);
    if (status === 101) expect(answer.headers["sec-websocket-protocol"]).toBe(protocolName);
    else wellMade(answer);
  });
});
