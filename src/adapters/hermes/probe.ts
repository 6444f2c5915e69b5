import { Effect } from "effect";
import { execa } from "execa";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { hermesEnvironment } from "./environment.ts";

/** Is the CLI there, and which version? What it says of its logins is for people; it is not read. */
export const hermesProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const version = yield* Effect.promise((signal) => execa("hermes", ["--version"], {
    env: hermesEnvironment(host), extendEnv: false, cwd: host.home, stdin: "ignore", timeout: 15_000, reject: false, cancelSignal: signal, maxBuffer: 64 * 1_024, all: true,
  }));
  if (version.failed) {
    return version.code === "ENOENT" ? { ok: false, detail: "hermes is not on the PATH", mend: "install Hermes Agent: https://hermes-agent.nousresearch.com/docs" } : { ok: false, detail: `hermes --version failed: ${version.shortMessage ?? ""}`, mend: "hermes doctor" };
  }
  return { ok: true, detail: `${version.stdout.trim().split("\n").at(0) ?? "hermes"}; whether somebody is signed in is not known (hermes status tells)` };
});
