/**
 * What a hook needs of the house, and little enough to be loaded in a few milliseconds: the store, read directly whether or not an owner lives, so
 * that a daemon which hangs holds nobody up. What is to be kept is left as mail.
 *
 * I1 A hook runs by itself wherever somebody opens a repository: only a state directory that is this user's own and closed to others counts; one that
 * came with a clone is passed over. I2 Where no factory ever ran, nothing is made.
 */
import { existsSync, lstatSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Effect } from "effect";
import type { HookTools, OpenedSessions } from "../client/local-tools.ts";
import { ClientProblem } from "../client/contract.ts";
import { sessionClient } from "../client/sessions.ts";
import { secretValues } from "../config/redact.ts";
import { openReader } from "../store/open.ts";
import { openScoped } from "./scoped.ts";
import { redactor, secretsIn } from "./secrets.ts";
import { settingFor } from "./setting.ts";
import { systemClock } from "./system-clock.ts";

export const hookTools: HookTools = {
  open: async ({ configFile, directory, repository }) => {
    const setting = await settingFor({ directory, ...(configFile === undefined ? {} : { configFile }), repository: repository ?? repositoryAbove(directory) });
    if (!isOurs(setting.stateDirectory) || (setting.location.kind === "sqlite" && !existsSync(join(setting.location.directory, "factory.db")))) return undefined;
    const store = await openScoped(openReader(setting.location)).catch((error: unknown) => {
      throw new ClientProblem(error instanceof Error ? error.message : String(error), "see what is wrong with: enact-factory doctor");
    });
    const redact = redactor(secretsIn(setting.env, secretValues(setting.config)));
    const opened: OpenedSessions = {
      client: sessionClient({
        reader: store.value, now: systemClock.now, stop: setting.config.stop,
        deliver: async (to, event) => {
          await Effect.runPromise(store.value.enqueue(to, redact(JSON.stringify(event)), systemClock.now()));
          return { delivered: "queued" };
        },
      }),
      close: store.close,
    };
    return opened;
  },
  changedSince: async (worktree, commit) => {
    const { changedSince } = await import("../workspaces/changed.ts");
    return Effect.runPromise(changedSince(worktree, commit));
  },
};

/** Where the state directory of a factory without a configuration file would be, seen from somewhere in its repository. */
const repositoryAbove = (directory: string): string => {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (lstatSync(join(at, ".enact", "factory"), { throwIfNoEntry: false }) !== undefined) return at;
    if (dirname(at) === at) return directory;
  }
};

/** I1, I2. Git gives nobody a directory that is closed to others unless the user's own mask does; and what git tracks is refused when a factory starts. */
const isOurs = (stateDirectory: string): boolean => {
  const found = lstatSync(stateDirectory, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const uid = process.getuid?.();
  if (!found.isDirectory() || (uid !== undefined && found.uid !== uid) || (found.mode & 0o077) !== 0) throw new ClientProblem(`the state directory ${stateDirectory} is not this user's own, or open to others: it is passed over`, `if it is yours: chmod 700 ${JSON.stringify(stateDirectory)}`);
  return true;
};
