/**
 * Takes away what ended long ago: directories of runs, and sessions that agents of ours keep beside them (folders whose names begin with a dot).
 * I1 Nothing goes that was written to since `before`: a run that lives writes its sign of life. I2 What cannot be removed stays, and is tried again the next time.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RunId } from "../domain/ids.ts";

/** How many were removed. `before`: milliseconds since the epoch. */
export const removeOldRuns = async (root: string, before: number): Promise<number> => {
  const names = await readdir(root, { withFileTypes: true }).catch(() => []), folders = names.filter((each) => each.isDirectory()).map(({ name }) => name);
  let removed = 0;
  for (const name of folders) {
    if (name.startsWith(".")) removed += await removeOldEntries(join(root, name), before);
    else if (RunId.safeParse(name).success && (await lastWritten(join(root, name))) < before && (await gone(join(root, name)))) removed += 1;
  }
  return removed;
};

const removeOldEntries = async (folder: string, before: number): Promise<number> => {
  let removed = 0;
  for (const name of await readdir(folder).catch(() => [])) if ((await lastWritten(join(folder, name))) < before && (await gone(join(folder, name)))) removed += 1;
  return removed;
};

/** Of a file, or of a directory and the files in it; what is not there any more was never written. */
const lastWritten = async (path: string): Promise<number> => {
  const about = await stat(path).catch(() => undefined);
  if (about === undefined) return Infinity;
  if (!about.isDirectory()) return about.mtimeMs;
  const inner = await Promise.all((await readdir(path).catch(() => [])).map((name) => stat(join(path, name)).then(({ mtimeMs }) => mtimeMs, () => 0)));
  return Math.max(about.mtimeMs, ...inner);
};

const gone = (path: string): Promise<boolean> => rm(path, { recursive: true, force: true }).then(() => true, () => false);
