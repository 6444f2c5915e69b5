/** The change of an item as people read it: a patch, and what each file gained and lost. Nothing is written but scratch objects. */
import { Effect } from "effect";
import type { FileChange } from "../domain/change.ts";
import { type GitFailed, type GitPlace, gitBytes, nulFields } from "../git/git.ts";

const utf8 = (raw: string): string => Buffer.from(raw, "latin1").toString("utf8");
const count = (text: string): number | null => (text === "-" ? null : Number(text));

/** Records of `--numstat -z`: counts and a path; of a renamed file counts, then both paths as fields of their own. */
export const filesIn = (fields: readonly string[]): FileChange[] => {
  const files: FileChange[] = [];
  for (let n = 0; n < fields.length; n++) {
    const [added = "", removed = "", ...path] = (fields[n] ?? "").split("\t");
    const counts = { added: count(added), removed: count(removed) }, name = path.join("\t");
    if (name !== "") files.push({ path: utf8(name), ...counts });
    else {
      files.push({ path: utf8(fields[n + 2] ?? ""), from: utf8(fields[n + 1] ?? ""), ...counts });
      n += 2;
    }
  }
  return files;
};

/** Programs that the repository's own configuration names for showing files are not run. */
const plain = ["-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"] as const;

export const patchBetween = (place: GitPlace, from: string, to: string, maxBytes: number): Effect.Effect<{ readonly patch: string; readonly cut: boolean }, GitFailed> =>
  gitBytes(place, ["diff-tree", "-p", ...plain, from, to], { maxBytes }).pipe(
    Effect.map((bytes) => ({ patch: bytes.toString("utf8"), cut: false })),
    Effect.catchTag("GitFailed", (e) => e.fault.kind === "tooMuchOutput" ? Effect.succeed({ patch: e.stdout.subarray(0, maxBytes).toString("utf8"), cut: true }) : Effect.fail(e)));

export const changeBetween = (place: GitPlace, from: string, to: string, maxBytes: number): Effect.Effect<{ readonly files: FileChange[]; readonly patch: string; readonly cut: boolean }, GitFailed> =>
  Effect.all({ files: gitBytes(place, ["diff-tree", "--numstat", "-z", ...plain, from, to]).pipe(Effect.map(nulFields), Effect.map(filesIn)), shown: patchBetween(place, from, to, maxBytes) }).pipe(
    Effect.map(({ files, shown }) => ({ files, ...shown })));
