/** The contract of adapters, shown by our own agent against a loopback provider that checks every request. */
import { afterAll, afterEach, beforeAll, expect, vi } from "vitest";
import { responses } from "../../../src/adapters/responses/adapter.ts";
import type { Adapter, ProjectCommands } from "../../../src/ports/adapter.ts";
import { marker, type ResponsesServer, type Scenario, startResponsesServer } from "../../support/responses-server.ts";
import { adapterContract, type Play } from "../contract.ts";

const long = { name: "run", args: { argv: ["sh", "-c", "echo begun; sleep 600"], timeout_s: null } };

const scenarios: Readonly<Record<string, Scenario>> = {
  complete: { reply: (_, n) => (n % 2 === 0 ? { say: "I write the file.", calls: [{ name: "write", args: { path: "made.txt", content: "made\n" } }] } : { say: "It is written." }) },
  more: [{ say: "Nothing more to do." }],
  long: { reply: () => ({ say: "A long command.", calls: [long] }) },
  hang: [{ fault: { fault: "hangBeforeHeaders" } }],
  refused: [{ fault: { fault: "status", status: 400 } }],
  limited: [{ fault: { fault: "status", status: 429, headers: { "retry-after": "3600" } } }],
  endless: { reply: () => ({ calls: [{ name: "list", args: { path: null, depth: null, offset: null } }] }) },
  orphan: [{ say: "I leave something behind.", calls: [{ name: "run", args: { argv: ["sh", "-c", "setsid -f sleep 600 > /dev/null 2>&1 < /dev/null"], timeout_s: null } }] }, { say: "Done." }],
  writes: [{ calls: [{ name: "write", args: { path: "made.txt", content: "made\n" } }] }, { say: "I could not." }],
  // Goes on until it is told something.
  listens: { reply: (request) => {
    const told = request.input.filter((item) => item.type === "message" && item.role === "user").slice(1).flatMap((item) => (item.type === "message" && typeof item.content === "string" ? [item.content] : []));
    return told.length === 0 ? { calls: [{ name: "run", args: { argv: ["sleep", "0.3"], timeout_s: null } }] } : { say: `You said: ${told.join()}` };
  } },
};

let server: ResponsesServer;
beforeAll(async () => {
  server = await startResponsesServer(scenarios);
  vi.stubEnv("ENACT_GATEWAY_BASE_URL", server.url);
  vi.stubEnv("ENACT_GATEWAY_API_KEY", "test-key");
  vi.stubEnv("ENACT_RESPONSES_RETRY_BASE_MS", "1");
});
afterEach(() => {
  expect(server.complaints).toEqual([]);
  vi.stubEnv("ENACT_RESPONSES_MAX_REQUESTS", undefined);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => ({ ...more, turn: { model: "gpt-5", prompt: `Do the work. ${marker(scenario)}`, ...more.turn } });

/** Without a sandbox a command can leave something behind. */
const unconfined: ProjectCommands = { sandbox: "off", checks: [], checkTimeoutMs: 60_000, env: [] };
const adapter: Adapter = { ...responses, plan: (turn, host) => responses.plan(turn, turn.prompt.includes(marker("orphan")) ? { ...host, project: unconfined } : host) };

const whenRunning = (event: { readonly type: string; readonly phase?: string; readonly name?: string }): boolean => event.type === "tool" && event.phase === "start" && event.name === "run";

adapterContract(adapter, {
  completes: play("complete"),
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: "never-was" } }),
  interrupted: play("long", { ready: whenRunning }),
  hangs: play("hang"),
  crashes: play("refused"),
  noResult: () => {
    vi.stubEnv("ENACT_RESPONSES_MAX_REQUESTS", "3");
    return { turn: { model: "gpt-5", prompt: marker("endless") } };
  },
  survivors: play("orphan"),
  readOnly: play("writes"),
  message: play("listens", { ready: whenRunning }),
  rateLimited: play("limited"),
});
