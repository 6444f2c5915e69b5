import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";

/** Links followed before giving up, as Linux does (ELOOP). */
const linkCap = 40;

const codeOf = (cause: unknown): unknown => (cause instanceof Error && "code" in cause ? cause.code : undefined);

/** Where a write to `file` would end up: every symlink resolved, also a dangling one, for a file that need not exist. */
const realTarget = (file: string, links = 0): string => {
  try {
    return realpathSync(file);
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT" || links > linkCap) throw cause;
  }
  const folder = realTarget(dirname(file), links);
  const place = join(folder, basename(file));
  return lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() ? realTarget(resolve(folder, readlinkSync(place)), links + 1) : place;
};

/** The real path of `file` if it lies in `directory` after symlink resolution, else `undefined`. */
export const confined = (directory: string, file: string): string | undefined => {
  const target = realTarget(resolve(directory, file));
  const inner = relative(realpathSync(directory), target);
  return inner !== ".." && !inner.startsWith("../") && !isAbsolute(inner) ? target : undefined;
};
