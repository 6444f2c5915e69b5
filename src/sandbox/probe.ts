/** Finds the sandbox that works here, by running it. */
import { Effect } from "effect";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { SandboxSetting } from "../domain/config.ts";
import { SandboxMissing } from "../ports/verifier.ts";
import { runConfined } from "./run-confined.ts";
import { bubblewrap } from "./bubblewrap.ts";
import { container } from "./container.ts";
import { off } from "./off.ts";
import type { Sandbox } from "./sandbox.ts";
import { seatbelt } from "./seatbelt.ts";
import { findTools } from "./tools.ts";

/** Milliseconds a trial may take; a container engine may have to start. */
const trialMs = 60_000;

const works = async (sandbox: Sandbox, scratch: string): Promise<string | undefined> => {
  await fs.mkdir(scratch, { recursive: true, mode: 0o700 });
  const temporary = await fs.mkdtemp(join(scratch, "probe-"));
  try {
    const directory = join(temporary, "export");
    await fs.mkdir(directory);
    // It must run a program, let it write the export, and keep it from the rest of the disk.
    const escape = join(temporary, "escaped");
    const done = await runConfined(sandbox, { argv: ["sh", "-c", "echo ok > inside; echo no > \"$1\"; cat inside", "sh", escape], directory, temporary: await fs.mkdtemp(join(temporary, "t-")), env: {}, dependencies: [] }, trialMs);
    if (done.exitCode === undefined || !done.output.includes("ok")) return done.output.trim().slice(-500) || "it did not start";
    return await fs.access(escape).then(() => "it lets a program write outside the export", () => undefined);
  } finally { await fs.rm(temporary, { recursive: true, force: true }); }
};

const environment = process.env;

/** The sandbox of a setting. `auto` never means none. */
export const probeSandbox = (setting: SandboxSetting, scratch: string): Effect.Effect<Sandbox, SandboxMissing> => Effect.gen(function* () {
  const tools = findTools(environment);
  if (setting === "off") return off(environment.PATH ?? "/usr/local/bin:/usr/bin:/bin");
  const candidates: readonly Sandbox[] = typeof setting === "object" ? [container("podman", setting.container), container("docker", setting.container)]
    : process.platform === "darwin" ? [seatbelt(tools, environment.HOME ?? "/Users")] : [bubblewrap(tools, true), bubblewrap(tools, false)];
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const reason = yield* Effect.promise(() => works(candidate, scratch).catch((cause: unknown) => String(cause)));
    if (reason === undefined) return candidate;
    const said = `${candidate.name}: ${reason}`;
    if (!reasons.includes(said)) reasons.push(said);
  }
  const mend = typeof setting === "object" ? `podman run --rm ${setting.container} true` : process.platform === "darwin" ? 'set verify.sandbox = "off", or { container = "IMAGE" }'
    : "sudo apt-get install bubblewrap (or dnf, pacman; where AppArmor restricts user namespaces: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0)";
  return yield* new SandboxMissing({ message: `no sandbox works here, so no check was run. ${reasons.join("; ")}`, mend });
});
