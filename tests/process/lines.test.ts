import { execa } from "execa";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Effect, Stream } from "effect";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lineCutter } from "../../src/process/output-lines.ts";
import { exitOf, lines, node, rig, texts, type Rig } from "./rig.ts";

const cut = (bytes: Buffer, sizes: readonly number[], cap?: number, from = 0) => {
  const cutter = lineCutter(from, cap);
  const found = [];
  let at = 0;
  for (let n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] ?? 1;
    // The reader's buffer is used again: what waits must have been copied.
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    found.push(...cutter.push(chunk));
    chunk.fill(0x23);
    at += size;
  }
  return [...found, ...cutter.flush()];
};
const text = fc.array(fc.constantFrom("a", "bc", "\r", "\n", "\r\n", "é", "한", "🎈", " ", "{\"x\":1}\n"), { maxLength: 60 }).map((parts) => parts.join(""));
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });

describe("cutting lines", () => {
  test("the cut does not depend on how the bytes arrive, and equals the plain split", () => {
    fc.assert(fc.property(text, sizes, (whole, chunks) => {
      const split = whole.split("\n");
      const expected = (split.at(-1) === "" ? split.slice(0, -1) : split).map((line) => line.replace(/\r$/, ""));
      expect(cut(Buffer.from(whole), chunks).map((line) => line.text)).toEqual(expected);
    }));
  });

  test("from the end of any line the rest is the same: resuming loses and repeats nothing", () => {
    fc.assert(fc.property(text, sizes, fc.nat(), (whole, chunks, pick) => {
      const bytes = Buffer.from(whole);
      const all = cut(bytes, chunks);
      if (all.length === 0) return;
      const n = pick % all.length;
      const from = all[n]?.end ?? 0;
      expect(cut(bytes.subarray(from), chunks, undefined, from)).toEqual(all.slice(n + 1));
      expect(all.at(-1)?.end).toBe(bytes.length);
    }));
  });

  test("a line over the cap is cut at a whole character, said, and the next line is whole", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), sizes, (cap, chunks) => {
      const long = "한".repeat(30);
      const found = cut(Buffer.from(`${long}\nnext\n`), chunks, cap);
      expect(found[0]).toEqual({ text: long.slice(0, Math.floor(cap / 3)), end: 91, truncated: true });
      expect(found[1]).toMatchObject({ end: 96, truncated: cap < 4 });
    }));
  });
});

