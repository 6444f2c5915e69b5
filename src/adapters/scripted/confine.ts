import { realpathSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { realTarget } from "../../sandbox/real-target.ts";

/** The real path of `file` if it lies in `directory` after symlink resolution, else `undefined`. */
export const confined = (directory: string, file: string): string | undefined => {
  const target = realTarget(resolve(directory, file));
  const inner = relative(realpathSync(directory), target);
  return inner !== ".." && !inner.startsWith("../") && !isAbsolute(inner) ? target : undefined;
};
