import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { WorkItemId } from "../src/domain/ids.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import { type PaneState, readTyped, type Terminals, TerminalError } from "../tmux/index.ts";
import type { Child } from "./child.ts";
import { poller } from "./poller.ts";
import { paneOf, readSeats, type SeatRow, sessionOf } from "./seat-file.ts";
import type { Seats } from "./seats.ts";
import { nameOf } from "./terminal-list.ts";

/**
 * Keeps one pane a seat, so that a person can look at every agent with tmux and type to it.
 *
 * Owns: the terminal fabric of a daemon, and which panes there are. Talks to: the fabric, the seats, whoever takes what was typed.
 *
 * I1 Nothing waits for it: agents run whether or not a pane can be made; trouble is said once. I2 Every seat of a living item has a pane, made again when it is
 * gone (also all of them, when the tmux server was killed). I3 Panes of an ended item go when nobody looks at them. I4 A typed line is given on at most
 * once: its id comes from the seat and its place in the file, so whoever takes it knows it again. I5 Seats of living items are never removed.
 */
export interface PaneKeeperOptions {
  readonly seats: Seats;
  readonly clock: ClockShape;
  /** Opens the fabric; called again later when it rejects. `onEvent` is to be called when something about panes has changed. */
  readonly open: (onEvent: () => void) => Promise<Terminals>;
  /** Items that have not ended. */
  readonly living: () => Promise<ReadonlySet<WorkItemId>>;
  /** Gives a typed line to the agent of a seat; the same id twice is one message. Rejects when nobody will read it. */
  readonly say: (address: string, text: string, id: string) => Promise<void>;
  readonly notice: (text: string) => void;
  /** Ended seats that are kept: how many, and their bytes. */
  readonly keep?: { readonly count: number; readonly bytes: number };
}

export interface PaneBackend { readonly backend: "tmux" | "pty" | "none"; readonly detail: string; readonly panes: number }

const roundMs = 2_000;
/** From a hint to the round. */
const soonMs = 100;
/** Between two tries to open the fabric. */
const openAgainMs = 60_000;
/** For who waits for it: how often, and how long in between. */
const openTries = 5;
const openSoonMs = 1_000;
/** How often old seats are looked for. */
const pruneMs = 60_000;
const defaultKeep = { count: 200, bytes: 1024 * 1024 * 1024 } as const;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Leaves the panes to the next owner; `suspend`, which ends the agents as well, only those of a server that somebody looks at. */
export const closeTerminals = async (fabric: Terminals, how: "suspend" | "abandon"): Promise<void> => {
  // A server that does not answer is left: somebody may look at it.
  const watched = how === "abandon" || await fabric.panes().then((panes) => panes.some(({ attached }) => attached > 0), () => true);
  await fabric.close(watched ? "leave" : "end");
};

export class PaneKeeper {
  readonly #options: PaneKeeperOptions;
  readonly #told = new Set<string>();
  readonly #hints = new Set<() => void>();
  #terminals: Terminals | undefined;
  #opening: Promise<Terminals | undefined> | undefined;
  #reason = "not opened yet";
  #openAt = 0;
  #pruneAt = 0;
  #panes: readonly PaneState[] = [];

  constructor(options: PaneKeeperOptions) {
    this.#options = options;
  }