describe("following a run's output", () => {
  let it: Rig;
  beforeEach(() => { it = rig(); });
  afterEach(() => it.dispose());

  test("a last line without newline, CRLF, an empty line and a character split across writes", async () => {
    const code = "const w=b=>require('fs').writeSync(1,b);const b=Buffer.from('한');w('a\\r\\n\\n');w(b.subarray(0,1));setTimeout(()=>{w(b.subarray(1));w('\\nend')},30)";
    const handle = await it.start(it.js("shapes", code));
    expect(await lines(handle)).toEqual([
      { text: "a", end: 3, truncated: false }, { text: "", end: 4, truncated: false }, { text: "한", end: 8, truncated: false }, { text: "end", end: 11, truncated: false },
    ]);
    expect(await texts(handle, 8)).toEqual(["end"]);
    expect(await texts(handle, 11)).toEqual([]);
    expect(await Effect.runPromise(handle.size)).toBe(11);
  });

  test("lines arrive while the run lives, and two readers see the same", async () => {
    const handle = await it.start(it.js("live", "console.log('first');process.stdin.once('data',()=>{console.log('second');process.exit()})", { stdinMode: "open" }));
    const seen: string[] = [];
    const both = Promise.all([
      Effect.runPromise(Stream.runForEach(handle.lines(0), (line) => {
        seen.push(line.text);
        return line.text === "first" ? Effect.orDie(handle.write("go\n")) : Effect.void;
      })),
      texts(handle),
    ]);
    expect((await both)[1]).toEqual(["first", "second"]);
    expect(seen).toEqual(["first", "second"]);
  });

  test("a reader that is interrupted lets go at once and leaves the run alone", async () => {
    const handle = await it.start(it.js("left", "console.log(1);setInterval(()=>{},1000)"));
    const first = await Effect.runPromise(Stream.runCollect(Stream.take(handle.lines(0), 1)));
    expect(first).toHaveLength(1);
    expect(await Effect.runPromise(Effect.raceFirst(Effect.map(Stream.runCollect(handle.lines(0)), () => "ended"), Effect.as(Effect.promise(() => new Promise<void>((resume) => setImmediate(resume))), "left")))).toBe("left");
    expect((await Effect.runPromise(handle.activity)).processes).toBe(1);
  });

  test("a flood of 200 MB passes through with bounded memory while the reader is slow to pull", async () => {
    const flood = "const l=Buffer.from(('x'.repeat(999)+'\\n').repeat(1000));for(let n=0;n<200;n++)require('fs').writeSync(1,l)";
    const handle = await it.start(it.js("flood", flood));
    await exitOf(handle);
    // Measured in a process of its own, against the same process before it read anything.
    const reader = join(import.meta.dirname, "flood-reader.ts");
    const { stdout } = await execa(node, ["--expose-gc", reader, it.root, "flood"], { stdin: "ignore" });
    const { count, bytes, grownMb } = JSON.parse(stdout) as { count: number; bytes: number; grownMb: number };
    expect({ count, bytes }).toEqual({ count: 200_000, bytes: 200_000_000 });
    expect(grownMb).toBeLessThan(80);
  });

  test("a line of 50 MB costs the memory of what is kept of it, not of the line", async () => {
    const handle = await it.start(it.js("long-line", "const l=Buffer.alloc(1e6,120);for(let n=0;n<50;n++)require('fs').writeSync(1,l);require('fs').writeSync(1,'\\nnext\\n')"));
    await exitOf(handle);
    const { stdout } = await execa(node, ["--expose-gc", join(import.meta.dirname, "flood-reader.ts"), it.root, "long-line"], { stdin: "ignore" });
    const { count, bytes, grownMb } = JSON.parse(stdout) as { count: number; bytes: number; grownMb: number };
    // Ten megabytes of it are kept: as bytes, in one piece and as text.
    expect({ count, bytes }).toEqual({ count: 2, bytes: 10 * 1024 * 1024 + 1 + "next\n".length });
    expect(grownMb).toBeLessThan(80);
  });

  test("200 MB without a newline are one truncated line", async () => {
    const small = rig({ lineCap: 1_000 });
    try {
      const handle = await small.start(small.js("one-line", "const l=Buffer.alloc(1e6,120);for(let n=0;n<200;n++)require('fs').writeSync(1,l);require('fs').writeSync(1,'\\nnext\\n')"));
      expect(await lines(handle)).toEqual([{ text: "x".repeat(1_000), end: 200_000_001, truncated: true }, { text: "next", end: 200_000_006, truncated: false }]);
    } finally {
      await small.dispose();
    }
  });

  test("a full disk: the child sees the error, what was written is read, the exit is not lost (I3)", async ({ skip }) => {
    const inside = (script: string, ...more: string[]) => execa("unshare", ["-Urm", "/bin/sh", "-c", script, ...more], { stdin: "ignore", reject: false });
    const mount = join(it.directory, "small");
    mkdirSync(mount);
    const probe = await inside('mount -t tmpfs -o size=1m tmpfs "$0"', mount);
    if (probe.exitCode !== 0) skip(`no user namespace with mounts here: ${probe.stderr}`);
    const result = await inside('mount -t tmpfs -o size=1m tmpfs "$0" && exec "$1" "$2" "$0"', mount, node, join(import.meta.dirname, "disk-full.ts"));
    expect(result.stderr).toBe("");
    const told = JSON.parse(result.stdout) as { exit: { code: number; lost: boolean }; lines: number; error: string; refused: string };
    expect(told.exit).toMatchObject({ code: 28, lost: false });
    expect(told.lines).toBeGreaterThan(100);
    expect(told.refused).toMatch(/RunIo|SpawnFailed/);
  });
});
