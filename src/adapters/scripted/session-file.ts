/** The scripted agent's memory of a session: what it cost so far. A real CLI keeps such files in its home. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { Usage } from "../../domain/spend.ts";

const Session = z.object({ turns: z.number().int(), usd: z.number(), usage: Usage });
export type Session = z.infer<typeof Session>;

export const newSession: Session = { turns: 0, usd: 0, usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0 } };

const fileOf = (directory: string, id: string): string => join(directory, `${encodeURIComponent(id)}.json`);

/** `undefined`: no such session. */
export const loadSession = (directory: string, id: string): Session | undefined => {
  try {
    return Session.safeParse(JSON.parse(readFileSync(fileOf(directory, id), "utf8"))).data;
  } catch {
    return undefined;
  }
};

export const saveSession = (directory: string, id: string, session: Session): void => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = `${fileOf(directory, id)}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(session), { mode: 0o600 });
  renameSync(temporary, fileOf(directory, id));
};
