import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { bin, coder, makeRoom, mend } from "../cli/room.ts";
import { config, leftIn, only, shell } from "./room.ts";

const mounts = process.platform === "linux" && spawnSync("unshare", ["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).status === 0;
if (!mounts) console.log("skipped: a full disk under the whole product needs unshare --map-root-user --mount, which this machine refuses");

/** Mounts a small disk at `$1` of its own mount namespace, frees it when the file `$2` appears, and runs the rest. */
const inside = 'mount -t tmpfs -o size=12m tmpfs "$1"; ( until [ -e "$2" ]; do sleep 0.1; done; rm -f "$1/fill" ) & shift 2; exec "$@"';

test.skipIf(!mounts).for([
  { what: "of the state", directory: ".enact", says: /no room on the disk/ },
  { what: "of the worktrees", directory: "xdg", says: /waits for its next try: (coder: )?no room on the disk for the worktree/ },
])("the disk $what fills up: it is said, the item waits, and is done once there is room", { timeout: 240_000 }, async ({ directory, says }) => {
  await using room = makeRoom({ config: config() });
  const disk = join(room.directory, directory);
  const free = join(room.directory, "free");
  mkdirSync(disk);
  // The agent fills the disk, as agents do; only once.
  const fill = shell('[ -e "$HOME/filled" ] || { : > "$HOME/filled"; dd if=/dev/zero of="$1/fill" bs=1k 2>/dev/null; true; }', disk);
  const running = execa("unshare", ["--map-root-user", "--mount", "sh", "-c", inside, "sh", disk, free, process.execPath, bin, "run", "Fix", "-p", "repo", "--json", "--playbook", room.playbook("fill", coder(`${fill}, ${mend}`))],
    { cwd: room.directory, env: room.env, extendEnv: false, stdin: "ignore", reject: false, timeout: 200_000, killSignal: "SIGKILL" });
  try {
    let said = "";
    running.stderr.on("data", (chunk: Buffer) => { said += chunk.toString(); });
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(says);
  } finally {
    writeFileSync(free, "");
  }
  const done = await running;
  expect(done.exitCode, done.stderr).toBe(0);
  expect(only(done.stdout).status).toBe("done");
  expect(leftIn(room)).toEqual([]);
});
