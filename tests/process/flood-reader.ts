/** Reads all lines of a run, pausing now and then, and tells how far memory grew at most. */
import { Effect, Stream } from "effect";
import { RunId } from "../../src/domain/ids.ts";
import { makeAgentProcess } from "../../src/process/agent-process.ts";

const [root = "", id = ""] = process.argv.slice(2);
globalThis.gc?.();
const before = process.memoryUsage().rss;
let [count, bytes, most] = [0, 0, before];
await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
  const handle = yield* makeAgentProcess({ root }).adopt(RunId.parse(id));
  yield* Stream.runForEach(handle.lines(0), (line) => {
    count++;
    bytes += line.text.length + 1;
    if (count % 2_000 !== 0 && line.text.length < 1_000_000) return Effect.void;
    most = Math.max(most, process.memoryUsage().rss);
    return Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)));
  });
})));
process.stdout.write(JSON.stringify({ count, bytes, grownMb: Math.round((most - before) / 1e6) }));
