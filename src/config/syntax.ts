/**
 * TOML text to a value, with every syntax problem at once: a line that cannot be read is reported, blanked, and reading goes on.
 * Pasted YAML, as a whole file or as a part of one, gets the TOML to write.
 */
import { parse, stringify, TomlError } from "smol-toml";
import { nameSaysSecret, withoutShapes } from "../domain/secret.ts";
import { problemAt, type Problem } from "./problem.ts";
import { modernised } from "./renamed.ts";
import { looksLikeYaml, readYaml } from "./yaml.ts";

const mostProblems = 20;

export interface Syntax {
  readonly value: Readonly<Record<string, unknown>>;
  /** The text with unreadable lines blanked: its lines and columns are those of the file. */
  readonly readable: string;
  readonly problems: readonly Problem[];
}

export const readSyntax = (text: string, file: string): Syntax => {
  if (/\.ya?ml$/i.test(file)) return { value: {}, readable: "", problems: [yamlProblem(file, text, 1, "a configuration is TOML, in a file called config.toml")] };
  const lines = text.split("\n");
  const problems: Problem[] = [];
  for (;;) {
    const readable = lines.join("\n");
    try {
      return { value: parse(readable), readable, problems };
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const yaml = yamlBlock(lines, error.line);
      const [from, to] = yaml ?? [error.line, error.line];
      if (yaml !== undefined) problems.push(yamlProblem(file, lines.slice(from - 1, to).join("\n"), from, "this is YAML; a configuration is TOML"));
      else problems.push(problemAt(file, error, "", sentence(error), quoted(lines[error.line - 1] ?? "")));
      const blank = lines.slice(from - 1, to).every((line) => line.trim() === "");
      if (blank || problems.length >= mostProblems) return { value: {}, readable: "", problems };
      for (let line = from; line <= to; line += 1) lines[line - 1] = "";
    }
  }
};

const sentence = (error: TomlError): string => `no TOML: ${(error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "")}`;

/** A secret is not repeated, not even in what to write instead: it would stand in a terminal, a log, a report. A reference to a variable is none. */
const unsaid = (name: string, value: string): string => (value.startsWith("${") ? value : nameSaysSecret(name) ? "…" : withoutShapes(value));

/** `key = word` with the quotes that it lacks, when that makes it TOML. */
const quoted = (line: string): string | null => {
  const match = /^\s*([A-Za-z0-9_.-]+)\s*=\s*(.+?)\s*(?:#.*)?$/.exec(line);
  // A number, a list or a long text that went wrong is not mended by quotes.
  if (match === null || /^([-+\d.[{=]|"""|'''|$)/.test(match[2] ?? "")) return null;
  const write = `${match[1]} = ${JSON.stringify(unsaid(match[1] ?? "", (match[2] ?? "").replace(/^["']|["']$/g, "")))}`;
  try {
    parse(write);
    return write;
  } catch {
    return null;
  }
};

/** First and last line (1-based) of the YAML around an unreadable line. */
const yamlBlock = (lines: readonly string[], line: number): readonly [number, number] | undefined => {
  let first = line;
  if ((lines[first - 1] ?? "").trim() === "---") {
    first += 1;
    while (first <= lines.length && /^\s*(#.*)?$/.test(lines[first - 1] ?? "")) first += 1;
  }
  const start = lines[first - 1] ?? "";
  if (!looksLikeYaml(start)) return undefined;
  const indent = start.length - start.trimStart().length;
  let last = first;
  for (let next = first + 1; next <= lines.length; next += 1) {
    const content = lines[next - 1] ?? "";
    if (/^\s*(#.*)?$/.test(content)) continue;
    const deeper = content.length - content.trimStart().length > indent;
    if (!deeper && !looksLikeYaml(content) && !/^\s*-(\s|$)/.test(content)) break;
    last = next;
  }
  return [line, last];
};

const yamlProblem = (file: string, text: string, firstLine: number, message: string): Problem => {
  const read = readYaml(text);
  if (!read.ok) return problemAt(file, { line: firstLine + read.line - 1, column: 1 }, "", `${message}; this part of the YAML cannot be converted: ${read.problem}`);
  if (typeof read.value !== "object" || read.value === null || Array.isArray(read.value)) return problemAt(file, { line: firstLine, column: 1 }, "", `${message}, and this YAML is no mapping of keys`);
  return problemAt(file, { line: firstLine, column: 1 }, "", message, stringify(withoutNull(modernised(read.value))));
};

/** TOML has no null: an absent key says the same. */
const withoutNull = (value: unknown, name = ""): unknown => {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map((item) => withoutNull(item, name));
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null).map(([key, inner]) => [key, withoutNull(inner, key)]));
  return typeof value === "string" ? unsaid(name, value) : value;
};
