import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Effect } from "effect";
import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { Adapter, HostEnvironment, ScreenMode } from "../../ports/adapter.ts";
import { hookVariable } from "../hook-line.ts";
import type { AgentRequest } from "./protocol.ts";
import { scriptedReader } from "./reader.ts";

/** The agent program beside this module: its source, or its bundle in the flat output folder. */
const agentProgram = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./agent.ts" : "./scripted-agent.js", import.meta.url));

const requestFor = (turn: TurnRequest, host: HostEnvironment): AgentRequest | AgentFailure => {
  if (turn.playbook === null) return { kind: "model", message: "the scripted adapter plays a playbook and got none: give --playbook FILE, or `playbook` in the work item" };
  const { runId, item, attempt, stage, iteration, tryNumber, cwd, prompt, sessionId, readOnly, model, playbook } = turn;
  return {
    runId, item, attempt, stage, iteration, tryNumber, cwd, prompt, sessionId, readOnly, model, playbook,
    ...(turn.seat === undefined ? {} : { seat: turn.seat }), ...(turn.duty === undefined ? {} : { duty: turn.duty }), ...(turn.task === undefined ? {} : { task: turn.task }),
    // Beside the runs, not in one: a session outlives the run that began it. No run id begins with a dot.
    sessions: join(dirname(host.runDirectory), ".scripted-sessions"),
  };
};

const screen: ScreenMode = {
  plan: (turn, host) => {
    const request = requestFor(turn, host);
    if ("kind" in request) return request;
    const file = "request.json";
    return { argv: [process.execPath, agentProgram, join(host.runDirectory, file)], env: { [hookVariable]: join(host.runDirectory, "out") }, files: { [file]: JSON.stringify(request) } };
  },
  reader: scriptedReader,
  dialogs: [],
};

/** Plays a playbook (docs/adapters/scripted.md): needs no account, and does on purpose whatever a real agent may do by accident. */
export const scriptedAdapter: Adapter = {
  name: "scripted",
  verified: true,
  capabilities: { readOnly: true, resume: true, mcp: false, cost: true, effort: ["minimal", "low", "medium", "high", "xhigh", "max"] },
  plan: (turn, host) => {
    const request = requestFor(turn, host);
    if ("kind" in request) return request;
    return { argv: [process.execPath, agentProgram], env: {}, stdin: `${JSON.stringify(request)}\n`, stdinMode: "open" };
  },
  reader: scriptedReader,
  screen,
  interrupt: `${JSON.stringify({ type: "interrupt" })}\n`,
  message: ({ id, text }) => `${JSON.stringify({ type: "message", id, text })}\n`,
  probe: () => Effect.succeed({ ok: true, detail: "built in" }),
};
