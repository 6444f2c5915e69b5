import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { cursorEnvironment } from "./environment.ts";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * `--mode ask` is documented as read-only, but nothing is documented that keeps a repository's own `.cursor` out: its `cli.json` grants commands and
 * its `hooks.json` names programs, and an unattended turn has to trust the workspace.
 */
const unguarded = "cursor cannot be held to reading: what a repository's own .cursor directory grants and runs cannot be switched off; choose another adapter for this stage";

/** How one turn is launched. The prompt goes through standard input only: argv is readable by every process of the machine and is short. */
export const cursorPlan = ({ model, sessionId, readOnly, prompt }: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  if (readOnly) return { kind: "model", message: unguarded };
  if (sessionId !== null && !uuid.test(sessionId)) return { kind: "badSession", message: `${JSON.stringify(sessionId)} is no session id of cursor (a UUID)` };
  // Anything else could be read as an option.
  if (model !== null && !/^[A-Za-z0-9]\S*$/.test(model)) return { kind: "model", message: `${JSON.stringify(model)} is no model id` };
  return {
    argv: [
      // Without --force it only proposes its changes; MCP servers that nobody has approved stay out.
      "cursor-agent", "--print", "--output-format", "stream-json", "--trust", "--force",
      ...(model === null ? [] : ["--model", model]), ...(sessionId === null ? [] : ["--resume", sessionId]),
    ],
    env: cursorEnvironment(host),
    stdin: prompt,
    stdinMode: "close",
  };
};
