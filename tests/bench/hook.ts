// `enact-factory hook stop` from the bundle, as a CLI calls it, with the daemon down and up, for a session that is denied and one that nothing is
// linked to: what a person waits for at each end of a turn. Wall time of the whole process; rounds alternating with a bare `node -e 0`. Needs
// `npm run build`. Not measured: a cold disk cache, PostgreSQL, a store of thousands of items.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { atMost, type Figure, median, report } from "./figure.ts";

const bin = join(import.meta.dirname, "..", "..", "dist", "cli.js"), rounds = 21;
const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
const env = { PATH: process.env["PATH"] ?? "", HOME: root, XDG_STATE_HOME: join(root, "state"), ENACT_HOOK_PATIENCE_MS: "30000" };
const factory = async (...argv: readonly string[]): Promise<string> => (await execa(process.execPath, [bin, ...argv], { cwd: root, env, extendEnv: false, stdin: "ignore", timeout: 60_000 })).stdout;
const wallMs = async (argv: readonly string[], input: string): Promise<{ readonly ms: number; readonly stdout: string }> => {
  const from = performance.now();
  const { stdout } = await execa(process.execPath, argv, { cwd: root, env, extendEnv: false, input, timeout: 60_000 });
  return { ms: performance.now() - from, stdout };
};

const measured = async (state: "down" | "up"): Promise<readonly Figure[]> => {
  const walls: Record<"bare" | "denied" | "unlinked", number[]> = { bare: [], denied: [], unlinked: [] };
  for (let round = 0; round < rounds; round++) {
    walls.bare.push((await wallMs(["-e", "0"], "")).ms);
    for (const kind of ["denied", "unlinked"] as const) {
      const { ms, stdout } = await wallMs([bin, "hook", "stop"], JSON.stringify({ session_id: kind, cwd: root, hook_event_name: "Stop", last_assistant_message: "Done." }));
      if ((stdout !== "") !== (kind === "denied")) throw new Error(`${kind} was answered with ${JSON.stringify(stdout)}`);
      walls[kind].push(ms);
    }
  }
  const bare = median(walls.bare);
  return (["denied", "unlinked"] as const).map((kind) => ({ what: `hook stop, daemon ${state}, ${kind}`, value: median(walls[kind]), unit: "ms wall", ratio: { of: median(walls[kind]) / bare, to: `node -e 0, ${bare.toFixed(0)} ms` }, budget: atMost(median(walls[kind]), 150, "ms") }));
};

try {
  mkdirSync(join(root, "items"));
  mkdirSync(join(root, "repo"));
  await execa("git", ["init", "-q", join(root, "repo")], { env, extendEnv: false });
  writeFileSync(join(root, "items", "one.md"), '+++\nlane = "manual"\n+++\n# One\n');
  // No breaker within the rounds.
  writeFileSync(join(root, "config.toml"), 'adapter = "scripted"\n[verify]\nsandbox = "off"\n[stop]\ndenials = 20\nwithinMs = 1\n[gateway]\nport = 0\n[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n');
  await factory("start");
  try {
    while (!(await factory("task", "list")).includes("LOC-1")) await sleep(100);
    await factory("session", "start", "--id", "denied", "--item", "LOC-1");
    const up = await measured("up");
    await factory("stop");
    report([...await measured("down"), ...up]);
  } finally {
    await factory("stop");
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
