import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { lives } from "../../tmux/process-table.ts";
import type { ProcessNode } from "../client/contract.ts";

/**
 * What the owner says of itself to readers in other processes: its tree, every few seconds, in a file of the state directory.
 * Information only: who owns the directory is the lock's to say, and nothing is decided by this file.
 */
const Node: z.ZodType<ProcessNode> = z.lazy(() => z.object({
  id: z.string(), kind: z.string(), state: z.string(), restarts: z.number(), since: z.number(),
  lastCrash: z.string().optional(), detail: z.string().optional(), children: z.array(Node).optional(),
}));
const OwnerStatus = z.object({ pid: z.number(), at: z.number(), /** A daemon; else a command that ends with its items. */ daemon: z.boolean().default(false), sandbox: z.string(), tree: z.array(Node) });
export type OwnerStatus = z.infer<typeof OwnerStatus>;

/** Milliseconds between two notes; one that is older than four of them is of an owner that is gone or hangs. */
export const statusEveryMs = 2_000;
const freshMs = 4 * statusEveryMs;

const fileOf = (stateDirectory: string): string => join(stateDirectory, "state", "status.json");

/** A full disk or a vanished directory shows elsewhere; the note is not worth a failure. */
export const noteStatus = (stateDirectory: string, status: OwnerStatus): void => {
  const file = fileOf(stateDirectory);
  try {
    writeFileSync(`${file}.new`, JSON.stringify(status), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    rmSync(`${file}.new`, { force: true });
  }
};

export const forgetStatus = (stateDirectory: string): void => rmSync(fileOf(stateDirectory), { force: true });

const lastNote = (stateDirectory: string): OwnerStatus | undefined => {
  try {
    return OwnerStatus.safeParse(JSON.parse(readFileSync(fileOf(stateDirectory), "utf8"))).data;
  } catch {
    return undefined;
  }
};

/** The living owner's last note; `undefined` when nobody has written one lately. */
export const readStatus = (stateDirectory: string, now: number): OwnerStatus | undefined => {
  const note = lastNote(stateDirectory);
  return note && Math.abs(now - note.at) < freshMs ? note : undefined;
};

/** Its process is there and it has said nothing for a while: for whoever knows that the lock is held, an owner that hangs. */
export const silentOwner = (stateDirectory: string, now: number): { readonly pid: number; readonly silentMs: number } | undefined => {
  const note = lastNote(stateDirectory);
  if (!note || Math.abs(now - note.at) < freshMs) return undefined;
  return lives(note.pid, null) ? { pid: note.pid, silentMs: Math.max(0, now - note.at) } : undefined;
};

/** The living owner's last note, unless its process is gone by now. A pid alone proves nothing: this is for whoever decides how long to wait. */
export const seemingOwner = (stateDirectory: string, now: number): OwnerStatus | undefined => {
  const note = readStatus(stateDirectory, now);
  return note && lives(note.pid, null) ? note : undefined;
};
