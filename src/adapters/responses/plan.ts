import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentRequest } from "../../agent/protocol.ts";
import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { stopHookOf } from "../hook-line.ts";
import { providerIn, responsesEnvironment } from "./environment.ts";

/** The agent program: its source, or its bundle in the flat output folder. */
const agentProgram = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "../../agent/main.ts" : "./responses-agent.js", import.meta.url));

const sessionId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$/;
/** Names of gateways have colons and slashes. */
const modelName = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$/;

/** Where nobody has set anything up: checks are found, commands confined. */
const bareProject: AgentRequest["project"] = { sandbox: "auto", checks: [], checkTimeoutMs: 600_000, env: [] };

const requestFor = (turn: TurnRequest, host: HostEnvironment): AgentRequest => {
  const { runId, stage, cwd, prompt, sessionId: session, readOnly, model, effort, stallMs, language } = turn;
  return {
    runId, stage, cwd, prompt, sessionId: session, readOnly, model, ...(effort === undefined ? {} : { effort }), stallMs, ...(language === undefined ? {} : { language }),
    // Beside the runs, not in one: a session outlives the run that began it. No run id begins with a dot.
    sessions: join(dirname(host.runDirectory), ".responses-sessions"), scratch: join(host.runDirectory, "scratch"),
    project: host.project === undefined ? bareProject : { ...host.project, checks: host.project.checks.map((check) => ({ ...check, argv: [...check.argv] })), env: [...host.project.env] },
    ...(host.mcp === undefined || host.mcp.length === 0 ? {} : { servers: host.mcp.map((server) => ({ ...server })) }),
  };
};

/** How one turn is launched. Prompt and request go through standard input only, the key through the environment only. */
export const responsesPlan = (turn: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  if (turn.sessionId !== null && !sessionId.test(turn.sessionId)) return { kind: "badSession", message: `${JSON.stringify(turn.sessionId)} is no id of a session` };
  if (turn.model !== null && !modelName.test(turn.model)) return { kind: "model", message: `${JSON.stringify(turn.model)} is no name of a model` };
  const { baseUrl, key } = providerIn(host);
  if (baseUrl === undefined || key === undefined) return { kind: "auth", message: `no provider is set up: ${[...(baseUrl === undefined ? ["ENACT_GATEWAY_BASE_URL"] : []), ...(key === undefined ? ["ENACT_GATEWAY_API_KEY"] : [])].join(" and ")} must be set` };
  return { argv: [process.execPath, agentProgram], env: { ...responsesEnvironment(host, { baseUrl, key }, turn), ...stopHookOf(turn, host) }, stdin: `${JSON.stringify(requestFor(turn, host))}\n`, stdinMode: "open" };
};
