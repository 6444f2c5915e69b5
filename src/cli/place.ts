/** Which factory a command talks to: `--config`, `-C`, the working directory, or the repository it works on. */
import { join, resolve } from "node:path";
import type { LocalTools } from "../client/local-tools.ts";
import { shellWord } from "../client/text/safe-text.ts";
import type { Terminal } from "./screen.ts";

export interface GlobalOptions { readonly config?: string; readonly directory?: string; readonly json?: boolean }

export interface Place {
  /** Absolute. */
  readonly directory: string;
  /** Absolute. */
  readonly configFile?: string;
}

/** `~` and `~/x` only; the shell did not see a quoted one. */
export const expandHome = (path: string, home: string): string => (path === "~" ? home : path.startsWith("~/") ? join(home, path.slice(2)) : path);

export const placeOf = (options: GlobalOptions, terminal: Pick<Terminal, "cwd" | "home">): Place => {
  const directory = resolve(terminal.cwd, expandHome(options.directory ?? ".", terminal.home));
  return options.config === undefined ? { directory } : { directory, configFile: resolve(directory, expandHome(options.config, terminal.home)) };
};

/** A path given to a command, as the user meant it. */
export const pathFrom = (place: Place, path: string, terminal: Pick<Terminal, "home">): string => resolve(place.directory, expandHome(path, terminal.home));

/** The factory for work in `repository`: the configuration found from where the user stands, else the repository's own state. */
export const placeForRepository = async (place: Place, repository: string, tools: LocalTools): Promise<Place> => {
  const { file } = await tools.locateConfig(place);
  return file === null ? { directory: repository } : { directory: repository, configFile: file };
};

/** A command that reaches the same factory from where the user stands now, to be copied. */
export const again = async (place: Place, terminal: Pick<Terminal, "cwd">, tools: LocalTools, words: readonly string[]): Promise<string> => {
  const here = await tools.locateConfig({ directory: terminal.cwd });
  const there = await tools.locateConfig(place);
  const options = here.stateDirectory === there.stateDirectory ? [] : there.file === null ? ["-C", place.directory] : ["--config", there.file];
  return ["enact-factory", ...options, ...words].map((word) => (word === "…" ? '"…"' : shellWord(word))).join(" ");
};
