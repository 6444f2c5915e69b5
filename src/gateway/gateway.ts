/**
 * Serves a `FactoryClient` on loopback: REST by the route table, everything live over one WebSocket. Knows only the contract.
 *
 * Owns: the listening socket, the sessions, the ring of events. Talks to: the served client.
 * I1 Every request passes the guard first, unknown routes and upgrades too; every answer carries the security headers.
 * I2 Every failure is a typed JSON error; nothing of the inside (stacks, paths of code) leaves. I3 After `close` nobody is served and nothing is left open.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { WebSocketServer } from "ws";
import { z, type ZodError, type ZodType } from "zod";
import { type Failure, health, livePath, mcp, type Route, type RouteName, routes } from "../client/api.ts";
import { ClientProblem, type FactoryClient } from "../client/contract.ts";
import { closeCode, protocolName } from "../client/live-protocol.ts";
import { withoutShapes } from "../domain/secret.ts";
import { answers } from "./answers.ts";
import { EventRing, type RingLimits } from "./event-ring.ts";
import { proofOf, refuse, securityHeaders } from "./guard.ts";
import { Session, type SessionLimits, sessionLimits } from "./session.ts";

export interface GatewayOptions {
  readonly client: FactoryClient;
  readonly token: string;
  readonly version: string;
  /** 0: a free one. */
  readonly port: number;
  /** What went wrong inside, for the log. */
  readonly onError: (error: unknown) => void;
  /** Answers MCP; loaded when somebody first asks. Absent: there is none here. */
  readonly mcp?: () => Promise<McpAnswer>;
  readonly limits?: Partial<SessionLimits>;
  readonly ring?: RingLimits;
}

/** One request that passed the guard, with its body parsed. */
export type McpAnswer = (asked: { readonly headers: Readonly<Record<string, string>>; readonly body: unknown; readonly tools: string | undefined }) => Promise<{ readonly status: number; readonly contentType: string; readonly body: string }>;

export interface Gateway {
  readonly host: string;
  readonly port: number;
  /** Ends it; clients are told that the factory stops. */
  readonly close: () => Promise<void>;
}

const host = "127.0.0.1";
const farewellMs = 2_000;
const maxSessions = 64, maxConnections = 256, maxMessage = 65_536;
const ringLimits: RingLimits = { events: 8_192, bytes: 2_097_152 };

export const openGateway = async (options: GatewayOptions): Promise<Gateway> => {
  const { client, token, version, onError } = options;
  const ring = new EventRing(options.ring ?? ringLimits);
  const epoch = randomUUID();
  const sessions = new Set<Session>();
  let port = options.port;
  let closing = false;

  const app = fastify({
    logger: false, exposeHeadRoutes: false, forceCloseConnections: "idle", return503OnClosing: false, bodyLimit: 1_024, requestTimeout: 30_000, keepAliveTimeout: 10_000, connectionTimeout: 120_000,
    routerOptions: { maxParamLength: 100 },
    // The guard says what is wrong with a Host, also when there is none.
    http: { requireHostHeader: false },
    clientErrorHandler: (_error, socket) => socket.end(rawAnswer(400, { error: { message: "this is no HTTP request that is understood here", next: "see docs/api.md" } })),
    // A URL that cannot be decoded never reaches a route.
    frameworkErrors: (error, _request, reply) => fail(reply, 400, { error: { message: error.message, next: "see docs/api.md" } }),
  });
  app.server.maxConnections = maxConnections;
  // A form of another page can send plain text without asking first.
  app.removeContentTypeParser("text/plain");

  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    const refused = refuse({ headers: request.headers, port, token, needsToken: pathOf(request) !== health.path, upgrade: false });
    if (refused !== undefined) return fail(reply, refused.status, refused.failure);
    if (closing) return fail(reply, 503, { error: { message: "the factory stops", next: "start it again with: enact-factory start" } });
  });
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    if (error.statusCode === undefined || error.statusCode >= 500) {
      onError(error);
      return fail(reply, 500, { error: { message: "this did not work, which should not happen", next: "see: enact-factory logs" } });
    }
    return fail(reply, error.statusCode, { error: { message: nameless(error), next: "see docs/api.md" } });
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = methodsOf(pathOf(request));
    if (allowed.length === 0) return fail(reply, 404, { error: { message: `there is no ${pathOf(request).slice(0, 200)} here`, next: "see docs/api.md" } });
    reply.header("allow", allowed.join(", "));
    return fail(reply, 405, { error: { message: `${request.method.slice(0, 20)} is not what this path understands`, next: `use ${allowed.join(" or ")}` } });
  });

  app.get(health.path, (request, reply) => {
    const query = health.query.safeParse(request.query);
    if (!query.success) return invalid(reply, "query", query.error);
    return reply.send({ ok: true, ...(query.data.challenge === undefined ? {} : { proof: proofOf(token, query.data.challenge) }) });
  });
  for (const name of routeNames) serve(app, name, client);
  if (options.mcp !== undefined) serveMcp(app, options.mcp);

  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessage, perMessageDeflate: false, autoPong: false, handleProtocols: (offered) => (offered.has(protocolName) ? protocolName : false) });
  app.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const turnAway = (status: number, failure: Failure): void => void socket.end(rawAnswer(status, failure));
    const refused = refuse({ headers: request.headers, port, token, needsToken: true, upgrade: true });
    if (refused !== undefined) return turnAway(refused.status, refused.failure);
    if (request.url?.split("?")[0] !== livePath) return turnAway(404, { error: { message: "there is no WebSocket here", next: `it is at ${livePath}` } });
    if (sessions.size >= maxSessions) return turnAway(503, { error: { message: `${maxSessions} clients are connected already`, next: "close one of them" } });
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const session = new Session({ socket: ws, client, ring, epoch, version, limits: { ...sessionLimits, ...options.limits }, onError });
      sessions.add(session);
      ws.on("close", () => sessions.delete(session));
    });
  });

  // `lost` is this process's own affair: it ends, and its clients look for the next owner.
  const stopWatching = client.watch((change) => {
    if (change.type === "lost") return;
    ring.push(change);
    for (const session of sessions) session.wake();
  });

  try {
    await app.listen({ host, port: options.port, exclusive: true });
  } catch (error) {
    stopWatching();
    await app.close();
    throw error;
  }
  const address = app.server.address();
  if (typeof address === "object" && address !== null) port = address.port;

  return {
    host, port,
    close: async () => {
      closing = true;
      stopWatching();
      for (const session of sessions) session.close(closeCode.stopping, "the factory stops");
      sockets.close();
      // What is under way is answered; who takes longer, or does not say goodbye, is cut off.
      const cut = setTimeout(() => {
        for (const ws of sockets.clients) ws.terminate();
        app.server.closeAllConnections();
      }, farewellMs);
      await app.close();
      clearTimeout(cut);
    },
  };
};

