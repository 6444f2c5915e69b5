/** What a test needs to know of each real CLI: its adapter, where it was fetched to, and how it is pointed at the scripted model with short limits. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { claude } from "../../src/adapters/claude/adapter.ts";
import { codex } from "../../src/adapters/codex/adapter.ts";
import { opencode } from "../../src/adapters/opencode/adapter.ts";
import type { Adapter } from "../../src/ports/adapter.ts";

export type CliName = "claude" | "codex" | "opencode";

interface CliUnderTest {
  readonly adapter: Adapter;
  /** The directory that holds the program. */
  readonly bin: string;
  readonly model: string;
  /** Its environment; what it reads from files is written below its home. `patient`: what it would do about silence by itself is far away. */
  readonly pointedAt: (url: string, home: string, patient?: boolean) => Promise<Readonly<Record<string, string>>>;
}

/** Milliseconds. */
const farAway = "600000";

const fetchedBin = (name: string): string => {
  const bin = process.env[name];
  if (bin === undefined) throw new Error("run this suite with: npm run test:clis");
  return bin;
};

export const cliUnderTest: Readonly<Record<CliName, () => CliUnderTest>> = {
  claude: () => ({
    adapter: claude, bin: fetchedBin("ENACT_TEST_CLAUDE_BIN"), model: "claude-sonnet-4-5",
    pointedAt: (url, home, patient = false) => Promise.resolve({
      CLAUDE_CONFIG_DIR: join(home, ".claude"), ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: "test-key", CLAUDE_CODE_MAX_RETRIES: "1",
      ...(patient ? { API_TIMEOUT_MS: farAway, CLAUDE_STREAM_IDLE_TIMEOUT_MS: farAway, CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: farAway } : { API_TIMEOUT_MS: "8000" }),
    }),
  }),
  codex: () => ({
    adapter: codex, bin: fetchedBin("ENACT_TEST_CODEX_BIN"), model: "gpt-5.5",
    pointedAt: async (url, home, patient = false) => {
      const directory = join(home, ".codex");
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "config.toml"), patient ? codexConfig(url, Number(farAway)) : codexConfig(url));
      return { CODEX_HOME: directory, OPENAI_API_KEY: "test-key" };
    },
  }),
  opencode: () => ({
    adapter: opencode, bin: fetchedBin("ENACT_TEST_OPENCODE_BIN"), model: "loop/scripted-1",
    pointedAt: async (url, home) => {
      const directory = join(home, ".config", "opencode");
      await mkdir(directory, { recursive: true });
      await writeFile(join(directory, "opencode.json"), opencodeConfig(url));
      // A home in which it has run before. In a new one each start tries to install its own package under a lock, and the one after a start that was cut off waits a minute for it.
      await mkdir(join(directory, "node_modules"), { recursive: true });
      await writeFile(join(directory, "package-lock.json"), JSON.stringify({ packages: { "": { dependencies: { "@opencode-ai/plugin": "*" } } } }));
      return { OPENAI_API_KEY: "test-key" };
    },
  }),
};

/** The CLI's own configuration: a model provider like any company's gateway, with prices where `cost` is given. */
export const opencodeConfig = (url: string, cost: object | null = { input: 3, output: 15, cache_read: 0.3 }, more: Readonly<Record<string, unknown>> = {}): string => JSON.stringify({
  enabled_providers: ["loop"],
  provider: { loop: {
    npm: "@ai-sdk/openai-compatible", name: "loop", options: { baseURL: `${url}/v1`, apiKey: "{env:OPENAI_API_KEY}" },
    models: { "thinking-1": { name: "thinking", tool_call: true, reasoning: true, limit: { context: 200_000, output: 8_000 } }, "scripted-1": { name: "scripted", tool_call: true, limit: { context: 200_000, output: 8_000 }, ...(cost === null ? {} : { cost }) } },
  } },
  ...more,
});

/** The CLI's own configuration: a model provider like any company's gateway. */
export const codexConfig = (url: string, idleMs = 8_000): string => `model_provider = "loop"
[model_providers.loop]
name = "loop"
base_url = "${url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
request_max_retries = 1
stream_max_retries = 1
stream_idle_timeout_ms = ${idleMs}
`;
