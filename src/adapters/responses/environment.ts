import { mcpVariables } from "../../domain/mcp.ts";
import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "USER", "LOGNAME",
  // Of the agent itself; docs/adapters/responses.md says what each does.
  ...["MODEL", "CONTEXT_TOKENS", "REASONING_EFFORT", "MAX_REQUESTS", "MAX_RETRIES", "MAX_COMPACTIONS", "MAX_VERIFICATIONS", "RETRY_BASE_MS", "RETRY_MAX_MS", "PATIENCE_MS", "IDLE_TIMEOUT_MS", "COMMAND_TIMEOUT_MS"].map((name) => `ENACT_RESPONSES_${name}`),
  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
];
const proxies: readonly string[] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

const set = (host: HostEnvironment, names: readonly string[]): Record<string, string> => Object.fromEntries(names.flatMap((name) => { const value = host.env[name]; return value === undefined || value === "" ? [] : [[name, value]]; }));

/** Where the model is and how it is reached. A variable of this provider goes before the gateway's, each for itself. */
export const providerIn = (host: HostEnvironment): { readonly baseUrl: string | undefined; readonly key: string | undefined } => {
  const first = (...names: readonly string[]): string | undefined => names.map((name) => host.env[name]).find((value) => value !== undefined && value !== "");
  return { baseUrl: first("ENACT_RESPONSES_BASE_URL", "ENACT_GATEWAY_BASE_URL"), key: first("ENACT_RESPONSES_API_KEY", "ENACT_GATEWAY_API_KEY") };
};

/** The agent's own rescue from a silent stream must come before the factory's stall timer. A model may think for minutes without a sign; after five Node's own client gives up. */
const idleMs = (stallMs: number): string => String(Math.max(5_000, Math.min(290_000, Math.floor(stallMs / 2))));

/** The whole environment of the agent. */
export const responsesEnvironment = (host: HostEnvironment, provider: { readonly baseUrl: string; readonly key: string }, turn: { readonly stallMs: number }): Readonly<Record<string, string>> => {
  const through = set(host, proxies);
  return {
    HOME: host.home, ...set(host, mcpVariables(host.mcp ?? [])), ENACT_RESPONSES_IDLE_TIMEOUT_MS: idleMs(turn.stallMs), ...set(host, passed), ...through,
    // Node looks at these variables only when it is told to.
    ...(Object.keys(through).length === 0 ? {} : { NODE_USE_ENV_PROXY: "1" }),
    ENACT_RESPONSES_BASE_URL: provider.baseUrl, ENACT_RESPONSES_API_KEY: provider.key,
  };
};
