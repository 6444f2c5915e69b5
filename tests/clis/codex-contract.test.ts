/** The contract of adapters, shown by the real codex CLI against a scripted model. What is codex's own is in codex.test.ts. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { codex } from "../../src/adapters/codex/adapter.ts";
import { adapterContract, type Play } from "../adapters/contract.ts";
import { marker, type ModelServer, type Scenario, startModelServer } from "../support/model-server.ts";
import { cliUnderTest } from "./under-test.ts";

const usage = { input: 1_000, output: 50 };
const longCommand = 'node -e "setTimeout(() => {}, 600000)"';

const scenarios: Readonly<Record<string, Scenario>> = {
  complete: [{ say: "I write the file.", calls: [{ do: "write", path: "made.txt", content: "made\n" }], usage }, { say: "It is written.", usage }],
  more: [{ say: "Nothing more to do.", usage }],
  long: [{ say: "A long command.", calls: [{ do: "run", command: longCommand }], usage }, { say: "It ended.", usage }],
  hang: [{ fault: { fault: "hangBeforeHeaders" } }],
  refused: [{ fault: { fault: "status", status: 400 } }],
  limited: [{ fault: { fault: "status", status: 429 } }],
  silent: [{ usage }],
};

let model: ModelServer;
let directory: string;
beforeAll(async () => {
  model = await startModelServer(scenarios);
  const { bin, pointedAt } = cliUnderTest.codex();
  directory = await mkdtemp(join(tmpdir(), "enact-codex-"));
  // Its home may not lie below the directory for temporary files.
  const temporary = join(directory, "tmp"), home = join(directory, "home");
  for (const each of [temporary, home]) await mkdir(each);
  const env = { ...await pointedAt(model.url, home), PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, TMPDIR: temporary };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await model.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => ({ ...more, turn: { adapter: "codex", model: "gpt-5.5", prompt: `Do the work. ${marker(scenario)}`, ...more.turn } });

// It always heeds an interrupt (no `stubborn`), and its sandbox ends what its commands leave behind (no `survivors`; codex.test.ts looks for them).
adapterContract(codex, {
  completes: play("complete"),
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: "11111111-2222-4333-8444-555555555555" } }),
  interrupted: play("long", { ready: (event) => event.type === "tool" && event.phase === "start" }),
  hangs: play("hang"),
  crashes: play("refused"),
  noResult: play("silent"),
  readOnly: play("complete"),
  rateLimited: play("limited"),
});
