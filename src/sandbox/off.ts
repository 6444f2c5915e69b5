import * as fs from "node:fs/promises";
import { join } from "node:path";
import { linkDependencies } from "./link-dependencies.ts";
import { type Sandbox, fixedEnv } from "./sandbox.ts";

/** No sandbox: the owner said so. The command still gets a home of its own and none of the owner's environment but what is named. */
export const off = (path: string): Sandbox => ({
  name: "off",
  confines: false,
  launch: async (command) => {
    await linkDependencies(command);
    const home = join(command.temporary, "home"), temporary = join(command.temporary, "tmp");
    await Promise.all([home, temporary].map((made) => fs.mkdir(made, { recursive: true })));
    return { argv: command.argv, env: { ...fixedEnv(home, temporary, path), ...command.env }, cwd: command.directory };
  },
});
