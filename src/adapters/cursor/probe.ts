import { Effect } from "effect";
import { execa } from "execa";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { cursorEnvironment } from "./environment.ts";

const run = (host: HostEnvironment, args: readonly string[]) =>
  Effect.promise((signal) => execa("cursor-agent", args, {
    env: cursorEnvironment(host), extendEnv: false,
    // Not in a repository: the CLI would look at its settings.
    cwd: host.home, stdin: "ignore", timeout: 15_000, reject: false, cancelSignal: signal, maxBuffer: 64 * 1_024, all: true,
  }));

/** Is the CLI there, which version, is it signed in? A key in the environment is believed; the state of a login is the CLI's to tell. */
export const cursorProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const version = yield* run(host, ["--version"]);
  if (version.failed) {
    return version.code === "ENOENT" ? { ok: false, detail: "cursor-agent is not on the PATH", mend: "install the Cursor CLI: https://cursor.com/docs/cli/installation" } : { ok: false, detail: `cursor-agent --version failed: ${version.shortMessage ?? ""}`, mend: "cursor-agent update" };
  }
  const named = `cursor-agent ${version.stdout.trim().split("\n").at(0) ?? ""}`;
  if (cursorEnvironment(host)["CURSOR_API_KEY"] !== undefined) return { ok: true, detail: `${named}; signed in (CURSOR_API_KEY)` };
  const status = yield* run(host, ["status"]);
  return status.failed || /not (?:logged in|authenticated)/i.test(status.all) ? { ok: false, detail: `${named}; nobody is signed in`, mend: "cursor-agent login, or set CURSOR_API_KEY" } : { ok: true, detail: `${named}; signed in` };
});
