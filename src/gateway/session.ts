/**
 * One client's WebSocket: what it subscribed to, and how far it has got.
 *
 * Owns: its socket, its place in the ring of events, its inspections, when the next frame goes. Talks to: the served client, the ring, its terminals.
 * I1 One message of events and one binary message per `frameMs` at most. I2 No event is queued here: a session is a number in the ring, so a
 * client that stops reading costs what it subscribed to and at most `highBytes` besides. I3 Above `highBytes` in its socket nothing more is sent; below
 * `lowBytes` it goes on: terminals with a keyframe, events from the ring, or a resync. I4 Who stays slow for `slowMs` is cut off.
 * I5 The served client hears the stop of every subscription, however the session ends.
 */
import type { WebSocket } from "ws";
import { ClientProblem, type FactoryClient, type InspectionEvent } from "../client/contract.ts";
import { ClientMessage, closeCode, type ServerMessage } from "../client/live-protocol.ts";
import { withoutShapes } from "../domain/secret.ts";
import type { EventRing } from "./event-ring.ts";
import { TerminalFeed } from "./terminal-feed.ts";

export interface SessionLimits {
  readonly frameMs: number;
  readonly highBytes: number;
  readonly lowBytes: number;
  readonly slowMs: number;
  readonly pingMs: number;
  readonly terminals: number;
  readonly inspections: number;
  /** Messages a client may send at once, and more for each second. */
  readonly burst: number;
  readonly perSecond: number;
}

export const sessionLimits: SessionLimits = { frameMs: 40, highBytes: 1_048_576, lowBytes: 65_536, slowMs: 30_000, pingMs: 15_000, terminals: 512, inspections: 16, burst: 2_048, perSecond: 200 };

export interface SessionOptions {
  readonly socket: WebSocket;
  readonly client: FactoryClient;
  readonly ring: EventRing;
  readonly epoch: string;
  readonly version: string;
  readonly limits: SessionLimits;
  /** What went wrong and is no fault of the client, for the log. */
  readonly onError: (error: unknown) => void;
}

/** `full`: the inspector waits until what is held was sent; it keeps the last step of each chart meanwhile. */
interface Inspected { stop: () => void; events: InspectionEvent[]; bytes: number; dropped: number; full: PromiseWithResolvers<void> | undefined }

const eventsPerMessage = 262_144;
/** From here on the inspector waits; twice as much is never held, whoever tells. */
const inspectionBytes = 262_144;
const now = (): number => performance.now();

