/** Tools that change files. They run one after the other, in the order in which the model called them. */
import { z } from "zod";
import type { ToolDiff } from "../../domain/agent.ts";
import { joinDiffs, toolDiff } from "../../domain/tool-diff.ts";
import type { Worktree } from "../worktree.ts";
import { applyHunks, type FileChange, parsePatch, PatchWrong } from "./patch-text.ts";
import { failed, optional, type Tool, tool } from "./tool.ts";

const write = tool({
  name: "write", kind: "edit",
  description: "Writes a file of the worktree: a new one, or the whole of an old one.",
  input: z.strictObject({ path: z.string(), content: z.string() }),
  summary: ({ path }) => path,
  diff: ({ path, content }) => toolDiff(path, "", content),
  run: ({ path, content }, { worktree }) => {
    const before = worktree.readIfThere(path);
    if (before === content) return { ok: true, output: `${path} says that already.` };
    worktree.write(path, content);
    return { ok: true, changed: true, output: before === undefined ? `Made ${path}.` : `Wrote ${path} anew.` };
  },
});

const edit = tool({
  name: "edit", kind: "edit",
  description: "Replaces a text of a file by another. `old` must stand in the file exactly, spaces and line breaks included, and at one place only unless `all` is true.",
  input: z.strictObject({ path: z.string(), old: z.string().min(1), new: z.string(), all: optional(z.boolean()) }),
  summary: ({ path }) => path,
  diff: ({ path, old, new: fresh }) => toolDiff(path, old, fresh),
  run: ({ path, old, new: fresh, all }, { worktree }) => {
    const text = worktree.read(path), parts = text.split(old), found = parts.length - 1;
    if (old === fresh) return failed("Not done: old and new are the same.");
    if (found === 0) return failed(`Not done: ${path} does not contain that text. Read the file: it must be the same letter for letter.`);
    if (found > 1 && all !== true) return failed(`Not done: ${path} contains that text ${found} times. Give more of the lines around it, or set all.`);
    worktree.write(path, parts.join(fresh));
    return { ok: true, changed: true, output: found === 1 ? `Changed ${path}.` : `Changed ${path} at ${found} places.` };
  },
});

/** What a patch makes of the files it names: the whole text of each, or null where a file goes. All of it, or an error. */
const madeBy = (changes: readonly FileChange[], worktree: Worktree): ReadonlyMap<string, string | null> => {
  const made = new Map<string, string | null>();
  const now = (path: string): string | undefined => {
    const before = made.get(worktree.place(path).shown);
    return before === undefined ? worktree.readIfThere(path) : (before ?? undefined);
  };
  const put = (path: string, text: string | null): void => void made.set(worktree.place(path).shown, text);
  for (const change of changes) {
    const text = now(change.path);
    switch (change.what) {
      case "add":
        if (text !== undefined) throw new PatchWrong(`${change.path} is there already: update it, or use write`);
        put(change.path, change.text);
        break;
      case "delete":
        if (text === undefined) throw new PatchWrong(`there is no file ${change.path}`);
        put(change.path, null);
        break;
      case "update": {
        if (text === undefined) throw new PatchWrong(`there is no file ${change.path}`);
        const fresh = applyHunks(change.path, text, change.hunks);
        if (change.moveTo === undefined) { put(change.path, fresh); break; }
        if (now(change.moveTo) !== undefined) throw new PatchWrong(`${change.moveTo} is there already`);
        put(change.path, null);
        put(change.moveTo, fresh);
      }
    }
  }
  return made;
};

const patchDiff = (patch: string): ToolDiff | undefined => {
  try {
    return joinDiffs(parsePatch(patch).flatMap((change): readonly ToolDiff[] => {
      switch (change.what) {
        case "add": return [toolDiff(change.path, "", change.text)];
        case "delete": return [toolDiff(change.path, "", "")];
        case "update": return change.hunks.map(({ before, after }) => toolDiff(change.path, before.join("\n"), after.join("\n")));
      }
    }));
  } catch {
    return undefined;
  }
};

const patch = tool({
  name: "patch", kind: "edit",
  description: [
    "Changes several places and files at once; all of it or nothing. The form:",
    "*** Begin Patch", "*** Update File: path", "@@ a line that stands before the place (optional)", " a line that stays", "-a line that goes", "+a line that comes", "*** Add File: path", "+every line of it", "*** Delete File: path", "*** End Patch",
    "After *** Update File a line *** Move to: path renames it. Lines that stay or go must be in the file exactly; give three of them around each change.",
  ].join("\n"),
  input: z.strictObject({ patch: z.string() }),
  summary: ({ patch }) => [...patch.matchAll(/^\*\*\* (?:Add|Delete|Update) File: (.+)$/gm)].map(([, path]) => path).join(", "),
  diff: ({ patch }) => patchDiff(patch),
  run: ({ patch }, { worktree }) => {
    let made: ReadonlyMap<string, string | null>;
    try {
      made = madeBy(parsePatch(patch), worktree);
    } catch (error) {
      if (error instanceof PatchWrong) return failed(`Not done: ${error.message}. Nothing was changed.`);
      throw error;
    }
    for (const [path, text] of made) if (text === null) worktree.remove(path); else worktree.write(path, text);
    return { ok: true, changed: true, output: [...made].map(([path, text]) => (text === null ? `Removed ${path}.` : `Wrote ${path}.`)).join("\n") };
  },
});

export const writingTools: readonly Tool[] = [edit, patch, write];
