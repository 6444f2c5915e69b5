import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openSeatLog, readSeatLog, readTyped, segmentBytes, trimSeatLog } from "../../tmux/index.ts";

let directory: string;
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "enact-log-")); });
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const segments = (): readonly string[] => readdirSync(directory).filter((name) => name.startsWith("out.")).sort();
/** A log that was written up to `offset`: zeros, without using the disk. */
const written = (offset: number): void => {
  for (let start = 0; start <= offset; start += segmentBytes) {
    const file = join(directory, `out.${String(start / segmentBytes).padStart(6, "0")}`);
    writeFileSync(file, "");
    truncateSync(file, Math.min(segmentBytes, offset - start));
  }
};
/** Everything a follower is told until `stop`. */
const followed = (from = 0) => {
  const got: { readonly offset: number; readonly data: Buffer }[] = [], gaps: (readonly [number, number])[] = [];
  const stop = readSeatLog(directory).follow(from, (data, offset) => void got.push({ data, offset }), (from, to) => void gaps.push([from, to]));
  return { got, gaps, stop, text: () => Buffer.concat(got.map(({ data }) => data)).toString(), bytes: () => got.reduce((sum, { data }) => sum + data.length, 0) };
};

describe("the writer", () => {
  test("makes a private directory, and `current` leads to the segment that is written", async () => {
    const seat = join(directory, "new", "seat");
    const log = await openSeatLog(seat);
    expect(await log.append("한국어 ✓\n")).toEqual({ written: 14, to: 14 });
    expect([statSync(seat).mode & 0o777, statSync(join(seat, "out.000000")).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(readFileSync(join(seat, "current"), "utf8")).toBe("한국어 ✓\n");
    expect(readlinkSync(join(seat, "current"))).toBe("out.000000");
    await log.close();
  });

  test("fills every segment exactly, in order of calls", async () => {
    written(segmentBytes - 10);
    const log = await openSeatLog(directory);
    const answers = await Promise.all([log.append("a".repeat(7)), log.append("b".repeat(7)), log.append(Buffer.alloc(2 * segmentBytes, "c"))]);
    expect(answers.map(({ to }) => to - segmentBytes)).toEqual([-3, 4, 4 + 2 * segmentBytes]);
    expect(segments().map((name) => statSync(join(directory, name)).size)).toEqual([segmentBytes, segmentBytes, segmentBytes, 4]);
    expect(readlinkSync(join(directory, "current"))).toBe("out.000003");
    const { data } = await readSeatLog(directory).read(segmentBytes - 10, 100);
    expect(data.toString()).toBe("aaaaaaabbb");
    expect((await readSeatLog(directory).read(segmentBytes, 6)).data.toString()).toBe("bbbbcc");
    await log.close();
  });

  test.for([
    { what: "nothing", damage: () => undefined, at: segmentBytes + 5 },
    { what: "`current` not there", damage: () => unlinkSync(join(directory, "current")), at: segmentBytes + 5 },
    { what: "`current` still the older one, and the next one half made", damage: () => { unlinkSync(join(directory, "current")); symlinkSync("out.000000", join(directory, "current")); symlinkSync("out.000001", join(directory, ".current")); }, at: segmentBytes + 5 },
    { what: "the next segment made and empty", damage: () => { truncateSync(join(directory, "out.000001"), segmentBytes); writeFileSync(join(directory, "out.000002"), ""); }, at: 2 * segmentBytes },
    { what: "a segment just filled", damage: () => truncateSync(join(directory, "out.000001"), segmentBytes), at: 2 * segmentBytes },
    { what: "a write torn", damage: () => truncateSync(join(directory, "out.000001"), 3), at: segmentBytes + 3 },
    { what: "a log that another program wrote into one file", damage: () => { unlinkSync(join(directory, "out.000001")); truncateSync(join(directory, "out.000000"), segmentBytes + 9); }, at: 2 * segmentBytes },
  ])("goes on at the right byte after a crash that left: $what", async ({ damage, at }) => {
    written(segmentBytes + 5);
    await (await openSeatLog(directory)).close();
    damage();
    const log = await openSeatLog(directory);
    expect(log.size()).toBe(at);
    expect(await log.append("on")).toEqual({ written: 2, to: at + 2 });
    expect((await readSeatLog(directory).read(at, 9)).data.toString()).toBe("on");
    expect(readFileSync(join(directory, "current")).subarray(-2).toString()).toBe("on");
    await log.close();
  });

  test("keeps no more segments than asked for, those of `split` too", async () => {
    written(9 * segmentBytes);
    const log = await openSeatLog(directory, { keep: 3 });
    expect(segments()).toEqual(["out.000007", "out.000008", "out.000009"]);
    await log.append(Buffer.alloc(segmentBytes + 1));
    expect(segments()).toEqual(["out.000008", "out.000009", "out.000010"]);
    await log.close();
    expect(await trimSeatLog(directory, 1)).toBe(2);
    expect(await readSeatLog(directory).window()).toEqual({ from: 10 * segmentBytes, to: 10 * segmentBytes + 1 });
  });

  test("an error is an answer: what waited behind it is not written, what comes after it goes on", async () => {
    written(segmentBytes - 2);
    const log = await openSeatLog(directory);
    // The next segment cannot be made.
    mkdirSync(join(directory, "out.000001"));
    const [first, second] = await Promise.all([log.append("abcd"), log.append("efgh")]);
    expect(first).toMatchObject({ written: 2, to: segmentBytes, error: { code: "EISDIR" } });
    expect(second).toMatchObject({ written: 0, to: segmentBytes, error: { code: "EISDIR" } });
    rmSync(join(directory, "out.000001"), { recursive: true });
    expect(await log.append("cdefgh")).toEqual({ written: 6, to: segmentBytes + 6 });
    expect((await readSeatLog(directory).read(segmentBytes, 9)).data.toString()).toBe("cdefgh");
    await log.close();
  });

  test("a full disk loses nothing that was written and goes on when there is room", async ({ skip }) => {
    const inside = (script: string, ...more: string[]) => execa("unshare", ["-Urm", "/bin/sh", "-c", script, ...more], { stdin: "ignore", reject: false });
    const probe = await inside('mount -t tmpfs -o size=1m tmpfs "$0"', directory);
    if (probe.exitCode !== 0) skip(`no user namespace with mounts here: ${probe.stderr}`);
    const result = await inside('mount -t tmpfs -o size=1m tmpfs "$0" && exec "$1" "$2" "$0"', directory, process.execPath, join(import.meta.dirname, "disk-full.ts"));
    expect(result.stderr).toBe("");
    const told = JSON.parse(result.stdout) as { filled: number; error: string; again: string; after: number; whole: boolean; opened: string };
    expect(told).toMatchObject({ error: "ENOSPC", again: "ENOSPC", whole: true, opened: "ENOSPC" });
    expect(told.filled).toBeGreaterThan(400_000);
    expect(told.after).toBe(told.filled + 1_000);
  });
});

describe("readers", () => {
  test("a log that is not there yet is empty, and is followed from its first byte", async () => {
    const seat = join(directory, "later");
    const reader = readSeatLog(seat);
    expect(await reader.window()).toEqual({ from: 0, to: 0 });
    expect((await reader.read(0, 10)).data.length).toBe(0);
    const got: string[] = [];
    const stop = reader.follow(0, (data) => void got.push(data.toString()), () => undefined);
    const log = await openSeatLog(seat);
    await log.append("first");
    await vi.waitFor(() => expect(got.join("")).toBe("first"), { timeout: 10_000 });
    stop();
    await log.close();
  });

  test("a follower hears of each append, across segments, and of nothing after it stopped", async () => {
    written(segmentBytes - 3);
    const log = await openSeatLog(directory);
    const { text, stop, gaps } = followed(segmentBytes - 3);
    for (const part of ["ab", "cd", "ef"]) {
      await log.append(part);
      await vi.waitFor(() => expect(text().endsWith(part)).toBe(true), { timeout: 10_000, interval: 1 });
    }
    stop();
    await log.append("unheard");
    const late = followed(segmentBytes + 3);
    await vi.waitFor(() => expect(late.text()).toBe("unheard"), { timeout: 10_000 });
    late.stop();
    expect(text()).toBe("abcdef");
    expect(gaps).toEqual([]);
    await log.close();
  });

  test("bytes that were rotated away, or never written, are told once as a gap", async () => {
    written(3 * segmentBytes + 4);
    unlinkSync(join(directory, "out.000000"));
    // Another program took the log over in the middle of segment 2.
    truncateSync(join(directory, "out.000002"), 10);
    const { gaps, bytes, got, stop } = followed(5);
    await vi.waitFor(() => expect(bytes()).toBe(segmentBytes + 10 + 4), { timeout: 20_000 });
    stop();
    expect(gaps).toEqual([[5, segmentBytes], [2 * segmentBytes + 10, 3 * segmentBytes]]);
    expect(got.at(-1)?.offset).toBe(3 * segmentBytes);
    expect(await readSeatLog(directory).read(2 * segmentBytes + 10, 100)).toEqual({ from: 3 * segmentBytes, data: Buffer.alloc(4) });
  });

  test("a slow consumer holds one chunk while the log runs away, and is told of the gap", async () => {
    const log = await openSeatLog(directory, { keep: 2 });
    const sizes: number[] = [], gaps: (readonly [number, number])[] = [];
    let release: (() => void) | undefined;
    let end = 0;
    const stop = readSeatLog(directory).follow(0, (data, offset) => {
      sizes.push(data.length);
      end = offset + data.length;
      return release ? undefined : new Promise((resolve) => { release = resolve; });
    }, (from, to) => void gaps.push([from, to]));
    await log.append("x");
    await vi.waitFor(() => expect(release).toBeDefined(), { timeout: 10_000 });
    for (let n = 0; n < 8; n++) await log.append(Buffer.alloc(segmentBytes, "y"));
    expect(sizes).toEqual([1]);
    release?.();
    await vi.waitFor(() => expect(end).toBe(log.size()), { timeout: 20_000 });
    stop();
    // The open segment can still be read; what lay between it and the kept ones cannot.
    expect(gaps).toEqual([[segmentBytes, 7 * segmentBytes]]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024);
    await log.close();
  });

  test("without change notices the slow look finds everything", async () => {
    written(segmentBytes);
    unlinkSync(join(directory, "out.000001"));
    const seat = join(directory, "seat"), other = join(directory, "other");
    symlinkSync(directory, seat);
    const told: number[] = [], got: string[] = [];
    const stop = readSeatLog(seat).follow(segmentBytes - 1, (data, offset) => {
      told.push(offset);
      if (offset >= segmentBytes) got.push(data.toString());
    }, () => undefined);
    await vi.waitFor(() => expect(told).toEqual([segmentBytes - 1]), { timeout: 10_000 });
    // The place that is watched is no longer the one where bytes arrive.
    mkdirSync(other);
    writeFileSync(join(other, "out.000001"), "found");
    symlinkSync(other, join(directory, "next"));
    renameSync(join(directory, "next"), seat);
    await vi.waitFor(() => expect(got.join("")).toBe("found"), { timeout: 10_000 });
    stop();
  });
});

test("property: whatever is appended, crashes, is capped or read, every byte is told once, at its place, or is in a gap", async () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("append" as const), sizes: fc.array(fc.nat(3_000), { minLength: 1, maxLength: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("fill" as const), short: fc.nat(2_000) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const), damage: fc.constantFrom("none", "link", "empty") }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("read" as const), back: fc.nat(9_000), max: fc.integer({ min: 1, max: 9_000 }) }) },
  );
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.integer({ min: 2, max: 4 }), fc.nat(4_000), async (steps, keep, short) => {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory);
    written(segmentBytes - short);
    /** The whole log as it should be; only its end is ever compared byte by byte. */
    let model = Buffer.alloc(segmentBytes - short);
    let letter = 0;
    let log = await openSeatLog(directory, { keep });
    let told = model.length;
    const follower = readSeatLog(directory).follow(model.length, (data, offset) => {
      expect(offset).toBe(told);
      told += data.length;
      expect(data.equals(model.subarray(offset, told))).toBe(true);
    }, (from, to) => {
      expect(from).toBe(told);
      told = to;
    });
    const caughtUp = (): Promise<void> => vi.waitFor(() => expect(told).toBe(model.length), { timeout: 20_000, interval: 2 });
    try {
      for (const each of steps) {
        if (each.do === "append" || each.do === "fill") {
          const sizes = each.do === "append" ? each.sizes : [Math.max(0, segmentBytes - (model.length % segmentBytes) - each.short)];
          const parts = sizes.map((size) => Buffer.alloc(size, 97 + (letter++ % 26)));
          // The reader may be faster than the answer.
          const before = model;
          model = Buffer.concat([before, ...parts]);
          const answers = await Promise.all(parts.map((part) => log.append(part)));
          expect(answers.at(-1)).toEqual({ written: parts.at(-1)?.length, to: model.length });
        } else if (each.do === "crash") {
          await caughtUp();
          await log.close();
          const last = segments().at(-1) ?? "", size = statSync(join(directory, last)).size;
          if (each.damage === "link") rmSync(join(directory, "current"));
          if (each.damage === "empty" && size === segmentBytes) writeFileSync(join(directory, `out.${String(Number(last.slice(4)) + 1).padStart(6, "0")}`), "");
          log = await openSeatLog(directory, { keep });
          expect(log.size()).toBe(model.length);
        } else {
          const { from } = await readSeatLog(directory).window();
          const at = Math.max(0, model.length - each.back);
          const { data, from: found } = await readSeatLog(directory).read(at, each.max);
          expect(found).toBe(Math.max(at, Math.min(from, model.length)));
          expect(data.equals(model.subarray(found, found + data.length))).toBe(true);
          if (found < model.length) expect(data.length).toBeGreaterThan(0);
        }
        expect(segments().length).toBeLessThanOrEqual(keep);
        expect(await readSeatLog(directory).window()).toMatchObject({ to: model.length });
        expect(statSync(join(directory, "current")).size).toBe(model.length - segmentBytes * Number(readlinkSync(join(directory, "current")).slice(4)));
      }
      await caughtUp();
    } finally {
      follower();
      await log.close();
    }
  }), { numRuns: 25 });
}, 120_000);

test("typed lines are read whole, from where the last reading ended, without control characters", async () => {
  expect(await readTyped(directory, 0)).toEqual({ lines: [], to: 0 });
  writeFileSync(join(directory, "typed"), "one\n\n두 번째 \u0085\u009b줄\nhalf");
  const first = await readTyped(directory, 0);
  expect(first.lines).toEqual(["one", "두 번째 줄"]);
  writeFileSync(join(directory, "typed"), " a line\n", { flag: "a" });
  expect((await readTyped(directory, first.to)).lines).toEqual(["half a line"]);
});
