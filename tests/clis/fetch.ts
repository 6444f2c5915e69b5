import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** A CLI from the package registry, pinned. `program` is its name in `node_modules/.bin`, `version` what `--version` must begin with. */
export interface PinnedCli { readonly package: string; readonly version: string; readonly program: string }

export const claudeCode: PinnedCli = { package: "@anthropic-ai/claude-code", version: "2.1.330", program: "claude" };

export class CliMissing extends Error {}

const cacheHome = (): string => {
  const named = process.env["XDG_CACHE_HOME"];
  if (named !== undefined && named.startsWith("/")) return named;
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
};

const works = async (program: string, version: string): Promise<boolean> => {
  const said = await execa(program, ["--version"], { stdin: "ignore", timeout: 30_000, reject: false, env: { DISABLE_AUTOUPDATER: "1" } });
  return !said.failed && said.stdout.startsWith(version);
};

/** The directory that holds the program: from the cache, else fetched into it, once. Fails with `CliMissing`. */
export const fetchCli = async (cli: PinnedCli): Promise<string> => {
  const home = join(cacheHome(), "enact-factory", "clis", `${cli.package.split("/").at(-1) ?? cli.program}-${cli.version}`);
  const bin = (root: string): string => join(root, "node_modules", ".bin");
  if (await works(join(bin(home), cli.program), cli.version)) return bin(home);
  await mkdir(dirname(home), { recursive: true });
  const fresh = await mkdtemp(`${home}.`);
  try {
    console.log(`fetching ${cli.package}@${cli.version}`);
    const npm = await execa("npm", ["install", "--prefix", fresh, "--save-exact", "--no-audit", "--no-fund", "--loglevel=error", `${cli.package}@${cli.version}`], { cwd: fresh, stdin: "ignore", timeout: 600_000, reject: false, all: true });
    if (npm.failed) throw new CliMissing(`${cli.package}@${cli.version} cannot be fetched: ${npm.all.trim().split("\n").at(0) ?? npm.shortMessage ?? ""}`);
    if (!await works(join(bin(fresh), cli.program), cli.version)) throw new CliMissing(`${cli.package}@${cli.version} was fetched, but does not run here`);
    await rm(home, { recursive: true, force: true });
    await rename(fresh, home);
    return bin(home);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
};
