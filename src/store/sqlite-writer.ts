// Entry of the writer thread; the bundle puts it beside the bin as `sqlite-writer.js`.
import { parentPort, workerData } from "node:worker_threads";
import type { WriterData } from "./sqlite/protocol.ts";
import { runWriter } from "./sqlite/writer.ts";

const started: WriterData = workerData;
if (parentPort === null) throw new Error("sqlite-writer is a thread of enact-factory, not a program");
await runWriter(parentPort, started);
