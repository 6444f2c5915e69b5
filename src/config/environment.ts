/**
 * The variables a configuration may refer to: the process's own, then those of the `.env` file beside the configuration.
 * I1 the real environment wins over the file.
 * I2 a reference inside the file is resolved when it is used, so an unset one is an error only where it matters.
 */
import { expand, type Lookup } from "./expand.ts";

interface Entry { readonly raw: string; readonly literal: boolean; readonly line: number }

/** `NAME=value`, `export NAME=value`, comments, 'literal' and "quoted" values; quoted ones may span lines. */
const entries = (text: string): { readonly found: ReadonlyMap<string, Entry>; readonly unreadable: readonly number[] } => {
  const found = new Map<string, Entry>();
  const unreadable: number[] = [];
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index += 1) {
    const line = index + 1;
    const content = (lines[index] ?? "").trim();
    if (content === "" || content.startsWith("#")) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(content);
    const name = match?.[1];
    let value = match?.[2] ?? "";
    if (name === undefined) {
      unreadable.push(line);
      continue;
    }
    const quote = value[0];
    if (quote !== '"' && quote !== "'") {
      found.set(name, { raw: value.replace(/(^|\s+)#.*$/, "").trimEnd(), literal: false, line });
      continue;
    }
    let end = closingQuote(value, quote);
    while (end === -1 && index + 1 < lines.length) {
      index += 1;
      value += `\n${lines[index] ?? ""}`;
      end = closingQuote(value, quote);
    }
    if (end === -1) {
      unreadable.push(line);
      continue;
    }
    const inner = value.slice(1, end);
    found.set(name, quote === "'" ? { raw: inner, literal: true, line } : { raw: inner.replace(/\\([nrt"\\])/g, (_, letter: string) => escapes[letter] ?? letter), literal: false, line });
  }
  return { found, unreadable };
};
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };
const closingQuote = (value: string, quote: string): number => {
  for (let at = 1; at < value.length; at += 1) {
    if (value[at] === "\\" && quote === '"') at += 1;
    else if (value[at] === quote) return at;
  }
  return -1;
};

export interface Environment {
  readonly lookup: Lookup;
  /** Both together, as children and adapters may draw from by name. Entries that cannot be resolved are left out. */
  readonly all: Readonly<Record<string, string>>;
  /** Lines of the file that are neither a variable nor a comment. */
  readonly unreadable: readonly number[];
}

export const environment = (real: Readonly<Record<string, string | undefined>>, envFile: string | undefined): Environment => {
  const { found, unreadable } = entries(envFile ?? "");
  const resolve = (name: string, via: readonly string[]): ReturnType<Lookup> => {
    const own = Object.hasOwn(real, name) ? real[name] : undefined;
    if (own !== undefined) return { value: own };
    const entry = found.get(name);
    if (entry === undefined) return { missing: `the environment variable ${name} is not set` };
    if (entry.literal) return { value: entry.raw };
    if (via.includes(name)) return { missing: `${[...via, name].join(" → ")} in .env refers to itself` };
    const expanded = expand(entry.raw, (inner) => resolve(inner, [...via, name]));
    return expanded.ok ? { value: expanded.text } : { missing: `${name} (line ${entry.line} of .env): ${expanded.problems.join("; ")}` };
  };
  const lookup: Lookup = (name) => resolve(name, []);
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(real)) if (value !== undefined) all[name] = value;
  for (const name of found.keys()) {
    const resolved = lookup(name);
    if ("value" in resolved) all[name] = resolved.value;
  }
  return { lookup, all, unreadable };
};
