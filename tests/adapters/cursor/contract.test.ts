/** The contract of adapters, shown by the cursor adapter over a program that plays its documented protocol. The real program was never run. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { cursor } from "../../../src/adapters/cursor/adapter.ts";
import { installRecordedCli } from "../../support/fakes/recorded-cli.ts";
import { adapterContract, type Play } from "../contract.ts";
import { init, result, says, session, user, call, working } from "./streams.ts";

const argv = ["--print", "--output-format", "stream-json", "--trust", "--force", "--model", "sonnet-4"];
const resumed = (id: string): string[] => [...argv, "--resume", id];
const env = { CURSOR_API_KEY: "test-key" }, without = ["GITHUB_TOKEN", "OPENAI_API_KEY", "CURSOR_TOKEN"];
const shell = { shellToolCall: { args: { command: "sleep 600" } } };
const unknown = "11111111-2222-4333-8444-555555555555";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "enact-cursor-"));
  const bin = await installRecordedCli(directory, "cursor-agent", [
    { argv, stdin: "[complete]", env, without, lines: [...working], writes: { "made.txt": "made\n" } },
    { argv: resumed(session), stdin: "[more]", env, without, lines: [init, user, says("Nothing more to do."), result("Nothing more to do.")] },
    { argv: resumed(unknown), stdin: "[more]", env, stderr: `Error: Chat ${unknown} not found\n`, ends: 1 },
    { argv, stdin: "[long]", lines: [init, user, says("A long command."), call("started", "toolu_0", shell)], ends: "never" },
    { argv, stdin: "[stubborn]", lines: [init, user, says("A long command.")], ends: "stubborn" },
    { argv, stdin: "[hang]", lines: [init, user], ends: "never" },
    { argv, stdin: "[crash]", lines: [init, user, says("partial text")], stderr: "Error: boom\n", ends: 1 },
    { argv, stdin: "[silent]", lines: [init, user] },
    { argv, stdin: "[garbage]", lines: [init, "Update available!", "{", says("Done."), result("Done.")] },
    { argv, stdin: "[orphan]", lines: [init, says("Done."), result("Done.")], orphan: true },
    { argv, stdin: "[limited]", lines: [init], stderr: "Error: [resource_exhausted] You have reached your usage limit\n", ends: 1 },
  ]);
  for (const [name, value] of Object.entries({ PATH: `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, CURSOR_API_KEY: "test-key", GITHUB_TOKEN: "secret", OPENAI_API_KEY: "secret", CURSOR_TOKEN: "secret" })) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});

const play = (scenario: string, more: Partial<Awaited<ReturnType<Play>>> = {}): Play => () => ({ ...more, turn: { adapter: "cursor", model: "sonnet-4", prompt: `Do the work. [${scenario}]`, ...more.turn } });

// A reading turn is refused before anything is started (no `readOnly`; plan.test.ts shows it).
adapterContract(cursor, {
  completes: play("complete"),
  untold: ["usage"],
  resumes: play("more"),
  badSession: play("more", { turn: { sessionId: unknown } }),
  interrupted: play("long", { ready: (event) => event.type === "tool" && event.phase === "start" }),
  stubborn: play("stubborn", { ready: (event) => event.type === "text" }),
  hangs: play("hang"),
  crashes: play("crash"),
  noResult: play("silent"),
  garbage: play("garbage"),
  survivors: play("orphan"),
  rateLimited: play("limited"),
});
