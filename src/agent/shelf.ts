/**
 * Outputs too long for a conversation. What the model gets of one is its beginning and its end; the whole stands in a file beside the session,
 * and the model reads on by the name it was given. Owns: those files.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Characters of an output that go into the conversation. */
const shownCap = 16_000;
const headCap = 4_000;
/** Characters that are kept at all. */
const keptCap = 4_000_000;
/** Of a line, however long it is. */
const lineCap = 2_000;

export interface Shelf {
  /** The output as the model gets it. */
  readonly shown: (output: string) => string;
  /** Lines of an output that was cut. */
  readonly more: (name: string, offset: number, limit: number) => string | undefined;
}

export const cutLine = (line: string): string => (line.length > lineCap ? `${line.slice(0, lineCap).toWellFormed()}… (${line.length - lineCap} characters more)` : line);

/** Lines `from` to `to`, numbered from 1, as many as fit; says where it goes on. */
export const numbered = (lines: readonly string[], offset: number, limit: number, onward: string): string => {
  const out: string[] = [];
  let room = shownCap, n = Math.max(1, offset) - 1;
  for (; n < lines.length && out.length < limit; n++) {
    const line = `${n + 1}\t${cutLine(lines[n] ?? "")}`;
    if (line.length > room) break;
    room -= line.length + 1;
    out.push(line);
  }
  if (lines.length === 0) return "(empty)";
  if (out.length === 0) return `there is no line ${offset}: it has ${lines.length}`;
  return n < lines.length ? `${out.join("\n")}\n[lines ${offset}–${n} of ${lines.length}; ${onward} ${n + 1}]` : out.join("\n");
};

export const linesOf = (text: string): readonly string[] => {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
};

/** `hide`: takes secrets out of what is kept. */
export const openShelf = (directory: string, hide: (text: string) => string): Shelf => {
  let last = readdirSync(directory).reduce((most, name) => Math.max(most, Number(/^o(\d+)\.txt$/.exec(name)?.[1] ?? 0)), 0);
  return {
    shown: (output) => {
      const text = hide(output.toWellFormed());
      if (text.length <= shownCap) return text;
      const name = `o${++last}`, kept = text.slice(0, keptCap);
      writeFileSync(join(directory, `${name}.txt`), kept, { mode: 0o600 });
      const head = text.slice(0, headCap), tail = text.slice(headCap - shownCap);
      const skipped = linesOf(head).length;
      return `${head.toWellFormed()}\n[… ${text.length - shownCap} characters are not shown here; see them with more(output="${name}", offset=${skipped})${kept.length < text.length ? "; the end of it is here only" : ""} …]\n${tail.toWellFormed()}`;
    },
    more: (name, offset, limit) => {
      const file = join(directory, `${name}.txt`);
      return /^o\d+$/.test(name) && existsSync(file) ? numbered(linesOf(readFileSync(file, "utf8")), offset, limit, "go on at offset") : undefined;
    },
  };
};
