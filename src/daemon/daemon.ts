/**
 * The daemon: the owner of a state directory with automation, and the gateway over it.
 *
 * Owns: the order of start and stop, the log, the note of where the gateway is. Talks to: the owner's connection, the gateway.
 * Start: lock, owner, gateway, note. Stop is the reverse: clients are told first, the note goes, then agents end or are left, then the lock.
 * I1 A daemon owns the state or is none: it never waits beside another owner for long. I2 Whoever finds the note finds a gateway that answers, or one that was killed.
 */
import { createServer } from "node:net";
import manifest from "../../package.json" with { type: "json" };
import { ClientProblem, type FactoryClient, type LiveChange } from "../client/contract.ts";
import type { RunningDaemon, ServedFactory, ServeOptions } from "../client/local-tools.ts";
import { secretValues } from "../config/redact.ts";
import { parseAddress } from "../domain/ids.ts";
import type { McpAnswer } from "../gateway/gateway.ts";
import { skillShelf } from "../prompts/skill-shelf.ts";
import { startTicks } from "../../tmux/process-table.ts";
import { becomeOwner, type OwnedConnection } from "./connect.ts";
import { type DaemonLog, logFile, openLog, prepareLog } from "./daemon-log.ts";
import { announceGateway, forgetGateway, locateGateway, newToken } from "./gateway-note.ts";
import { readStatus } from "./owner-status.ts";
import { redactor, redactedText, secretsIn } from "./secrets.ts";
import { prepare, type Setting, settingFor } from "./setting.ts";
import { systemClock } from "./system-clock.ts";

export const defaultPort = 3_847;
/** An owner that stops or starts needs moments; milliseconds. */
const lockPatienceMs = 20_000, lockEveryMs = 250;
/** Between a change and the look at why nothing more is started. */
const idleLookMs = 500;

/** Somebody owns the state directory already. */
const already = (message: string, next: string): ClientProblem => new ClientProblem(message, next);

