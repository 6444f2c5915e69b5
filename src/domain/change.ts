import { z } from "zod";

/** What happened to one file. Of one that is no text `added` and `removed` are null. */
export const FileChange = z.object({ path: z.string(), /** Its name before. */ from: z.string().optional(), added: z.number().nullable(), removed: z.number().nullable() });
export type FileChange = z.infer<typeof FileChange>;

/** The change of a work item: from the commit that it began at to where it is now. */
export const WorkChange = z.object({
  branch: z.string(),
  base: z.string(),
  /** null: as the worktree stands, which no commit holds. */
  head: z.string().nullable(),
  worktree: z.string().nullable(),
  files: z.array(FileChange),
  /** Unified diff, as git writes it. */
  patch: z.string(),
  /** The patch is longer, and its end was left out. */
  cut: z.boolean(),
});
export type WorkChange = z.infer<typeof WorkChange>;

/** How a change was taken back. */
export const Undone = z.object({
  /** `moved`: its own branch is back at its base. `reverted`: a new branch holds a commit that takes it back. */
  how: z.enum(["moved", "reverted"]),
  /** It had been taken back like this before; nothing was done. */
  already: z.boolean(),
  branch: z.string(),
  commit: z.string(),
  /** Where it was taken back from: the branch that had it. */
  from: z.string(),
  /** Keeps what was taken back. */
  checkpoint: z.object({ ref: z.string(), commit: z.string() }),
});
export type Undone = z.infer<typeof Undone>;