export class Session {
  readonly #options: SessionOptions;
  readonly #terminals: TerminalFeed;
  readonly #inspections = new Map<number, Inspected>();
  /** Place in the ring; undefined: not subscribed. */
  #seq: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #slowSince: number | undefined;
  #budget: { tokens: number; at: number };
  #ping: NodeJS.Timeout;
  #heard = true;
  #ended = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { socket, limits } = options;
    this.#budget = { tokens: limits.burst, at: now() };
    this.#terminals = new TerminalFeed({ client: options.client, maxTerminals: limits.terminals, maxBytes: limits.highBytes, open: () => !this.#slow, onMore: () => this.#soon() });
    socket.on("message", (data, isBinary) => this.#take(data, isBinary));
    socket.on("pong", () => { this.#heard = true; });
    // The library's own pong would queue without end for a client that never reads.
    socket.on("ping", (data) => { if (this.#mayTake() && socket.bufferedAmount < limits.highBytes) socket.pong(data); });
    socket.on("close", () => this.#end());
    // A protocol error: the library closes the socket itself.
    socket.on("error", () => {});
    this.#ping = setInterval(() => this.#lookAlive(), limits.pingMs);
    this.#ping.unref();
    this.#say({ type: "hello", protocol: 1, epoch: options.epoch, seq: options.ring.last, version: options.version });
  }

  /** The ring has something new. */
  wake(): void {
    if (this.#seq !== undefined) this.#soon();
  }

  close(code: number, reason: string): void {
    this.#options.socket.close(code, reason);
    this.#end();
  }

  get #slow(): boolean {
    const { socket, limits } = this.#options;
    const buffered = socket.bufferedAmount;
    if (buffered > limits.highBytes) this.#slowSince ??= now();
    else if (buffered < limits.lowBytes) this.#slowSince = undefined;
    return this.#slowSince !== undefined;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#ping);
    clearTimeout(this.#timer);
    this.#terminals.end();
    for (const { stop } of this.#inspections.values()) stop();
    this.#inspections.clear();
    this.#seq = undefined;
  }

  #lookAlive(): void {
    const { socket } = this.#options;
    // A slow one cannot answer; it is cut off by the flush.
    if (this.#slow) return this.#soon();
    if (!this.#heard) return socket.terminate();
    this.#heard = false;
    socket.ping();
  }

  #mayTake(): boolean {
    const { limits } = this.#options;
    const at = now();
    this.#budget = { tokens: Math.min(limits.burst, this.#budget.tokens + ((at - this.#budget.at) / 1_000) * limits.perSecond), at };
    this.#budget.tokens--;
    if (this.#budget.tokens >= 0) return true;
    this.#refuseAll("too many messages");
    return false;
  }

  #refuseAll(reason: string): void {
    const { socket } = this.#options;
    socket.close(closeCode.refused, reason);
    this.#end();
    // Who does not read does not see the close either.
    setTimeout(() => socket.terminate(), 1_000).unref();
  }

  #take(data: unknown, isBinary: boolean): void {
    if (this.#ended || !this.#mayTake()) return;
    let given: unknown;
    try {
      given = isBinary ? undefined : JSON.parse(String(data));
    } catch {
      given = undefined;
    }
    const message = ClientMessage.safeParse(given);
    if (!message.success) return this.#refuseAll("not a message of this protocol");
    this.#heard = true;
    this.#obey(message.data);
  }

  #obey(message: ReturnType<typeof ClientMessage.parse>): void {
    const { ring, epoch } = this.#options;
    switch (message.type) {
      case "subscribe":
        if (message.snapshot) return void this.#snapshot();
        this.#seq = ring.last;
        return;
      case "resume":
        if (message.epoch === epoch && ring.after(message.seq, 1) !== undefined) {
          this.#seq = message.seq;
          return this.#soon();
        }
        return message.snapshot ? void this.#snapshot() : this.#resync();
      case "unsubscribe":
        this.#seq = undefined;
        return;
      case "watch": {
        const { terminal } = message;
        return this.#attempt("watch", { terminal }, () => this.#terminals.watch(terminal, message.address, message.from));
      }
      case "unwatch": return this.#terminals.unwatch(message.terminal);
      case "inspect": {
        const { inspection } = message;
        return this.#attempt("inspect", { inspection }, () => this.#inspect(inspection, message.address));
      }
      case "uninspect": return this.#uninspect(message.inspection);
    }
  }

  #resync(): void {
    const { ring, epoch } = this.#options;
    this.#seq = ring.last;
    this.#say({ type: "resync", epoch, seq: ring.last });
  }

  /** Events from its number on follow; some of them may be in it already. */
  async #snapshot(): Promise<void> {
    const { client, ring, epoch } = this.#options;
    const seq = ring.last;
    this.#seq = undefined;
    try {
      const [items, teams] = await Promise.all([client.items(), client.teams()]);
      if (this.#ended) return;
      this.#say({ type: "snapshot", epoch, seq, items: [...items], teams: [...teams] });
      this.#seq = seq;
      this.#soon();
    } catch (error) {
      this.#refused("subscribe", {}, error);
    }
  }

  #inspect(inspection: number, address: string | undefined): void {
    const { client, limits } = this.#options;
    this.#uninspect(inspection);
    if (this.#inspections.size >= limits.inspections) throw new ClientProblem(`more than ${limits.inspections} inspections at once`, "stop some first");
    const inspected: Inspected = { stop: () => {}, events: [], bytes: 0, dropped: 0, full: undefined };
    inspected.stop = client.inspect(address === undefined ? {} : { address }, (event) => {
      const size = JSON.stringify(event).length;
      if (inspected.bytes + size > 2 * inspectionBytes) inspected.dropped++;
      else {
        inspected.events.push(event);
        inspected.bytes += size;
      }
      this.#soon();
      return inspected.bytes < inspectionBytes ? undefined : (inspected.full ??= Promise.withResolvers<void>()).promise;
    });
    this.#inspections.set(inspection, inspected);
  }

  #uninspect(inspection: number): void {
    this.#inspections.get(inspection)?.stop();
    this.#inspections.delete(inspection);
  }

  #attempt(request: string, of: { readonly terminal?: number; readonly inspection?: number }, what: () => void): void {
    try {
      what();
    } catch (error) {
      this.#refused(request, of, error);
    }
  }

  #refused(request: string, of: { readonly terminal?: number; readonly inspection?: number }, error: unknown): void {
    if (this.#ended) return;
    if (!(error instanceof ClientProblem)) this.#options.onError(error);
    const { message, next } = error instanceof ClientProblem ? error : { message: "this did not work, which should not happen", next: "see: enact-factory logs" };
    this.#say({ type: "refused", request, ...of, error: { message: withoutShapes(message), next } });
  }

  #soon(): void {
    if (this.#timer !== undefined || this.#ended) return;
    const wait = Math.max(0, this.#flushedAt + this.#options.limits.frameMs - now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, wait);
  }

  #flush(): void {
    const { socket, limits } = this.#options;
    if (this.#ended) return;
    this.#flushedAt = now();
    if (this.#slow) {
      if (this.#slowSince !== undefined && now() - this.#slowSince > limits.slowMs) {
        socket.close(closeCode.slow, "it reads too slowly");
        this.#end();
        return socket.terminate();
      }
      return this.#soon();
    }
    const frame = this.#terminals.take();
    if (frame !== undefined) socket.send(frame, { binary: true });
    this.#flushEvents();
    for (const [inspection, inspected] of this.#inspections) {
      if (inspected.events.length === 0 && inspected.dropped === 0) continue;
      this.#say({ type: "inspection", inspection, dropped: inspected.dropped, events: inspected.events.map((event) => ({ ...event })) });
      inspected.full?.resolve();
      Object.assign(inspected, { events: [], bytes: 0, dropped: 0, full: undefined });
    }
    // What was dropped is made up for only when what was sent before has left: else a slow client would get nothing but keyframes.
    if (!this.#terminals.hasStale) return;
    if (socket.bufferedAmount >= limits.lowBytes) return this.#soon();
    this.#terminals.renew();
  }

  #flushEvents(): void {
    const { socket, ring, epoch } = this.#options;
    if (this.#seq === undefined || this.#seq === ring.last) return;
    const found = ring.after(this.#seq, eventsPerMessage);
    if (found === undefined) return this.#resync();
    this.#seq += found.json.length;
    socket.send(`{"type":"events","epoch":${JSON.stringify(epoch)},"first":${found.first},"changes":[${found.json.join(",")}]}`);
    if (this.#seq < ring.last) this.#soon();
  }

  #say(message: ServerMessage): void {
    const { socket, limits } = this.#options;
    // Answers to a client that asks on and on and reads none of them.
    if (socket.bufferedAmount > 8 * limits.highBytes) return this.#refuseAll("it does not read");
    socket.send(JSON.stringify(message));
  }
}