  /** The supervised child that keeps the panes. */
  readonly child = (): Child => poller("panes", roundMs, this.#options.clock, () => this.round(), {
    withinMs: soonMs,
    subscribe: (hint) => {
      this.#hints.add(hint);
      const stop = this.#options.seats.watch(hint);
      return () => {
        stop();
        this.#hints.delete(hint);
      };
    },
  });

  get backend(): PaneBackend {
    const fabric = this.#terminals, panes = this.#panes.filter(({ dead }) => !dead).length;
    if (!fabric) return { backend: "none", detail: this.#reason, panes: 0 };
    return { backend: fabric.backend, detail: fabric.backend === "tmux" ? (fabric.server()?.socket ?? "no server lives") : fabric.reason, panes };
  }

  get terminals(): Terminals | undefined { return this.#terminals; }

  /**
   * The fabric, for turns that need a terminal of their own; rejects where there is none. Tried several times: a tmux server that somebody
   * kills while it is opened is no reason to say that there are no terminals here.
   */
  async fabric(): Promise<Terminals> {
    const { clock } = this.#options;
    for (let tries = 1; ; tries++) {
      if (!this.#terminals) this.#openAt = 0;
      const found = await this.#fabric();
      if (found) return found;
      if (tries === openTries) throw new Error(this.#reason);
      await new Promise<void>((resolve) => { clock.at(clock.now() + openSoonMs, resolve); });
    }
  }

  /** The pane of a seat as of the last look. */
  paneOf(row: SeatRow): PaneState | undefined {
    return this.#panes.find((pane) => pane.session === sessionOf(row.file) && pane.name === paneOf(row.file) && !pane.dead);
  }

  async close(how: "suspend" | "abandon"): Promise<void> {
    const fabric = this.#terminals;
    this.#terminals = undefined;
    if (fabric) await closeTerminals(fabric, how).catch((error: unknown) => this.#trouble("close", messageOf(error)));
  }

  /** One look at everything. Rejects never: what fails is said and tried again at the next one (I1). */
  async round(): Promise<void> {
    const { seats } = this.#options;
    const living = await this.#options.living().catch((error: unknown) => this.#trouble("living", `panes stay as they are: which items are worked on cannot be read: ${messageOf(error)}`));
    if (!living) return;
    const rows = readSeats(seats.root), alive = rows.filter(({ file }) => living.has(file.item));
    for (const { directory, file } of rows) if (!living.has(file.item) && file.state !== "ended") seats.end(directory);
    for (const row of alive) await this.#takeTyped(row).catch((error: unknown) => this.#trouble("typed", `what was typed into ${row.file.address} cannot be read: ${messageOf(error)}`));
    const fabric = await this.#fabric();
    if (fabric) {
      this.#panes = await fabric.panes().catch(() => this.#panes);
      for (const row of alive) await this.#show(fabric, row);
      await this.#clear(fabric, new Set(alive.map(({ file }) => sessionOf(file))));
      this.#panes = await fabric.panes().catch(() => this.#panes);
    }
    this.#prune(rows.filter(({ file }) => !living.has(file.item)));
  }

  /** Opened once, whoever asks first. */
  #fabric(): Promise<Terminals | undefined> {
    this.#opening ??= this.#openFabric().finally(() => { this.#opening = undefined; });
    return this.#opening;
  }

  async #openFabric(): Promise<Terminals | undefined> {
    const { clock, open } = this.#options;
    if (this.#terminals || clock.now() < this.#openAt) return this.#terminals;
    this.#openAt = clock.now() + openAgainMs;
    try {
      this.#terminals = await open(() => { for (const hint of this.#hints) hint(); });
      if (this.#terminals.reason !== "") this.#trouble("backend", `terminals: ${this.#terminals.reason}`);
    } catch (error) {
      this.#reason = messageOf(error);
      this.#trouble("open", `agents run without panes to attach to: ${this.#reason}; their terminals can still be followed with logs -f`);
    }
    return this.#terminals;
  }

  async #show(fabric: Terminals, { directory, file }: SeatRow): Promise<void> {
    const [session, name] = [sessionOf(file), paneOf(file)];
    // A program of its own lives there, or will: its turn makes the pane.
    if (file.screen || this.#panes.some((pane) => pane.session === session && pane.name === name && !pane.dead)) return;
    try {
      await fabric.show({ kind: "viewer", session, name, columns: file.columns, rows: file.rows, directory });
    } catch (error) {
      this.#trouble(`show ${error instanceof TerminalError ? error.reason : ""}`, `${file.address} has no pane: ${messageOf(error)}`);
    }
  }

  /** I3. Only sessions whose panes all show seats of ours. */
  async #clear(fabric: Terminals, wanted: ReadonlySet<string>): Promise<void> {
    const { root } = this.#options.seats;
    const sessions = Map.groupBy(this.#panes, ({ session }) => session);
    for (const [session, panes] of sessions) {
      if (wanted.has(session) || panes.some((pane) => pane.attached > 0 || !pane.directory.startsWith(root))) continue;
      await fabric.removeSession(session).catch((error: unknown) => this.#trouble("remove", `the session ${session} cannot be removed: ${messageOf(error)}`));
    }
  }

  /** I4. */
  async #takeTyped({ directory, file }: SeatRow): Promise<void> {
    const { seats, say } = this.#options;
    for (let from = file.typed; ;) {
      const { lines, to } = await readTyped(directory, from);
      if (to === from) return;
      for (const [n, line] of lines.entries()) {
        await say(file.address, line, `typed-${nameOf(directory)}-${from}-${n}`).catch((error: unknown) => this.#options.notice(`what was typed into ${file.address} was not taken: ${messageOf(error)}`));
      }
      seats.noteTyped(directory, to);
      from = to;
    }
  }

  #prune(ended: readonly SeatRow[]): void {
    const { clock, seats } = this.#options, keep = this.#options.keep ?? defaultKeep;
    if (clock.now() < this.#pruneAt) return;
    this.#pruneAt = clock.now() + pruneMs;
    const attached = new Set(this.#panes.filter((pane) => pane.attached > 0).map((pane) => pane.directory));
    let bytes = 0;
    for (const [n, { directory }] of ended.toSorted((a, b) => b.file.updatedAt - a.file.updatedAt).entries()) {
      bytes += bytesIn(directory);
      if ((n < keep.count && bytes <= keep.bytes) || attached.has(directory) || seats.isOpen(directory)) continue;
      try {
        rmSync(directory, { recursive: true, force: true });
      } catch (error) {
        this.#trouble("prune", `an old terminal cannot be removed: ${messageOf(error)}`);
      }
    }
  }

  #trouble(kind: string, text: string): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#options.notice(text);
  }
}

const bytesIn = (directory: string): number => {
  try {
    return readdirSync(directory).reduce((sum, name) => sum + (statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  } catch {
    return 0;
  }
};
