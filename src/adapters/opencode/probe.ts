import { stripVTControlCharacters } from "node:util";
import { Effect } from "effect";
import { execa } from "execa";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { olderThan } from "../tested-version.ts";
import { opencodeEnvironment } from "./environment.ts";

/** The version that the contract suite runs. Older ones may lack a switch of ours and let a repository in. */
const tested = "1.18.33";

/** It starts slowly, the first time most of all: it makes its database then. */
const run = (host: HostEnvironment, args: readonly string[]) =>
  Effect.promise((signal) => execa("opencode", args, {
    env: opencodeEnvironment(host), extendEnv: false,
    cwd: host.home, stdin: "ignore", timeout: 30_000, reject: false, cancelSignal: signal, maxBuffer: 256 * 1_024, all: true,
  }));

/** Its own provider, whose free models it lists without a login: nobody chose to send work there. */
const ownProvider = "opencode";

/** Is the CLI there, which version, which providers can it reach a model of? No question reaches the network or costs money. */
export const opencodeProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const version = yield* run(host, ["--version"]);
  if (version.failed) {
    return { ok: false, detail: version.code === "ENOENT" ? "opencode is not on the PATH" : `opencode --version failed: ${version.shortMessage ?? ""}`, mend: "npm install -g opencode-ai" };
  }
  const found = /\d+\.\d+\.\d+/.exec(version.stdout)?.[0];
  if (found === undefined || olderThan(tested, found)) return { ok: false, detail: `opencode ${version.stdout.trim()} is older than ${tested}, the version this adapter is tested with`, mend: "npm install -g opencode-ai" };
  const named = `opencode ${found}`;
  // Lists the models of what it is signed in to, of keys in the environment, and of providers in the user's configuration.
  const models = yield* run(host, ["models"]);
  if (models.failed) return { ok: false, detail: `${named}; opencode models failed: ${stripVTControlCharacters(models.all).trim().split("\n").at(0) ?? ""}`, mend: "opencode models" };
  const providers = [...new Set(models.stdout.split("\n").flatMap((line) => /^([\w.-]+)\/\S+$/.exec(line.trim())?.[1] ?? []))];
  const others = providers.filter((provider) => provider !== ownProvider);
  if (others.length > 0) return { ok: true, detail: `${named}; models of ${others.join(", ")}` };
  if (opencodeEnvironment(host)["OPENCODE_API_KEY"] !== undefined) return { ok: true, detail: `${named}; signed in (OPENCODE_API_KEY)` };
  // Reads a file. It shows no key.
  const logins = yield* run(host, ["auth", "list"]);
  return /\b[1-9]\d* credentials?\b/.test(stripVTControlCharacters(logins.all)) ? { ok: true, detail: `${named}; signed in to opencode` } : { ok: false, detail: `${named}; nobody is signed in, and no key is set`, mend: "opencode auth login" };
});
