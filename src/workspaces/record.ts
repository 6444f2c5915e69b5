/**
 * What the factory knows of one worktree, beside it (`.NAME.json`), never in it.
 *
 * Owns: the record file. I1 A record is written, and on the disk, before what it speaks of is made. I2 Written whole or not at all.
 */
import { Effect } from "effect";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { WorkspaceIo } from "../ports/workspaces.ts";

const Record = z.object({
  version: z.literal(1),
  item: z.string(),
  attempt: z.number().int(),
  /** Real path of the repository's top directory. */
  repository: z.string(),
  /** Real path of its git directory. */
  commonDir: z.string(),
  branch: z.string(),
  base: z.string(),
  /** `making`: no agent has seen it, it may be thrown away. `made`: worktree complete, files and hooks to do. `ready`. `removed`: at most the branch is left. */
  state: z.enum(["making", "made", "ready", "removed"]),
  /** Paths copied in, which are kept out of every commit. */
  copied: z.array(z.string()),
  /** A merge that was left to the agent: of `onto` into `ours`. `placed`: its conflicts are in the worktree. */
  merging: z.object({ onto: z.string(), ours: z.string(), files: z.array(z.string()), placed: z.boolean() }).optional(),
});
export type Record = z.infer<typeof Record>;

export const recordFile = (path: string): string => join(dirname(path), `.${basename(path)}.json`);
/** Our own index of the worktree: warm, and out of the agent's reach of habit. */
export const indexFile = (path: string): string => join(dirname(path), `.${basename(path)}.index`);

/** A file-system step; failures are worth another try. */
export const io = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, WorkspaceIo> =>
  Effect.tryPromise({ try: run, catch: (cause) => new WorkspaceIo({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` }) });

export const codeOf = (cause: unknown): string | undefined => cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;

/** `undefined` instead of a rejection when the path is not there. */
export const present = async <A>(run: () => Promise<A>): Promise<A | undefined> => {
  try { return await run(); } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw cause;
  }
};

export const readRecord = (path: string): Effect.Effect<Record | undefined, WorkspaceIo> => io("reading the workspace record", async () => {
  const text = await present(() => fs.readFile(recordFile(path), "utf8"));
  return text === undefined ? undefined : Record.parse(JSON.parse(text));
});

export const writeRecord = (path: string, record: Record): Effect.Effect<void, WorkspaceIo> => io("writing the workspace record", async () => {
  const temporary = `${recordFile(path)}.${randomUUID()}`;
  try {
    const file = await fs.open(temporary, "wx", 0o600);
    try { await file.writeFile(JSON.stringify(record)); await file.sync(); } finally { await file.close(); }
    await fs.rename(temporary, recordFile(path));
  } catch (cause) { await fs.rm(temporary, { force: true }); throw cause; }
  const directory = await fs.open(dirname(path), "r");
  try { await directory.sync(); } finally { await directory.close(); }
});
