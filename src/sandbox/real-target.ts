import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Links followed before giving up, as Linux does (ELOOP). */
const linkCap = 40;

export const codeOf = (cause: unknown): unknown => (cause instanceof Error && "code" in cause ? cause.code : undefined);

/** Where an access to `file` would end up: every symbolic link resolved, also a dangling one, for a file that need not exist. Throws what the system says. */
export const realTarget = (file: string, links = 0): string => {
  try {
    return realpathSync(file);
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT" || links > linkCap) throw cause;
  }
  const folder = realTarget(dirname(file), links);
  const place = join(folder, basename(file));
  return lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true ? realTarget(resolve(folder, readlinkSync(place)), links + 1) : place;
};