export const serve = async (options: ServeOptions, bin?: string): Promise<ServedFactory> => {
  const setting = await settingFor(options);
  const asked = options.port ?? setting.config.gateway.port ?? null;
  await prepare(setting);
  const log = logOf(setting, options.echo);
  const stopCatching = catchCrashes(log);
  try {
    return await start(setting, asked, log, bin, stopCatching);
  } catch (error) {
    stopCatching();
    log.write("error", `could not start: ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
};

/** Node would write it as it is to the standard error, which is the log of a daemon in the background. The next owner takes up what was left, as after a kill. */
const catchCrashes = (log: DaemonLog): (() => void) => {
  const crash = (error: unknown): void => {
    log.write("error", `crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    process.exit(1);
  };
  process.on("uncaughtException", crash);
  return () => { process.off("uncaughtException", crash); };
};

const logOf = ({ stateDirectory, env, config }: Setting, echo: ServeOptions["echo"]): DaemonLog => {
  const file = logFile(stateDirectory);
  const redact = redactor(secretsIn(env, secretValues(config)));
  const log = openLog({ file, now: systemClock.now, redact: (text) => redactedText(redact, text), ...(echo ? { echo } : {}) });
  try {
    prepareLog(file);
  } catch (error) {
    // Whoever runs it in the foreground reads it there (I2 of the log).
    echo?.(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  return log;
};

const start = async (setting: Setting, asked: number | null, log: DaemonLog, bin: string | undefined, stopCatching: () => void): Promise<ServedFactory> => {
  const { stateDirectory: directory } = setting;
  log.write("info", `starts: enact-factory ${manifest.version}, process ${process.pid}, state ${directory}`);
  const ended = Promise.withResolvers<{ readonly how: "suspend" | "abandon"; readonly lost?: string }>();
  if (asked !== null && asked !== 0 && !await locateGateway(directory)) await mustBeFree(asked);
  const owned = await own(setting, bin, ({ keepAgents }) => {
    log.write("info", keepAgents ? "told to stop; agents go on" : "told to stop; agents are asked to end");
    // The answer to who asked goes first.
    setTimeout(() => ended.resolve({ how: keepAgents ? "abandon" : "suspend" }), 50);
  });
  const token = newToken();
  const stopWatching = owned.client.watch(narrator(log, owned.client, (reason) => ended.resolve({ how: "abandon", lost: reason })));
  try {
    // Heavy, and needed by a daemon only.
    const { openGateway } = await import("../gateway/gateway.ts");
    const onError = (error: unknown): void => log.write("error", `gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const open = (port: number) => openGateway({ client: owned.client, token, version: manifest.version, port, onError, mcp: mcpFor(owned.client, onError) });
    const gateway = await open(asked ?? defaultPort).catch((error: unknown) => {
      if (asked !== null || codeOf(error) !== "EADDRINUSE") throw portProblem(asked ?? defaultPort, error);
      log.write("warning", `port ${defaultPort} is taken; a free one is used instead (gateway.port or --port choose one)`);
      return open(0);
    });
    const { host, port } = gateway;
    const daemon: RunningDaemon = { pid: process.pid, host, port, asked, startedAt: systemClock.now(), startTicks: startTicks(process.pid) ?? null, log: log.file, stateDirectory: directory };
    owned.serves({ host, port });
    announceGateway(directory, { pid: daemon.pid, startTicks: daemon.startTicks, host, port, asked, generation: owned.generation, version: manifest.version, startedAt: daemon.startedAt }, token);
    const { store, sandbox } = await owned.client.describe();
    log.write("info", `ready: http://${host}:${port}, store ${store}, sandbox ${sandbox}`);
    return {
      daemon, ended: ended.promise, say: log.write,
      close: async (how) => {
        stopWatching();
        await gateway.close();
        forgetGateway(directory, token);
        await owned.close(how);
        log.write("info", how === "abandon" ? "stopped; agents go on" : "stopped");
        stopCatching();
      },
    };
  } catch (error) {
    stopWatching();
    forgetGateway(directory, token);
    await owned.close("abandon");
    throw error;
  }
};

/** Tools over MCP; the library comes into memory with the first request. It stands in no repository: whoever makes work names one. */
const mcpFor = (client: FactoryClient, onError: (error: unknown) => void): (() => Promise<McpAnswer>) => {
  const load = async (): Promise<McpAnswer> => (await import("../mcp/http.ts")).answerHttp({ version: manifest.version, withClient: (use) => use(client), skills: skillShelf(), repository: null, now: systemClock.now, onError });
  let loaded: Promise<McpAnswer> | undefined;
  return () => loaded ??= load();
};

/** Waits for an owner that is just leaving; refuses beside one that stays (I1). */
const own = async (setting: Setting, bin: string | undefined, stop: (options: { readonly keepAgents: boolean }) => void): Promise<OwnedConnection> => {
  const { stateDirectory: directory } = setting;
  const until = systemClock.now() + lockPatienceMs;
  for (;;) {
    const owned = await becomeOwner(setting, { takeOver: false, automation: true, bin, stop });
    if (owned) return owned;
    const running = await locateGateway(directory);
    if (running) throw already(`a factory runs here already: process ${running.note.pid}, http://${running.note.host}:${running.note.port}`, "see it with: enact-factory status");
    const owner = readStatus(directory, systemClock.now());
    if (owner && !owner.daemon) throw already(`a command (process ${owner.pid}) works with this state directory`, "it ends with its items; wait for it, or stop it with Ctrl-C where it was started");
    if (systemClock.now() > until) throw already(`another process${owner ? ` (${owner.pid})` : ""} holds ${directory} and does not answer`, owner ? `if it hangs, end it: kill -9 ${owner.pid}. Nothing is lost` : "see what is wrong with: enact-factory doctor");
    await new Promise<void>((resolve) => { systemClock.at(systemClock.now() + lockEveryMs, resolve); });
  }
};

const codeOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

const portProblem = (port: number, error: unknown): ClientProblem => {
  const why = codeOf(error) === "EADDRINUSE" ? `port ${port} is taken by another program` : codeOf(error) === "EACCES" ? `this user may not listen on port ${port}` : `port ${port} cannot be listened on: ${error instanceof Error ? error.message : String(error)}`;
  return new ClientProblem(why, "choose another with gateway.port in config.toml or --port, or 0 for a free one");
};

/** Said before anything is begun. */
const mustBeFree = (port: number): Promise<void> => new Promise((resolve, reject) => {
  const probe = createServer();
  probe.once("error", (error) => reject(portProblem(port, error)));
  probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve()));
});

/** Writes into the log what a person would want to find there: notices, steps of items, and why nothing more is started whenever that changes. */
const narrator = (log: DaemonLog, client: FactoryClient, onLost: (reason: string) => void): ((change: LiveChange) => void) => {
  let idle: string | undefined;
  let looking = false;
  const look = (): void => {
    if (looking) return;
    looking = true;
    systemClock.at(systemClock.now() + idleLookMs, () => {
      looking = false;
      void client.status().then((status) => {
        if (status.idle !== idle && status.idle !== "") log.write("info", `nothing more is started: ${status.idle}`);
        idle = status.idle;
      });
    });
  };
  look();
  return (change) => {
    switch (change.type) {
      case "notice": return log.write(change.level, change.text);
      case "lost":
        log.write("error", `this process no longer owns the state: ${change.reason}`);
        return onLost(change.reason);
      case "journal": {
        const address = parseAddress(change.actor);
        if (address?.chart !== "item") return;
        log.write("info", `${address.item}: ${change.event}`);
        return look();
      }
      case "agent":
      case "resync":
    }
  };
};
