/**
 * Who may speak to the gateway: pure, for REST and the WebSocket alike (DESIGN §10).
 *
 * I1 The Host must be this machine by a loopback name, with the port: a name that somebody else resolves to 127.0.0.1 is refused (DNS rebinding).
 * I2 An Origin, where there is one, must be the gateway's own: no other page reads or changes anything, and none opens the WebSocket.
 * I3 Everything but health needs the token, compared in constant time. I4 What is refused learns nothing but why.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { tokenProtocol } from "../client/live-protocol.ts";
import { type Failure, health } from "../client/api.ts";

export interface Refusal { readonly status: 401 | 403; readonly failure: Failure }

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  /** The port that was listened on. */
  readonly port: number;
  readonly token: string;
  readonly needsToken: boolean;
  /** A browser's WebSocket cannot set headers: the token may stand among the subprotocols. */
  readonly upgrade: boolean;
}

const refusal = (status: 401 | 403, message: string, next: string): Refusal => ({ status, failure: { error: { message, next } } });

const names = ["127.0.0.1", "localhost", "[::1]"] as const;

export const refuse = ({ headers, port, token, needsToken, upgrade }: Asked): Refusal | undefined => {
  if (!names.some((name) => headers.host === `${name}:${port}`)) return refusal(403, "this Host is not served here", `use http://127.0.0.1:${port}`);
  if (headers.origin !== undefined && !names.some((name) => headers.origin === `http://${name}:${port}`)) return refusal(403, "pages of another origin may not use the factory", `open http://127.0.0.1:${port} itself`);
  // Browsers say so also where they send no Origin (a plain GET by another page).
  if (headers["sec-fetch-site"] === "cross-site" || headers["sec-fetch-site"] === "same-site") return refusal(403, "pages of another origin may not use the factory", `open http://127.0.0.1:${port} itself`);
  if (!needsToken) return undefined;
  const given = tokenIn(headers, upgrade);
  if (given === undefined) return refusal(401, "the token is missing", "send it as Authorization: Bearer TOKEN; it is in state/gateway.token of the state directory");
  return equal(given, token) ? undefined : refusal(401, "the token is not that of the running factory", "it changes with every start; read state/gateway.token of the state directory again");
};

const tokenIn = (headers: IncomingHttpHeaders, upgrade: boolean): string | undefined => {
  const bearer = /^Bearer ([\w-]{1,200})$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer !== undefined || !upgrade) return bearer;
  return headers["sec-websocket-protocol"]?.split(",").map((each) => each.trim()).find((each) => each.startsWith(tokenProtocol))?.slice(tokenProtocol.length);
};

/** Digests have one length, so neither the length nor the place of the first difference shows. */
const equal = (one: string, other: string): boolean => timingSafeEqual(createHash("sha256").update(one).digest(), createHash("sha256").update(other).digest());

/** Shows that the token is known without telling it. */
export const proofOf = (token: string, challenge: string): string => createHmac("sha256", token).update(`${health.prefix}${challenge}`).digest("hex");

/** On every answer. Nothing here is for a page to embed, cache, frame or sniff. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};
