/**
 * Where each key and value of a TOML text stands, so that a problem can name its line.
 * The text has been parsed by smol-toml before; this scanner only follows the structure and never judges it.
 */
import { parse } from "smol-toml";

/** 1-based, counted in UTF-16 units as editors do. */
export interface Position { readonly line: number; readonly column: number }
export type KeyPath = readonly (string | number)[];

interface Node { offset: number | undefined; readonly keys: Map<string, Node>; readonly items: Node[] }
const node = (offset?: number): Node => ({ offset, keys: new Map(), items: [] });

/** Finds the position of a key path; of its nearest known parent when the path itself is not in the text. */
export type Locate = (path: KeyPath) => Position | undefined;

export const locateKeys = (text: string): Locate => {
  const root = new Scanner(text).document();
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  return (path) => {
    let current: Node | undefined = root;
    let offset: number | undefined;
    for (const step of path) {
      current = typeof step === "number" ? current.items[step] : current.keys.get(step);
      if (current === undefined) break;
      offset = current.offset ?? offset;
    }
    if (offset === undefined) return undefined;
    let low = 0;
    for (let high = lineStarts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if ((lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (lineStarts[low] ?? 0) + 1 };
  };
};

class Scanner {
  private at = 0;
  private readonly text: string;
  constructor(text: string) {
    this.text = text;
  }

  document(): Node {
    const root = node();
    let table = root;
    for (this.blank(); this.at < this.text.length; this.blank()) {
      const start = this.at;
      if (this.text.startsWith("[[", start)) {
        this.at += 2;
        const array = this.descend(root, this.key());
        table = node(start);
        array.items.push(table);
        this.at += 2;
      } else if (this.text[start] === "[") {
        this.at += 1;
        table = this.descend(root, this.key());
        this.at += 1;
      } else this.pair(table);
      if (this.at === start) this.at += 1; // A text that is no TOML: always move on.
    }
    return root;
  }

  private pair(table: Node): void {
    const target = this.descend(table, this.key());
    this.at += 1; // =
    this.space();
    this.value(target);
  }

  /** The node of a dotted key; tables in an array of tables are reached through its last one. */
  private descend(from: Node, key: readonly { readonly name: string; readonly offset: number }[]): Node {
    let current = from;
    for (const { name, offset } of key) {
      current = current.items.at(-1) ?? current;
      let next = current.keys.get(name);
      if (next === undefined) current.keys.set(name, next = node());
      next.offset ??= offset;
      current = next;
    }
    return current;
  }

  private key(): readonly { readonly name: string; readonly offset: number }[] {
    const parts: { name: string; offset: number }[] = [];
    for (;;) {
      this.space();
      const offset = this.at;
      const quote = this.text[offset];
      if (quote === '"' || quote === "'") {
        this.string(quote);
        parts.push({ name: decoded(this.text.slice(offset, this.at)), offset });
      } else {
        while (/[A-Za-z0-9_-]/.test(this.text[this.at] ?? "")) this.at += 1;
        parts.push({ name: this.text.slice(offset, this.at), offset });
      }
      this.space();
      if (this.text[this.at] !== ".") return parts;
      this.at += 1;
    }
  }

  private value(target: Node): void {
    const first = this.text[this.at];
    if (first === '"' || first === "'") this.string(first);
    else if (first === "[") {
      this.list("]", () => {
        const item = node(this.at);
        target.items.push(item);
        this.value(item);
      });
    } else if (first === "{") this.list("}", () => this.pair(target));
    else {
      while (this.at < this.text.length && !/[,\]}#\n]/.test(this.text[this.at] ?? "")) this.at += 1;
    }
  }

  private list(close: string, item: () => void): void {
    this.at += 1;
    for (this.blank(); this.at < this.text.length && this.text[this.at] !== close; this.blank()) {
      const start = this.at;
      item();
      this.blank();
      if (this.text[this.at] === ",") this.at += 1;
      if (this.at === start) this.at += 1; // A text that is no TOML: always move on.
    }
    this.at += 1;
  }

  private string(quote: string): void {
    const triple = quote.repeat(3);
    const close = this.text.startsWith(triple, this.at) ? triple : quote;
    for (this.at += close.length; this.at < this.text.length && !this.text.startsWith(close, this.at); this.at += 1) {
      if (quote === '"' && this.text[this.at] === "\\") this.at += 1;
    }
    this.at += close.length;
    // Up to two more quotes belong to the content of a triple-quoted text.
    if (close === triple) for (let extra = 0; extra < 2 && this.text[this.at] === quote; extra += 1) this.at += 1;
  }

  private space(): void {
    while (this.text[this.at] === " " || this.text[this.at] === "\t") this.at += 1;
  }

  /** Space, line ends and comments. */
  private blank(): void {
    for (;;) {
      while (/\s/.test(this.text[this.at] ?? "") || this.text[this.at] === "\uFEFF") this.at += 1;
      if (this.text[this.at] !== "#") return;
      while (this.at < this.text.length && this.text[this.at] !== "\n") this.at += 1;
    }
  }
}

/** smol-toml itself decodes quoted keys, so that both agree on every escape. */
const decoded = (quoted: string): string => {
  try {
    return Object.keys(parse(`${quoted} = 0`))[0] ?? quoted;
  } catch {
    return quoted;
  }
};
