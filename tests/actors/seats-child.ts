/** A process that writes one run's text to a seat and is killed while it does (seats.test.ts). */
import { Seats } from "../../actors/seats.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { SimulatedClock } from "../support/clock.ts";

const seats = new Seats({ root: process.argv[2] ?? "", clock: new SimulatedClock(1), onTrouble: (text) => { throw new Error(text); } });
const run = await seats.begin({ address: "LOC-3/coder", item: WorkItemId.parse("LOC-3"), team: null, seat: "coder", adapter: "scripted", runId: RunId.parse("run-1") });
process.stdout.write("begun\n");
run.write("header\r\n");
for (let n = 0; n < 3_000; n++) {
  run.advance(n);
  run.write(`line ${n} ${"é漢".repeat(n % 40)}\r\n`);
  if (n % 20 === 0) await new Promise<void>((next) => { setImmediate(next); });
}
process.exitCode = (await run.settle("over")) ? 0 : 1;
