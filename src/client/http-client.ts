/**
 * The contract over HTTP and one WebSocket, beside a running gateway.
 *
 * Owns: where the gateway is thought to be. Talks to: the gateway; `locate` when that one is gone or another has come.
 * I1 A request is sent again only when it cannot have been done yet, or when doing it twice changes nothing.
 * I2 What the gateway refuses becomes a `ClientProblem` in its own words; a gateway that is gone becomes `GatewayGone`.
 */
import type { z } from "zod";
import { Failure, journalPage, type Route, routes } from "./api.ts";
import { ClientProblem, type FactoryClient, type JournalLine } from "./contract.ts";
import type { Connection } from "./local-tools.ts";
import { type GatewayAddress, LiveSocket } from "./live-socket.ts";

/** Nobody answers any more. `done`: whether the request was carried out. */
export class GatewayGone extends ClientProblem {
  readonly done: "no" | "unknown";
  constructor(done: "no" | "unknown") {
    super(done === "no" ? "the factory that was here is gone" : "the factory went away before it answered: it is not known whether it did what was asked", done === "no" ? "start it with: enact-factory start" : "look with: enact-factory task list");
    this.done = done;
  }
}

export interface HttpClientOptions {
  readonly address: GatewayAddress;
  /** The gateway that runs now, proven; `undefined`: none. */
  readonly locate: () => Promise<GatewayAddress | undefined>;
  readonly onState?: (state: "up" | "down" | "stopping") => void;
}

/** An answer takes longer when an item is handed in to a busy factory; then nobody is there. Milliseconds. */
const patienceMs = 60_000;

type Answering<T> = Route & { readonly result: z.ZodType<T> };
interface Input { readonly params?: Readonly<Record<string, string>>; readonly query?: Readonly<Record<string, string | number | undefined>>; readonly body?: unknown }

export const httpClient = ({ address, locate, onState }: HttpClientOptions): Connection => {
  let at = address;
  const find = async (): Promise<GatewayAddress | undefined> => {
    const found = await locate();
    if (found !== undefined) at = found;
    return found;
  };

  /** `undefined`: there is none, where that is an answer. */
  const ask = async <T>(route: Answering<T>, input: Input = {}): Promise<T | undefined> => {
    for (let tries = 0; ; tries++) {
      const used = at;
      const sent = await send(used, route, input).catch((error: unknown) => new GatewayGone(wasNeverSent(error) ? "no" : "unknown"));
      const gone = sent instanceof GatewayGone ? sent : sent.status === 401 || sent.status === 503 ? new GatewayGone("no") : undefined;
      if (gone !== undefined) {
        const found = tries < 2 && (gone.done === "no" || route.method === "GET") ? await find() : undefined;
        if (found === undefined || (found.token === used.token && tries > 0)) throw gone;
        continue;
      }
      if (sent instanceof GatewayGone) throw sent;
      if (sent.status === 200) return route.result.parse(sent.value);
      const failure = Failure.safeParse(sent.value);
      if (sent.status === 404 && route.mayLack) return undefined;
      throw failure.success ? new ClientProblem(failure.data.error.message, failure.data.error.next) : new ClientProblem(`the gateway answered ${sent.status}`, "see: enact-factory logs");
    }
  };
  const must = async <T>(route: Answering<T>, input: Input = {}): Promise<T> => {
    const result = await ask(route, input);
    if (result === undefined) throw new ClientProblem("the gateway gave no answer", "see: enact-factory logs");
    return result;
  };

  const live = new LiveSocket({ locate: find, onState: onState ?? (() => {}) });

  const client: FactoryClient = {
    describe: async () => {
      const description = await must(routes.describe);
      return { ...description, role: description.role === "owner" ? "client" : description.role };
    },
    items: () => must(routes.items),
    item: (id) => ask(routes.item, { params: { id } }),
    submit: async (submission) => (await must(routes.submit, { body: submission })).id,
    command: (id, command) => must(routes.command, { params: { id }, body: command }),
    journal: async ({ id, after = 0, limit = Number.MAX_SAFE_INTEGER }) => {
      const lines: JournalLine[] = [];
      for (let from = after; lines.length < limit;) {
        const page = Math.min(journalPage, limit - lines.length);
        const found = await must(routes.journal, { query: { id, after: from, limit: page } });
        lines.push(...found);
        if (found.length < page) break;
        from = found.at(-1)?.position ?? from;
      }
      return lines;
    },
    evidence: (id) => must(routes.evidence, { params: { id } }),
    spend: (query) => must(routes.spend, { query: { ...query } }),
    provider: () => must(routes.provider),
    chooseProvider: (adapter) => must(routes.chooseProvider, { body: { adapter } }),
    tree: () => must(routes.tree),
    checkpoints: (id) => must(routes.checkpoints, { params: { id } }),
    restore: async (id, ref, to) => (await must(routes.restore, { params: { id }, body: { ref, to } })).directory,
    diff: (id) => must(routes.diff, { params: { id } }),
    undo: (id, options) => must(routes.undo, { params: { id }, body: options }),
    receipt: (id) => must(routes.receipt, { params: { id } }),
    teams: () => must(routes.teams),
    team: (name, command) => must(routes.team, { params: { name }, body: command }),
    sessions: () => must(routes.sessions),
    session: (command) => must(routes.session, { body: command }),
    stopCheck: (attempt) => must(routes.stopCheck, { body: attempt }),
    status: () => must(routes.status),
    stop: async (options) => { await must(routes.stop, { body: options }); },
    drain: () => must(routes.drain),
    sync: () => must(routes.sync),
    terminals: () => must(routes.terminals),
    attachment: (terminal, { write }) => must(routes.attachment, { body: { address: terminal, write } }),
    message: (terminal, text, { interrupt }) => must(routes.message, { body: { address: terminal, text, interrupt } }),
    actors: () => must(routes.actors),
    actor: (actor) => ask(routes.actor, { query: { address: actor } }),
    watch: (onChange) => live.watch(onChange),
    watchTerminal: (terminal, options, onFrame) => live.watchTerminal(terminal, options, onFrame),
    inspect: (options, onEvent) => live.inspect(options.address, onEvent),
  };
  return { client, close: async () => live.close() };
};

const send = async (address: GatewayAddress, route: Route, { params = {}, query = {}, body }: Input): Promise<{ readonly status: number; readonly value: unknown }> => {
  const url = new URL(`http://${address.host}:${address.port}${route.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ""))}`);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  const response = await fetch(url, {
    method: route.method, redirect: "error", signal: AbortSignal.timeout(patienceMs),
    headers: { authorization: `Bearer ${address.token}`, ...(route.method === "POST" ? { "content-type": "application/json" } : {}) },
    ...(route.method === "POST" ? { body: JSON.stringify(body ?? {}) } : {}),
  });
  const text = await response.text();
  try {
    return { status: response.status, value: JSON.parse(text) };
  } catch {
    return { status: response.status, value: undefined };
  }
};

/** Nobody listened, so nobody did it. */
const wasNeverSent = (error: unknown): boolean => {
  for (let at = error; at instanceof Error; at = at.cause) if ("code" in at && (at.code === "ECONNREFUSED" || at.code === "UND_ERR_CONNECT_TIMEOUT")) return true;
  return false;
};
