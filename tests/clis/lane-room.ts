/** A daemon with one work item in lane ralph, worked on and judged by the real claude CLI, with its hooks; and what a person sees of it. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect } from "vitest";
import { z } from "zod";
import { marker, type Scenario } from "../support/model-server.ts";
import { commandsIn } from "../support/processes.ts";
import { openRoom, type Room } from "./room.ts";

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** A guard against hanging, not a measure. */
export const guard = { timeout: 100_000, interval: 500 } as const;

/** `task show`, as far as it is asked about here. */
const Shown = z.looseObject({
  status: z.string(), blocked: z.string().nullable(), question: z.string().nullable(), reason: z.string(), failures: z.number(), infraFailures: z.number(), iterations: z.number(),
  gates: z.record(z.string(), z.looseObject({ state: z.string() })), waitsFor: z.object({ on: z.string(), text: z.string(), until: z.string().nullable() }), stage: z.looseObject({ name: z.string(), state: z.string() }).nullable(),
});
const Line = z.looseObject({ actor: z.string(), type: z.string(), event: z.record(z.string(), z.unknown()) });

export interface LaneRoom extends AsyncDisposable {
  readonly room: Room;
  /** The program and its configuration, to be called by others. */
  readonly program: { readonly main: string; readonly config: string; readonly env: Readonly<Record<string, string>> };
  /** A command of the factory; its standard output. Fails when the command does. */
  readonly factory: (...argv: readonly string[]) => Promise<string>;
  readonly state: () => Promise<z.infer<typeof Shown>>;
  readonly journal: () => Promise<readonly z.infer<typeof Line>[]>;
  /** What was asked of the model on behalf of this scenario, oldest first. */
  readonly asked: (scenario: string) => readonly string[];
  /** The CLI's session of each of these requests. */
  readonly sessions: (...scenarios: readonly string[]) => readonly string[];
  /** Processes of this room: the daemon, agents, checks, hooks, terminals. */
  readonly left: () => readonly string[];
  /** Of these, agents. */
  readonly agents: () => readonly string[];
}

/** The coder of round `n` plays `work.n`, else `work`; the `n`th judgement is `judge.n`, else `judge`. Who goes on after a full context plays `anew`, after an answer `answered`, after advice `advised`; a person's session plays `own`. */
type Cast = Readonly<Partial<Record<"work" | "judge" | "anew" | "answered" | "advised" | "own" | `${"work" | "judge"}.${number}`, Scenario>>>;

const verdict = (decision: string, feedback: string): Scenario => [{ say: `I looked.\n\n\`\`\`enact-verdict\n${JSON.stringify({ decision, feedback, findings: [] })}\n\`\`\``, usage: { input: 100, output: 10 } }];
export const approve = verdict("approve", "");
export const revise = (feedback: string): Scenario => verdict("revise", feedback);

/** The item once it has ended, or waits for a person or a time. */
export const settled = async (lane: LaneRoom): Promise<z.infer<typeof Shown>> => {
  await expect.poll(async () => (await lane.state()).status, guard).toMatch(/^(done|failed|cancelled|exhausted|blocked|retryAt)$/);
  return lane.state();
};
/** The whole conversation of the last request on behalf of a scenario. */
export const said = (lane: LaneRoom, scenario: string): string => lane.asked(scenario).at(-1) ?? "";

export const openLane = async (cast: Cast, more: { readonly config?: string; readonly env?: Readonly<Record<string, string>>; readonly lane?: "ralph" | "manual" } = {}): Promise<LaneRoom> => {
  const scenarios: Readonly<Record<string, Scenario>> = Object.fromEntries(Object.entries(cast).flatMap(([name, scenario]) => (scenario === undefined ? [] : [[name, scenario]])));
  let reviews = 0;
  const judged = new Map<string, number>();
  const casting = ({ scenario, text }: { readonly scenario: string; readonly text: string }): string => {
    if (scenario !== "work") return scenario;
    if (text.includes("You are the critic.")) {
      if (!judged.has(text)) judged.set(text, ++reviews);
      const name = `judge.${judged.get(text)}`;
      return name in scenarios ? name : "judge";
    }
    const [later] = [["its context was full.", "anew"], ["A person answered:", "answered"], ["A person says:", "advised"]].flatMap(([words = "", name = ""]) => (text.includes(words) && name in scenarios ? [name] : []));
    if (later !== undefined) return later;
    const name = `work.${/This is attempt (\d+)/.exec(text)?.[1] ?? "1"}`;
    return name in scenarios ? name : "work";
  };
  const room = await openRoom(scenarios, { casting, ...(more.env === undefined ? {} : { env: more.env }) });
  const { home, env } = room.host, config = join(home, "config.toml");
  const program = { main, config, env: { ...env, HOME: home, XDG_STATE_HOME: join(home, "state"), TMUX_TMPDIR: home } };
  const run = (...argv: readonly string[]) => execa(process.execPath, [main, ...argv, "--config", config], { cwd: room.repository, stdin: "ignore", reject: false, extendEnv: false, timeout: 60_000, env: program.env });
  const factory = async (...argv: readonly string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await run(...argv);
    expect(exitCode, stderr).toBe(0);
    return stdout;
  };
  await mkdir(join(home, "items"));
  await writeFile(join(home, "items", "one.md"), `+++\nlane = "${more.lane ?? "ralph"}"\n+++\n# Fix add()\n\nIt subtracts. ${marker("work")}\n`);
  await writeFile(config, `adapter = "claude"
${more.config ?? ""}
[verify]
sandbox = "off"
[[verify.checks]]
name = "test"
argv = ["node", "--test"]
[gateway]
port = 0
[sources.local]
directory = "items"
project = "repo"
pollMs = 50
[[projects]]
name = "repo"
projectPath = "../repo"
`);
  const left = (): readonly string[] => commandsIn(room.base);
  const opened: LaneRoom = {
    room, program, factory, left, agents: () => left().filter((command) => /(^|\/)claude -p /.test(command)),
    state: async () => Shown.parse(JSON.parse(await factory("task", "show", "LOC-1", "--json"))),
    journal: async () => (await factory("log", "LOC-1", "--json")).split("\n").filter((line) => line !== "").map((line) => Line.parse(JSON.parse(line))),
    sessions: (...names) => room.model.requests.filter(({ scenario = "" }) => names.includes(scenario)).map(({ body }) => /session_id\W+([0-9a-f-]{36})/.exec(body)?.[1] ?? ""),
    asked: (scenario) => room.model.requests.filter((request) => request.scenario === scenario).map(({ body }) => body),
    [Symbol.asyncDispose]: async () => {
      await run("stop");
      // Its terminals are found by their socket, which is in the room.
      for (let look = 0; left().length > 0 && look < 100; look++) await new Promise((resolve) => { setTimeout(resolve, 100); });
      await room[Symbol.asyncDispose]();
    },
  };
  try {
    await factory("start");
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  return opened;
};
