import { existsSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";

/** Programs that checks start, directly or through a package manager. */
const programs = ["node", "npm", "npx", "pnpm", "yarn", "bun", "corepack", "cargo", "rustc", "go", "python3", "python", "pytest", "ruff", "uv", "make", "sh", "git"];

/** What of the machine a check may read, besides the system directories. */
export interface Tools { /** Directories to show read-only at their own place. */ readonly directories: readonly string[]; /** PATH inside, in the owner's order. */ readonly path: string; readonly env: Readonly<Record<string, string>> }

const system = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store"];
const under = (parent: string, path: string): boolean => path === parent || path.startsWith(`${parent}/`);

/**
 * Finds the installation behind each program of PATH that lies outside the system directories. An installation is shown whole only when it looks like one
 * (`PREFIX/bin/program` with `PREFIX/lib`) and is no home directory or a dot directory that also holds credentials.
 */
export const findTools = (environment: Readonly<Record<string, string | undefined>>): Tools => {
  const home = environment.HOME ?? "/nonexistent";
  const directories = new Set<string>();
  const env: Record<string, string> = {};
  const entries = (environment.PATH ?? "/usr/bin:/bin").split(delimiter).filter((entry) => isAbsolute(entry));
  const visible = (path: string) => system.some((top) => under(top, path)) || [...directories].some((top) => under(top, path));
  const private_ = new Set([home, "/", join(home, ".cargo"), join(home, ".local"), join(home, ".config"), join(home, ".npm")].map((path) => path.replace(/(?<=.)\/$/, "")));
  for (const program of programs) {
    for (const entry of entries) {
      const found = join(entry, program);
      if (!existsSync(found)) continue;
      const real = realpathSync(found);
      for (const path of [found, real]) {
        if (visible(path)) continue;
        const prefix = dirname(dirname(path));
        directories.add(dirname(path).endsWith("/bin") && existsSync(join(prefix, "lib")) && !private_.has(prefix) ? prefix : dirname(path));
      }
      break;
    }
  }
  const rustup = environment.RUSTUP_HOME ?? join(home, ".rustup");
  if (existsSync(join(rustup, "toolchains"))) { directories.add(rustup); env.RUSTUP_HOME = rustup; }
  const pyenv = environment.PYENV_ROOT ?? join(home, ".pyenv");
  if (entries.some((entry) => under(pyenv, entry)) && existsSync(pyenv)) { directories.add(pyenv); env.PYENV_ROOT = pyenv; }
  const inside = entries.filter((entry) => existsSync(entry) && statSync(entry).isDirectory() && visible(entry));
  return { directories: [...directories].filter((path) => !private_.has(path)), path: [...new Set([...inside, "/usr/local/bin", "/usr/bin", "/bin"])].join(delimiter), env };
};
