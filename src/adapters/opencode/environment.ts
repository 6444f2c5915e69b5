import { mcpVariables } from "../../domain/mcp.ts";
import type { HostEnvironment } from "../../ports/adapter.ts";

/** Passed on from the owner's environment when set. Nothing else is. */
const passed: readonly string[] = [
  "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "TMPDIR", "SHELL", "USER", "LOGNAME",
  // Where the CLI keeps its login, configuration and sessions.
  "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR", "OPENCODE_MODELS_PATH",
  // Keys of the model providers that it knows by these names.
  "OPENCODE_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY", "XAI_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY",
  "DEEPSEEK_API_KEY", "CEREBRAS_API_KEY", "TOGETHER_API_KEY", "FIREWORKS_API_KEY", "AZURE_API_KEY", "AZURE_RESOURCE_NAME", "MOONSHOT_API_KEY", "ZHIPU_API_KEY", "DASHSCOPE_API_KEY",
  "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
  "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
];

/** What nobody may switch on again, in a turn and when the CLI is only asked something. */
const always: Readonly<Record<string, string>> = {
  // The repository's opencode.json, .opencode (agents, commands, plugins, tools), AGENTS.md and CLAUDE.md; skills of others' making.
  OPENCODE_DISABLE_PROJECT_CONFIG: "1", OPENCODE_DISABLE_EXTERNAL_SKILLS: "1", OPENCODE_DISABLE_CLAUDE_CODE: "1",
  // Nothing is fetched at a start: no newer CLI, no list of models, no language server, no package.
  OPENCODE_DISABLE_AUTOUPDATE: "1", OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_LSP_DOWNLOAD: "1", npm_config_offline: "true",
  OPENCODE_DISABLE_SHARE: "1", OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1",
};

/** The whole environment of the CLI: what it needs of the owner's, by name, and the switches of an unattended turn. */
export const opencodeEnvironment = (host: HostEnvironment): Readonly<Record<string, string>> => {
  const own: Record<string, string> = { HOME: host.home, ...always };
  for (const name of [...passed, ...mcpVariables(host.mcp ?? [])]) {
    const value = host.env[name];
    if (value !== undefined && value !== "") own[name] = value;
  }
  return own;
};
