/**
 * A scripted model on a free loopback port: real HTTP, real server-sent events, no intelligence.
 *
 * Owns: its listening socket, the record of requests, the count of faults already played.
 * I1 The scenario and step are chosen from the conversation alone (model/script.ts), so retries and resumed sessions get the same answer.
 * I2 A request that no scenario explains is answered with status 400 and recorded; nothing is ever guessed.
 * I3 `close` ends every connection, hung ones included.
 */
import { createServer, type ServerResponse } from "node:http";
import { anthropicMessages } from "./model/anthropic.ts";
import { chatCompletions } from "./model/chat.ts";
import type { ModelProtocol, ModelRequest } from "./model/protocol.ts";
import { openaiResponses } from "./model/responses.ts";
import { choose, type Chosen, type Scenario, type ScriptedStep } from "./model/script.ts";

export { marker, type Scenario, type ScriptedFault } from "./model/script.ts";

const protocols: readonly ModelProtocol[] = [anthropicMessages, openaiResponses, chatCompletions];

interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  /** The parsed request when it is one of a model protocol. */
  readonly model?: ModelRequest;
  readonly scenario?: string;
  readonly step?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface ModelServer extends AsyncDisposable {
  readonly url: string;
  /** Every request so far, oldest first. */
  readonly requests: readonly RecordedRequest[];
  readonly close: () => Promise<void>;
}

const answer = (response: ServerResponse, protocol: ModelProtocol, request: ModelRequest, step: ScriptedStep, id: string): void => {
  const fault = step.fault;
  switch (fault?.fault) {
    case "status": return protocol.refuse(response, fault.status, fault.headers ?? {}, id, fault.error);
    case "reset": response.socket?.resetAndDestroy(); return;
    case "hangBeforeHeaders": return;
    default: return protocol.play(response, request, step, id);
  }
};

/** Starts a server that plays these scenarios; `casting` may name another one than the marker, by the whole message. Ends with `close` or `await using`. */
export const startModelServer = async (scenarios: Readonly<Record<string, Scenario>>, casting: (chosen: Pick<Chosen, "scenario" | "text">) => string = ({ scenario }) => scenario): Promise<ModelServer> => {
  const requests: RecordedRequest[] = [];
  const played = new Map<string, number>();
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("error", () => response.destroy());
    incoming.on("end", () => {
      const body = Buffer.concat(parts).toString("utf8");
      const path = (incoming.url ?? "/").split("?")[0] ?? "/";
      const method = incoming.method ?? "GET";
      const record = (more: Partial<RecordedRequest>): number => requests.push({ method, path, headers: incoming.headers, body, ...more });
      const protocol = protocols.find((one) => one.serves(method, path));
      if (protocol === undefined) {
        record({});
        if (protocols.some((one) => one.side(incoming, response, path))) return;
        response.writeHead(method === "HEAD" ? 200 : 404).end();
        return;
      }
      let json: unknown;
      try { json = JSON.parse(body); } catch { json = undefined; }
      const model = protocol.parse(json);
      const marked = model === undefined ? undefined : choose(model.conversation);
      const chosen = marked === undefined ? undefined : { ...marked, scenario: casting(marked) };
      const scenario = chosen === undefined ? undefined : scenarios[chosen.scenario];
      if (model === undefined || chosen === undefined || scenario === undefined) {
        const n = record(model === undefined ? {} : { model });
        protocol.refuse(response, 400, {}, String(n));
        return;
      }
      const id = String(record({ model, scenario: chosen.scenario, step: chosen.step })).padStart(4, "0");
      const step = scenario[Math.min(chosen.step, scenario.length - 1)] ?? scenario[0];
      const key = `${chosen.scenario}.${chosen.step}`;
      const before = played.get(key) ?? 0;
      played.set(key, before + 1);
      const { fault, ...healthy } = step;
      answer(response, protocol, model, fault?.times !== undefined && before >= fault.times ? healthy : step, id);
    });
  });
  await new Promise<void>((resolve, reject) => { server.once("error", reject); server.listen(0, "127.0.0.1", resolve); });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the model server has no port");
  const close = (): Promise<void> => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); });
  return { url: `http://127.0.0.1:${address.port}`, requests, close, [Symbol.asyncDispose]: close };
};
