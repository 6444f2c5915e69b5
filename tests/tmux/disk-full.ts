/** Runs on a file system of one megabyte, given as argument: fills it through a log, makes room, goes on. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSeatLog, readSeatLog } from "../../tmux/index.ts";

const [root = ""] = process.argv.slice(2);
const directory = join(root, "seat"), ballast = join(root, "ballast");
writeFileSync(ballast, Buffer.alloc(300_000));
const log = await openSeatLog(directory);
const block = Buffer.from("0123456789".repeat(1_000));
let answer = await log.append(block);
while (!answer.error) answer = await log.append(block);
const again = await log.append("more");
// Another log cannot even begin: that is an answer too.
const other = await openSeatLog(join(root, "other")).then(async (opened) => (await opened.append("x".repeat(9_000))).error?.code, (error: NodeJS.ErrnoException) => error.code);
rmSync(ballast);
const rest = block.subarray(answer.written, answer.written + 1_000);
const after = await log.append(rest.length === 1_000 ? rest : Buffer.concat([rest, block]).subarray(0, 1_000));
const parts: Buffer[] = [];
for (let at = 0; at < after.to;) {
  const { data } = await readSeatLog(directory).read(at, 100_000);
  parts.push(data);
  at += data.length;
}
process.stdout.write(JSON.stringify({
  filled: answer.to, error: answer.error?.code, again: again.error?.code, opened: other, after: after.to,
  whole: Buffer.concat(parts).toString() === "0123456789".repeat(after.to / 10 + 1).slice(0, after.to),
}));
