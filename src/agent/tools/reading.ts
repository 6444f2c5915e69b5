/** Tools that look and change nothing: all of them may run at the same time. */
import { lstatSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { cutLine, linesOf, numbered } from "../shelf.ts";
import { PathRefused } from "../worktree.ts";
import { failed, optional, type Tool, tool } from "./tool.ts";

const line = z.number().int().positive();

const read = tool({
  name: "read", kind: "read", parallel: true,
  description: "Reads a text file of the worktree. Gives its lines with their numbers; a long file in parts.",
  input: z.strictObject({ path: z.string(), offset: optional(line.describe("First line; 1 when null.")), limit: optional(line.describe("Number of lines; 1000 when null.")) }),
  summary: ({ path, offset }) => (offset === null ? path : `${path}:${offset}`),
  run: ({ path, offset, limit }, { worktree }) => ({ ok: true, output: numbered(linesOf(worktree.read(path)), offset ?? 1, limit ?? 1_000, "go on at offset") }),
});

/** Entries of one answer of `list`. */
const listCap = 400;
/** Directories whose contents say nothing about the project. */
const passedOver: ReadonlySet<string> = new Set(["node_modules", "target", ".venv", "__pycache__"]);

/** Entries that are looked at in all. */
const entryCap = 20_000;

const entriesOf = (directory: string, root: string, depth: number, out: string[] = []): readonly string[] => {
  for (const entry of readdirSync(directory, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (out.length >= entryCap) break;
    if (entry.name.toLowerCase() === ".git") continue;
    const path = join(directory, entry.name), shown = relative(root, path);
    if (!entry.isDirectory()) out.push(`${shown}${entry.isSymbolicLink() ? " (link)" : entry.isFile() ? "" : " (no regular file)"}`);
    else if (passedOver.has(entry.name)) out.push(`${shown}/ (not listed)`);
    else {
      out.push(`${shown}/`);
      if (depth > 1) entriesOf(path, root, depth - 1, out);
    }
  }
  return out;
};

const list = tool({
  name: "list", kind: "read", parallel: true,
  description: "Lists a directory of the worktree, down to `depth` levels.",
  input: z.strictObject({ path: optional(z.string().describe("The worktree when null.")), depth: optional(z.number().int().min(1).max(10).describe("2 when null.")), offset: optional(line.describe("First entry to show; 1 when null.")) }),
  summary: ({ path }) => path ?? ".",
  run: ({ path, depth, offset }, { worktree }) => {
    const { real, shown } = worktree.place(path ?? ".");
    if (lstatSync(real, { throwIfNoEntry: false })?.isDirectory() !== true) throw new PathRefused(`${shown} is no directory`, false);
    const all = entriesOf(real, worktree.root, depth ?? 2), from = (offset ?? 1) - 1, some = all.slice(from, from + listCap);
    const rest = all.length - from - some.length;
    return { ok: true, output: all.length === 0 ? "(empty)" : `${some.join("\n")}${rest > 0 ? `\n[${rest} more; go on at offset ${from + some.length + 1}]` : ""}` };
  },
});

/** Lines of one answer of `search`. */
const matchCap = 200;
/** Milliseconds that a search may take. */
const searchMs = 30_000;

const search = tool({
  name: "search", kind: "read", parallel: true,
  description: "Searches text files of the worktree for lines that match a POSIX extended regular expression (as grep -E; [0-9] instead of \\d), or a fixed text. Gives path:line:text.",
  input: z.strictObject({
    pattern: z.string().min(1), fixed: optional(z.boolean().describe("The pattern is a text, not an expression.")), path: optional(z.string().describe("A file or directory; the worktree when null.")),
    glob: optional(z.string().describe("Only files of such a name, e.g. *.ts")), ignore_case: optional(z.boolean()), offset: optional(line.describe("First match to show; 1 when null.")),
  }),
  summary: ({ pattern, path }) => `${pattern}${path === null ? "" : ` in ${path}`}`,
  run: async ({ pattern, fixed, path, glob, ignore_case: ignoreCase, offset }, { worktree, commands, signal }) => {
    if (/[\0\n]/.test(pattern)) return failed("Not done: a pattern is one line.");
    const { shown } = worktree.place(path ?? ".");
    const excluded = [".git", ...passedOver].filter((name) => !shown.split("/").includes(name)).map((name) => `--exclude-dir=${name}`);
    // Whatever fits no pattern is in, unless the first pattern says what is.
    // -r follows no link but the one it is given, which was followed to its end; -I passes binary files over, -D devices.
    const argv: readonly [string, ...string[]] = ["grep", "-rnHI", "-D", "skip", fixed === true ? "-F" : "-E", ...(ignoreCase === true ? ["-i"] : []), ...excluded, ...(glob === null ? [] : [`--include=${glob}`]), "--exclude=.git", "-e", pattern, "--", shown];
    const ran = await commands.look(argv, searchMs, signal);
    if (ran.timedOut) return failed("Given up: the search took too long. Name a path, or a simpler pattern.");
    if (ran.exitCode !== 0 && ran.exitCode !== 1) return failed(`Failed: ${ran.output.trim().slice(0, 1_000)}`);
    const all = linesOf(ran.output).map((each) => each.replace(/^\.\//, "")), from = (offset ?? 1) - 1, some = all.slice(from, from + matchCap).map(cutLine);
    if (all.length === 0) return { ok: true, output: "(no match)" };
    const rest = all.length - from - some.length;
    return { ok: true, output: `${some.join("\n")}${rest > 0 ? `\n[${rest} more; go on at offset ${from + some.length + 1}]` : ""}` };
  },
});

const changes = tool({
  name: "changes", kind: "read", parallel: true,
  description: "Shows what was changed in the worktree since its last commit: files, and the diff.",
  input: z.strictObject({}),
  summary: () => "since the last commit",
  run: async (_, { commands, shelf }) => ({ ok: true, output: shelf.shown(await commands.changes()) }),
});

const more = tool({
  name: "more", kind: "read", parallel: true,
  description: "Shows lines of an output that was cut.",
  input: z.strictObject({ output: z.string().describe("Its name, e.g. o3"), offset: line, limit: optional(line.describe("Number of lines; 400 when null.")) }),
  summary: ({ output, offset }) => `${output}:${offset}`,
  run: ({ output, offset, limit }, { shelf }) => {
    const text = shelf.more(output, offset, limit ?? 400);
    return text === undefined ? failed(`There is no output ${output}.`) : { ok: true, output: text };
  },
});

export const readingTools: readonly Tool[] = [read, list, search, changes, more];
