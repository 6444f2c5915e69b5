import { z } from "zod";

/** How a worktree and its repository stood at one moment. */
export const Fingerprint = z.object({
  /** Of the worktree's files, uncommitted and untracked ones included. */
  tree: z.string(),
  /** Of the repository's own configuration and hooks, by path inside its git directory: they make git run programs for whoever uses it. */
  git: z.record(z.string(), z.string()),
});
export type Fingerprint = z.infer<typeof Fingerprint>;

/** What a run's first owner noted; undefined for a run of a version that noted none. */
export const fingerprintIn = (text: string | undefined): Fingerprint | undefined => {
  try {
    return Fingerprint.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined;
  }
};

/** Paths, inside the repository's git directory, at which something else stands now. */
export const touchedBetween = (before: Fingerprint, after: Fingerprint): string[] =>
  [...new Set([...Object.keys(before.git), ...Object.keys(after.git)])].filter((name) => before.git[name] !== after.git[name]).sort();
