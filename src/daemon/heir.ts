/**
 * A client that stays one while owners come and go: beside a gateway, beside the store alone, or as the owner itself.
 *
 * Owns: which of these connections is in use. Talks to: the connections; through `locate` to the gateway, through `succeed` to the lock.
 * I1 It is the lock that says whether there is an owner; a frozen owner keeps it. I2 Watches go on across a change: whoever watches hears `resync` and reads again.
 * I3 After `close` it owns nothing, also when the lock came to it in that moment. I4 A request whose gateway went away is made again elsewhere only if it
 * cannot have been done, or if twice is as good as once; else the caller is told that nobody knows.
 */
import type { FactoryClient, InspectionEvent, ItemCommand, LiveChange, TerminalFrame } from "../client/contract.ts";
import type { Connection } from "../client/local-tools.ts";
import { GatewayGone } from "../client/http-client.ts";
import { offsetAfter } from "../client/live-protocol.ts";
import type { ClockShape } from "../ports/clock.ts";

/** Milliseconds between two looks for an owner. One costs a file read, and where it may succeed, one thread and one open of the lock file. */
const lookEveryMs = 1_000;
/** A request that takes longer than this makes us ask whether the gateway still lives. */
const doubtMs = 2_000;

export interface HeirOptions {
  /** The gateway of the living owner; `undefined` where there is none. `onDoubt`: its connection broke. */
  readonly locate: (onDoubt: (how: "down" | "stopping") => void) => Promise<Connection | undefined>;
  /** The gateway of `locate` still answers. */
  readonly answers: () => Promise<boolean>;
  /** Reads the store without an owner; opened when it is needed. */
  readonly open: () => Promise<Connection>;
  /**
   * What to do while nobody answers: become the owner (its connection), see to it that there is one (`undefined`), or give up (`lost`).
   * `ended`: how the last owner left.
   */
  readonly succeed?: (ended: "stopping" | "gone" | undefined) => Promise<Connection | { readonly lost: string } | undefined>;
  /** What to tell a person when the owner holds the lock and says nothing; `undefined` while it lives. */
  readonly silence?: () => string | undefined;
  readonly clock: ClockShape;
}

interface Using { readonly kind: "gateway" | "store" | "owner"; readonly connection: Connection; /** Rejects when it is given up. */ readonly gone: Promise<never>; readonly leave: () => void }
interface Watch { readonly onChange: (change: LiveChange) => void; stop: () => void }
interface Following { stop: () => void; readonly begin: (client: FactoryClient) => () => void }

/** Twice is as good as once: the second finds nothing to do. Answers and approvals may meet the next question instead. */
const mayRepeat = (command: ItemCommand): boolean => !["answer", "approve", "reject"].includes(command.type);

