/** `init` and `validate`. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigProblem } from "../../client/local-tools.ts";
import { block, indented, oneLine, shellWord } from "../../client/text/safe-text.ts";
import { type Command, printJson } from "../context.ts";
import { expandHome, pathFrom } from "../place.ts";
import { CliProblem, exitCode } from "../problem.ts";
import { paint } from "../screen.ts";

export interface InitOptions { readonly postgres?: boolean; readonly path?: string }

export const init: Command<InitOptions> = async (context, options) => {
  const directory = pathFrom(context.place, options.path ?? ".", context.terminal);
  const file = join(directory, "config.toml");
  const text = context.tools.template({ postgres: options.postgres === true });
  mkdirSync(directory, { recursive: true });
  try {
    // "wx": made by us or not at all, also when two run at once.
    writeFileSync(file, text, { flag: "wx" });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw new CliProblem(`${file} exists already; it was left as it is.`, `Look at it with: enact-factory validate ${shellWord(file)}`);
    throw error;
  }
  if (context.json) printJson(context, { file });
  else context.terminal.out.write(`Wrote ${oneLine(file)}\nNext: enact-factory validate, then enact-factory doctor\n`);
  return exitCode.ok;
};

export interface ValidateOptions { readonly file?: string }

export const validate: Command<ValidateOptions> = async (context, options) => {
  const { out } = context.terminal;
  const given = options.file ?? context.place.configFile;
  const found = given === undefined ? await context.tools.locateConfig(context.place) : { file: pathFrom(context.place, expandHome(given, context.terminal.home), context.terminal), skipped: [] };
  if (found.file !== null && !existsSync(found.file)) throw new CliProblem(`There is no file ${found.file}.`, "`enact-factory init` writes a commented config.toml.");
  const problems = found.file === null ? [] : await context.tools.validate(found.file);
  const bad = problems.some(isError);
  if (context.json) {
    printJson(context, { file: found.file, valid: !bad, skipped: found.skipped, problems });
    return bad ? exitCode.failed : exitCode.ok;
  }
  for (const skipped of found.skipped) out.write(`${paint(out, "dim", "passed over")} ${oneLine(skipped)}\n`);
  if (found.file === null) {
    out.write("No config.toml is active: the built-in defaults hold. `enact-factory init` writes one.\n");
    return exitCode.ok;
  }
  out.write(`active: ${oneLine(found.file)}\n`);
  for (const problem of problems) {
    const { line, column, key, message, write } = problem;
    const place = [problem.file, ...(line > 0 ? [line, ...(column > 0 ? [column] : [])] : [])].join(":");
    out.write(`${oneLine(place)}: ${paint(out, isError(problem) ? "red" : "yellow", problem.severity ?? "error")}: ${key === "" ? "" : `${oneLine(key)}: `}${oneLine(message)}\n`);
    if (write !== undefined) out.write(`  write instead:\n${indented(block(write.trimEnd()), "    ")}\n`);
  }
  const errors = problems.filter(isError).length;
  out.write(bad ? `${errors} problem${errors === 1 ? "" : "s"}.\n` : `${paint(out, "green", "valid")}\n`);
  return bad ? exitCode.failed : exitCode.ok;
};

const isError = (problem: ConfigProblem): boolean => problem.severity !== "warning";
