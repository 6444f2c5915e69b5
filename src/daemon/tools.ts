import { homedir } from "node:os";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Effect } from "effect";
import manifest from "../../package.json" with { type: "json" };
import { ClientProblem } from "../client/contract.ts";
import type { ConfigProblem, LocalTools } from "../client/local-tools.ts";
import { discover } from "../config/discover.ts";
import { validateConfig } from "../config/load.ts";
import { stateDirectory } from "../config/state-directory.ts";
import { conventionalPostgresUrl, renderTemplate } from "../config/template.ts";
import { lives } from "../../tmux/process-table.ts";
import { skillShelf } from "../prompts/skill-shelf.ts";
import { openReader } from "../store/open.ts";
import { restore } from "../store/restore.ts";
import { connect } from "./connect.ts";
import { logFile } from "./daemon-log.ts";
import { doctor } from "./doctor.ts";
import { hookSettings } from "./hook-settings.ts";
import { hookTools } from "./hook-tools.ts";
import { findDaemon, launch } from "./launch.ts";
import { seemingOwner } from "./owner-status.ts";
import { asProblem, settingFor } from "./setting.ts";
import { systemClock } from "./system-clock.ts";

const goneEveryMs = 100;

/** Everything the CLI gets from the rest of the house. `bin`: the program that a daemon is started with. */
export const createLocalTools = (bin?: string): LocalTools => ({
  connect: (options) => connect(options, bin),
  version: manifest.version,
  hook: hookTools,
  hooks: hookSettings(bin),
  now: systemClock.now,
  skills: skillShelf(),

  receipts: {
    publicKey: async (place) => (await import("./receipt-tools.ts")).ownPublicKey(await settingFor(place)),
    verify: async (options) => (await import("./receipt-tools.ts")).verify(options),
  },

  daemon: {
    find: async (place) => findDaemon((await settingFor(place)).stateDirectory),
    serve: async (options) => (await import("./daemon.ts")).serve(options, bin),
    launch: async (options) => launch(await settingFor(options), bin, options),
    gone: async ({ pid, startTicks }, patienceMs) => {
      for (const until = systemClock.now() + patienceMs; lives(pid, startTicks); await sleep(goneEveryMs)) if (systemClock.now() >= until) return false;
      return true;
    },
    owner: async (place) => {
      const note = seemingOwner((await settingFor(place)).stateDirectory, systemClock.now());
      return note && { pid: note.pid, daemon: note.daemon };
    },
    logFile: async (place) => logFile((await settingFor(place)).stateDirectory),
  },

  locateConfig: async ({ configFile, directory }) => {
    const { file, skipped } = discover({ cwd: directory, home: homedir() }, configFile);
    return { file, stateDirectory: stateDirectory({ configFile: file, repository: directory }), skipped: skipped.map((each) => `${each.file}: ${each.why}`) };
  },

  validate: async (file) => validateConfig(file).map((problem): ConfigProblem => ({
    file: problem.file, line: problem.line ?? 1, column: problem.column ?? 1, key: problem.key, message: problem.message, severity: problem.severity,
    ...(problem.write === null ? {} : { write: problem.write }),
  })),

  template: ({ postgres }) => renderTemplate({ kind: "init", ...(postgres ? { storeUrl: conventionalPostgresUrl } : {}) }),

  adapters: async (place) => (await import("./adapter-tools.ts")).adapterStates(await settingFor(place)),
  tryAdapter: async (place, name, model) => (await import("./adapter-tools.ts")).tryAdapter(await settingFor(place), name, model),

  tryChannels: async (place, name) => (await import("./notify-tools.ts")).tryChannels(await settingFor(place), name),

  doctor: async (options) => doctor(await settingFor(options)),

  backup: async ({ to, ...options }) => {
    const { location } = await settingFor(options);
    const file = resolve(options.directory, to);
    await Effect.runPromise(Effect.scoped(openReader(location).pipe(Effect.flatMap((reader) => reader.backup(file)))))
      .catch((error: unknown) => { throw asProblem(error, "name a file that does not exist, on a disk with room"); });
    return file;
  },

  restoreBackup: async ({ from, force, ...options }) => {
    const { location } = await settingFor(options);
    const { kept } = await Effect.runPromise(restore(resolve(options.directory, from), location, { force }))
      .catch((error: unknown) => { throw error instanceof ClientProblem ? error : asProblem(error, force ? "see what is wrong with: enact-factory doctor" : "stop the factory that owns the store; add --force to keep what is there aside and restore all the same"); });
    return kept === undefined ? "restored" : `restored; what was there is kept as ${kept}`;
  },
});
