import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { Effect } from "effect";
import { closeTerminals, PaneKeeper } from "../../actors/pane-keeper.ts";
import manifest from "../../package.json" with { type: "json" };
import { ClientProblem, type FactoryClient, type FactoryDescription, type ItemState, type LiveChange, type LiveFactory } from "../client/contract.ts";
import type { ConnectOptions, Connection } from "../client/local-tools.ts";
import { httpClient } from "../client/http-client.ts";
import { idleReason } from "../client/idle.ts";
import { sayTo } from "../client/messages.ts";
import { offlineLive } from "../client/offline-live.ts";
import { storeClient, type StoreClientOptions } from "../client/store-client.ts";
import { secretValues } from "../config/redact.ts";
import { factoryHash, worktreeRoot } from "../config/state-directory.ts";
import { settingsOfRepository } from "../domain/config.ts";
import type { WorkItemId } from "../domain/ids.ts";
import { isTerminal } from "../domain/work-item.ts";
import type { JournalRow, StoreReaderShape, StoreShape } from "../ports/store.ts";
import { type WorkspacesShape } from "../ports/workspaces.ts";
import { openTerminals, type TerminalsOptions } from "../../tmux/index.ts";
import { seal } from "../receipts/envelope.ts";
import { signingKey } from "../receipts/key.ts";
import { openOwner, openReader } from "../store/open.ts";
import { type Owner, startOwner } from "./owner.ts";
import { locateGateway } from "./gateway-note.ts";
import { heir, type HeirOptions } from "./heir.ts";
import { channelViews } from "./notify-tools.ts";
import { inspecting, readerInspection } from "./inspection.ts";
import { followJournal, readEveryMs, wait } from "./journal-follow.ts";
import { makeLive } from "./live.ts";
import { forgetStatus, noteStatus, type OwnerStatus, readStatus, silentOwner } from "./owner-status.ts";
import { policyFor } from "./policy.ts";
import { reviver } from "./reviver.ts";
import { adapters, composePorts, makeOwnWorkspaces } from "./ports.ts";
import { openScoped } from "./scoped.ts";
import { redactedText, redactor, secretsIn } from "./secrets.ts";
import { asProblem, isTagged, messageOf, nextFor, prepare, type Setting, settingFor } from "./setting.ts";
import { calendarOf } from "./spend.ts";
import { systemClock } from "./system-clock.ts";
import { type FactoryTerminals, makeTerminals } from "./terminals.ts";

/** Becomes the owner of the state directory, or a client of whoever is, until that one is gone. `bin`: the program that a daemon is started with. */
export const connect = async (options: ConnectOptions, bin?: string): Promise<Connection> => {
  const setting = await settingFor(options);
  if (options.as === "read") return beside(setting, {});
  if (options.as === "daemon") return beside(setting, { succeed: reviver(setting, bin) });
  await prepare(setting);
  const own = async (takeOver: boolean): Promise<Connection | undefined> => becomeOwner(setting, { takeOver, automation: options.automation ?? false, bin });
  const asClient = (): Promise<Connection> => beside(setting, { succeed: () => own(false), silence: () => silenceOf(setting) });
  for (let takeOver = options.takeOver ?? false; ; takeOver = false) {
    const owner = await own(takeOver);
    if (owner) return owner;
    // An owner of this very moment is still making its store.
    if (!isUntouched(setting)) return asClient();
    await wait(readEveryMs);
  }
};

/** A client of the owner by its gateway, or of the store where there is none; it goes on as they come and go. */
const beside = (setting: Setting, more: Pick<HeirOptions, "succeed" | "silence">): Promise<Connection> => {
  const { stateDirectory: directory } = setting;
  return heir({
    ...more, clock: systemClock,
    locate: async (onDoubt) => {
      const found = await locateGateway(directory);
      return found && httpClient({ address: found.address, locate: async () => (await locateGateway(directory))?.address, onState: (state) => { if (state !== "up") onDoubt(state); } });
    },
    answers: async () => await locateGateway(directory) !== undefined,
    open: () => connectAsReader(setting),
  });
};

export interface OwnOptions {
  readonly takeOver: boolean;
  readonly automation: boolean;
  /** The program that hooks of agents' CLIs call; without it their turns have none. */
  readonly bin?: string | undefined;
  /** Begins to stop; absent where the owner is a command that ends by itself. */
  readonly stop?: (options: { readonly keepAgents: boolean }) => void;
}

