/**
 * A patch over several files, in the form that models write most surely:
 *
 *     *** Begin Patch
 *     *** Update File: path        (then optionally *** Move to: path)
 *     @@ a line that stands before the place, optional
 *      a line that stays
 *     -a line that goes
 *     +a line that comes
 *     *** Add File: path           (then lines with +)
 *     *** Delete File: path
 *     *** End Patch
 *
 * Pure. I1 A patch fits or it does not: lines that stay or go must be in the file exactly, at one place after the one before; nothing is guessed.
 */
export type FileChange =
  | { readonly what: "add"; readonly path: string; readonly text: string }
  | { readonly what: "delete"; readonly path: string }
  | { readonly what: "update"; readonly path: string; readonly moveTo: string | undefined; readonly hunks: readonly Hunk[] };

export interface Hunk { readonly anchors: readonly string[]; readonly before: readonly string[]; readonly after: readonly string[]; /** It stands at the end of the file. */ readonly atEnd: boolean }

export class PatchWrong extends Error {}

const header = /^\*\*\* (Add|Delete|Update) File: (.+)$/;

export const parsePatch = (patch: string): readonly FileChange[] => {
  const lines = patch.replaceAll("\r\n", "\n").trim().split("\n");
  if (lines[0]?.trim() !== "*** Begin Patch" || lines.at(-1)?.trim() !== "*** End Patch") throw new PatchWrong("a patch begins with *** Begin Patch and ends with *** End Patch");
  const changes: FileChange[] = [];
  let n = 1;
  const end = lines.length - 1;
  const isHeader = (): boolean => n >= end || header.test(lines[n] ?? "");

  const hunk = (): Hunk => {
    const anchors: string[] = [], before: string[] = [], after: string[] = [];
    let atEnd = false;
    for (; (lines[n] ?? "").startsWith("@@"); n++) { const anchor = (lines[n] ?? "").slice(2).replace(/^ /, "").replace(/ ?@@$/, ""); if (anchor.trim() !== "" && !/^-\d/.test(anchor)) anchors.push(anchor); }
    for (; !isHeader() && !(lines[n] ?? "").startsWith("@@"); n++) {
      const line = lines[n] ?? "", text = line.slice(1);
      if (line === "*** End of File") { atEnd = true; n++; break; }
      if (line === "" || line.startsWith(" ")) { before.push(text); after.push(text); }
      else if (line.startsWith("-")) before.push(text);
      else if (line.startsWith("+")) after.push(text);
      else throw new PatchWrong(`line ${n + 1} begins with neither a space, + nor -: ${line.slice(0, 80)}`);
    }
    return { anchors, before, after, atEnd };
  };

  while (n < end) {
    const [, what, path] = header.exec(lines[n] ?? "") ?? [];
    if (path === undefined) throw new PatchWrong(`line ${n + 1} is no *** Add File, *** Delete File or *** Update File: ${(lines[n] ?? "").slice(0, 80)}`);
    n++;
    if (what === "Delete") { changes.push({ what: "delete", path }); continue; }
    if (what === "Add") {
      const text: string[] = [];
      for (; !isHeader(); n++) {
        const line = lines[n] ?? "";
        if (!line.startsWith("+")) throw new PatchWrong(`line ${n + 1}: every line of a new file begins with +`);
        text.push(line.slice(1));
      }
      changes.push({ what: "add", path, text: text.length === 0 ? "" : `${text.join("\n")}\n` });
      continue;
    }
    const moveTo = /^\*\*\* Move to: (.+)$/.exec(lines[n] ?? "")?.[1];
    if (moveTo !== undefined) n++;
    const hunks: Hunk[] = [];
    while (!isHeader()) hunks.push(hunk());
    if (hunks.length === 0 && moveTo === undefined) throw new PatchWrong(`nothing is to be changed in ${path}`);
    changes.push({ what: "update", path, moveTo, hunks });
  }
  if (changes.length === 0) throw new PatchWrong("the patch is empty");
  return changes;
};

const standsAt = (lines: readonly string[], wanted: readonly string[], at: number): boolean => wanted.every((line, n) => lines[at + n] === line);

/** I1. */
export const applyHunks = (path: string, text: string, hunks: readonly Hunk[]): string => {
  const crlf = text.includes("\r\n"), newline = text === "" || text.endsWith("\n");
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (newline) lines.pop();
  let from = 0;
  for (const [n, { anchors, before, after, atEnd }] of hunks.entries()) {
    const which = `hunk ${n + 1} of ${path}`;
    for (const anchor of anchors) {
      const at = lines.findIndex((line, l) => l >= from && line.trim() === anchor.trim());
      if (at < 0) throw new PatchWrong(`${which}: there is no line ${JSON.stringify(anchor)} after the place before`);
      from = at + 1;
    }
    const places: number[] = [];
    if (before.length === 0) places.push(anchors.length > 0 && !atEnd ? from : lines.length);
    else for (let at = from; at + before.length <= lines.length; at++) if (standsAt(lines, before, at) && (!atEnd || at + before.length === lines.length)) places.push(at);
    const [at, other] = places;
    if (at === undefined) throw new PatchWrong(`${which} does not fit: these lines are not in the file, one after the other and letter for letter: ${JSON.stringify(before.slice(0, 5).join("\n"))}`);
    if (other !== undefined && anchors.length === 0) throw new PatchWrong(`${which} fits at several places (lines ${at + 1} and ${other + 1}): give more lines around it, or an @@ line before it`);
    lines.splice(at, before.length, ...after);
    from = at + after.length;
  }
  const joined = lines.join("\n") + (newline && lines.length > 0 ? "\n" : "");
  return crlf ? joined.replaceAll("\n", "\r\n") : joined;
};
