/** A gateway over a stand-in, raw WebSockets to it, and a wire that can be cut. */
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { expect } from "vitest";
import { WebSocket } from "ws";
import { livePath } from "../../src/client/api.ts";
import { decodeFrames, protocolName, ServerMessage, type ClientMessage } from "../../src/client/live-protocol.ts";
import { type Gateway, type GatewayOptions, openGateway } from "../../src/gateway/gateway.ts";
import { type StandIn, standIn } from "./stand-in.ts";

export const token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
export const guard = { timeout: 30_000 } as const;

export interface Open { readonly gateway: Gateway; readonly client: StandIn; readonly url: string; readonly errors: readonly unknown[]; readonly [Symbol.asyncDispose]: () => Promise<void> }

export const open = async (more: Partial<GatewayOptions> & { readonly client?: StandIn } = {}): Promise<Open> => {
  const client = more.client ?? standIn();
  const errors: unknown[] = [];
  const gateway = await openGateway({ token, version: "0", port: 0, onError: (error) => errors.push(error), ...more, client });
  return { gateway, client, errors, url: `http://127.0.0.1:${gateway.port}`, [Symbol.asyncDispose]: () => gateway.close() };
};

export const withToken = { authorization: `Bearer ${token}` } as const;

export interface Wire {
  readonly socket: WebSocket;
  readonly messages: readonly ServerMessage[];
  readonly of: <Type extends ServerMessage["type"]>(type: Type) => readonly Extract<ServerMessage, { readonly type: Type }>[];
  readonly frames: readonly ReturnType<typeof decodeFrames>[number][];
  readonly say: (message: ClientMessage) => void;
  readonly closed: Promise<number>;
  readonly [Symbol.dispose]: () => void;
}

export const dial = async (port: number, headers: Readonly<Record<string, string>> = withToken): Promise<Wire> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${livePath}`, [protocolName], { headers });
  const messages: ServerMessage[] = [];
  const frames: ReturnType<typeof decodeFrames>[number][] = [];
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    if (!(data instanceof Buffer)) return;
    if (isBinary) frames.push(...decodeFrames(data));
    else messages.push(ServerMessage.parse(JSON.parse(data.toString())));
  });
  const closed = new Promise<number>((resolve) => { socket.on("close", resolve); });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  await expect.poll(() => messages[0]?.type, guard).toBe("hello");
  return {
    socket, messages, frames, closed,
    of: (type) => messages.filter((message): message is Extract<ServerMessage, { readonly type: typeof type }> => message.type === type),
    say: (message) => socket.send(JSON.stringify(message)),
    [Symbol.dispose]: () => socket.terminate(),
  };
};

/** Passes bytes on to the gateway, whose port it says in the requests; `cut` breaks every connection. */
export const cuttable = async (port: number): Promise<{ readonly port: number; readonly cut: () => void; readonly [Symbol.asyncDispose]: () => Promise<void> }> => {
  const pairs = new Set<Socket>();
  let own = 0;
  const server = createServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    for (const socket of [near, far]) {
      pairs.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk: Buffer) => far.write(chunk.toString("latin1").replaceAll(`127.0.0.1:${own}`, `127.0.0.1:${port}`), "latin1"));
    far.pipe(near);
  });
  await new Promise<void>((resolve) => { server.listen({ host: "127.0.0.1", port: 0 }, resolve); });
  const address = server.address();
  own = typeof address === "object" && address !== null ? address.port : 0;
  const cut = (): void => { for (const socket of pairs) socket.destroy(); };
  return {
    port: own, cut,
    [Symbol.asyncDispose]: () => new Promise((resolve) => {
      cut();
      server.close(() => resolve());
    }),
  };
};
