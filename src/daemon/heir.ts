/**
 * A client that becomes the owner when the owner is gone: whoever waits for work must not wait for nobody.
 *
 * Owns: which of its two connections is in use. Talks to: the connections, and through `succeed` to the lock.
 * I1 It is the lock that says whether there is an owner; a frozen owner keeps it. I2 Watches go on across the change, without a gap.
 * I3 After `close` it owns nothing, also when the lock came to it in that moment.
 */
import type { Connection, FactoryClient, LiveChange } from "../client/contract.ts";
import type { ClockShape } from "../ports/clock.ts";

/** Milliseconds between two tries. A try costs one thread and one open of the lock file. */
const tryEveryMs = 1_000;

export interface HeirOptions {
  readonly reader: Connection;
  /** The owner's connection, or `undefined` while somebody else owns the state. */
  readonly succeed: () => Promise<Connection | undefined>;
  /** What to tell a person when the owner holds the lock and says nothing; `undefined` while it lives. */
  readonly silence: () => string | undefined;
  readonly clock: ClockShape;
}

interface Watch { readonly onChange: (change: LiveChange) => void; stop: () => void }

export const heir = ({ reader, succeed, silence, clock }: HeirOptions): Connection => {
  let current = reader;
  let closed = false;
  let under: Promise<void> = Promise.resolve();
  let stopTimer: () => void;
  const watches = new Set<Watch>();
  let told = "";

  const tell = (text: string): void => {
    if (text !== told) for (const { onChange } of watches) onChange({ type: "notice", level: "warning", text });
    told = text;
  };
  const attempt = async (): Promise<void> => {
    const owner = await succeed().catch((error: unknown) => {
      tell(`the factory that did this work is gone, and its state cannot be taken over: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    });
    if (owner === undefined) {
      const text = silence();
      if (text !== undefined) tell(text);
    }
    if (!owner) return;
    if (closed) return owner.close("suspend");
    current = owner;
    for (const watch of watches) {
      watch.stop();
      watch.stop = owner.client.watch(watch.onChange);
      watch.onChange({ type: "notice", level: "info", text: "the factory that did this work is gone; this process goes on with it" });
    }
  };
  const arm = (): void => {
    stopTimer = clock.at(clock.now() + tryEveryMs, () => {
      under = attempt().finally(() => { if (!closed && current === reader) arm(); });
    });
  };
  arm();

  const client: FactoryClient = {
    // I1: there was an owner when we asked, whatever it says of itself yet.
    describe: async () => ({ ...await current.client.describe(), ...(current === reader ? { role: "client" as const } : {}) }),
    items: () => current.client.items(),
    item: (id) => current.client.item(id),
    submit: (submission) => current.client.submit(submission),
    command: (id, command) => current.client.command(id, command),
    journal: (query) => current.client.journal(query),
    evidence: (id) => current.client.evidence(id),
    watch: (onChange) => {
      const watch: Watch = { onChange, stop: current.client.watch(onChange) };
      watches.add(watch);
      return () => {
        watches.delete(watch);
        watch.stop();
      };
    },
    tree: () => current.client.tree(),
    checkpoints: (id) => current.client.checkpoints(id),
    restore: (id, ref, to) => current.client.restore(id, ref, to),
    teams: () => current.client.teams(),
    team: (name, command) => current.client.team(name, command),
    status: () => current.client.status(),
    stop: (options) => current.client.stop(options),
    terminals: () => current.client.terminals(),
    watchTerminal: (address, options, onFrame) => current.client.watchTerminal(address, options, onFrame),
    attachment: (address, options) => current.client.attachment(address, options),
    message: (address, text, options) => current.client.message(address, text, options),
    actors: () => current.client.actors(),
    actor: (address) => current.client.actor(address),
    inspect: (options, onEvent) => current.client.inspect(options, onEvent),
  };
  return {
    client,
    close: async (how) => {
      closed = true;
      stopTimer();
      await under;
      if (current !== reader) await current.close(how);
      await reader.close(how);
    },
  };
};
