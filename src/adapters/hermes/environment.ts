import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "SHELL", "USER", "LOGNAME",
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
  // Where the CLI keeps its login, configuration and sessions, and keys of model providers; other keys stand in its own `.env`.
  "HERMES_HOME", "OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "XAI_API_KEY", "DEEPSEEK_API_KEY",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
];

/** The whole environment of the CLI: what it needs of the owner's, by name. */
export const hermesEnvironment = (host: HostEnvironment): Readonly<Record<string, string>> => {
  const own: Record<string, string> = { HOME: host.home };
  for (const name of passed) {
    const value = host.env[name];
    if (value !== undefined && value !== "") own[name] = value;
  }
  return own;
};
