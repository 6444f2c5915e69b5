import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { McpServer } from "../../domain/mcp.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { stopHookCommand, stopHookOf } from "../hook-line.ts";
import { codexEnvironment, homeProblem } from "./environment.ts";
import { argumentsFile, hookHash, hookKey } from "./hook-trust.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** A TOML string. JSON's is one, but for a character that TOML wants escaped. */
const text = (value: string): string => JSON.stringify(value).replaceAll("\u007f", "\\u007f");

/** What holds in every turn, whatever the user's own configuration says. */
const always: readonly string[] = [
  // Nobody is there to ask: what the sandbox refuses stays refused.
  'approval_policy="never"',
  // Projects, plugins and accounts bring instructions and programs of others into a turn; goals let it go on after its end.
  "skills.include_instructions=false", "features.plugins=false", "features.apps=false", "features.goals=false", 'web_search="disabled"',
  "analytics.enabled=false", "check_for_update_on_startup=false",
  // Else it waits for a server that nobody listens on without an end.
  "features.unbounded_connection_retries=false",
  // The agent's commands get the PATH that the CLI got, and no variable that is called a key, a secret or a token.
  // A snapshot of the shell would bring the user's start-up files back, and is still being made when a short turn is over.
  "allow_login_shell=false", "features.shell_snapshot=false", "shell_environment_policy.ignore_default_excludes=false",
  // The project is the working directory, and nothing above it.
  "project_root_markers=[]",
];

/** The worktree belongs to nobody the CLI trusts, even where the user trusts the repository: its `.codex` is not read, its AGENTS.md neither. */
const distrust = (cwd: string): string => `projects={${text(cwd)}={trust_level="untrusted"}}`;

const network = "sandbox_workspace_write.network_access=true";
/** A critic takes no instructions from the work that it judges. */
const noInstructions = "project_doc_max_bytes=0";

const stopHook = { command: stopHookCommand, timeout: 30 };
const stopArguments: readonly string[] = [
  "features.hooks=true",
  `hooks.Stop=[{hooks=[{type="command",command=${text(stopHook.command)},timeout=${stopHook.timeout}}]}]`,
  // Only this one hook is trusted; those that a person has not trusted stay silent.
  `hooks.state={${text(hookKey(argumentsFile, "Stop", 0, 0))}={trusted_hash=${text(hookHash("Stop", stopHook))}}}`,
];

/** Only these, besides the user's own, which `doctor` names. Variables are named, not written. */
const mcpSettings = ({ name, at, env }: McpServer): readonly string[] => [
  ...(typeof at === "string" ? [`url=${text(at)}`, ...env.map((each) => `bearer_token_env_var=${text(each)}`)] : [`command=${text(at[0] ?? "")}`, `args=[${at.slice(1).map(text).join(",")}]`, `env_vars=[${env.map(text).join(",")}]`]),
  // Nobody is there to ask; what is configured is meant to be used.
  'default_tools_approval_mode="approve"',
].map((setting) => `mcp_servers.${name}.${setting}`);

/** How one turn is launched. The prompt goes through standard input only: argv is readable by every process of the machine and is short. */
export const codexPlan = (turn: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  const { model, effort, sessionId, readOnly, cwd } = turn;
  if (sessionId !== null && !uuid.test(sessionId)) return { kind: "badSession", message: `${JSON.stringify(sessionId)} is no session id of codex (a UUID)` };
  // Anything else could be read as an option.
  if (model !== null && !/^[A-Za-z0-9]\S*$/.test(model)) return { kind: "model", message: `${JSON.stringify(model)} is no model id` };
  const problem = homeProblem(host);
  if (problem !== undefined) return { kind: "spawn", message: problem };
  const asks = stopHookOf(turn, host);
  const configured = [...always, distrust(cwd), readOnly ? noInstructions : network, ...(effort === undefined ? [] : [`model_reasoning_effort=${text(effort)}`]), ...(host.mcp ?? []).flatMap(mcpSettings), ...(asks === undefined ? [] : stopArguments)];
  return {
    argv: [
      "codex", "exec", "--json", "--skip-git-repo-check", ...(model === null ? [] : ["--model", model]), "--sandbox", readOnly ? "read-only" : "workspace-write",
      ...configured.flatMap((value) => ["--config", value]), ...(sessionId === null ? [] : ["resume", sessionId]), "-",
    ],
    env: { ...codexEnvironment(host), ...asks },
    stdin: turn.prompt,
    stdinMode: "close",
  };
};
