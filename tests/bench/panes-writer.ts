// Writes to many terminals from one process, so that the writers' own cost is not in the figure. usage: panes-writer BYTES-PER-SECOND SECONDS TTY...
// Ten chunks a second and terminal, spread evenly; each begins with `@terminal:number:nanoseconds@`. Prints what was written, as JSON.
import { constants, openSync, writeSync } from "node:fs";

const [rate = "", seconds = "", ...ttys] = process.argv.slice(2);
const perSecond = 10, size = Math.floor(Number(rate) / perSecond);
const line = "\x1b[32mok\x1b[0m 한국어 출력 and some plain text of a build log, line after line\n";
const filler = Buffer.from(line.repeat(Math.ceil(size / Buffer.byteLength(line)) + 1));
const panes = ttys.map((tty) => ({ fd: openSync(tty, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY), number: 0, late: 0, rest: undefined as Buffer | undefined }));
const started = performance.now();
let due = 0, bytes = 0;

const put = (pane: (typeof panes)[number], data: Buffer): void => {
  try {
    const written = writeSync(pane.fd, data);
    bytes += written;
    pane.rest = written < data.length ? data.subarray(written) : undefined;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    pane.rest = data;
  }
};
const step = (): void => {
  const now = performance.now() - started;
  const target = Math.min(Math.floor((now * perSecond * panes.length) / 1_000), Number(seconds) * perSecond * panes.length);
  for (; due < target; due++) {
    const index = due % panes.length, pane = panes[index];
    if (!pane) continue;
    if (pane.rest) put(pane, pane.rest);
    // A terminal that takes no more holds its program back: the chunk does not come into being.
    if (pane.rest) { pane.late++; continue; }
    const head = Buffer.from(`@${index}:${pane.number++}:${process.hrtime.bigint()}@\n`);
    put(pane, Buffer.concat([head, filler.subarray(0, size - head.length - 1), Buffer.from("\n")]));
  }
  if (now < Number(seconds) * 1_000) return void setTimeout(step, 2);
  for (const pane of panes) if (pane.rest) put(pane, pane.rest);
  process.stdout.write(JSON.stringify({ bytes, chunks: panes.map(({ number }) => number), held: panes.reduce((sum, { late }) => sum + late, 0) }));
};
step();
