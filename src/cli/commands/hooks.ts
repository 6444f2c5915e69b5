/** `hooks …`: entries of ours in the settings of agent CLIs. */
import type { HookFile } from "../../client/local-tools.ts";
import { oneLine } from "../../client/text/safe-text.ts";
import { type Command, type CommandContext, printJson } from "../context.ts";
import { exitCode } from "../problem.ts";
import { table } from "../table.ts";

export interface ChangeOptions extends Pick<HookFile, "cli" | "scope"> { readonly force?: boolean }

const told = (context: CommandContext, said: string, file: HookFile, changed: boolean): number => {
  if (context.json) printJson(context, { changed, ...file });
  else {
    context.terminal.out.write(`${oneLine(file.file)}: ${said}\n`);
    if (file.state === "untrusted") context.terminal.err.write("codex runs no hook that nobody has trusted: start codex, type /hooks, and trust them.\n");
  }
  return exitCode.ok;
};

export const install: Command<ChangeOptions> = async (context, { cli, scope, force }) => {
  const { operator } = await context.tools.hooks.status(context.place.directory);
  if (operator !== null && force !== true) {
    if (context.json) printJson(context, { changed: false, operator });
    else context.terminal.out.write(`Enact Operator is installed (${oneLine(operator)}) and owns these hooks; nothing was changed. To have those of Enact Factory beside it: enact-factory hooks install --cli ${cli} --scope ${scope} --force\n`);
    return exitCode.ok;
  }
  const { changed, file } = await context.tools.hooks.change("install", { cli, scope }, context.place.directory);
  return told(context, changed ? (file.state === "installed" ? `${cli} asks Enact Factory now (${file.detail})` : `the entries are there; ${file.detail}`) : "up to date", file, changed);
};

export const remove: Command<ChangeOptions> = async (context, { cli, scope }) => {
  const { changed, file } = await context.tools.hooks.change("remove", { cli, scope }, context.place.directory);
  return told(context, changed ? "the entries of Enact Factory are gone" : "had no entry of Enact Factory", file, changed);
};

export const status: Command<object> = async (context) => {
  const { operator, files } = await context.tools.hooks.status(context.place.directory);
  if (context.json) printJson(context, { operator, files });
  else {
    if (operator !== null) context.terminal.out.write(`Enact Operator is installed (${oneLine(operator)}) and owns these hooks.\n`);
    context.terminal.out.write(table(context.terminal.out, ["CLI", "SCOPE", "STATE", "FILE", "DETAIL"], files.map(({ cli, scope, state, file, detail }) => [cli, scope, state, file, detail])));
  }
  return exitCode.ok;
};
