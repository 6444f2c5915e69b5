/** Runs on a file system of one megabyte, given as argument: fills it through a run's output, then tries another run. */
import { Effect, Stream } from "effect";
import { RunId } from "../../src/domain/ids.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";

const [root = ""] = process.argv.slice(2);
const code = "const fs=require('fs');try{for(;;)fs.writeSync(1,'y'.repeat(999)+'\\n')}catch(e){process.exit(e.code==='ENOSPC'?28:1)}";
const spec = (id: string) => ({ runId: RunId.parse(id), argv: [process.execPath, "-e", code] as const, cwd: "/", env: {}, stdinMode: "close" as const, labels: {} });
const processes = makeAgentProcess({ root });
const told = await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const handle = yield* processes.start(spec("full"));
  const exit = yield* handle.exit;
  const lines = (yield* Stream.runCollect(handle.lines(0))).length;
  const error = yield* handle.errorTail;
  const refused = (yield* Effect.flip(processes.start({ ...spec("second"), stdin: "z".repeat(10_000) }))).toString();
  return { exit, lines, error, refused };
})));
process.stdout.write(JSON.stringify(told));
