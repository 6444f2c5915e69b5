/** Every adapter on its bench: how each fault is brought about there, which kind is right where another one than usual is, and what cannot be had. */
import { cursor } from "../../src/adapters/cursor/adapter.ts";
import { hermes } from "../../src/adapters/hermes/adapter.ts";
import { responses } from "../../src/adapters/responses/adapter.ts";
import type { AdapterName } from "../../src/domain/agent.ts";
import type { Adapter } from "../../src/ports/adapter.ts";
import { init, result, says, user } from "../adapters/cursor/streams.ts";
import { installRecordedCli } from "../support/fakes/recorded-cli.ts";
import { marker, type Scenario } from "../support/model-server.ts";
import type { RoomProcess } from "../support/processes.ts";
import { type Fault as ProviderFault, startResponsesServer, type Step } from "../support/responses-server.ts";
import { type Ending, type Fault, faults } from "./faults.ts";
import { claudeCode, codexCli, opencodeCli, type PinnedCli } from "./fetch.ts";
import { openRoom } from "./room.ts";
import { type CliName, cliUnderTest } from "./under-test.ts";
import { openWorld } from "./world.ts";

/** The world of one cell. */
export interface Stand extends AsyncDisposable {
  readonly base: string;
  readonly home: string;
  readonly repository: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly adapter: Adapter;
  readonly model: string | null;
  /** The work item's text. */
  readonly body: string;
  /** Is this the CLI's own process, the innermost where it has a wrapper? */
  readonly isCli: (process: RoomProcess) => boolean;
  /** Requests that reached its model. */
  readonly requests: () => number;
}

export interface Bench {
  readonly name: AdapterName;
  /** Of what was really run. */
  readonly version: string;
  /** Why a fault cannot be had here. */
  readonly absent: Readonly<Record<string, string>>;
  /** Where another end than the usual one is right. */
  readonly differs: Readonly<Record<string, Ending>>;
  readonly open: (fault: Fault) => Promise<Stand>;
}

const nobody = "http://127.0.0.1:9";

/** Its launch, changed: an option that no program knows, or nothing heard after its first line. */
const around = (adapter: Adapter, fault: Fault): Adapter => ({ ...adapter, plan: (turn, host) => {
  const plan = adapter.plan(turn, host);
  if ("kind" in plan) return plan;
  if (fault.around === "version") return { ...plan, argv: [...plan.argv, "--option-of-tomorrow"] };
  return fault.around === "firstLine" ? { ...plan, argv: ["/bin/sh", "-c", '"$@" | sed -n 1p', "sh", ...plan.argv] } : plan;
} });

/** `key`: the variable of its login. */
const cliBench = (name: CliName, { version }: PinnedCli, key: string, differs: Bench["differs"] = {}): Bench => ({
  name, version, absent: {}, differs,
  open: async (fault) => {
    const { adapter, model } = cliUnderTest[name]();
    const room = await openRoom({ fault: fault.scenario }, {
      cli: name, patient: fault.ends === "stalled" || fault.ends === "timeout", ...(fault.around === "port" ? { url: nobody } : {}),
      env: { ...(fault.around === "binary" ? { PATH: "/usr/bin:/bin" } : {}), ...(fault.around === "login" ? { [key]: "" } : {}) },
    });
    return {
      base: room.base, home: room.host.home, repository: room.repository, env: room.host.env, adapter: around(adapter, fault), model, body: marker("fault"),
      isCli: ({ program }) => program.includes(name) && !program.endsWith("/node"), requests: () => room.model.requests.filter((request) => request.model !== undefined).length,
      [Symbol.asyncDispose]: () => room[Symbol.asyncDispose](),
    };
  },
});

/** The same words for the strict provider that our own agent is tested with. */
const stepOf = ({ say, calls = [], usage, fault }: Scenario[number]): Step => ({
  ...(say === undefined ? {} : { say }), ...(usage === undefined ? {} : { usage: { cached: 0, ...usage } }),
  calls: calls.map((call) => {
    if (call.do !== "write" && call.do !== "run") throw new Error(`no ${call.do} here`);
    return call.do === "write" ? { name: "write", args: { path: call.path, content: call.content } } : { name: "run", args: { argv: ["sh", "-c", call.command], timeout_s: null } };
  }),
  ...(fault === undefined ? {} : { fault: ((): ProviderFault => {
    switch (fault.fault) {
      case "status": return { fault: "status", status: fault.status, ...(fault.headers === undefined ? {} : { headers: fault.headers }) };
      case "cutMidStream": return { fault: "resetMidStream" };
      case "errorEvent": return { fault: "errorEvent", code: "server_is_overloaded" };
      case "reset": case "malformed": case "hangBeforeHeaders": case "hangMidStream": return { fault: fault.fault };
    }
  })() }),
});

