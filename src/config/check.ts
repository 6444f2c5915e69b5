/** A configuration's text against the schema: references expanded, old names explained, every problem with its place and its cure. */
import type { z } from "zod";
import { AdapterName } from "../domain/agent.ts";
import { Config } from "../domain/config.ts";
import type { Environment } from "./environment.ts";
import { expand } from "./expand.ts";
import { nameSaysSecret } from "../domain/secret.ts";
import { isSlip, nearest } from "../domain/nearest.ts";
import { byPlace, problemAt, type Problem } from "./problem.ts";
import { modernised, renamedKey, renamedLane, stageNamed } from "./renamed.ts";
import { everyKey, type Leaf, nodeAt, type SchemaNode } from "./schema-tree.ts";
import { readSyntax } from "./syntax.ts";
import { keyName, tomlHeader, tomlKey, tomlPair } from "./toml-text.ts";
import { type KeyPath, type Locate, locateKeys } from "./toml-positions.ts";

export interface Checked { readonly config: Config | undefined; readonly problems: readonly Problem[]; readonly locate: Locate }

export const checkText = (text: string, file: string, environment: Environment): Checked => {
  const syntax = readSyntax(text, file);
  const locate = locateKeys(syntax.readable);
  const prepared = new Preparation(environment).run(syntax.value);
  const at = (path: KeyPath, message: string, write: string | null = null): Problem => {
    const original = prepared.originalPath(path);
    return problemAt(file, locate(original), keyName(original), message, write);
  };
  const problems = [...syntax.problems, ...prepared.findings.map(({ path, message, write }) => at(path, message, write))];
  const parsed = Config.safeParse(prepared.value);
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.filter((step) => typeof step !== "symbol");
    if (prepared.explained(path)) continue;
    const value = valueAt(prepared.value, path);
    // What an unreadable line may have held is not called missing.
    if (value === undefined && issue.code === "invalid_type" && syntax.problems.length > 0) continue;
    if (issue.code === "unrecognized_keys") problems.push(...issue.keys.map((key) => at([...path, key], ...unknownKey(path, key, valueAt(syntax.value, [...path, key])))));
    else problems.push(at(path, ...wrongValue(issue, path, value)));
  }
  return { config: problems.length === 0 ? parsed.data : undefined, problems: problems.toSorted(byPlace), locate };
};

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
const child = (value: unknown, step: string | number): unknown =>
  typeof step === "number" ? (Array.isArray(value) ? value[step] : undefined) : isTable(value) && Object.hasOwn(value, step) ? value[step] : undefined;
const valueAt = (value: unknown, path: KeyPath): unknown => path.reduce(child, value);

/** Stands for a TOML date: no key takes one, and an object of any class would pass for an empty table. */
const date = Symbol("date");

interface Finding { readonly path: KeyPath; readonly message: string; readonly write: string | null }

/** Replaces old names and references in a copy of the value, and remembers what it replaced. */
class Preparation {
  readonly findings: Finding[] = [];
  value: unknown = {};
  private readonly oldNames = new Map<string, string>();
  private readonly environment: Environment;
  constructor(environment: Environment) {
    this.environment = environment;
  }

  run(value: unknown): this {
    this.value = this.walk(value, []);
    return this;
  }

  /** The path as the file has it. */
  originalPath(path: KeyPath): KeyPath {
    return path.map((step, index) => this.oldNames.get(JSON.stringify(path.slice(0, index + 1))) ?? step);
  }

  /** True when a finding already says what is wrong with this very value. */
  explained(path: KeyPath): boolean {
    const key = JSON.stringify(path);
    return this.findings.some((finding) => JSON.stringify(finding.path) === key);
  }

  private walk(value: unknown, path: KeyPath): unknown {
    if (typeof value === "string") return this.text(value, path);
    if (Array.isArray(value)) return value.map((item, index) => this.walk(item, [...path, index]));
    if (value instanceof Date) return date;
    if (!isTable(value)) return value;
    const pairs = new Map<string, unknown>();
    for (const [key, inner] of Object.entries(value)) {
      const name = renamedKey(path, key);
      if (name === undefined) {
        pairs.set(key, this.walk(inner, [...path, key]));
        continue;
      }
      const both = Object.hasOwn(value, name);
      const to = [...path, name];
      if (!both) this.oldNames.set(JSON.stringify(to), key);
      this.findings.push({ path: both ? [...path, key] : to, message: `${key} is now called ${name}${both ? ", which is here too; remove this one" : ""}`, write: both ? null : instead(path, name, inner) });
      if (!both) pairs.set(name, this.walk(inner, to));
    }
    return Object.fromEntries(pairs);
  }

  private text(value: string, path: KeyPath): unknown {
    const expanded = expand(value, this.environment.lookup);
    if (!expanded.ok) {
      this.findings.push(...expanded.problems.map((problem) => ({ path, message: problem, write: null })));
      return value;
    }
    const lane = path.at(-1) === "lane" ? renamedLane(expanded.text) : undefined;
    if (lane === undefined) return expanded.text;
    this.findings.push({ path, message: `${JSON.stringify(expanded.text)} is no operator lane`, write: tomlPair("lane", lane) });
    return lane;
  }
}

