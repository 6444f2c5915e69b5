/**
 * Bundles the command line once, before the tests begin. Hundreds of its processes are started; bundled, as users have it, each costs a
 * third of the CPU that its sources cost; what they compile is kept for the next.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { bundle } from "../../.toolchain/bundle.ts";

const cache = join(dirname(dirname(import.meta.dirname)), ".cache");
const prefix = "tests-";

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

export default async (): Promise<() => void> => {
  // What a run left that was killed.
  try {
    for (const name of readdirSync(cache)) if (name.startsWith(prefix) && !lives(Number(name.slice(prefix.length)))) rmSync(join(cache, name), { recursive: true, force: true });
  } catch {
    // There is no cache yet.
  }
  const directory = join(cache, `${prefix}${process.pid}`);
  await bundle({ cli: "src/main.ts" }, directory);
  process.env["ENACT_TEST_BIN"] = join(directory, "cli.js");
  process.env["ENACT_TEST_CACHE"] = join(directory, "cache");
  // git is started thousands of times: where it is comes before the folders of other tools.
  const path = (process.env["PATH"] ?? "").split(delimiter);
  const first = path.filter((folder) => existsSync(join(folder, "git"))).slice(0, 1);
  process.env["PATH"] = [...new Set([dirname(process.execPath), ...first, ...path])].join(delimiter);
  // Sockets of tmux servers outlive them.
  const sockets = mkdtempSync(join(tmpdir(), "enact-tmux-"));
  process.env["TMUX_TMPDIR"] = sockets;
  return () => {
    rmSync(directory, { recursive: true, force: true });
    rmSync(sockets, { recursive: true, force: true });
  };
};
