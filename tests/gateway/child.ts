/** A gateway in a process of its own, whose terminals and events flood; says its memory when asked. usage: child SLOW_MS */
import { createInterface } from "node:readline";
import { openGateway } from "../../src/gateway/gateway.ts";
import { token } from "./open.ts";
import { standIn } from "./stand-in.ts";

const [slowMs = "30000"] = process.argv.slice(2);
const client = standIn();
const gateway = await openGateway({ client, token, version: "0", port: 0, onError: () => {}, limits: { slowMs: Number(slowMs) } });
const chunk = new Uint8Array(65_536).fill(0x79);
client.terminal("deaf").deaf = true;
process.stdout.write(`${JSON.stringify({ port: gateway.port })}\n`);
let sent = 0;
setInterval(() => {
  for (const address of ["fair", "deaf"]) client.terminal(address).append(chunk);
  for (let n = 0; n < 200; n++) client.emit({ type: "journal", actor: "item/LOC-1/1", event: `event-${sent++}-${"x".repeat(200)}`, at: sent });
}, 5);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "rss") process.stdout.write(`${JSON.stringify({ rss: process.memoryUsage().rss, external: process.memoryUsage().arrayBuffers, ...client.open(), sent })}\n`);
  if (line === "end") break;
}
await gateway.close();
process.exit(0);
