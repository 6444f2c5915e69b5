/** `mcp`: standard output carries the protocol and nothing else; what people should read goes to standard error. */
import { block } from "../../client/text/safe-text.ts";
import type { Scope } from "../../mcp/tool.ts";
import { serveStdio } from "../../mcp/stdio.ts";
import { type Command, reading } from "../context.ts";
import { CliProblem, exitCode } from "../problem.ts";

export interface McpOptions { readonly tools?: Scope }

/** An agent of the factory's own has this in its environment (the launcher sets it); it decides nothing that is a person's. */
const runVariable = "ENACT_RUN_ID";

export const mcp: Command<McpOptions> = async (context, options) => {
  const { terminal, tools, place } = context;
  const own = (terminal.env[runVariable] ?? "") !== "";
  if (own && options.tools === "all") throw new CliProblem("An agent that the factory runs gets no tools of a person.", "Leave --tools out, or write --tools session.", exitCode.failed);
  // A build that lacks its texts is no build: better no server than one that gives out half of what it lists.
  await tools.skills.list(null);
  await serveStdio({
    version: tools.version, scope: options.tools ?? (own ? "session" : "all"), skills: tools.skills, repository: place.directory, now: tools.now,
    // A connection for each call: the daemon may come and go between two of them.
    withClient: (use) => reading(context, use),
    onError: (error) => terminal.err.write(`enact-factory mcp: ${block(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`),
  }, terminal.input, process.stdout);
  return exitCode.ok;
};
