import { createHash } from "node:crypto";
import { Effect } from "effect";
import { type GitFailed, type GitPlace, gitBytes, nulFields } from "../git/git.ts";

/** One path that differs between two trees. */
export interface Change { readonly path: string; /** The name's bytes, one character each: names need not be UTF-8. */ readonly raw: string; readonly mode: string; readonly status: string }
export interface Changes { readonly list: readonly Change[]; /** Equal differences from the same base have equal hashes. */ readonly hash: string }

/** What differs between two commits or trees; renames are a deletion and an addition. */
export const changesBetween = (place: GitPlace, from: string, to: string): Effect.Effect<Changes, GitFailed> =>
  gitBytes(place, ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", "--no-abbrev", from, to]).pipe(Effect.map((raw) => {
    const fields = nulFields(raw);
    const list: Change[] = [];
    for (let n = 0; n + 1 < fields.length; n += 2) {
      const [, mode = "", , , status = ""] = (fields[n] ?? "").split(" ");
      const path = fields[n + 1] ?? "";
      list.push({ path: Buffer.from(path, "latin1").toString("utf8"), raw: path, mode, status });
    }
    return { list, hash: createHash("sha256").update(raw).digest("hex") };
  }));
