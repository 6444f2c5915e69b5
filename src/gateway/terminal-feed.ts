/**
 * The terminals that one client watches: what of them goes into its next frame.
 *
 * Owns: the subscriptions and the bytes that wait. Talks to: the served client.
 * I1 Holds at most `maxBytes` and one more frame: above it nothing is taken. I2 A terminal whose bytes were dropped begins anew with a keyframe, once
 * what was sent before has left. I3 The served client hears the stop of every subscription.
 */
import { ClientProblem, type FactoryClient, type TerminalFrame } from "../client/contract.ts";
import { encodeFrame, recordHeader } from "../client/live-protocol.ts";

export interface TerminalFeedOptions {
  readonly client: FactoryClient;
  readonly maxTerminals: number;
  readonly maxBytes: number;
  /** The socket takes more. */
  readonly open: () => boolean;
  /** There is something for the next frame. */
  readonly onMore: () => void;
}

interface Watched { readonly address: string; stop: () => void; /** Bytes were dropped: it needs a keyframe. */ stale: boolean }

export class TerminalFeed {
  readonly #options: TerminalFeedOptions;
  readonly #watched = new Map<number, Watched>();
  #records: Uint8Array[] = [];
  #bytes = 0;

  constructor(options: TerminalFeedOptions) {
    this.#options = options;
  }

  get hasStale(): boolean {
    for (const { stale } of this.#watched.values()) if (stale) return true;
    return false;
  }

  /** Throws where that is impossible. The same number again replaces what it stood for. */
  watch(terminal: number, address: string, from: number | undefined): void {
    this.unwatch(terminal);
    const { maxTerminals } = this.#options;
    if (this.#watched.size >= maxTerminals) throw new ClientProblem(`more than ${maxTerminals} terminals at once`, "stop watching some first");
    const watched: Watched = { address, stop: () => {}, stale: false };
    this.#watched.set(terminal, watched);
    try {
      this.#follow(terminal, watched, from);
    } catch (error) {
      this.#watched.delete(terminal);
      throw error;
    }
  }

  unwatch(terminal: number): void {
    this.#watched.get(terminal)?.stop();
    this.#watched.delete(terminal);
  }

  /** What waits, as one message; `undefined`: nothing. */
  take(): Buffer | undefined {
    if (this.#records.length === 0) return undefined;
    const message = Buffer.concat(merged(this.#records));
    this.#records = [];
    this.#bytes = 0;
    return message;
  }

  /** Those whose bytes were dropped begin anew. */
  renew(): void {
    for (const [terminal, watched] of this.#watched) {
      if (!watched.stale) continue;
      watched.stop();
      this.#follow(terminal, watched, undefined);
    }
  }

  end(): void {
    for (const { stop } of this.#watched.values()) stop();
    this.#watched.clear();
    this.#records = [];
    this.#bytes = 0;
  }

  get #isReady(): boolean {
    return this.#bytes < this.#options.maxBytes && this.#options.open();
  }

  #follow(terminal: number, watched: Watched, from: number | undefined): void {
    let stopped = false;
    let stop = (): void => {};
    watched.stale = false;
    watched.stop = () => {
      stopped = true;
      stop();
    };
    const given = this.#options.client.watchTerminal(watched.address, { ...(from === undefined ? {} : { from }), ready: () => this.#isReady }, (frame) => { if (!stopped) this.#take(terminal, watched, frame); });
    // It may have ended within the call.
    if (stopped) given();
    stop = given;
  }

  #take(terminal: number, watched: Watched, frame: TerminalFrame): void {
    if (frame.type === "ended") {
      watched.stop();
      this.#watched.delete(terminal);
    } else if (watched.stale || !this.#isReady) {
      // A source that does not mind `ready`: what it says now is lost (I2).
      watched.stale = true;
      return this.#options.onMore();
    }
    const record = encodeFrame(terminal, frame);
    this.#records.push(record);
    this.#bytes += record.length;
    this.#options.onMore();
  }
}

/** Records of bytes that follow each other become one. */
const merged = (records: readonly Uint8Array[]): readonly Uint8Array[] => {
  const parts: Uint8Array[] = [];
  let open: { readonly header: DataView; readonly terminal: number; end: bigint; length: number } | undefined;
  for (const record of records) {
    const header = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const terminal = header.getUint32(1), offset = header.getBigUint64(5), length = header.getUint32(13);
    const isBytes = header.getUint8(0) === 1;
    if (isBytes && open !== undefined && open.terminal === terminal && open.end === offset) {
      open.length += length;
      open.end += BigInt(length);
      open.header.setUint32(13, open.length);
      parts.push(record.subarray(recordHeader));
      continue;
    }
    parts.push(record);
    open = isBytes ? { header, terminal, end: offset + BigInt(length), length } : undefined;
  }
  return parts;
};
