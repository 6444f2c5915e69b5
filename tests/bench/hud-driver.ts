// Runs in a terminal of its own. usage: hud-driver MODE SECONDS FILE DIRECTORY; writes JSON to FILE.
// empty: blessed's screen with nothing on it. busy-empty: the same, asked 20 times a second to render. idle, store: the HUD left alone,
// over the double with 200 panes, over a real store. busy: the HUD's frame with 200 panes, the choice moving at each.
// frame: the pure frame of that alone. reader: the connection to a store, watched, without a HUD.
import { writeFileSync } from "node:fs";
import { ReadStream, WriteStream } from "node:tty";
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { openScreen } from "../../src/hud/blessed.ts";
import { frame } from "../../src/hud/frame.ts";
import { begin, step } from "../../src/hud/model.ts";
import { readKnown } from "../../src/hud/reading.ts";
import { openHudScreen } from "../../src/hud/screen.ts";
import { runHud } from "../../src/hud/session.ts";
import { doubleOf, recordedNow } from "../hud/double.ts";

const [mode = "", seconds = "10", file = "", directory = ""] = process.argv.slice(2);
const { stdin: input, stdout: output } = process;
if (!(input instanceof ReadStream) || !(output instanceof WriteStream)) throw new Error("this runs in a terminal");
const size = { columns: output.columns, rows: output.rows };
const frameMs = 50;

/** CPU of this process while `during` runs, beside what starting it cost. */
const measure = async (during: () => Promise<number>): Promise<void> => {
  await pause(3_000);
  const before = process.cpuUsage(), from = performance.now();
  const frames = await during();
  const { user, system } = process.cpuUsage(before);
  writeFileSync(file, JSON.stringify({ cpuMs: (user + system) / 1_000, wallMs: performance.now() - from, frames, rssMb: process.memoryUsage().rss / 2 ** 20 }));
};
const wait = async (): Promise<number> => {
  await pause(Number(seconds) * 1_000);
  return 0;
};
const often = async (each: () => void): Promise<number> => {
  const frames = Math.round((Number(seconds) * 1_000) / frameMs);
  for (let n = 0; n < frames; n++) {
    each();
    await pause(frameMs);
  }
  return frames;
};

if (mode === "empty" || mode === "busy-empty") {
  const screen = await openScreen({ input, output });
  input.setRawMode(true);
  await measure(() => (mode === "empty" ? wait() : often(() => screen.render())));
  screen.destroy();
} else if (mode === "busy") {
  let model = begin("0.1.0", await readKnown(doubleOf({ panes: 200 }).client), recordedNow);
  model = step(model, { type: "action", action: { type: "panel", to: "seats" } }, recordedNow).model;
  let drawn = 0;
  const screen = await openHudScreen({
    input, output, colour: true, onInput: () => {},
    draw: (now) => {
      drawn++;
      const made = frame(model, now, { interactive: true });
      model = step(model, { type: "drawn", reach: made.reach, tops: made.tops }, recordedNow + drawn * 1_000).model;
      return made;
    },
  });
  await measure(() => often(() => {
    model = step(model, { type: "action", action: { type: "move", by: 1 } }, recordedNow + drawn * 1_000).model;
    screen.invalidate();
  }));
  screen.close();
} else if (mode === "reader") {
  const connection = await createLocalTools().connect({ as: "read", directory, configFile: join(directory, "config.toml") });
  const stop = connection.client.watch(() => {});
  await measure(wait);
  stop();
  await connection.close("abandon");
} else if (mode === "idle" || mode === "store") {
  const tools = createLocalTools();
  const connection = mode === "store" ? await tools.connect({ as: "read", directory, configFile: join(directory, "config.toml") }) : { client: doubleOf({ panes: 200 }).client, close: async () => {} };
  const stop = new AbortController();
  const ended = runHud({ client: connection.client, version: "0.1.0", now: Date.now, input, output, colour: true, stop: stop.signal, launch: async () => 0 });
  await measure(wait);
  stop.abort();
  await ended;
  await connection.close("abandon");
} else {
  // The pure frame alone, in this process's own CPU: median over many, the choice moving.
  let model = begin("0.1.0", await readKnown(doubleOf({ panes: 200 }).client), recordedNow);
  model = step(model, { type: "action", action: { type: "panel", to: "seats" } }, recordedNow).model;
  const one = (n: number): void => {
    model = step(model, { type: "action", action: n % 190 === 0 ? { type: "edge", to: "first" } : { type: "move", by: 1 } }, recordedNow + n * 1_000).model;
    const made = frame(model, size, { interactive: true });
    model = step(model, { type: "drawn", reach: made.reach, tops: made.tops }, recordedNow + n * 1_000).model;
  };
  for (let n = 0; n < 300; n++) one(n);
  await measure(async () => {
    for (let n = 0; n < 1_000; n++) one(n);
    return 1_000;
  });
}
process.exit(0);
