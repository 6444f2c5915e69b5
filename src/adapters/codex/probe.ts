import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Effect } from "effect";
import { execa } from "execa";
import { parse as parseToml } from "smol-toml";
import { z } from "zod";
import type { AdapterProbe, HostEnvironment } from "../../ports/adapter.ts";
import { olderThan } from "../tested-version.ts";
import { codexEnvironment, codexHome, homeProblem } from "./environment.ts";

/** The version that the contract suite runs. Older ones may lack a setting of ours and let a repository in. */
const tested = "0.169.0";

const run = (host: HostEnvironment, args: readonly string[]) =>
  Effect.promise((signal) => execa("codex", args, {
    env: codexEnvironment(host), extendEnv: false,
    // Not in a repository: the CLI would look at its settings.
    cwd: host.home, stdin: "ignore", timeout: 10_000, reject: false, cancelSignal: signal, maxBuffer: 64 * 1_024, all: true,
  }));

const Provider = z.object({ env_key: z.string().optional().catch(undefined) });
const Server = z.object({ enabled: z.boolean().catch(true) }).catch({ enabled: true });
const Configured = z.object({ model_provider: z.string().optional().catch(undefined), model_providers: z.record(z.string(), Provider).catch({}), mcp_servers: z.record(z.string(), Server).catch({}) });

interface OwnConfiguration {
  /** The model provider that it names, when that is not OpenAI. */
  readonly provider?: { readonly name: string; readonly key: string | undefined };
  readonly servers: readonly string[];
}
/** What matters here of the user's own configuration. */
const ownConfiguration = async (host: HostEnvironment): Promise<OwnConfiguration> => {
  try {
    const { model_provider: name, model_providers: providers, mcp_servers: servers } = Configured.parse(parseToml(await readFile(join(codexHome(host), "config.toml"), "utf8")));
    return {
      ...(name === undefined || name === "openai" ? {} : { provider: { name, key: providers[name]?.env_key } }),
      servers: Object.entries(servers).filter(([, { enabled }]) => enabled).map(([server]) => server),
    };
  } catch {
    return { servers: [] };
  }
};

/** Who pays: a key in the environment, a provider of the user's, else the login. `codex login status` reads files only. */
const access = (host: HostEnvironment, named: string, { provider }: OwnConfiguration): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const given = codexEnvironment(host);
  if (provider !== undefined) {
    const { name, key } = provider;
    if (key === undefined || given[key] !== undefined) return { ok: true, detail: `${named}; model provider ${name}` };
    if ((host.env[key] ?? "") === "") return { ok: false, detail: `${named}; its model provider ${name} wants ${key}, which is not set`, mend: `export ${key}=…` };
    return { ok: false, detail: `${named}; its model provider ${name} wants ${key}, which is not among the variables that agents are given`, mend: "name OPENAI_API_KEY as its env_key in config.toml of codex" };
  }
  const key = ["CODEX_API_KEY", "CODEX_ACCESS_TOKEN"].find((name) => given[name] !== undefined);
  if (key !== undefined) return { ok: true, detail: `${named}; signed in (${key})` };
  const status = yield* run(host, ["login", "status"]);
  if (status.failed) return { ok: false, detail: `${named}; nobody is signed in`, mend: given["OPENAI_API_KEY"] === undefined ? "codex login" : "printenv OPENAI_API_KEY | codex login --with-api-key" };
  // It shows a part of the key.
  return { ok: true, detail: `${named}; signed in (${/ChatGPT/i.test(status.all) ? "ChatGPT" : /API key/i.test(status.all) ? "API key" : "unknown method"})` };
});

/** Is the CLI there, which version, can its sandbox work here, is somebody signed in? No question reaches the network or costs money. */
export const codexProbe = (host: HostEnvironment): Effect.Effect<AdapterProbe> => Effect.gen(function* () {
  const version = yield* run(host, ["--version"]);
  if (version.failed) {
    return { ok: false, detail: version.code === "ENOENT" ? "codex is not on the PATH" : `codex --version failed: ${version.shortMessage ?? ""}`, mend: "npm install -g @openai/codex" };
  }
  const found = /\d+\.\d+\.\d+/.exec(version.stdout)?.[0];
  if (found === undefined || olderThan(tested, found)) return { ok: false, detail: `${version.stdout.trim()} is older than ${tested}, the version this adapter is tested with`, mend: "npm install -g @openai/codex" };
  const named = `codex ${found}`;
  const problem = homeProblem(host);
  if (problem !== undefined) return { ok: false, detail: `${named}; ${problem}`, mend: "set CODEX_HOME or TMPDIR to another directory" };
  // What it calls its sandbox is not there on every machine; without it no command of an agent runs.
  const sandbox = yield* run(host, ["sandbox", "--", "true"]);
  if (sandbox.failed) return { ok: false, detail: `${named}; its sandbox does not work here: ${sandbox.all.trim().split("\n").at(-1) ?? ""}`, mend: "codex doctor" };
  const own = yield* Effect.promise(() => ownConfiguration(host));
  const { detail, ...answer } = yield* access(host, named, own);
  return { ...answer, detail: own.servers.length === 0 ? detail : `${detail}; its MCP servers (${own.servers.join(", ")}) are outside its sandbox, in a critic's turn too` };
});
