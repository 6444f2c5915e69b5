import { join, resolve, sep } from "node:path";
import { mcpVariables } from "../../domain/mcp.ts";
import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "SHELL", "USER", "LOGNAME",
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
  // Where the CLI keeps its login, configuration and sessions, and the keys it may be told to use.
  "CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN", "OPENAI_API_KEY", "OPENAI_ORGANIZATION", "OPENAI_PROJECT", "AZURE_OPENAI_API_KEY",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "CODEX_CA_CERTIFICATE", "SSL_CERT_FILE", "SSL_CERT_DIR",
];

/** The whole environment of the CLI: what it needs of the owner's, by name. What it is to do is in its arguments. */
export const codexEnvironment = (host: HostEnvironment): Readonly<Record<string, string>> => {
  const own: Record<string, string> = { HOME: host.home };
  for (const name of [...passed, ...mcpVariables(host.mcp ?? [])]) {
    const value = host.env[name];
    if (value !== undefined && value !== "") own[name] = value;
  }
  return own;
};

export const codexHome = ({ env, home }: Pick<HostEnvironment, "env" | "home">): string => env["CODEX_HOME"] || join(home, ".codex");

/** Why the CLI's sandbox cannot work here; it puts its helper under its home, and refuses to below the directory for temporary files. */
export const homeProblem = (host: HostEnvironment): string | undefined => {
  const home = resolve(codexHome(host)), temporary = resolve(host.env["TMPDIR"] || "/tmp");
  return home === temporary || home.startsWith(temporary === sep ? sep : temporary + sep) ? `codex runs no command when its home (${home}) lies below the directory for temporary files (${temporary})` : undefined;
};