const responsesBench: Bench = {
  name: "responses", version: "ours",
  absent: { binary: "it is part of the factory", version: "it is part of the factory" },
  // It rescues itself from a silent provider before the factory's timer.
  differs: { "hang-before-headers": "network", "hang-mid-stream": "network" },
  open: async (fault) => {
    const world = await openWorld();
    let step = 0, failed = 0;
    const server = await startResponsesServer({ fault: { reply: () => {
      const { fault: trouble, ...healthy } = fault.scenario[Math.min(step, fault.scenario.length - 1)] ?? fault.scenario[0];
      if (trouble !== undefined && failed < (trouble.times ?? Infinity)) { failed += 1; return stepOf({ ...healthy, fault: trouble }); }
      failed = 0;
      step += 1;
      return stepOf(healthy);
    } } });
    return {
      base: world.base, home: world.home, repository: world.repository, adapter: around(responses, fault), model: "gpt-5", body: marker("fault"),
      env: {
        PATH: process.env["PATH"], TMPDIR: world.temporary, ENACT_GATEWAY_BASE_URL: fault.around === "port" ? nobody : server.url, ...(fault.around === "login" ? {} : { ENACT_GATEWAY_API_KEY: "test-key" }),
        ENACT_RESPONSES_RETRY_BASE_MS: "1", ENACT_RESPONSES_RETRY_MAX_MS: "5", ENACT_RESPONSES_MAX_RETRIES: "1",
      },
      isCli: ({ argv }) => argv.some((word) => word.endsWith("agent/main.ts")), requests: () => server.requests.length,
      [Symbol.asyncDispose]: async () => {
        await server.close();
        await world[Symbol.asyncDispose]();
      },
    };
  },
};

/** A program that plays its documented protocol; no model stands behind it. */
interface StandIn {
  readonly adapter: Adapter;
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly recordings: Readonly<Record<string, Omit<Parameters<typeof installRecordedCli>[2][number], "argv">>>;
  readonly differs?: Readonly<Record<string, Ending>>;
}

const standInBench = ({ adapter, program, env, argv, recordings, differs = {} }: StandIn): Bench => ({
  name: adapter.name, version: "stand-in", differs,
  absent: Object.fromEntries(faults.filter(({ id, around: wrong }) => recordings[id] === undefined && wrong !== "binary").map(({ id, kills }) => [id, kills === undefined ? "not documented" : "the stand-in starts nothing"])),
  open: async (fault) => {
    const world = await openWorld(), recording = recordings[fault.id];
    const bin = await installRecordedCli(world.base, program, recording === undefined ? [] : [{ argv: [...argv], ...recording }]);
    return {
      base: world.base, home: world.home, repository: world.repository, adapter: around(adapter, fault), model: null, body: "Do the work.", isCli: () => false, requests: () => 0,
      env: { ...env, PATH: fault.around === "binary" ? "/usr/bin:/bin" : `${bin}:${process.env["PATH"] ?? "/usr/bin:/bin"}`, TMPDIR: world.temporary },
      [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
    };
  },
});

const question = ["I looked.", "", "```enact-question", "Which of the two ports?", "```"];
const hermesEnd = "\nsession_id: 20260408_101112_ab12cd\n";

export const benches: readonly Bench[] = [
  cliBench("claude", claudeCode, "ANTHROPIC_API_KEY"),
  // It calls a 500 high demand, and does not try again when it is told that the model is overloaded.
  cliBench("codex", codexCli, "OPENAI_API_KEY", { "500": "overloaded", "error-event-once": "overloaded" }),
  // It waits for the rest of a stream as long as it may, and for a command that a signal ended.
  cliBench("opencode", opencodeCli, "OPENAI_API_KEY", { "hang-mid-stream-once": "stalled", "kill-command": "stalled" }),
  responsesBench,
  standInBench({
    adapter: cursor, program: "cursor-agent", env: { CURSOR_API_KEY: "test-key" }, argv: ["--print", "--output-format", "stream-json", "--trust", "--force"],
    recordings: {
      "hang-before-headers": { lines: [init, user], ends: "never" }, "hang-mid-stream": { lines: [init, user, says("partial text")], ends: "never" }, "over-time": { lines: [init, user, says("partial text")], ends: "never" },
      "no-result": { lines: [init, user, says("It is written."), result("It is written.")] }, "contradicts": { lines: [init, user, says("I fixed add()."), result("I fixed add().")] },
      "child-left": { lines: [init, user, says("Done."), result("Done.")], orphan: true }, "asks": { lines: [init, user, says(question.join("\n")), result(question.join("\n"))] },
    },
  }),
  standInBench({
    adapter: hermes, program: "hermes", env: { OPENROUTER_API_KEY: "test-key" }, argv: ["--in", "*", "chat", "--quiet", "--query-file", "-", "--ignore-rules", "--toolsets", "file,terminal,todo", "--source", "tool"],
    recordings: {
      "hang-before-headers": { ends: "never" }, "hang-mid-stream": { lines: ["partial text"], ends: "never" }, "over-time": { lines: ["partial text"], ends: "never" },
      "no-result": { lines: ["", "It is written."], stderr: hermesEnd }, "contradicts": { lines: ["I fixed add()."], stderr: hermesEnd },
      "child-left": { lines: ["Done."], stderr: hermesEnd, orphan: true }, "asks": { lines: question, stderr: hermesEnd },
    },
  }),
];
