// A process of its own for tests: `child.ts MODE LOCATION-JSON`. Talks in lines.
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { Effect } from "effect";
import type { Commit, StoreShape } from "../../src/ports/store.ts";
import type { StoreLocation } from "../../src/store/open.ts";
import { outcome, owner, reader, run } from "./opened.ts";
import { twin } from "./twin.ts";

const [mode, text] = process.argv.slice(2);
const location: StoreLocation = JSON.parse(text ?? "");
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const fail = (error: unknown): never => {
  say(`error ${typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : ""} ${String(error)}`);
  process.exit(1);
};

/** Commits twins until it is killed; says each one that was acknowledged. */
const write = async (store: StoreShape): Promise<void> => {
  for (let n = (await run(store.journal({ actorPrefix: "item/" }))).length + 1; ; n++) {
    await run(store.commit(twin(n)));
    say(`ack ${n}`);
  }
};

const bulk = (seq: number): Commit => ({ actor: "item/LOC-1/1", seq, at: seq, event: JSON.stringify({ type: "bulk", text: "x".repeat(50_000) }), view: `{"seq":${seq}}` });

/** Fills the disk, asks for room (`rm FILE` on its input, or any line), and goes on. */
const fill = async (store: StoreShape, lines: AsyncIterator<string>): Promise<void> => {
  let seq = 1;
  let error = "";
  for (; seq < 2_000; seq++) {
    error = await outcome(store.commit([bulk(seq), { ...twin(seq)[1], actor: "pipeline/LOC-1/1" }]));
    if (error !== "ok") break;
  }
  say(`full ${error} ${seq - 1}`);
  say(`kept ${(await run(store.journal({ actorPrefix: "item/" }))).length} ${(await run(store.journal({ actorPrefix: "pipeline/" }))).length} ${(await run(store.mail(0))).length}`);
  const room = await lines.next();
  if (room.done !== true && room.value.startsWith("rm ")) rmSync(room.value.slice(3));
  say(`again ${await outcome(store.commit([bulk(seq), { ...twin(seq)[1], actor: "pipeline/LOC-1/1" }]))}`);
  say(`then ${(await run(store.journal({ actorPrefix: "item/" }))).length} ${(await run(store.journal({ actorPrefix: "pipeline/" }))).length}`);
};

try {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  switch (mode) {
    case "write": {
      const { store } = await owner(location);
      await write(store);
      break;
    }
    case "own": {
      // Answers each line with the outcome of one more commit.
      const { store } = await owner(location);
      say(`owner ${store.generation}`);
      for (let seq = (await run(store.load("item/LOC-9/1"))).events.length + 1; !(await lines.next()).done; seq++) say(await outcome(store.commit([{ actor: "item/LOC-9/1", seq, at: seq, event: "{}" }])));
      break;
    }
    case "enqueue": {
      const { store, close } = await reader(location);
      for (let i = 0; i < 50; i++) await run(store.enqueue("item/LOC-1/1", JSON.stringify({ from: process.pid, i }), i));
      await close();
      say("done");
      break;
    }
    case "fill": {
      const { store, close } = await owner(location);
      await fill(store, lines);
      await close();
      break;
    }
    case "open": {
      const { store, close } = await owner(location);
      await run(Effect.asVoid(store.lastGeneration));
      await close();
      say("opened");
      break;
    }
    default: throw new Error(`no mode ${String(mode)}`);
  }
  process.exit(0);
} catch (error) {
  fail(error);
}
