/** The contract of adapters, shown by the real claude CLI against a scripted model. What is claude's own is in claude.test.ts. */
import { afterAll, beforeAll, vi } from "vitest";
import { claude } from "../../src/adapters/claude/adapter.ts";
import { adapterContract, type Play } from "../adapters/contract.ts";
import { marker, type ModelServer, type Scenario, startModelServer } from "../support/model-server.ts";

const bin = process.env["ENACT_TEST_CLAUDE_BIN"];
if (bin === undefined) throw new Error("run this suite with: npm run test:clis");

const usage = { input: 1_000, output: 50 };
const longCommand = 'node -e "setTimeout(() => {}, 600000)"';

const scenarios: Readonly<Record<string, Scenario>> = {
  complete: [{ say: "I write the file.", calls: [{ do: "write", path: "made.txt", content: "made\n" }], usage }, { say: "It is written.", usage }],
  more: [{ say: "Nothing more to do.", usage }],
  long: [{ say: "A long command.", calls: [{ do: "run", command: longCommand }], usage }, { say: "It ended.", usage }],
  hang: [{ fault: { fault: "hangBeforeHeaders" } }],
  refused: [{ fault: { fault: "status", status: 400 } }],
  limited: [{ fault: { fault: "status", status: 429 } }],
  orphan: [{ say: "I leave something behind.", calls: [{ do: "run", command: "setsid -f sleep 600 > /dev/null 2>&1 < /dev/null" }], usage }, { say: "Done.", usage }],
};

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer(scenarios);
  vi.stubEnv("PATH", `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`);
  vi.stubEnv("ANTHROPIC_BASE_URL", model.url);
  vi.stubEnv("ANTHROPIC_API_KEY", "test-key");
  // Short limits, so that a fault is answered for good within seconds.
  vi.stubEnv("CLAUDE_CODE_MAX_RETRIES", "1");
  vi.stubEnv("API_TIMEOUT_MS", "60000");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await model.close();
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => {
  vi.stubEnv("CLAUDE_CONFIG_DIR", undefined);
  return { ...more, turn: { adapter: "claude", model: "claude-sonnet-4-5", prompt: `Do the work. ${marker(scenario)}`, ...more.turn } };
};

adapterContract(claude, {
  completes: play("complete"),
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: "11111111-2222-4333-8444-555555555555" } }),
  interrupted: play("long", { ready: (event) => event.type === "tool" && event.phase === "start" }),
  hangs: play("hang"),
  crashes: play("refused"),
  survivors: play("orphan"),
  rateLimited: play("limited"),
});
