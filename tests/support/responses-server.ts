/**
 * A provider of `/v1/responses` on a free loopback port: strict about what it is asked, faithful in what it streams, without intelligence.
 *
 * Owns: its listening socket, the record of requests, how far each scenario has been played.
 * I1 A request that the reference does not allow, or that leaves a call without its one output, is answered with 400 and recorded in `complaints`; a test
 * that ends with complaints has failed. I2 Plans, verifications and summaries that a scenario does not care for are answered by themselves.
 * I3 `close` ends every connection, hung ones included.
 */
import { createServer, type ServerResponse } from "node:http";
import { z } from "zod";
import type { ResponseOutputItem } from "openai/resources/responses/responses.js";
import { callItem, itemEvents, messageItem, responseObject, strangers, type StreamEvent, thoughtItem, type Usage } from "./responses/events.ts";
import { purposeOf, Request, scenarioIn } from "./responses/request.ts";

export { purposeOf, type Request } from "./responses/request.ts";

export type Fault =
  | { readonly fault: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly code?: string; readonly type?: string; readonly message?: string }
  | { readonly fault: "reset" | "hangBeforeHeaders" | "hangMidStream" | "cutMidStream" | "resetMidStream" | "malformed" }
  | { readonly fault: "errorEvent"; readonly code: string | null; readonly message?: string }
  | { readonly fault: "failed"; readonly code: "server_error" | "rate_limit_exceeded" | "invalid_prompt"; readonly message?: string }
  | { readonly fault: "incomplete"; readonly reason: "max_output_tokens" | "content_filter" };

export interface Step {
  readonly think?: string;
  /** Not encrypted: cannot be passed back. */
  readonly lostThought?: boolean;
  readonly say?: string;
  readonly refuse?: string;
  readonly calls?: readonly { readonly name: string; readonly args: Readonly<Record<string, unknown>> | string; readonly id?: string }[];
  readonly usage?: Usage | null;
  readonly fault?: Fault;
  /** Events of every type of the reference that our agent did not ask for come in between. */
  readonly strangers?: boolean;
  /** The last event names no output: items came with their own events only. */
  readonly bareEnd?: boolean;
  /** Items of the provider's own tools in the answer. */
  readonly items?: readonly ResponseOutputItem[];
  /** Resolves before anything is sent. */
  readonly after?: Promise<unknown>;
}

/** Steps one after the other, the last repeats; or whatever a request deserves. `own`: plans, verifications and summaries are the scenario's own affair. */
export type Scenario = readonly Step[] | { readonly own?: boolean; readonly reply: (request: Request, n: number) => Step };

export const marker = (scenario: string): string => `[[scenario:${scenario}]]`;

export interface Recorded { readonly request: Request; readonly scenario: string; readonly purpose: ReturnType<typeof purposeOf>; readonly headers: Readonly<Record<string, string | string[] | undefined>>; readonly path: string }

export interface ResponsesServer extends AsyncDisposable {
  /** Without `/v1`. */
  readonly url: string;
  readonly requests: readonly Recorded[];
  /** What was wrong with requests. */
  readonly complaints: readonly string[];
  /** Resolves with the first request that satisfies this, past ones included. */
  readonly seen: (which: (recorded: Recorded) => boolean) => Promise<Recorded>;
  readonly close: () => Promise<void>;
}

const usualUsage: Usage = { input: 100, output: 10, cached: 40 };

/** What a scenario does not care for. */
const byItself = (request: Request): Step | undefined => {
  switch (purposeOf(request)) {
    case "plan": return { calls: [{ name: "plan", args: { steps: [{ step: "do it", state: "in_progress" }] } }] };
    case "verify": {
      const said = request.input.findLast((item) => item.type === "message" && item.role === "assistant");
      return { say: said?.type === "message" && typeof said.content !== "string" ? said.content.map((part) => (part.type === "output_text" ? part.text : "")).join("") : "done" };
    }
    case "compact": return { say: "This is what happened so far." };
    case "work": return undefined;
  }
};

