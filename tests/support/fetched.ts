import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";

/** A package that only tests use and that is no dependency: pinned, fetched into the user's cache, once. */
export interface PinnedPackage {
  readonly package: string;
  readonly version: string;
  /** Does what was installed under this directory work? */
  readonly works: (directory: string) => Promise<boolean>;
}

export class PackageMissing extends Error {}

const cacheHome = (): string => {
  const named = process.env["XDG_CACHE_HOME"];
  if (named !== undefined && named.startsWith("/")) return named;
  return process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
};

/** The directory that holds it (and `node_modules`): from the cache `folder`, else from the registry. Fails with `PackageMissing`. */
export const fetched = async (folder: string, { package: name, version, works }: PinnedPackage): Promise<string> => {
  const home = join(cacheHome(), "enact-factory", folder, `${name.split("/").at(-1) ?? name}-${version}`);
  if (await works(home)) return home;
  await mkdir(dirname(home), { recursive: true });
  const fresh = await mkdtemp(`${home}.`);
  try {
    console.log(`fetching ${name}@${version}`);
    const npm = await execa("npm", ["install", "--prefix", fresh, "--save-exact", "--no-audit", "--no-fund", "--loglevel=error", `${name}@${version}`], { cwd: fresh, stdin: "ignore", timeout: 600_000, reject: false, all: true });
    if (npm.failed) throw new PackageMissing(`${name}@${version} cannot be fetched: ${npm.all.trim().split("\n").at(0) ?? npm.shortMessage ?? ""}`);
    if (!await works(fresh)) throw new PackageMissing(`${name}@${version} was fetched, but does not run here`);
    await rm(home, { recursive: true, force: true });
    await rename(fresh, home);
    return home;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
};
