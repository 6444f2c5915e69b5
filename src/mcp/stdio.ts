/** The server over standard input and output: one client, for as long as it has its end of the pipe open. */
import type { Readable, Writable } from "node:stream";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { FactoryClient } from "../client/contract.ts";
import { makeServer, type ServerOptions } from "./server.ts";

/** Bytes of one message. */
const longestMessage = 4 * 1_024 * 1_024;

/** Resolves when the client is gone and what it had asked for is answered. */
export const serveStdio = async (options: ServerOptions, input: Readable, output: Writable): Promise<void> => {
  const under = new Set<Promise<unknown>>();
  const withClient = <T>(use: (client: FactoryClient) => Promise<T>): Promise<T> => {
    const doing = options.withClient(use);
    under.add(doing);
    // How it ends, its caller hears.
    doing.catch(() => {}).finally(() => under.delete(doing));
    return doing;
  };
  const server = makeServer({ ...options, withClient });
  const ended = new Promise<void>((resolve) => {
    input.once("end", resolve);
    input.once("close", resolve);
    // A line that is no message gets no answer, so the log has it. These are properties: the library has no events to listen to.
    Object.assign(server.server, { onclose: resolve, onerror: options.onError });
  });
  await server.connect(new StdioServerTransport(input, output, { maxBufferSize: longestMessage }));
  await ended;
  while (under.size > 0) await Promise.allSettled(under);
  // The answer to the last one is written in the turn after it was known.
  await new Promise((resolve) => { setImmediate(resolve); });
  await server.close();
};
