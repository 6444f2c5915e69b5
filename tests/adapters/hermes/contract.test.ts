/** The contract of adapters, shown by the hermes adapter over a program that plays its documented interface. The real program was never run. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { hermes } from "../../../src/adapters/hermes/adapter.ts";
import { installRecordedCli } from "../../support/fakes/recorded-cli.ts";
import { adapterContract, type Play } from "../contract.ts";

const session = "20260408_101112_ab12cd", unknown = "20200101_000000_000000";
const stderr = `\nsession_id: ${session}\n`;
const env = { OPENROUTER_API_KEY: "test-key" }, without = ["GITHUB_TOKEN", "HERMES_YOLO_MODE", "HERMES_KANBAN_TASK"];

let directory: string;
beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "enact-hermes-")));
  const argv = ["--in", "*", "chat", "--quiet", "--query-file", "-", "--ignore-rules", "--toolsets", "file,terminal,todo", "--source", "tool", "--model", "anthropic/claude-sonnet-4.6"];
  const bin = await installRecordedCli(directory, "hermes", [
    { argv, stdin: "[complete]", env, without, lines: ["I wrote the file.", "", "It is done."], stderr, writes: { "made.txt": "made\n" } },
    { argv: [...argv, "--resume", session], stdin: "[more]", env, without, lines: ["Nothing more to do."], stderr },
    { argv: [...argv, "--resume", unknown], stdin: "[more]", stderr: `Error: Session ${unknown} not found\n`, ends: 1 },
    { argv, stdin: "[long]", lines: ["A long command."], ends: "never" },
    { argv, stdin: "[stubborn]", lines: ["A long command."], ends: "stubborn" },
    { argv, stdin: "[crash]", lines: ["partial text"], stderr: `Error: boom\n${stderr}`, ends: 1 },
    { argv, stdin: "[silent]", stderr },
    { argv, stdin: "[orphan]", lines: ["Done."], stderr, orphan: true },
    { argv, stdin: "[limited]", stderr: `Error: HTTP 429: rate limit exceeded\n${stderr}`, ends: 1 },
  ]);
  for (const [name, value] of Object.entries({ PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, OPENROUTER_API_KEY: "test-key", GITHUB_TOKEN: "secret", HERMES_YOLO_MODE: "1", HERMES_KANBAN_TASK: "1" })) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => ({ ...more, turn: { adapter: "hermes", model: "anthropic/claude-sonnet-4.6", prompt: `Do the work. [${scenario}]`, ...more.turn } });
const speaking = { ready: ({ type }: { readonly type: string }) => type === "text" };

// A reading turn is refused before anything is started (no `readOnly`; plan.test.ts shows it). Every line is text (no `garbage`).
adapterContract(hermes, {
  completes: play("complete"),
  untold: ["tool", "usage"],
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: unknown } }),
  interrupted: play("long", speaking),
  stubborn: play("stubborn", speaking),
  crashes: play("crash"),
  noResult: play("silent"),
  survivors: play("orphan"),
  rateLimited: play("limited"),
});
