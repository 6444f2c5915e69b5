import type { AgentFailure, TurnRequest } from "../../domain/agent.ts";
import type { HostEnvironment, LaunchPlan } from "../../ports/adapter.ts";
import { hermesEnvironment } from "./environment.ts";

/** Its ids are words of digits and letters; `latest` is a keyword, and anything with a space a title. */
const isSession = (id: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(id) && id !== "latest";

/** How one turn is launched. The prompt goes through standard input only: argv is readable by every process of the machine and is short. */
export const hermesPlan = ({ model, sessionId, readOnly, prompt, cwd }: TurnRequest, host: HostEnvironment): LaunchPlan | AgentFailure => {
  // One toolset holds reading and writing of files together, and no option parts them.
  if (readOnly) return { kind: "model", message: "hermes cannot be held to reading: its tools for files come together; choose another adapter for this stage" };
  if (sessionId !== null && !isSession(sessionId)) return { kind: "badSession", message: `${JSON.stringify(sessionId)} is no session id of hermes` };
  // Anything else could be read as an option.
  if (model !== null && !/^[A-Za-z0-9]\S*$/.test(model)) return { kind: "model", message: `${JSON.stringify(model)} is no model id` };
  return {
    argv: [
      // Else a resumed session goes back to the directory that it remembers.
      "hermes", "--in", cwd, "chat", "--quiet", "--query-file", "-",
      // Neither the project's instructions nor what it remembers of others; no web, no messages, no timetable, no agents of its own.
      "--ignore-rules", "--toolsets", "file,terminal,todo", "--source", "tool",
      ...(model === null ? [] : ["--model", model]), ...(sessionId === null ? [] : ["--resume", sessionId]),
    ],
    env: hermesEnvironment(host),
    stdin: prompt,
    stdinMode: "close",
  };
};
