/** The contract of adapters, shown by the real opencode CLI against a scripted model. What is opencode's own is in opencode.test.ts. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { opencode } from "../../src/adapters/opencode/adapter.ts";
import { adapterContract, type Play } from "../adapters/contract.ts";
import { marker, type ModelServer, type Scenario, startModelServer } from "../support/model-server.ts";
import { cliUnderTest } from "./under-test.ts";

const usage = { input: 1_000, output: 50 };
const longCommand = 'node -e "setTimeout(() => {}, 600000)"';
const orphanCommand = "setsid -f sleep 600 > /dev/null 2>&1 < /dev/null; echo left";

const scenarios: Readonly<Record<string, Scenario>> = {
  complete: [{ say: "I write the file.", calls: [{ do: "write", path: "made.txt", content: "made\n" }], usage }, { say: "It is written.", usage }],
  more: [{ say: "Nothing more to do.", usage }],
  long: [{ say: "A long command.", calls: [{ do: "run", command: longCommand }], usage }, { say: "It ended.", usage }],
  orphan: [{ say: "I leave something behind.", calls: [{ do: "run", command: orphanCommand }], usage }, { say: "Done.", usage }],
  hang: [{ fault: { fault: "hangBeforeHeaders" } }],
  refused: [{ fault: { fault: "status", status: 400 } }],
  limited: [{ fault: { fault: "status", status: 429, headers: { "retry-after-ms": "10" } } }],
  silent: [{ usage }],
};

let model: ModelServer;
let directory: string;
beforeAll(async () => {
  model = await startModelServer(scenarios);
  const { bin, pointedAt } = cliUnderTest.opencode();
  directory = await mkdtemp(join(tmpdir(), "enact-opencode-"));
  const temporary = join(directory, "tmp"), home = join(directory, "home");
  for (const each of [temporary, home]) await mkdir(each);
  // One home for all its turns: each test has its own, and a session must outlive the turn that began it.
  const env = { ...await pointedAt(model.url, home), XDG_CONFIG_HOME: join(home, ".config"), XDG_DATA_HOME: join(home, ".local", "share"), PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, TMPDIR: temporary };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await model.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => ({ ...more, turn: { adapter: "opencode", model: "loop/scripted-1", prompt: `Do the work. ${marker(scenario)}`, ...more.turn } });

// It always heeds an interrupt (no `stubborn`); its standard output carries nothing but events (no `garbage`).
adapterContract(opencode, {
  completes: play("complete"),
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: "ses_000000000ffeNoSuchSession0000" } }),
  interrupted: play("long", { ready: (event) => event.type === "tool" && event.phase === "start" }),
  hangs: play("hang"),
  crashes: play("refused"),
  noResult: play("silent"),
  survivors: play("orphan"),
  readOnly: play("complete"),
  rateLimited: play("limited"),
});
