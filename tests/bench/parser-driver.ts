// Reads one file of an agent's output. usage: parser-driver ADAPTER bare|reader|turn FILE; prints JSON. `bare` splits lines and parses each as JSON, `reader` cuts lines and
// reads each as a run does, `turn` counts the events towards an outcome besides, with secrets taken out.
import { closeSync, openSync, readSync } from "node:fs";
import { redactedReader } from "../../actors/redacted-reader.ts";
import { redactor } from "../../src/daemon/secrets.ts";
import { adapters } from "../../src/daemon/ports.ts";
import type { TurnRequest } from "../../src/domain/agent.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { begin, push } from "../../src/domain/turn-outcome.ts";
import { lineCutter } from "../../src/process/output-lines.ts";

const [name = "", mode = "", file = ""] = process.argv.slice(2);
const adapter = adapters.find((each) => each.name === name);
if (adapter === undefined) throw new Error(`there is no adapter ${name}`);
const turn: TurnRequest = {
  runId: RunId.parse("stage.loc-1.1.coder.1"), item: WorkItemId.parse("LOC-1"), attempt: 1, stage: "coder", iteration: 1, tryNumber: 1, adapter: adapter.name,
  model: null, cwd: "/repo", prompt: "Fix the bug.", sessionId: null, sessionCostUsd: 0, readOnly: false, timeoutMs: 600_000, stallMs: 300_000, playbook: null,
};
const chunk = Buffer.alloc(65_536);
let bytes = 0, lines = 0, events = 0, peakMb = 0;

/** As any program would: what is left of a chunk goes before the next. */
const bare = (): ((part: Buffer) => void) => {
  let rest = "";
  return (part) => {
    const texts = (rest + part.toString("utf8")).split("\n");
    rest = texts.pop() ?? "";
    for (const text of texts) {
      lines++;
      const value: unknown = JSON.parse(text);
      if (value !== null) events++;
    }
  };
};

const read = (counts: boolean): ((part: Buffer) => void) => {
  const cutter = lineCutter(0), own = adapter.reader(turn);
  const reader = counts ? redactedReader(own, redactor(Array.from({ length: 25 }, (_, n) => `planted-secret-number-${n}`))) : own;
  let tally = begin(turn);
  return (part) => {
    for (const { text } of cutter.push(part)) {
      lines++;
      for (const event of reader.line(text)) {
        events++;
        if (counts) tally = push(tally, event);
      }
    }
  };
};

const take = mode === "bare" ? bare() : read(mode === "turn");
const fd = openSync(file, "r");
const before = process.cpuUsage(), from = performance.now();
for (let n = readSync(fd, chunk); n > 0; n = readSync(fd, chunk)) {
  take(Buffer.from(chunk.subarray(0, n)));
  bytes += n;
  if ((bytes & 0xffffff) < n) peakMb = Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20);
}
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${JSON.stringify({ ms: performance.now() - from, cpuMs: (user + system) / 1_000, lines, events, mb: bytes / 2 ** 20, rssMb: Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20) })}\n`);
closeSync(fd);
