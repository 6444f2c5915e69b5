import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { McpServer } from "../../domain/mcp.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { stopHookCommand, stopHookOf } from "../hook-line.ts";
import { claudeEnvironment } from "./environment.ts";

/** Short names of the configuration and the ids the CLI takes. Every other id is handed on as it is written. */
const shortNames: ReadonlyMap<string, string> = new Map([
  ["sonnet-4", "claude-sonnet-4-20250514"],
  ["haiku-4.5", "claude-haiku-4-5-20251001"],
  ["opus-4", "claude-opus-4-20250514"],
]);

/** Tools of a turn that works. The CLI's scheduling, messaging and worktree tools are left out: nobody answers them, and a turn stays in its cwd. */
const workingTools = ["Bash", "Read", "Edit", "Write", "NotebookEdit", "Glob", "Grep", "Task"];
/** Tools of a turn that reads. What is not named here does not exist in the session, not even for its subagents. */
const readingTools = ["Read", "Glob", "Grep"];

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The session id a run opens: always the same for the same run, so a run that is asked for twice never opens two sessions. */
export const sessionIdOf = (runId: string): string => {
  const hash = createHash("sha256").update("enact-factory claude session ").update(runId).digest();
  // Version 8 (custom) and the RFC 9562 variant.
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  const hex = hash.toString("hex", 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
};

/** The model as the CLI takes it; undefined: its own default. */
const modelOf = (turn: TurnRequest): string | undefined | AgentFailure => {
  const model = turn.model === null ? undefined : shortNames.get(turn.model) ?? turn.model;
  // Anything else could be read as an option.
  return model !== undefined && !/^[A-Za-z0-9]\S*$/.test(model) ? { kind: "model", message: `${JSON.stringify(model)} is no model id` } : model;
};

/** What turns in the background and turns in the CLI's own screen have in common: model, session, what the turn may do. */
export const claudeArguments = (turn: TurnRequest, { mcp = [], runDirectory }: HostEnvironment): readonly string[] | AgentFailure => {
  if (turn.sessionId !== null && !uuid.test(turn.sessionId)) return { kind: "badSession", message: `${JSON.stringify(turn.sessionId)} is no session id of claude (a UUID)` };
  const model = modelOf(turn);
  if (typeof model === "object") return model;
  return [
    ...(model === undefined ? [] : ["--model", model]),
    ...(turn.effort === undefined ? [] : ["--effort", turn.effort]),
    ...(turn.sessionId === null ? ["--session-id", sessionIdOf(turn.runId)] : ["--resume", turn.sessionId]),
    "--permission-mode", turn.readOnly ? "dontAsk" : "acceptEdits",
    `--tools=${(turn.readOnly ? readingTools : workingTools).join(",")}`,
    // File tools need no entry: acceptEdits grants them inside the cwd, and an entry would grant them everywhere.
    ...(turn.readOnly ? [] : [`--allowedTools=${["Bash", ...mcp.map(({ name }) => `mcp__${name}`)].join(",")}`, `--add-dir=${turn.cwd}`]),
    // A repository's own settings could point the CLI, with the user's key, at another server, or run a hook in a reading turn.
    "--setting-sources=user", "--strict-mcp-config", ...(mcp.length === 0 ? [] : [`--mcp-config=${join(runDirectory, mcpFile)}`]),
  ];
};

/** Only these, whatever the user and the repository have. Values of variables are put in by the CLI: the file holds their names. */
const mcpFile = "mcp.json";
const mcpSettings = (servers: readonly McpServer[]): string => JSON.stringify({ mcpServers: Object.fromEntries(servers.map(({ name, at, env }) => [name, typeof at === "string"
  ? { type: "http", url: at, headers: Object.fromEntries(env.map((each) => ["Authorization", `Bearer \${${each}:-}`])) }
  : { type: "stdio", command: at[0], args: at.slice(1), env: Object.fromEntries(env.map((each) => [each, `\${${each}:-}`])) }])) });

/** What the arguments point to. */
export const claudeFiles = ({ mcp = [] }: HostEnvironment): Readonly<Record<string, string>> => (mcp.length === 0 ? {} : { [mcpFile]: mcpSettings(mcp) });

const settingsFile = "settings.json";
const stopSettings = JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: "command", command: stopHookCommand, timeout: 30 }] }] } });

/** How one turn is launched. The prompt goes through standard input only: argv is readable by every process of the machine and is short. */
export const claudePlan = (turn: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  const chosen = claudeArguments(turn, host);
  if ("kind" in chosen) return chosen;
  const asks = stopHookOf(turn, host), files = { ...claudeFiles(host), ...(asks === undefined ? {} : { [settingsFile]: stopSettings }) };
  return {
    argv: ["claude", "-p", "--output-format", "stream-json", "--verbose", "--permission-prompts", "none", "--disable-slash-commands", ...chosen, ...(asks === undefined ? [] : ["--settings", join(host.runDirectory, settingsFile)])],
    env: { ...claudeEnvironment(host, turn), ...asks },
    ...(Object.keys(files).length === 0 ? {} : { files }),
    // A first character `/` would be a command of the CLI (`/clear`), --disable-slash-commands or not; after a newline it is text.
    stdin: turn.prompt.startsWith("/") ? `\n${turn.prompt}` : turn.prompt,
    stdinMode: "close",
  };
};
