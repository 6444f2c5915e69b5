/**
 * The live half of the HTTP transport: one WebSocket for all watchers of one client, opened when somebody watches and closed when nobody does.
 *
 * Owns: the socket, the subscriptions, the place in the stream of events and in each terminal. Talks to: the gateway, wherever `locate` finds it.
 * I1 A connection that breaks is made again, slower and slower; events go on where they were, terminals at their last byte.
 * I2 A watcher that may have missed something hears `resync`. I3 After `close`, or when nothing is subscribed, no socket and no timer is left.
 */
import type { WebSocket } from "ws";
import { livePath } from "./api.ts";
import type { FactoryClient, InspectionEvent, LiveChange, TerminalFrame } from "./contract.ts";
import { type ClientMessage, closeCode, decodeFrames, offsetAfter, protocolName, ServerMessage } from "./live-protocol.ts";

export interface GatewayAddress { readonly host: string; readonly port: number; readonly token: string }

export interface LiveSocketOptions {
  /** Where the gateway is now; `undefined` while there is none. */
  readonly locate: () => Promise<GatewayAddress | undefined>;
  /** The connection is there, is lost, or the factory said that it stops. */
  readonly onState: (state: "up" | "down" | "stopping") => void;
}

interface Terminal { readonly address: string; readonly ready: () => boolean; readonly onFrame: (frame: TerminalFrame) => void; from: number | undefined; stale: NodeJS.Timeout | undefined }
interface Inspection { readonly address: string | undefined; readonly onEvent: (event: InspectionEvent) => void }

const firstRetryMs = 100, lastRetryMs = 2_000, handshakeMs = 5_000, readyEveryMs = 50, maxMessage = 268_435_456;
/** The server pings more often than this; a socket that is silent for so long is dead, whatever the system thinks. */
const silentMs = 45_000;

export class LiveSocket {
  readonly #options: LiveSocketOptions;
  readonly #watchers = new Set<(change: LiveChange) => void>();
  readonly #terminals = new Map<number, Terminal>();
  readonly #inspections = new Map<number, Inspection>();
  #next = 1;
  #socket: WebSocket | undefined;
  #greeted = false;
  #opening = false;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = firstRetryMs;
  #silence: NodeJS.Timeout | undefined;
  #place: { epoch: string; seq: number } | undefined;
  #closed = false;

  constructor(options: LiveSocketOptions) {
    this.#options = options;
  }

