/**
 * Reads the YAML that people paste from older configurations, only to tell them the TOML to write: mappings, lists, scalars and
 * block texts by indentation, and one-line flow values. Anything else (anchors, tags, several documents) is said, never guessed.
 */

export type YamlResult = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly line: number; readonly problem: string };

class Unsupported extends Error {
  readonly line: number;
  constructor(line: number, problem: string) {
    super(problem);
    this.line = line;
  }
}

interface Line { readonly indent: number; readonly content: string; readonly number: number }

/** `key:` or `key: value`, the key plain or quoted. No TOML line looks like this. */
const pair = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[A-Za-z_][\w./-]*)\s*:(?:\s+(.*))?$/;

export const looksLikeYaml = (line: string): boolean => pair.test(withoutComment(line).trim());

export const readYaml = (text: string): YamlResult => {
  try {
    return { ok: true, value: new Reader(text).document() };
  } catch (error) {
    if (error instanceof Unsupported) return { ok: false, line: error.line, problem: error.message };
    throw error;
  }
};

/** Without a trailing comment; `#` counts only at the start or after a space, outside quotes. */
function withoutComment(line: string): string {
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? "";
    if (quote !== "") {
      if (quote === '"' && letter === "\\") at += 1;
      else if (letter === quote) quote = "";
    } else if ((letter === '"' || letter === "'") && /(^|[\s[{,:-])$/.test(line.slice(0, at))) quote = letter;
    else if (letter === "#" && (at === 0 || /\s/.test(line[at - 1] ?? ""))) return line.slice(0, at);
  }
  return line;
}

class Reader {
  private readonly raw: readonly string[];
  private lines: Line[] = [];
  private at = 0;

  constructor(text: string) {
    this.raw = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  }

  document(): unknown {
    for (const [index, raw] of this.raw.entries()) {
      const number = index + 1;
      const content = withoutComment(raw).trimEnd();
      if (content.trim() === "" || (content === "---" && this.lines.length === 0)) continue;
      if (content === "---" || content === "...") throw new Unsupported(number, "several YAML documents in one file");
      const indent = content.length - content.trimStart().length;
      this.lines.push({ indent, content: content.trimStart(), number });
    }
    const first = this.lines[0];
    if (first === undefined) return {};
    const value = this.block(first.indent);
    const rest = this.lines[this.at];
    if (rest !== undefined) throw new Unsupported(rest.number, "indentation that fits no line above");
    return value;
  }

  private block(indent: number): unknown {
    const first = this.lines[this.at];
    if (first === undefined) return null;
    return isItem(first.content) ? this.list(indent) : this.mapping(indent);
  }

  private list(indent: number): unknown[] {
    const items: unknown[] = [];
    for (let line = this.lines[this.at]; line !== undefined && line.indent === indent && isItem(line.content); line = this.lines[this.at]) {
      const rest = line.content.slice(1).trimStart();
      if (rest === "") {
        this.at += 1;
        items.push(this.nested(indent));
      } else if (isItem(rest) || pair.test(rest)) {
        // The item's own block starts where its text starts.
        const inner = line.indent + line.content.length - rest.length;
        this.lines[this.at] = { indent: inner, content: rest, number: line.number };
        items.push(this.block(inner));
      } else {
        this.at += 1;
        items.push(this.scalar(rest, line, indent));
      }
    }
    return items;
  }

  private mapping(indent: number): Record<string, unknown> {
    const found = new Map<string, unknown>();
    for (let line = this.lines[this.at]; line !== undefined && line.indent === indent; line = this.lines[this.at]) {
      if (line.content.startsWith("\t") || (this.raw[line.number - 1] ?? "").slice(0, indent).includes("\t")) throw new Unsupported(line.number, "a tab in the indentation");
      const match = pair.exec(line.content);
      if (match === null) throw new Unsupported(line.number, `${JSON.stringify(line.content)} is neither "key: value" nor "- item"`);
      const key = String(plain(match[1] ?? "", line.number));
      if (found.has(key)) throw new Unsupported(line.number, `the key ${key} stands twice`);
      this.at += 1;
      const rest = (match[2] ?? "").trim();
      found.set(key, rest === "" ? this.nested(indent, true) : this.scalar(rest, line, indent));
    }
    return Object.fromEntries(found);
  }

  /** What stands deeper than `indent`; a list may stand at the same depth as the key it belongs to. */
  private nested(indent: number, ofKey = false): unknown {
    const next = this.lines[this.at];
    if (next === undefined) return null;
    if (next.indent > indent || (ofKey && next.indent === indent && isItem(next.content))) return this.block(next.indent);
    return null;
  }

  private scalar(text: string, line: Line, indent: number): unknown {
    if (/^[|>][+-]?$/.test(text)) return this.blockText(text, line, indent);
    if (/^[&*!%@`|>]/.test(text)) throw new Unsupported(line.number, `${JSON.stringify(text)}: anchors, aliases and tags have no TOML`);
    const next = this.lines[this.at];
    if (next !== undefined && next.indent > indent) throw new Unsupported(next.number, "a value that goes on in the next line");
    if (text.startsWith("[") || text.startsWith("{")) return new Flow(text, line.number).whole();
    return plain(text, line.number);
  }

  private blockText(marker: string, line: Line, indent: number): string {
    const lines: string[] = [];
    let number = line.number;
    for (; number < this.raw.length; number += 1) {
      const raw = this.raw[number] ?? "";
      if (raw.trim() !== "" && raw.length - raw.trimStart().length <= indent) break;
      lines.push(raw);
    }
    while (this.lines[this.at] !== undefined && (this.lines[this.at]?.number ?? 0) <= number) this.at += 1;
    const depth = Math.min(...lines.filter((raw) => raw.trim() !== "").map((raw) => raw.length - raw.trimStart().length));
    const body = lines.map((raw) => raw.slice(Number.isFinite(depth) ? depth : 0)).join("\n").trimEnd();
    const folded = marker.startsWith(">") ? body.replace(/([^\n])\n(?!\n)/g, "$1 ") : body;
    return marker.endsWith("-") || folded === "" ? folded : `${folded}\n`;
  }
}

const isItem = (content: string): boolean => content === "-" || content.startsWith("- ");

/** A scalar outside of any structure. */
const plain = (text: string, line: number): unknown => {
  if (text.startsWith('"')) {
    try {
      return JSON.parse(text);
    } catch {
      throw new Unsupported(line, `${text} is no quoted text that can be converted`);
    }
  }
  if (text.startsWith("'")) {
    if (!/^'(?:[^']|'')*'$/.test(text)) throw new Unsupported(line, `${text} is no quoted text that can be converted`);
    return text.slice(1, -1).replaceAll("''", "'");
  }
  if (/^(~|null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(0|[1-9][0-9]*)$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  if (/^[-+]?[0-9]+\.[0-9]+([eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  return text;
};

/** `[a, b]` and `{a: b}` on one line. */
class Flow {
  private at = 0;
  private readonly text: string;
  private readonly line: number;
  constructor(text: string, line: number) {
    this.text = text;
    this.line = line;
  }

  whole(): unknown {
    const value = this.value();
    this.space();
    if (this.at < this.text.length) throw this.broken();
    return value;
  }

  private value(): unknown {
    this.space();
    const first = this.text[this.at];
    if (first === "[") return this.sequence(() => this.value(), "]");
    if (first === "{") {
      return Object.fromEntries(this.sequence(() => {
        const key = String(this.word(/[:]/));
        if (this.text[this.at] !== ":") throw this.broken();
        this.at += 1;
        return [key, this.value()] as const;
      }, "}"));
    }
    return this.word(/[,\]}]/);
  }

  private sequence<A>(item: () => A, close: string): A[] {
    const items: A[] = [];
    this.at += 1;
    for (;;) {
      this.space();
      if (this.text[this.at] === close) {
        this.at += 1;
        return items;
      }
      items.push(item());
      this.space();
      if (this.text[this.at] === ",") this.at += 1;
      else if (this.text[this.at] !== close) throw this.broken();
    }
  }

  private word(stop: RegExp): unknown {
    this.space();
    const start = this.at;
    const quote = this.text[this.at];
    if (quote === '"' || quote === "'") {
      for (this.at += 1; this.at < this.text.length && this.text[this.at] !== quote; this.at += 1) if (quote === '"' && this.text[this.at] === "\\") this.at += 1;
      this.at += 1;
    } else while (this.at < this.text.length && !stop.test(this.text[this.at] ?? "")) this.at += 1;
    const text = this.text.slice(start, this.at).trim();
    this.space();
    if (text === "") throw this.broken();
    return plain(text, this.line);
  }

  private space(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at += 1;
  }

  private broken(): Unsupported {
    return new Unsupported(this.line, `${this.text} is no one-line list or mapping that can be converted`);
  }
}
