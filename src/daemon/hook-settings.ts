/** Entries of ours in people's own settings of agent CLIs: changed on request, looked at by doctor. */
import { homedir } from "node:os";
import { NotUnderstood } from "../adapters/hook-entries.ts";
import { hookFile, type HookPlace, inspectHooks, inspectOperator, installHooks, operatorOnPath, removeHooks } from "../adapters/hook-files.ts";
import { ClientProblem } from "../client/contract.ts";
import type { DoctorCheck, HookFile, HookSettings } from "../client/local-tools.ts";

const filesIn = (place: HookPlace): readonly HookFile[] => (["claude", "codex"] as const).flatMap((cli) => (["user", "project"] as const).map((scope) => inspectHooks(cli, scope, place)));

/** `bin`: the program that the entries call. */
export const hookSettings = (bin: string | undefined): HookSettings => {
  const placeIn = (directory: string): HookPlace => ({ home: homedir(), env: process.env, directory });
  return {
    status: async (directory) => ({ operator: operatorOnPath(process.env) ?? null, files: filesIn(placeIn(directory)) }),
    change: async (how, { cli, scope }, directory) => {
      const place = placeIn(directory);
      if (bin === undefined) throw new ClientProblem("hooks cannot be installed from here", "install them with: enact-factory hooks install");
      try {
        const changed = how === "install" ? installHooks(cli, scope, place, { node: process.execPath, bin }) : removeHooks(cli, scope, place);
        return { changed, file: inspectHooks(cli, scope, place) };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new ClientProblem(`${hookFile(cli, scope, place)} was not changed: ${why}`, error instanceof NotUnderstood ? "mend it by hand, then try again" : "make it writable, then try again");
      }
    },
  };
};

const without = "agents in sessions of your own stop without being asked; turns that the factory runs ask all the same";
const again = ({ cli, scope }: HookFile): string => `enact-factory hooks install --cli ${cli} --scope ${scope}`;

/** Who owns the hooks, and whether they work. */
export const hookChecks = (place: HookPlace): readonly DoctorCheck[] => {
  const operator = operatorOnPath(place.env), files = filesIn(place).filter(({ state }) => state !== "none");
  const owner = operator === undefined ? [] : [ofOperator(operator, place, files)];
  const own = files.map((file): DoctorCheck => ({
    name: `hooks of ${file.cli}, ${file.scope}`, state: file.state === "installed" ? "ok" : "warning", detail: `${file.file}: ${file.detail}`, without,
    ...(file.state === "installed" ? {} : { mend: file.state === "untrusted" ? (file.scope === "project" ? "start codex in the project, trust it, type /hooks, and trust them" : "start codex, type /hooks, and trust them") : file.state === "unreadable" ? `mend ${file.file} by hand` : again(file) }),
  }));
  if (owner.length + own.length > 0) return [...owner, ...own];
  return [{ name: "hooks", state: "warning", detail: "no agent CLI asks before its agents stop", without, mend: "enact-factory hooks install --scope user" }];
};

const ofOperator = (program: string, place: HookPlace, own: readonly HookFile[]): DoctorCheck => {
  const check = { name: "hooks", without: "sessions end without guardrails" };
  const mend = "reinstall or refresh Enact Operator, then rebuild";
  const found = inspectOperator(place);
  if (found === null) return { ...check, state: "warning", detail: `Enact Operator owns them (${program}), but no settings of an agent CLI call it`, mend };
  if (found.state === "stale") return { ...check, state: "warning", detail: `Enact Operator owns them, but ${found.file} calls a build of it that is gone`, mend };
  if (own.length > 0) return { ...check, state: "warning", detail: `both Enact Operator (${program}) and Enact Factory have hooks: agents are asked twice`, mend: own.map(({ cli, scope }) => `enact-factory hooks remove --cli ${cli} --scope ${scope}`).join("\n") };
  return { ...check, state: "ok", detail: `Enact Operator owns them (${program})` };
};
