/**
 * Results of checks, on disk, by everything that could change them.
 * I1 A result is written whole or not at all; one that cannot be read is simply made again.
 */
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckResult } from "../domain/check.ts";

/** One run with the tests it named. `passed` is `null` when the output names none. */
export const Outcome = z.object({ result: CheckResult, passed: z.array(z.string()).nullable() });
export type Outcome = z.infer<typeof Outcome>;

export const readCache = async (directory: string, key: string): Promise<Outcome | undefined> => {
  try { const found = Outcome.safeParse(JSON.parse(await fs.readFile(join(directory, `${key}.json`), "utf8"))); return found.success ? found.data : undefined; } catch { return undefined; }
};

export const writeCache = async (directory: string, key: string, outcome: Outcome): Promise<void> => {
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `.${key}.${randomUUID()}`);
  try { await fs.writeFile(temporary, JSON.stringify(outcome), { mode: 0o600 }); await fs.rename(temporary, join(directory, `${key}.json`)); } catch (cause) { await fs.rm(temporary, { force: true }); throw cause; }
};
