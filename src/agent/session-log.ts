/**
 * The agent's memory of a session: a file of JSON lines, 0600, beside the runs and outside of every worktree. What is not in it has not happened.
 *
 * Owns: the file. Talks to: nobody. I1 An entry is on the disk before what follows from it is done: a tool runs after its `call`, the next request is sent
 * after its `output`. I2 Only the last line can be torn, by a kill or a full disk; it is taken for unwritten and cut off before the next.
 * I3 Nothing is ever taken away: a summary is an entry like the others.
 */
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Usage } from "../domain/spend.ts";
import { AnswerItem, Item } from "./item.ts";

export const Entry = z.discriminatedUnion("type", [
  /** A run takes the session up; `prompt` is what it was asked. */
  z.object({ type: z.literal("turn"), run: z.string(), model: z.string(), prompt: z.string(), notes: z.string() }),
  /** What was said to the model besides; `heard`: a person's or another agent's message. */
  z.object({ type: z.literal("said"), item: Item, heard: z.string().optional() }),
  z.object({ type: z.literal("request"), purpose: z.enum(["plan", "work", "verify", "compact"]), n: z.number() }),
  z.object({ type: z.literal("answer"), items: z.array(AnswerItem), usage: Usage.nullable() }),
  z.object({ type: z.literal("trouble"), kind: z.string(), message: z.string(), usage: Usage.nullable() }),
  /** A tool begins. */
  z.object({ type: z.literal("call"), id: z.string() }),
  z.object({ type: z.literal("output"), id: z.string(), ok: z.boolean(), output: z.string() }),
  z.object({ type: z.literal("summary"), text: z.string(), usage: Usage.nullable() }),
  z.object({ type: z.literal("end"), how: z.string() }),
]);
export type Entry = z.infer<typeof Entry>;

export interface SessionLog {
  readonly entries: readonly Entry[];
  readonly append: (entry: Entry) => void;
  /** For outputs too long for a conversation. */
  readonly outputs: string;
  readonly close: () => void;
}

/** Ids come from outside (a store, a person): names of files they must be. */
const sessionId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$/;

const parsed = (line: string): Entry | undefined => {
  try { return Entry.safeParse(JSON.parse(line)).data; } catch { return undefined; }
};

export type Opened = { readonly ok: true; readonly log: SessionLog } | { readonly ok: false; readonly why: string };

/** `hide`: takes secrets out of every line. */
export const openSession = (directory: string, id: string, create: boolean, hide: (text: string) => string): Opened => {
  if (!sessionId.test(id)) return { ok: false, why: `${JSON.stringify(id.slice(0, 100))} is no id of a session` };
  const file = join(directory, `${id}.jsonl`), outputs = join(directory, `${id}.outputs`);
  if (!create && !existsSync(file)) return { ok: false, why: `there is no session ${id}` };
  mkdirSync(outputs, { recursive: true, mode: 0o700 });
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  // I2
  const whole = bytes.lastIndexOf(10) + 1;
  const lines = bytes.subarray(0, whole).toString("utf8").split("\n").slice(0, -1);
  const entries: Entry[] = [];
  for (const [n, line] of lines.entries()) {
    const entry = parsed(line);
    if (entry === undefined) return { ok: false, why: `line ${n + 1} of session ${id} cannot be read` };
    entries.push(entry);
  }
  const fd = openSync(file, "a", 0o600);
  if (whole < bytes.length) ftruncateSync(fd, whole);
  return {
    ok: true,
    log: {
      entries, outputs,
      append: (entry) => {
        const line = Buffer.from(`${hide(JSON.stringify(entry))}\n`, "utf8");
        for (let sent = 0; sent < line.length;) sent += writeSync(fd, line, sent);
        fdatasyncSync(fd);
        entries.push(entry);
      },
      close: () => closeSync(fd),
    },
  };
};