export const heir = async (options: HeirOptions): Promise<Connection> => {
  const { locate, open, succeed, silence, clock } = options;
  let closed = false;
  let givenUp = false;
  let under: Promise<void> = Promise.resolve();
  let stopTimer = (): void => {};
  let ended: "stopping" | "gone" | undefined;
  let store: Connection | undefined;
  let told = "";
  const watches = new Set<Watch>();
  const followings = new Set<Following>();

  const using = (kind: Using["kind"], connection: Connection): Using => {
    const { promise, reject } = Promise.withResolvers<never>();
    // Whoever waits for a request sees it; without one nobody needs to.
    promise.catch(() => {});
    return { kind, connection, gone: promise, leave: () => reject(new GatewayGone("unknown")) };
  };
  const tell = (text: string): void => {
    if (text !== told) for (const { onChange } of watches) onChange({ type: "notice", level: "warning", text });
    told = text;
  };
  const doubt = (how: "down" | "stopping"): void => {
    if (how === "stopping") ended = "stopping";
    look(0);
  };
  const viaGateway = async (): Promise<Using | undefined> => {
    const found = await locate(doubt);
    return found && using("gateway", found);
  };
  const viaStore = async (): Promise<Using> => using("store", store ??= await open());

  let current = await viaGateway() ?? await viaStore();

  const move = async (next: Using, notice?: string): Promise<void> => {
    if (closed) return next.kind === "store" ? undefined : next.connection.close(next.kind === "owner" ? "suspend" : "abandon");
    const last = current;
    current = next;
    last.leave();
    for (const watch of watches) {
      watch.stop();
      watch.stop = next.connection.client.watch(watch.onChange);
      if (notice !== undefined) watch.onChange({ type: "notice", level: "info", text: notice });
      watch.onChange({ type: "resync" });
    }
    for (const following of followings) {
      following.stop();
      following.stop = following.begin(next.connection.client);
    }
    if (last.kind === "gateway") await last.connection.close("abandon");
  };

  /** One look at who owns the state, and what follows for us. */
  const attempt = async (): Promise<void> => {
    if (current.kind === "owner") return;
    if (current.kind === "gateway") {
      if (await options.answers()) return;
      ended ??= "gone";
      await move(await viaStore());
    } else {
      const found = await viaGateway();
      if (found) {
        ended = undefined;
        return move(found);
      }
    }
    if (!succeed) return;
    const owner = await succeed(ended);
    if (owner && "lost" in owner) {
      givenUp = true;
      for (const { onChange } of watches) onChange({ type: "lost", reason: owner.lost });
      return;
    }
    if (owner) return move(using("owner", owner), "the factory that did this work is gone; this process goes on with it");
    const text = silence?.();
    if (text !== undefined) tell(text);
  };
  const round = async (): Promise<void> => {
    await attempt().catch((error: unknown) => tell(`the factory that did this work is gone, and its state cannot be taken over: ${error instanceof Error ? error.message : String(error)}`));
    if (!givenUp && current.kind === "store") look(lookEveryMs);
  };
  /** A gateway is looked at only when there is a reason. */
  const look = (inMs: number): void => {
    if (closed) return;
    stopTimer();
    stopTimer = clock.at(clock.now() + inMs, () => { under = under.then(round); });
  };
  if (current.kind === "store") look(lookEveryMs);

  const ask = async <T>(call: (client: FactoryClient) => Promise<T>, repeat: boolean): Promise<T> => {
    for (let tries = 0; ; tries++) {
      const asked = current;
      if (asked.kind !== "gateway") return call(asked.connection.client);
      const stopDoubt = clock.at(clock.now() + doubtMs, () => look(0));
      try {
        return await Promise.race([call(asked.connection.client), asked.gone]);
      } catch (error) {
        if (!(error instanceof GatewayGone)) throw error;
        stopTimer();
        under = under.then(round);
        await under;
        if (tries >= 2 || closed || (error.done === "unknown" && !repeat)) throw error;
      } finally {
        stopDoubt();
      }
    }
  };
  const read = <T>(call: (client: FactoryClient) => Promise<T>): Promise<T> => ask(call, true);
  const act = <T>(call: (client: FactoryClient) => Promise<T>): Promise<T> => ask(call, false);

  const follow = (begin: Following["begin"]): (() => void) => {
    const following: Following = { stop: () => {}, begin };
    followings.add(following);
    following.stop = begin(current.connection.client);
    return () => {
      followings.delete(following);
      following.stop();
    };
  };

  const client: FactoryClient = {
    // I1: there was an owner when we asked, whatever it says of itself yet.
    describe: async () => ({ ...await read((by) => by.describe()), ...(succeed && current.kind === "store" ? { role: "client" as const } : {}) }),
    items: () => read((by) => by.items()),
    spend: (query) => read((by) => by.spend(query)),
    item: (id) => read((by) => by.item(id)),
    // The same sourceId is the same item.
    submit: (submission) => read((by) => by.submit(submission)),
    command: (id, command) => ask((by) => by.command(id, command), mayRepeat(command)),
    journal: (query) => read((by) => by.journal(query)),
    evidence: (id) => read((by) => by.evidence(id)),
    watch: (onChange) => {
      const watch: Watch = { onChange, stop: current.connection.client.watch(onChange) };
      watches.add(watch);
      return () => {
        watches.delete(watch);
        watch.stop();
      };
    },
    provider: () => read((by) => by.provider()),
    chooseProvider: (adapter) => read((by) => by.chooseProvider(adapter)),
    tree: () => read((by) => by.tree()),
    checkpoints: (id) => read((by) => by.checkpoints(id)),
    restore: (id, ref, to) => act((by) => by.restore(id, ref, to)),
    diff: (id) => read((by) => by.diff(id)),
    // Twice is as good as once: the second tells what the first did.
    undo: (id, how) => read((by) => by.undo(id, how)),
    receipt: (id) => read((by) => by.receipt(id)),
    teams: () => read((by) => by.teams()),
    team: (name, command) => ask((by) => by.team(name, command), command.type === "message" || command.type === "shutdown"),
    sessions: () => read((by) => by.sessions()),
    session: (command) => read((by) => by.session(command)),
    // Asked twice: the worst is one denial counted twice, and a session let go early.
    stopCheck: (attempt) => read((by) => by.stopCheck(attempt)),
    status: () => read((by) => by.status()),
    stop: (how) => act((by) => by.stop(how)),
    drain: () => act((by) => by.drain()),
    sync: () => act((by) => by.sync()),
    terminals: () => read((by) => by.terminals()),
    watchTerminal: (address, { from, ready }, onFrame) => {
      let place = from;
      let over = false;
      return follow((by) => {
        if (over) return () => {};
        let beginning = true;
        const stop = by.watchTerminal(address, { ...(place === undefined ? {} : { from: place }), ...(ready ? { ready } : {}) }, (frame: TerminalFrame) => {
          // Nobody is there who could show it: it goes on when somebody is.
          if (frame.type === "ended" && beginning && place !== undefined) return;
          place = offsetAfter(frame) ?? place;
          over = frame.type === "ended";
          onFrame(frame);
        });
        beginning = false;
        return stop;
      });
    },
    attachment: (address, how) => read((by) => by.attachment(address, how)),
    message: (address, text, how) => act((by) => by.message(address, text, how)),
    actors: () => read((by) => by.actors()),
    actor: (address) => read((by) => by.actor(address)),
    inspect: (what, onEvent: (event: InspectionEvent) => void) => follow((by) => by.inspect(what, onEvent)),
  };
  return {
    client,
    close: async (how) => {
      closed = true;
      stopTimer();
      await under;
      if (current.kind !== "store") await current.connection.close(how);
      await store?.close(how);
    },
  };
};