  watch(onChange: (change: LiveChange) => void): () => void {
    this.#watchers.add(onChange);
    if (this.#watchers.size === 1) {
      this.#place = undefined;
      if (this.#greeted) this.#send({ type: "subscribe" });
    }
    // What happens before the subscription is in place would be missed.
    if (this.#greeted) queueMicrotask(() => { if (this.#watchers.has(onChange)) onChange({ type: "resync" }); });
    this.#open();
    return () => {
      if (!this.#watchers.delete(onChange)) return;
      if (this.#watchers.size === 0 && this.#greeted) this.#send({ type: "unsubscribe" });
      this.#closeIfIdle();
    };
  }

  watchTerminal(...[address, options, onFrame]: Parameters<FactoryClient["watchTerminal"]>): () => void {
    const number = this.#next++;
    const terminal: Terminal = { address, ready: options.ready ?? (() => true), onFrame, from: options.from, stale: undefined };
    this.#terminals.set(number, terminal);
    if (this.#greeted) this.#sendWatch(number, terminal);
    this.#open();
    return () => {
      clearInterval(terminal.stale);
      if (!this.#terminals.delete(number)) return;
      if (this.#greeted) this.#send({ type: "unwatch", terminal: number });
      this.#closeIfIdle();
    };
  }

  inspect(address: string | undefined, onEvent: (event: InspectionEvent) => void): () => void {
    const number = this.#next++;
    const inspection: Inspection = { address, onEvent };
    this.#inspections.set(number, inspection);
    if (this.#greeted) this.#sendInspect(number, inspection);
    this.#open();
    return () => {
      if (!this.#inspections.delete(number)) return;
      if (this.#greeted) this.#send({ type: "uninspect", inspection: number });
      this.#closeIfIdle();
    };
  }

  close(): void {
    this.#closed = true;
    this.#watchers.clear();
    for (const { stale } of this.#terminals.values()) clearInterval(stale);
    this.#terminals.clear();
    this.#inspections.clear();
    this.#drop();
  }

  get #isWanted(): boolean {
    return !this.#closed && this.#watchers.size + this.#terminals.size + this.#inspections.size > 0;
  }

  #closeIfIdle(): void {
    if (!this.#isWanted) this.#drop();
  }

  #drop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    this.#retry = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#greeted = false;
    this.#place = undefined;
    if (!socket) return;
    socket.close();
    // A peer that hangs must not keep this process.
    setTimeout(() => socket.terminate(), 200).unref();
  }

  #open(): void {
    if (this.#socket || this.#opening || this.#retry || !this.#isWanted) return;
    this.#opening = true;
    void this.#connect().catch(() => undefined).finally(() => {
      this.#opening = false;
      if (!this.#socket) this.#again();
    });
  }

  async #connect(): Promise<void> {
    const [address, { WebSocket: Socket }] = await Promise.all([this.#options.locate(), import("ws")]);
    if (address === undefined) return this.#options.onState("down");
    if (!this.#isWanted) return;
    const host = `${address.host}:${address.port}`;
    const socket = new Socket(`ws://${host}${livePath}`, [protocolName], { headers: { authorization: `Bearer ${address.token}` }, handshakeTimeout: handshakeMs, maxPayload: maxMessage, perMessageDeflate: false });
    this.#socket = socket;
    const isMine = (): boolean => this.#socket === socket;
    socket.on("message", (data, isBinary) => {
      if (!isMine() || !(data instanceof Buffer)) return;
      this.#stillThere();
      if (isBinary) this.#takeFrames(data);
      else this.#take(data.toString("utf8"));
    });
    socket.on("ping", () => { if (isMine()) this.#stillThere(); });
    // The close follows.
    socket.on("error", () => {});
    socket.on("close", (code) => {
      if (!isMine()) return;
      this.#socket = undefined;
      this.#greeted = false;
      clearTimeout(this.#silence);
      this.#options.onState(code === closeCode.stopping ? "stopping" : "down");
      this.#again();
    });
  }

  #again(): void {
    if (this.#retry || !this.#isWanted) return;
    // Many clients of one factory come back after its restart; not all in the same instant.
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#open();
    }, this.#retryMs * (0.75 + Math.random() / 2));
    this.#retryMs = Math.min(lastRetryMs, this.#retryMs * 2);
  }

  #stillThere(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket?.terminate(), silentMs);
    this.#silence.unref();
  }

  #send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #sendWatch(number: number, { address, from }: Terminal): void {
    this.#send({ type: "watch", terminal: number, address, ...(from === undefined ? {} : { from }) });
  }

  #sendInspect(number: number, { address }: Inspection): void {
    this.#send({ type: "inspect", inspection: number, ...(address === undefined ? {} : { address }) });
  }

  #tell(change: LiveChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }

  #take(text: string): void {
    const parsed = ServerMessage.safeParse(JSON.parse(text));
    // A newer server may say more.
    if (!parsed.success) return;
    const message = parsed.data;
    switch (message.type) {
      case "hello":
        this.#greeted = true;
        this.#retryMs = firstRetryMs;
        if (this.#watchers.size > 0) {
          if (this.#place) this.#send({ type: "resume", ...this.#place });
          else {
            this.#place = { epoch: message.epoch, seq: message.seq };
            this.#send({ type: "resume", ...this.#place });
            this.#tell({ type: "resync" });
          }
        }
        for (const [number, terminal] of this.#terminals) this.#sendWatch(number, terminal);
        for (const [number, inspection] of this.#inspections) this.#sendInspect(number, inspection);
        return this.#options.onState("up");
      case "events": {
        const missed = this.#place !== undefined && (this.#place.epoch !== message.epoch || message.first > this.#place.seq + 1);
        this.#place = { epoch: message.epoch, seq: message.first + message.changes.length - 1 };
        if (missed) this.#tell({ type: "resync" });
        for (const change of message.changes) this.#tell(change);
        return;
      }
      case "snapshot":
      case "resync":
        this.#place = { epoch: message.epoch, seq: message.seq };
        return this.#tell({ type: "resync" });
      case "inspection":
        message.events.forEach((event, n) => {
          const dropped = (event.dropped ?? 0) + (n === 0 ? message.dropped : 0);
          void this.#inspections.get(message.inspection)?.onEvent(dropped === 0 ? event : { ...event, dropped });
        });
        return;
      case "refused": {
        if (message.terminal === undefined) return;
        const terminal = this.#terminals.get(message.terminal);
        this.#terminals.delete(message.terminal);
        terminal?.onFrame({ type: "ended" });
      }
    }
  }

  #takeFrames(message: Uint8Array): void {
    for (const { terminal: number, frame } of decodeFrames(message)) {
      const terminal = this.#terminals.get(number);
      if (!terminal) continue;
      if (frame.type === "ended") {
        clearInterval(terminal.stale);
        this.#terminals.delete(number);
        terminal.onFrame(frame);
        this.#closeIfIdle();
        continue;
      }
      if (terminal.stale !== undefined) continue;
      if (!terminal.ready()) {
        this.#waitUntilReady(number, terminal);
        continue;
      }
      terminal.from = offsetAfter(frame) ?? terminal.from;
      terminal.onFrame(frame);
    }
  }

  /** Its bytes are dropped meanwhile; then it begins anew with a keyframe. */
  #waitUntilReady(number: number, terminal: Terminal): void {
    terminal.from = undefined;
    if (this.#greeted) this.#send({ type: "unwatch", terminal: number });
    terminal.stale = setInterval(() => {
      if (!terminal.ready()) return;
      clearInterval(terminal.stale);
      terminal.stale = undefined;
      if (this.#greeted) this.#sendWatch(number, terminal);
    }, readyEveryMs);
  }
}
