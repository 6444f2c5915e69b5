/** `skills`: how each kind of work is done here. */
import { block, oneLine } from "../../client/text/safe-text.ts";
import { type Command, printJson } from "../context.ts";
import { exitCode } from "../problem.ts";
import { table } from "../table.ts";

export const list: Command<object> = async (context) => {
  const skills = await context.tools.skills.list(context.place.directory);
  if (context.json) printJson(context, { skills });
  else context.terminal.out.write(table(context.terminal.out, ["SKILL", "STAGE", "FROM", "WHAT"], skills.map(({ name, stage, from, description }) => [name, stage ?? "", from, oneLine(description)])));
  return exitCode.ok;
};

export const show: Command<{ readonly name: string }> = async (context, { name }) => {
  const skill = await context.tools.skills.read(name, context.place.directory);
  if (context.json) printJson(context, skill);
  else context.terminal.out.write(block(skill.text));
  return exitCode.ok;
};
