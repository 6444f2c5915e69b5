/**
 * Where inspection messages are sent: a WebSocket server as that of `@statelyai/inspect/server`, or a file with a message a line.
 *
 * I1 `send` resolves when the message has left this process, so that a slow receiver slows down nobody but itself.
 */
import { createWriteStream } from "node:fs";
import type { InspectionEvent } from "../client/contract.ts";
import { CliProblem } from "./problem.ts";

export interface Receiver {
  readonly send: (message: InspectionEvent) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Milliseconds until a server that does not answer is given up. */
const openMs = 10_000;

export const isSocket = (target: string): boolean => /^wss?:\/\//.test(target);

/** `lost` is called once when the receiver goes away by itself. */
export const openReceiver = (target: string, lost: (reason: string) => void): Promise<Receiver> => (isSocket(target) ? openSocket(target, lost) : openFile(target, lost));

const openSocket = async (url: string, lost: (reason: string) => void): Promise<Receiver> => {
  const { WebSocket } = await import("ws");
  const next = "Start one first, e.g. with createInspectorServer() of @statelyai/inspect/server, or name a file instead.";
  if (!URL.canParse(url)) throw new CliProblem(`${JSON.stringify(url)} is no address of a receiver.`, next);
  const socket = new WebSocket(url, { handshakeTimeout: openMs });
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", (error) => reject(new CliProblem(`No receiver answers at ${url}: ${error.message}`, next)));
  });
  let closing = false;
  socket.on("error", (error) => lost(error.message));
  socket.on("close", () => { if (!closing) lost("it closed the connection"); });
  return {
    // A write that fails is told by the close that follows.
    send: (message) => new Promise((resolve) => { socket.send(JSON.stringify(message), () => resolve()); }),
    close: () => new Promise((resolve) => {
      closing = true;
      if (socket.readyState === WebSocket.CLOSED) return resolve();
      socket.once("close", () => resolve());
      socket.close();
      setTimeout(() => socket.terminate(), 1_000).unref();
    }),
  };
};

const openFile = async (path: string, lost: (reason: string) => void): Promise<Receiver> => {
  const stream = createWriteStream(path, { flags: "a", mode: 0o600 });
  await new Promise<void>((resolve, reject) => {
    stream.once("open", () => resolve());
    stream.once("error", (error) => reject(new CliProblem(`${path} cannot be written: ${error.message}`, "Name a file in a directory that is there, or a ws:// address.")));
  });
  stream.on("error", (error) => lost(error.message));
  return {
    send: (message) => new Promise((resolve) => { stream.write(`${JSON.stringify(message)}\n`, () => resolve()); }),
    close: () => new Promise((resolve) => { stream.end(() => resolve()); }),
  };
};