/** `serves`: where the gateway is, once there is one. */
export interface OwnedConnection extends Connection { readonly generation: number; readonly redact: (text: string) => string; readonly serves: (gateway: { readonly host: string; readonly port: number }) => void }

/** `undefined`: somebody else owns the state directory. */
export const becomeOwner = async (setting: Setting, options: OwnOptions): Promise<OwnedConnection | undefined> => {
  const store = await openScoped(openOwner(setting.location, { takeOver: options.takeOver })).catch((error: unknown) => {
    if (isTagged(error, "StoreOwned")) return undefined;
    throw asProblem(error, nextFor(error));
  });
  return store && connectAsOwner(setting, store, options);
};

/** Of a change that clients are shown. */
const patchBytes = 4 * 1_024 * 1_024;

/** The text stays the same while the silence lasts, so that it is said once. */
const silenceOf = (setting: Setting): string | undefined => {
  const silent = silentOwner(setting.stateDirectory, systemClock.now());
  return silent && `the factory that has this work (pid ${silent.pid}) holds its state but does not answer: it is frozen or hangs. If it does not come back, stop it, or give the same command again with --take-over`;
};

/** No factory has kept its state here yet. What may not be looked at, another user's, is not nothing. */
const isUntouched = ({ location, stateDirectory }: Setting): boolean => {
  if (location.kind !== "sqlite") return false;
  try {
    return statSync(join(location.directory, "factory.db"), { throwIfNoEntry: false }) === undefined;
  } catch (cause) {
    throw new ClientProblem(`the state directory ${stateDirectory} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, "give the command as the user who started this factory, or name another configuration with --config");
  }
};

const connectAsOwner = async (setting: Setting, store: { readonly value: StoreShape; readonly close: () => Promise<void> }, { automation, bin, stop }: OwnOptions): Promise<OwnedConnection> => {
  const { config } = setting;
  const startedAt = systemClock.now();
  const redact = redactor(secretsIn(setting.env, secretValues(config)));
  let gateway: { readonly host: string; readonly port: number } | null = null;
  const watchers = new Set<(change: LiveChange) => void>();
  const emit = (change: LiveChange): void => { for (const watcher of watchers) watcher(change); };
  let lost: string | undefined;
  const worktrees = worktreeRoot(setting.stateDirectory, { home: setting.home, env: setting.env, platform: process.platform });
  const composed = await composePorts({ config, env: setting.env, stateDirectory: setting.stateDirectory, worktrees });
  let owner: Owner;
  const saying: Pick<StoreClientOptions, "deliver" | "nextChange"> & { readonly now: () => number } = {
    deliver: async (to, event) => {
      if (lost !== undefined) throw new ClientProblem(`this process no longer owns the state directory: ${lost}`, "run the command again");
      await owner.host.sendInTurn(to, event);
      return { delivered: "now" };
    },
    nextChange: () => nextOf(watchers),
    now: systemClock.now,
  };
  let keeper: PaneKeeper | undefined;
  let client: FactoryClient;
  const root = join(setting.stateDirectory, "terminals");
  const fabric: TerminalsOptions = { server: `enact-${factoryHash(setting.stateDirectory)}`, backend: config.terminal.backend, directory: join(setting.stateDirectory, "tmux") };
  try {
    owner = await startOwner({
      store: store.value, config, env: setting.env, home: setting.home,
      factory: factoryHash(setting.stateDirectory), runsDirectory: join(setting.stateDirectory, "runs"),
      ports: composed.layer, sources: composed.sources.sources, automation,
      redact, emit, ...(bin === undefined ? {} : { hooks: { node: process.execPath, bin, config: setting.loaded.file, repository: setting.repository } }),
      // Only a daemon shows panes: a command ends with its items.
      ...(stop === undefined ? {} : {
        panes: (seats, notice) => {
          keeper = new PaneKeeper({
            seats, clock: systemClock, notice,
            open: (onEvent) => openTerminals({ ...fabric, onEvent }),
            living: async () => new Set((await client.items()).filter(({ item }) => !isTerminal(item.status)).map(({ item }) => item.id)),
            say: async (address, text, id) => { await sayTo({ ...saying, items: client.items, teams: client.teams, team: client.team }, address, text, { interrupt: false, id }); },
          });
          return keeper;
        },
      }),
      onStatus: (tree) => noteStatus(setting.stateDirectory, { pid: process.pid, at: systemClock.now(), daemon: stop !== undefined, sandbox: composed.sandbox, tree: [...tree] }),
      onLost: (reason) => {
        lost = reason;
        emit({ type: "lost", reason });
      },
    });
  } catch (error) {
    await store.close();
    throw error;
  }
  const description: FactoryDescription = { ...describe(setting, store.value), role: "owner", generation: store.value.generation, sandbox: composed.sandbox };
  const { slots, slotsPerProject } = config.scheduler;
  const live = makeLive({
    inspector: inspecting(owner.inspection),
    drain: () => owner.pushes.drain(composed.sources.pushes.unusable),
    sync: async () => (await owner.sync()).map(({ malformed, ...look }) => ({ ...look, malformed: malformed.map(({ sourceId, problem }) => `${sourceId}: ${problem}`) })),
    ...(stop === undefined ? {} : { stop }),
    terminals: makeTerminals({ root, clock: systemClock, items: () => client.items(), without: "this factory is a command; the daemon shows panes, start it with: enact-factory start", ...(keeper ? { keeper } : {}) }),
    status: async () => ({
      pid: process.pid, version: manifest.version, startedAt, gateway, automation, description,
      slots: { used: owner.scheduler.slotsUsed, of: slots },
      adapters: owner.routing.loads(),
      channels: await channelViews(config, store.value),
      idle: idleReason(owner.scheduler.items, { automation, slots, slotsPerProject, claimUnassigned: config.autonomous.claimUnassigned, held: (project) => owner.spend.held(project) }),
    }),
  });
  client = clientOver(setting, store.value, makeOwnWorkspaces({ config, worktrees }), {
    ...saying,
    describe: async () => description,
    watch: (onChange) => {
      watchers.add(onChange);
      return () => { watchers.delete(onChange); };
    },
    tree: async () => owner.tree().map((node) => ({ ...node })),
    live,
  });
  return {
    client,
    generation: store.value.generation,
    redact: (text) => redactedText(redact, text),
    serves: (at) => { gateway = at; },
    close: async (how) => {
      await owner.stop(how);
      // A command has no panes, but a daemon that was killed may have left some; the agents in them have ended just now.
      if (stop === undefined && how === "suspend" && lost === undefined && existsSync(join(fabric.directory, "server.json"))) {
        await openTerminals({ ...fabric, backend: "tmux" }).then((left) => closeTerminals(left, how)).catch(() => undefined); // The next daemon finds them, and says what is wrong.
      }
      if (lost === undefined) forgetStatus(setting.stateDirectory);
      await store.close();
    },
  };
};

const connectAsReader = async (setting: Setting): Promise<Connection> => {
  // Where no factory ever ran there is nothing to read, which is no error; but a message would be lost.
  const untouched = isUntouched(setting);
  const store = await openScoped(openReader(untouched ? { kind: "memory" } : setting.location)).catch((error: unknown) => { throw asProblem(error, nextFor(error)); });
  const owner = (): OwnerStatus | undefined => readStatus(setting.stateDirectory, systemClock.now());
  const worktrees = worktreeRoot(setting.stateDirectory, { home: setting.home, env: setting.env, platform: process.platform });
  const redact = redactor(secretsIn(setting.env, secretValues(setting.config)));
  const inspection = readerInspection(store.value, redact);
  const stops = new Set<() => void>([() => inspection.stop()]);
  const client: FactoryClient = clientOver(setting, store.value, makeOwnWorkspaces({ config: setting.config, worktrees }), {
    deliver: async (to, event) => {
      if (untouched) throw new ClientProblem(`no factory has run with ${setting.stateDirectory} yet`, "start one with: enact-factory run \"TASK\" -p PATH");
      await Effect.runPromise(store.value.enqueue(to, redact(JSON.stringify(event)), systemClock.now()));
      return { delivered: "queued" };
    },
    describe: async () => ({ ...describe(setting, store.value), role: owner() ? "client" as const : "offline" as const, generation: await Effect.runPromise(store.value.lastGeneration), sandbox: owner()?.sandbox ?? "" }),
    watch: (onChange) => {
      const stop = follow(store.value, onChange);
      stops.add(stop);
      return () => { stops.delete(stop); stop(); };
    },
    tree: async () => owner()?.tree ?? [],
    nextChange: () => wait(readEveryMs),
    live: {
      ...offlineLive,
      ...inspecting(inspection),
      ...offlineTerminals(makeTerminals({ root: join(setting.stateDirectory, "terminals"), clock: systemClock, items: () => client.items(), without: "no factory runs here" })),
    },
  });
  return {
    client,
    close: async () => {
      for (const stop of stops) stop();
      await store.close();
    },
  };
};

const clientOver = (setting: Setting, reader: StoreReaderShape, workspaces: WorkspacesShape, live: Pick<StoreClientOptions, "deliver" | "describe" | "watch" | "tree" | "nextChange" | "live">): FactoryClient => {
  const known = async (id: WorkItemId): Promise<ItemState["item"]> => {
    const found = await client.item(id);
    if (!found) throw new ClientProblem(`there is no work item ${id}`, "list them with: enact-factory task list");
    return found.item;
  };
  const client: FactoryClient = storeClient({
    ...live, reader, now: systemClock.now, today: calendarOf(setting.config).today, stop: setting.config.stop, adapters: { usual: setting.config.adapter, known: adapters.map(({ name }) => name) },
    policy: (repository, request) => policyFor(setting.config, repository, request),
    projectOf: (repository) => settingsOfRepository(setting.config, resolve(repository)).name,
    checkpoints: async (id) => {
      const found = await client.item(id);
      return found ? Effect.runPromise(workspaces.checkpoints(id, found.item.repository)) : [];
    },
    restore: async (id, ref, to) => {
      const { repository } = await known(id);
      return Effect.runPromise(workspaces.restore(id, repository, ref, to)).catch((error: unknown) => { throw asProblem(error, `see its checkpoints with: enact-factory task restore ${id}`); });
    },
    diff: async (id) => {
      const { id: item, lineage: attempt, repository, branch, base, head, status } = await known(id);
      const commits = branch === null || base === null ? null : { branch, base, head: head ?? `refs/heads/${branch}` };
      return Effect.runPromise(workspaces.change({ item, attempt, repository, live: status !== "done", commits, maxBytes: patchBytes })).catch((error: unknown) => { throw asProblem(error, `see what it does with: enact-factory why ${id}`); });
    },
    undo: async (id, { onto }) => {
      const { id: item, repository, branch, base, head, status, published } = await known(id);
      if (status !== "done" || published === "" || branch === null || base === null || head === null) throw new ClientProblem(`${id} has published nothing that could be undone; it is ${status}`, isTerminal(status) ? `its work, if any, is kept: enact-factory task restore ${id} --list` : `end it with: enact-factory task cancel ${id}`);
      return Effect.runPromise(workspaces.undo({ item, repository, branch, base, head, local: published === `branch ${branch}`, onto })).catch((error: unknown) => { throw asProblem(error, "see what is wrong with: enact-factory doctor"); });
    },
    sign: async (statement) => {
      await prepare(setting);
      return seal(statement, await signingKey(setting.stateDirectory).catch((error: unknown) => { throw asProblem(error, "see what is wrong with: enact-factory doctor"); }));
    },
  });
  return client;
};

/** What can be seen without an owner. */
const offlineTerminals = ({ terminals, watchTerminal, attachment }: FactoryTerminals): Pick<LiveFactory, "terminals" | "watchTerminal" | "attachment"> => ({ terminals, watchTerminal, attachment });

const nextOf = (watchers: Set<(change: LiveChange) => void>): Promise<void> => Promise.race([
  wait(readEveryMs),
  new Promise<void>((resolve) => {
    const once = (): void => {
      watchers.delete(once);
      resolve();
    };
    watchers.add(once);
  }),
]);

const follow = (reader: StoreReaderShape, onChange: (change: LiveChange) => void): (() => void) => {
  const tell = ({ actor, event, at }: JournalRow): void => onChange({ type: "journal", actor, event: typeOf(event), at });
  return followJournal(reader, {
    // One change tells the watcher to look at what is there.
    began: (end) => { if (end) tell(end); },
    rows: (rows) => rows.forEach(tell),
    trouble: (error) => onChange({ type: "notice", level: "warning", text: `the store cannot be read: ${messageOf(error)}` }),
  });
};

const typeOf = (json: string): string => {
  const event: unknown = JSON.parse(json);
  return typeof event === "object" && event !== null && "type" in event && typeof event.type === "string" ? event.type : "?";
};

const describe = (setting: Setting, reader: StoreReaderShape): Omit<FactoryDescription, "role" | "generation" | "sandbox"> => ({ store: reader.description, stateDirectory: setting.stateDirectory, configFile: setting.loaded.file });