/** A key with its value as TOML at its place: a pair, or a table under its header. Secrets are not repeated. */
const instead = (table: KeyPath, key: string, written: unknown): string => {
  const path = [...table.filter((step) => typeof step === "string"), key];
  const value = modernised(written, path);
  if (!isTable(value)) return tomlPair(key, nodeAt([...table, key])?.secret === true ? "…" : value);
  const pairs = Object.entries(value).filter(([, inner]) => !isTable(inner)).map(([name, inner]) => tomlPair(name, nodeAt([...path, name])?.secret === true || nameSaysSecret(name) ? "…" : inner));
  const tables = Object.entries(value).filter(([, inner]) => isTable(inner)).map(([name, inner]) => instead(path, name, inner));
  return [...(pairs.length > 0 || tables.length === 0 ? [[tomlHeader(path, false), ...pairs].join("\n")] : []), ...tables].join("\n\n");
};

/** Stages where the schema has none: under another name, or a table of them. */
const misplacedStages = (key: string, value: unknown): string | undefined => {
  const home = ["autonomous", "defaultStages"];
  const stage = stageNamed(key);
  if (stage !== undefined) return instead(home, stage, isTable(value) ? value : typeof value === "string" ? { [AdapterName.safeParse(value).success ? "adapter" : "model"]: value } : {});
  if (!isTable(value) || Object.keys(value).length === 0 || !Object.entries(value).every(([name, inner]) => stageNamed(name) !== undefined && isTable(inner))) return undefined;
  return Object.entries(value).map(([name, inner]) => misplacedStages(name, inner)).join("\n\n");
};

/** Message and cure of a key that the schema does not have. */
const unknownKey = (table: KeyPath, key: string, value: unknown): readonly [message: string, write: string | null] => {
  const node = nodeAt(table);
  const known = node?.kind === "table" ? [...node.keys.keys()] : [];
  const here = table.length === 0 ? "at the top" : `in ${keyName(table)}`;
  const stages = misplacedStages(key, value);
  if (stages !== undefined) return [`unknown key ${here}; stages belong in [autonomous.defaultStages]${stageNamed(key) === undefined || stageNamed(key) === key ? "" : `, and ${key} is now called ${stageNamed(key)}`}`, stages];
  const near = nearest(key, known);
  if (near !== undefined && isSlip(key, near.edits)) return [`unknown key; did you mean ${near.name}?`, instead(table, near.name, value)];
  const elsewhere = everyKey().find(({ path }) => path.at(-1) === key && path.length > 1 && !path.includes("projects"));
  if (elsewhere !== undefined) {
    const home = elsewhere.path.slice(0, -1);
    return [`unknown key ${here}; ${key} belongs in [${home.map(tomlKey).join(".")}]`, isTable(value) ? instead(home, key, value) : `${tomlHeader(home, false)}\n${instead(home, key, value)}`];
  }
  return [`unknown key ${here}; the nearest known key is ${near?.name ?? "none"} (known: ${known.join(", ")})`, null];
};

const kinds: Readonly<Record<string, string>> = { string: "a text", number: "a number", int: "a whole number", boolean: "true or false", object: "a table", array: "an array" };
const kindOf = (value: unknown): string => (Array.isArray(value) ? "an array" : value === date ? "a date" : isTable(value) ? "a table" : typeof value === "string" ? "a text" : typeof value === "number" ? (Number.isInteger(value) ? "a whole number" : "a fraction") : String(value));

const wrongValue = (issue: z.core.$ZodIssue, path: KeyPath, value: unknown): readonly [message: string, write: string | null] => {
  const node = nodeAt(path);
  // What is wrong with one place of an array is mended in the array.
  const keyed = path.slice(0, path.findLastIndex((step) => typeof step === "string") + 1);
  const key = keyed.at(-1);
  const home = nodeAt(keyed);
  const write = typeof key !== "string" || home === undefined ? null : cure(home, keyed, key, keyed.length === path.length ? value : undefined);
  if (value === undefined) return [issue.code === "custom" ? issue.message : "is missing", write];
  if (issue.code === "invalid_type") return [`must be ${kinds[issue.expected] ?? issue.expected}, not ${kindOf(value)}`, write];
  if (/^(Invalid|Too )/.test(issue.message)) {
    if (issue.code === "invalid_value") return [`must be one of ${issue.values.map(String).join(", ")}, not ${shown(node, value)}`, write];
    if (issue.code === "too_small") return [`must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`, write];
    if (issue.code === "too_big") return [`must be at most ${issue.maximum}`, write];
  }
  return [issue.message, issue.code === "custom" ? null : write];
};

const shown = (node: SchemaNode | undefined, value: unknown): string => (node?.secret === true ? "what is there" : JSON.stringify(value));

/** The value to write: the option that was meant, the default, or an example. */
const cure = (node: SchemaNode, path: KeyPath, name: string, value: unknown): string | null => {
  const names = path.filter((step) => typeof step === "string");
  if (node.kind === "table") return tomlHeader(names, false);
  if (node.kind === "tables") return [tomlHeader(names, true), ...[...node.item.keys].flatMap(([key, leaf]) => (leaf.kind === "leaf" && leaf.required ? [tomlPair(key, leaf.examples[0])] : []))].join("\n");
  if (typeof value === "string" && node.options.length > 0) {
    const near = nearest(value, node.options);
    if (near !== undefined && isSlip(value, near.edits)) return tomlPair(name, near.name);
  }
  const said = meant(node, value) ?? node.fallback ?? node.examples[0];
  return said === undefined ? null : tomlPair(name, said);
};

/** A number, a switch or a command that was written as a text. */
const meant = (node: Leaf, value: unknown): unknown => {
  if (typeof value !== "string") return undefined;
  const model = node.fallback ?? node.examples[0];
  if (typeof model === "number") return value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : undefined;
  if (typeof model === "boolean") return value === "true" ? true : value === "false" ? false : undefined;
  return Array.isArray(model) && /^[\w@%+=:,./ -]+$/.test(value) ? value.trim().split(/\s+/) : undefined;
};