const isRouteName = (name: string): name is RouteName => Object.hasOwn(routes, name);
const routeNames: readonly RouteName[] = Object.keys(routes).filter(isRouteName);

const serve = <Name extends RouteName>(app: FastifyInstance, name: Name, client: FactoryClient): void => {
  const route: Route = routes[name];
  const take = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const input: Record<string, unknown> = {};
    for (const part of ["params", "query", "body"] as const) {
      const parsed = schemaOf(route, part).safeParse((part === "body" && route.method === "GET" ? undefined : request[part]) ?? {});
      if (!parsed.success) return invalid(reply, part, parsed.error);
      input[part] = parsed.data;
    }
    try {
      const result = await answer(name, client, input);
      if (result === undefined) return fail(reply, 404, { error: { message: "there is none", next: "list them first" } });
      return reply.send(result);
    } catch (error) {
      if (error instanceof ClientProblem) return fail(reply, 409, { error: { message: withoutShapes(error.message), next: error.next } });
      throw error;
    }
  };
  app.route({ method: route.method, url: route.path, ...(route.bodyLimit === 0 ? {} : { bodyLimit: route.bodyLimit }), handler: take });
};

/** What this path keeps to itself: the transport sees no more of a request than it needs. */
const McpQuery = z.strictObject({ tools: z.string().max(20).optional() });
const mcpHeaders = ["accept", "content-type", "mcp-protocol-version"] as const;

const serveMcp = (app: FastifyInstance, load: () => Promise<McpAnswer>): void => {
  app.post(mcp.path, { bodyLimit: mcp.bodyLimit }, async (request, reply) => {
    const query = McpQuery.safeParse(request.query);
    if (!query.success) return invalid(reply, "query", query.error);
    const headers = Object.fromEntries(mcpHeaders.flatMap((name) => { const value = request.headers[name]; return typeof value === "string" ? [[name, value]] : []; }));
    const { status, contentType, body } = await (await load())({ headers, body: request.body, tools: query.data.tools });
    return reply.code(status).type(contentType).send(body);
  });
};

const schemaOf = (route: Route, part: "params" | "query" | "body"): ZodType => route[part];

/** The parts were parsed with the schemas that the type of the answer's input is made of. */
const answer = (name: RouteName, client: FactoryClient, input: Readonly<Record<string, unknown>>): Promise<unknown> => {
  const call: (client: FactoryClient, input: never) => Promise<unknown> = answers[name];
  return call(client, input as never);
};

const pathOf = (request: FastifyRequest): string => request.url.split("?")[0] ?? "";
const patterns = routeNames.map((name) => ({ method: routes[name].method, pattern: new RegExp(`^${routes[name].path.replaceAll(/:\w+/g, "[^/]+")}$`) }));
const methodsOf = (path: string): readonly string[] => (path === health.path ? ["GET"] : path === mcp.path ? ["POST"] : [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))]);

const fail = (reply: FastifyReply, status: number, failure: Failure): FastifyReply => reply.code(status).headers(securityHeaders).type("application/json; charset=utf-8").send(failure);

const invalid = (reply: FastifyReply, part: string, error: ZodError): FastifyReply => {
  const [issue] = error.issues;
  const path = [part, ...(issue?.path ?? [])].map(String).join(".");
  return fail(reply, 400, { error: { message: `${path}: ${issue?.message ?? "is wrong"}`, next: "see docs/api.md", path } });
};

/** Fastify's own words for what it refused; texts of the request stay out of them. */
const nameless = (error: FastifyError): string => {
  switch (error.code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE": return "the body must be application/json";
    case "FST_ERR_CTP_BODY_TOO_LARGE": return "the body is too large";
    case "FST_ERR_CTP_EMPTY_JSON_BODY": return "the body is empty";
    default: return error.statusCode === 400 ? "the body is not valid JSON" : "the request was refused";
  }
};

const reasons: Readonly<Record<number, string>> = { 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable" };

/** Where there is no reply object. */
const rawAnswer = (status: number, failure: Failure): string => {
  const body = JSON.stringify(failure);
  const headers = { ...securityHeaders, "content-type": "application/json; charset=utf-8", "content-length": String(Buffer.byteLength(body)), connection: "close" };
  return `HTTP/1.1 ${status} ${reasons[status] ?? "Error"}\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
};
