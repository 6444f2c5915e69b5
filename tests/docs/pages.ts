/** The hand-written and generated pages of the repository, as a reader of the repository sees them. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const root = dirname(dirname(import.meta.dirname));

export interface Page { readonly file: string; readonly text: string }

/** README.md and everything under docs/, paths from the root. */
export const pages = (): readonly Page[] => ["README.md", ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".md")).map((name) => join("docs", name)).sort()]
  .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

/** Text files that git tracks. */
export const trackedText = (): readonly Page[] => execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter((file) => file !== "" && existsSync(join(root, file)))
  .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") })).filter(({ text }) => !text.includes("\0"));

const fence = /^(```|~~~).*?^\1[ \t]*$/gms;
const span = /`[^`\n]+`/g;

/** Links of the prose: what stands in code is an example. */
export const linksOf = (text: string): readonly string[] => [...text.replaceAll(fence, "").replaceAll(span, "").matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map((match) => match[1] ?? "");

/** The anchors that a page's headings have, as code hosts make them. */
export const anchorsOf = (text: string): ReadonlySet<string> => new Set([...text.replaceAll(fence, "").matchAll(/^#{1,6}\s+(.+?)\s*$/gm)].map((match) => (match[1] ?? "").toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-")));

/** Lines of code in a page: each line of a fence, and each code span. */
export const codeOf = (text: string): readonly string[] => [
  ...[...text.matchAll(fence)].flatMap((match) => match[0].split("\n").slice(1, -1)),
  ...[...text.replaceAll(fence, "").matchAll(span)].map((match) => match[0].slice(1, -1)),
];

/** `enact-factory …` as typed: at the start of a line or span, after a prompt, or behind another command. Words as a shell splits plain ones. */
export const commandsOf = (code: string): readonly (readonly string[])[] => [...code.matchAll(/(?:^\s*\$?\s*|&&\s*|--\s+|;\s*)enact-factory\s+([^#;&|]*)/g)]
  .map((match) => [...(match[1] ?? "").matchAll(/"[^"]*"|'[^']*'|\S+/g)].map((word) => word[0]));
