/** What is in use for a directory, before anything is opened; and how what goes wrong on the way is said. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Effect } from "effect";
import { ClientProblem } from "../client/contract.ts";
import type { ConnectOptions } from "../client/local-tools.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { prepareStateDirectory, stateDirectory } from "../config/state-directory.ts";
import { Config } from "../domain/config.ts";
import type { OpenError } from "../ports/store.ts";
import type { StoreLocation } from "../store/open.ts";

/** What is in use for a directory: configuration, state, store. Makes nothing. */
export interface Setting {
  readonly loaded: LoadedConfig;
  readonly config: Config;
  readonly stateDirectory: string;
  readonly location: StoreLocation;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Names this factory where there is no configuration file. */
  readonly repository: string;
}

export const settingFor = async (options: Pick<ConnectOptions, "configFile" | "directory" | "repository" | "overrides">): Promise<Setting> => {
  const home = homedir();
  const loaded = await Effect.runPromise(loadConfig({ explicit: options.configFile, cwd: options.directory, home, env: process.env }))
    .catch((error: unknown) => { throw asProblem(error, "mend it, then look again with: enact-factory validate"); });
  const config = withOverrides(loaded.config, options.overrides ?? {});
  const state = stateDirectory({ configFile: loaded.file, repository: options.repository ?? options.directory });
  const location: StoreLocation = config.store.url === undefined ? { kind: "sqlite", directory: join(state, "state") } : { kind: "postgres", url: config.store.url };
  return { loaded, config, stateDirectory: state, location, home, env: { ...process.env, ...loaded.env }, repository: resolve(options.repository ?? options.directory) };
};

/** Makes the state directory. */
export const prepare = async (setting: Setting): Promise<void> => {
  await Effect.runPromise(prepareStateDirectory(setting.stateDirectory)).catch((error: unknown) => { throw asProblem(error, "then try again"); });
};

const withOverrides = (config: Config, overrides: Readonly<Record<string, unknown>>): Config => {
  if (Object.keys(overrides).length === 0) return config;
  const copy: Record<string, unknown> = structuredClone({ ...config });
  for (const [dotted, value] of Object.entries(overrides)) {
    const keys = dotted.split(".");
    const last = keys.pop() ?? dotted;
    let at: Record<string, unknown> = copy;
    for (const key of keys) {
      const inner = at[key];
      const next: Record<string, unknown> = typeof inner === "object" && inner !== null ? { ...inner } : {};
      at[key] = next;
      at = next;
    }
    at[last] = value;
  }
  return Config.parse(copy);
};

export const isTagged = (error: unknown, tag: OpenError["_tag"]): boolean => typeof error === "object" && error !== null && "_tag" in error && error._tag === tag;
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const nextFor = (error: unknown): string => {
  if (isTagged(error, "StoreCorrupt")) return "nothing was changed; put a backup in its place with: enact-factory store restore FILE";
  if (isTagged(error, "StoreNewer")) return "update enact-factory, or use another state directory";
  if (isTagged(error, "StoreReadOnly")) return "make the directory writable, or use another configuration with --config";
  if (isTagged(error, "StoreFull")) return "make room on the disk, then try again";
  if (isTagged(error, "StoreUnavailable")) return "see what is wrong with: enact-factory doctor";
  return "see what is wrong with: enact-factory doctor";
};

export const asProblem = (error: unknown, next: string): ClientProblem => {
  if (error instanceof ClientProblem) return error;
  const mend = typeof error === "object" && error !== null && "mend" in error && typeof error.mend === "string" ? error.mend : next;
  return new ClientProblem(messageOf(error), mend);
};
