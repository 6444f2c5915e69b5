import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Confined } from "./sandbox.ts";

/** Where no bind mounts exist: a link in the export to each dependency directory of the checkout. */
export const linkDependencies = async ({ directory, dependencies }: Confined): Promise<void> => {
  for (const { from, at } of dependencies) {
    await fs.mkdir(dirname(join(directory, at)), { recursive: true });
    await fs.symlink(from, join(directory, at)).catch((cause: unknown) => { if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause; });
  }
};
