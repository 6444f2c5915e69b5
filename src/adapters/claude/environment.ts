import { mcpVariables } from "../../domain/mcp.ts";
import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "SHELL", "USER", "LOGNAME",
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
  // Where the CLI keeps its login and sessions, and how it reaches its model.
  "CLAUDE_CONFIG_DIR", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS",
  "ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL",
  "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY", "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP",
  // Limits a user may want to set.
  "CLAUDE_CODE_MAX_RETRIES", "API_TIMEOUT_MS", "CLAUDE_CODE_MAX_OUTPUT_TOKENS", "MAX_THINKING_TOKENS", "BASH_DEFAULT_TIMEOUT_MS", "BASH_MAX_TIMEOUT_MS",
  "CLAUDE_STREAM_IDLE_TIMEOUT_MS", "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "CLAUDE_CODE_CLIENT_CERT", "CLAUDE_CODE_CLIENT_KEY", "CLAUDE_CODE_CLIENT_KEY_PASSPHRASE",
];

/** Credentials of a cloud, passed on only when the user told the CLI to use that cloud. */
const clouds: Readonly<Record<string, readonly string[]>> = {
  CLAUDE_CODE_USE_BEDROCK: [
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "ANTHROPIC_BEDROCK_BASE_URL", "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
  ],
  CLAUDE_CODE_USE_VERTEX: ["CLOUD_ML_REGION", "ANTHROPIC_VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_BASE_URL", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLAUDE_CODE_SKIP_VERTEX_AUTH"],
  CLAUDE_CODE_USE_FOUNDRY: ["ANTHROPIC_FOUNDRY_RESOURCE", "ANTHROPIC_FOUNDRY_BASE_URL", "ANTHROPIC_FOUNDRY_API_KEY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CONFIG_DIR", "CLAUDE_CODE_SKIP_FOUNDRY_AUTH"],
};

/** The CLI's own rescue from a silent stream must come before the factory's stall timer; two minutes are enough for any answer that is alive. */
const streamIdleMs = (stallMs: number): string => String(Math.max(5_000, Math.min(120_000, Math.floor(stallMs / 3))));

/** The whole environment of the CLI: what it needs of the owner's, by name, and the switches of an unattended turn. */
export const claudeEnvironment = (host: HostEnvironment, turn: { readonly readOnly: boolean; readonly stallMs: number }): Readonly<Record<string, string>> => {
  const chosen = [...passed, ...mcpVariables(host.mcp ?? []), ...Object.entries(clouds).flatMap(([flag, names]) => (host.env[flag] ?? "") === "" ? [] : names)];
  const own: Record<string, string> = {
    HOME: host.home,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
    // A background task wakes the CLI after its result and makes a second one; and nobody would be left to end it.
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
    // `@path` in a work item would put that file into the prompt, past the permission rules.
    CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
    CLAUDE_ENABLE_STREAM_WATCHDOG: "1",
    CLAUDE_ENABLE_BYTE_WATCHDOG: "1",
    CLAUDE_STREAM_IDLE_TIMEOUT_MS: streamIdleMs(turn.stallMs),
    CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: streamIdleMs(turn.stallMs),
    // The project's CLAUDE.md, without its settings. A critic does not take instructions from the work it judges.
    ...(turn.readOnly ? {} : { CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD: "1" }),
  };
  for (const name of chosen) {
    const value = host.env[name];
    if (value !== undefined && value !== "") own[name] = value;
  }
  return own;
};
