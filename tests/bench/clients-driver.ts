// A gateway whose terminals are written to: 200 of them, 20 KB/s each, in chunks that begin with `@nanoseconds@`. Says its CPU and memory when asked. usage: clients-driver TERMINALS
import { createInterface } from "node:readline";
import { openGateway } from "../../src/gateway/gateway.ts";
import type { TerminalFrame } from "../../src/client/contract.ts";
import { token } from "../gateway/open.ts";
import { standIn } from "../gateway/stand-in.ts";

const [terminals = "200"] = process.argv.slice(2);
const perSecond = 10, chunkBytes = 2_000;
const filler = "\x1b[32mok\x1b[0m 한국어 출력 and some plain text of a build log\n".repeat(40);
interface Watcher { readonly ready: () => boolean; readonly onFrame: (frame: TerminalFrame) => void; dropped: boolean }
const watchers = new Map<string, Set<Watcher>>();
const sizes = new Map<string, number>();
const gateway = await openGateway({
  token, version: "0", port: 0, onError: () => {},
  client: {
    ...standIn(),
    watchTerminal: (address, { ready = () => true }, onFrame) => {
      const watcher: Watcher = { ready, onFrame, dropped: true };
      const all = watchers.get(address) ?? new Set();
      watchers.set(address, all.add(watcher));
      return () => { all.delete(watcher); };
    },
  },
});
const append = (address: string): void => {
  const data = Buffer.from(`@${process.hrtime.bigint()}@${filler}`).subarray(0, chunkBytes);
  const offset = sizes.get(address) ?? 0;
  sizes.set(address, offset + data.length);
  for (const watcher of watchers.get(address) ?? []) {
    if (!watcher.ready()) {
      watcher.dropped = true;
      continue;
    }
    // What follows a gap begins with the screen, which is made when it is needed.
    if (watcher.dropped) watcher.onFrame({ type: "keyframe", offset, columns: 120, rows: 40, data: Buffer.from(filler) });
    watcher.dropped = false;
    watcher.onFrame({ type: "bytes", offset, data });
  }
};
const from = performance.now();
let done = 0;
setInterval(() => {
  for (const due = ((performance.now() - from) / 1_000) * perSecond * Number(terminals); done < due; done++) append(`pane-${done % Number(terminals)}`);
}, 2);
process.stdout.write(`${JSON.stringify({ port: gateway.port })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage();
  if (line === "told") process.stdout.write(`${JSON.stringify({ cpuMs: (user + system) / 1_000, rssMb: process.memoryUsage().rss / 2 ** 20 })}\n`);
}
process.exit(0);