export const startResponsesServer = async (scenarios: Readonly<Record<string, Scenario>>, key = "test-key"): Promise<ResponsesServer> => {
  const requests: Recorded[] = [], complaints: string[] = [], played = new Map<string, number>();
  const waiting: { readonly which: (recorded: Recorded) => boolean; readonly resolve: (recorded: Recorded) => void }[] = [];
  let count = 0;

  const refuse = (response: ServerResponse, status: number, error: { readonly message: string; readonly code?: string | undefined; readonly type?: string | undefined }, headers: Readonly<Record<string, string>> = {}): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { param: null, code: null, type: "invalid_request_error", ...error } }));
  };

  const stepFor = (request: Request, scenario: Scenario, name: string): Step => {
    const own = "reply" in scenario && scenario.own === true, automatic = own ? undefined : byItself(request);
    if (automatic !== undefined) return automatic;
    const n = played.get(name) ?? 0;
    played.set(name, n + 1);
    return "reply" in scenario ? scenario.reply(request, n) : (scenario[Math.min(n, scenario.length - 1)] ?? {});
  };

  const play = async (response: ServerResponse, request: Request, step: Step, id: string): Promise<void> => {
    await step.after;
    const { fault } = step;
    switch (fault?.fault) {
      case "status": return refuse(response, fault.status, { message: fault.message ?? `scripted ${fault.status}`, code: fault.code, type: fault.type }, fault.headers);
      case "reset": response.socket?.resetAndDestroy(); return;
      case "hangBeforeHeaders": return;
      default:
    }
    const output: ResponseOutputItem[] = [
      ...(step.think === undefined ? [] : [thoughtItem(`rs_${id}`, step.think, step.lostThought === true ? null : `sealed:${step.think}`)]),
      ...(step.items ?? []),
      ...(step.say === undefined ? [] : [messageItem(`msg_${id}`, step.say)]),
      ...(step.refuse === undefined ? [] : [{ ...messageItem(`msg_${id}`, ""), content: [{ type: "refusal" as const, refusal: step.refuse }] }]),
      ...(step.calls ?? []).map(({ name, args, id: call }, n) => callItem(`fc_${id}_${n}`, call ?? `call_${id}_${n}`, name, typeof args === "string" ? args : JSON.stringify(args))),
    ];
    const usage = step.usage === null ? undefined : (step.usage ?? usualUsage);
    let number = 0;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    const send = (event: StreamEvent extends infer E ? (E extends { sequence_number: number } ? Omit<E, "sequence_number"> : never) : never): void => void response.write(`event: ${event.type}\ndata: ${JSON.stringify({ ...event, sequence_number: number++ })}\n\n`);
    // It chooses.
    const model = request.model === "auto" ? "gpt-5-chosen" : request.model;
    const begun = responseObject(`resp_${id}`, model, [], { status: "in_progress" });
    if (step.strangers === true) send({ type: "response.queued", response: { ...begun, status: "queued" } });
    send({ type: "response.created", response: begun });
    send({ type: "response.in_progress", response: begun });
    if (step.strangers === true) {
      for (const event of Object.values(strangers)) send(event);
      // A comment, and an event that no reference names yet.
      response.write(': ping\n\nevent: response.of_tomorrow\ndata: {"type":"response.of_tomorrow"}\n\n');
    }
    if (fault !== undefined) for (const event of itemEvents(messageItem(`msg_${id}`, "half a thou"), 0).slice(0, 3)) send(event);
    switch (fault?.fault) {
      case "hangMidStream": return;
      case "cutMidStream": response.end(); return;
      case "resetMidStream": response.write("", () => response.socket?.resetAndDestroy()); return;
      case "malformed": response.end('event: response.output_text.delta\ndata: {"type":"response.outp\n\n'); return;
      case "errorEvent": send({ type: "error", code: fault.code, message: fault.message ?? "scripted error", param: null }); response.end(); return;
      case "failed": send({ type: "response.failed", response: responseObject(`resp_${id}`, model, [], { status: "failed", error: { code: fault.code, message: fault.message ?? "scripted failure" } }, usage) }); response.end(); return;
      case "incomplete": send({ type: "response.incomplete", response: responseObject(`resp_${id}`, model, [messageItem(`msg_${id}`, "half")], { status: "incomplete", incomplete_details: { reason: fault.reason } }, usage) }); response.end(); return;
      default:
    }
    output.forEach((item, n) => itemEvents(item, n).forEach(send));
    send({ type: "response.completed", response: responseObject(`resp_${id}`, model, step.bareEnd === true ? [] : output, {}, usage) });
    response.end();
  };

  const server = createServer((incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("error", () => response.destroy());
    incoming.on("end", () => {
      const path = incoming.url ?? "/", complain = (what: string): void => {
        complaints.push(what);
        refuse(response, 400, { message: what });
      };
      if (incoming.method !== "POST" || path !== "/v1/responses") return complain(`${incoming.method} ${path} is not served`);
      if (incoming.headers.authorization !== `Bearer ${key}`) return refuse(response, 401, { message: `Incorrect API key provided: ${incoming.headers.authorization?.slice(7) ?? "none"}`, code: "invalid_api_key" });
      if (!(incoming.headers["content-type"] ?? "").startsWith("application/json")) return complain("the body is not declared to be JSON");
      let body: unknown;
      try { body = JSON.parse(Buffer.concat(parts).toString("utf8")); } catch { return complain("the body is no JSON"); }
      const parsed = Request.safeParse(body);
      if (!parsed.success) return complain(z.prettifyError(parsed.error));
      const request = parsed.data, name = scenarioIn(request) ?? "", scenario = scenarios[name];
      if (scenario === undefined) return complain(`there is no scenario ${name}`);
      const recorded: Recorded = { request, scenario: name, purpose: purposeOf(request), headers: incoming.headers, path };
      requests.push(recorded);
      for (const { which, resolve } of waiting) if (which(recorded)) resolve(recorded);
      void play(response, request, stepFor(request, scenario, name), String(++count).padStart(4, "0"));
    });
  });
  await new Promise<void>((resolve, reject) => { server.once("error", reject); server.listen(0, "127.0.0.1", resolve); });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const close = (): Promise<void> => new Promise((resolve) => { server.close(() => resolve()); server.closeAllConnections(); });
  return {
    url: `http://127.0.0.1:${address.port}`, requests, complaints, close, [Symbol.asyncDispose]: close,
    seen: (which) => new Promise((resolve) => {
      const past = requests.find(which);
      if (past) resolve(past);
      else waiting.push({ which, resolve });
    }),
  };
};
