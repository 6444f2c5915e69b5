import { join } from "node:path";
import { execa } from "execa";
import { fetched } from "../support/fetched.ts";

/** A CLI from the package registry, pinned. `program` is its name in `node_modules/.bin`; `--version` must say `version`. */
export interface PinnedCli { readonly package: string; readonly version: string; readonly program: string }

export const claudeCode: PinnedCli = { package: "@anthropic-ai/claude-code", version: "2.1.330", program: "claude" };
export const codexCli: PinnedCli = { package: "@openai/codex", version: "0.169.0", program: "codex" };
export const opencodeCli: PinnedCli = { package: "opencode-ai", version: "1.18.33", program: "opencode" };

const bin = (directory: string): string => join(directory, "node_modules", ".bin");

/** The directory that holds the program. Fails with `PackageMissing`. */
export const fetchCli = async ({ program, ...pinned }: PinnedCli): Promise<string> => bin(await fetched("clis", {
  ...pinned,
  works: async (directory) => {
    const said = await execa(join(bin(directory), program), ["--version"], { stdin: "ignore", timeout: 30_000, reject: false, env: { DISABLE_AUTOUPDATER: "1" } });
    return !said.failed && said.stdout.split(/\s+/).includes(pinned.version);
  },
}));
