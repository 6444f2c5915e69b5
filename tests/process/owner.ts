/** An owner to be killed: says `ready`, then starts the run of each line of its input, and says how. Arguments: the directory of runs, the file its runs append to, the directory they work in. */
import { createInterface } from "node:readline";
import { Effect } from "effect";
import { RunId } from "../../src/domain/ids.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";

const [root = "", trace = "", cwd = ""] = process.argv.slice(2);
const processes = makeAgentProcess({ root });
process.stdout.write("ready\n");
for await (const id of createInterface({ input: process.stdin })) {
  const handle = await Effect.runPromise(Effect.scoped(processes.start({
    runId: RunId.parse(id), argv: ["/bin/sh", "-c", 'echo "$0 $$" >>"$1"; read line; echo "$line"', id, trace], cwd, env: { PATH: "/usr/bin:/bin" },
    stdin: "go\n", stdinMode: "open", labels: {},
  })));
  process.stdout.write(`${handle.adopted ? "adopted" : "started"}\n`);
}
