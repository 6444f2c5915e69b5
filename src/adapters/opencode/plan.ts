import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { McpServer } from "../../domain/mcp.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { opencodeEnvironment } from "./environment.ts";
import { listener, listenerFile } from "./listener.ts";

/** What a turn may do. The first entry forbids everything, tools of MCP servers and of the user's plugins too; what is forbidden is not even offered. */
const reading = {
  "*": "deny",
  read: { "*": "allow", "*.env": "deny", "*.env.*": "deny", "*.env.example": "allow" }, glob: "allow", grep: "allow", list: "allow",
  // Said, so that no wider rule of the CLI's own comes into force. Its question is answered with no, and nobody is there to ask.
  external_directory: "deny", doom_loop: "deny",
} as const;
/** Agents of the agent are left out: what they use is not on the stream, and neither is what they do. */
const working = { ...reading, edit: "allow", bash: "allow", todowrite: "allow" } as const;

/**
 * The CLI's configuration, above the user's own. The rules stand in an agent of ours, since the user's configuration is merged into the rules of every
 * agent that it can name, key by key.
 */
const configuration = (agent: string, readOnly: boolean, { runDirectory, mcp = [] }: HostEnvironment): string => JSON.stringify({
  plugin: [pathToFileURL(join(runDirectory, listenerFile)).href],
  share: "disabled", autoupdate: false,
  // Copies of the worktree that nobody looks at; programs that a repository can bring along, started when a file is read or written.
  snapshot: false, lsp: false, formatter: false,
  default_agent: agent,
  agent: { [agent]: { mode: "primary", description: "A turn of the factory.", permission: { ...(readOnly ? reading : working), ...Object.fromEntries(mcp.map(({ name }) => [`${name}_*`, "allow"])) } } },
  mcp: Object.fromEntries(mcp.map(mcpSetting)),
});

/** Variables are named, not written: the CLI puts their values in. */
const mcpSetting = ({ name, at, env }: McpServer) => [name, typeof at === "string"
  ? { type: "remote", enabled: true, url: at, oauth: false, headers: Object.fromEntries(env.map((each) => ["Authorization", `Bearer {env:${each}}`])) }
  : { type: "local", enabled: true, command: at, environment: Object.fromEntries(env.map((each) => [each, `{env:${each}}`])) }] as const;

const session = /^ses_[A-Za-z0-9]+$/;
/** Anything else could be read as an option; the CLI takes what stands before the first slash for the provider. */
const model = /^[A-Za-z0-9][\w.-]*\/\S+$/;

/** How one turn is launched. The prompt goes through standard input only: argv is readable by every process of the machine and is short. */
export const opencodePlan = (turn: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  const { model: wanted, effort, sessionId, readOnly } = turn;
  if (sessionId !== null && !session.test(sessionId)) return { kind: "badSession", message: `${JSON.stringify(sessionId)} is no session id of opencode (ses_…)` };
  if (wanted !== null && !model.test(wanted)) return { kind: "model", message: `${JSON.stringify(wanted)} is no model of opencode: it wants provider/model` };
  const agent = readOnly ? "enact-reading" : "enact-working";
  return {
    argv: [
      // Without a title it asks the model for one.
      "opencode", "run", "--format", "json", "--thinking", "--title", "enact-factory", "--agent", agent,
      // What went wrong inside is said in its log only.
      "--print-logs", "--log-level", "ERROR",
      ...(wanted === null ? [] : ["--model", wanted]), ...(effort === undefined ? [] : ["--variant", effort]), ...(sessionId === null ? [] : ["--session", sessionId]),
    ],
    env: { ...opencodeEnvironment(host), OPENCODE_CONFIG_CONTENT: configuration(agent, readOnly, host) },
    files: { [listenerFile]: listener },
    stdin: turn.prompt,
    stdinMode: "close",
  };
};
