import { Effect } from "effect";
import { execa } from "execa";
import { z } from "zod";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { olderThan } from "../tested-version.ts";
import { claudeEnvironment } from "./environment.ts";

/** The version that the contract suite runs. Older ones may lack an option of ours (`--permission-prompts`, `--tools`) and refuse to start. */
const tested = "2.1.330";

/** `claude auth status` reads files only; it says so without a network. */
const Status = z.looseObject({ loggedIn: z.boolean(), authMethod: z.string().optional() });

const run = (host: HostEnvironment, args: readonly string[]) =>
  Effect.promise((signal) => execa("claude", args, {
    env: claudeEnvironment(host, { readOnly: true, stallMs: 60_000 }), extendEnv: false,
    // Not in a repository: the CLI would read its settings.
    cwd: host.home, stdin: "ignore", timeout: 10_000, reject: false, cancelSignal: signal, maxBuffer: 64 * 1_024,
  }));

const signedIn = (stdout: string): z.infer<typeof Status> | undefined => {
  try { return Status.safeParse(JSON.parse(stdout)).data; } catch { return undefined; }
};

/** Is the CLI there, which version, is somebody signed in? Neither question reaches the network or costs money. */
export const claudeProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const version = yield* run(host, ["--version"]);
  if (version.failed) {
    return { ok: false, detail: version.code === "ENOENT" ? "claude is not on the PATH" : `claude --version failed: ${version.shortMessage ?? ""}`, mend: "npm install -g @anthropic-ai/claude-code" };
  }
  const found = /^\d+\.\d+\.\d+/.exec(version.stdout.trim())?.[0];
  if (found === undefined || olderThan(tested, found)) return { ok: false, detail: `claude ${version.stdout.trim()} is older than ${tested}, the version this adapter is tested with`, mend: "claude update" };
  const status = signedIn((yield* run(host, ["auth", "status"])).stdout);
  const named = `claude ${found}`;
  if (status === undefined) return { ok: true, detail: `${named}; it does not say whether somebody is signed in` };
  if (!status.loggedIn) return { ok: false, detail: `${named}; nobody is signed in`, mend: "claude auth login" };
  return { ok: true, detail: `${named}; signed in (${status.authMethod ?? "unknown method"})` };
});
