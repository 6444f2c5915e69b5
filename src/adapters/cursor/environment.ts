import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "SHELL", "USER", "LOGNAME",
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
  // Where the CLI keeps its configuration, and the key it may be told to use.
  "CURSOR_CONFIG_DIR", "CURSOR_API_KEY",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
];

/** The whole environment of the CLI: what it needs of the owner's, by name. */
export const cursorEnvironment = (host: HostEnvironment): Readonly<Record<string, string>> => {
  const own: Record<string, string> = { HOME: host.home };
  for (const name of passed) {
    const value = host.env[name];
    if (value !== undefined && value !== "") own[name] = value;
  }
  return own;
};
