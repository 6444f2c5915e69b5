import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { directoryOf, readSeat, readSeats, sessionOf } from "../../actors/seat-file.ts";
import { type SeatRequest, type SeatRun, Seats } from "../../actors/seats.ts";
import { noteText } from "../../src/domain/agent-text.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { type Appended, openSeatLog, type SeatLog } from "../../tmux/index.ts";
import { SimulatedClock } from "../support/clock.ts";

const made: string[] = [];
const room = (): string => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "enact-seats-")));
  made.push(root);
  return root;
};
afterAll(() => { for (const root of made) rmSync(root, { recursive: true, force: true }); });

const item = WorkItemId.parse("LOC-3");
const request = (run: number): SeatRequest => ({ address: "LOC-3/coder", item, team: null, seat: "coder", adapter: "scripted", runId: RunId.parse(`run-${run}`) });
const logOf = (directory: string): Buffer => Buffer.concat(readdirSync(directory).filter((name) => /^out\.\d+$/.test(name)).sort().map((name) => readFileSync(join(directory, name))));

/** What the run of these lines looks like, with remarks where they were noted. */
const textOf = (header: string, lines: readonly string[], notes: readonly { readonly at: number; readonly text: string }[]): string =>
  [header, ...[...lines, ""].map((line, n) => `${notes.filter(({ at }) => at === n).map(({ text }) => noteText(text)).join("")}${line}`)].join("");

interface Dying { readonly kill: () => Promise<void> }

/** A log that dies after so many bytes: what it was writing is cut there, and nothing is ever answered again. */
const dying = (after: number, opened: Dying[]) => async (directory: string): Promise<SeatLog> => {
  const log = await openSeatLog(directory);
  let left = after, dead = false;
  opened.push({ kill: async () => {
    dead = true;
    await log.close();
  } });
  return {
    ...log,
    append: async (data): Promise<Appended> => {
      const bytes = Buffer.from(data);
      if (!dead && bytes.length <= left) {
        left -= bytes.length;
        return log.append(bytes);
      }
      if (!dead) await log.append(bytes.subarray(0, left));
      dead = true;
      return new Promise<Appended>(() => undefined);
    },
  };
};

const tell = async (run: SeatRun, header: string, lines: readonly string[], notes: readonly { readonly after: number; readonly text: string }[]): Promise<void> => {
  run.write(header);
  for (const [n, line] of lines.entries()) {
    run.advance(n);
    for (const note of notes) if (note.after === n) run.note(note.text);
    run.write(line);
    // Sometimes the disk is quick.
    if (n % 3 === 0) await new Promise<void>((next) => { setImmediate(next); });
  }
  run.advance(lines.length);
  for (const note of notes) if (note.after >= lines.length) run.note(note.text);
};

describe("the log of a seat", { timeout: 120_000 }, () => {
  test("I1, I2 whatever kills its writer at whatever byte, and however often: no byte is lost, none is doubled, remarks stay where they were", async () => {
    const lines = fc.array(fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => `${text}\r\n`), { maxLength: 12 });
    const lives = fc.array(fc.record({ after: fc.nat(400), notes: fc.array(fc.record({ after: fc.nat(14), text: fc.constantFrom("cancelled", "too long", "said") }), { maxLength: 3 }) }), { maxLength: 4 });
    await fc.assert(fc.asyncProperty(fc.array(fc.record({ lines, lives }), { minLength: 1, maxLength: 3 }), async (runs) => {
      const root = room(), directory = directoryOf(root, request(0));
      const opened: Dying[] = [];
      let expected = "";
      for (const [n, { lines: output, lives: owners }] of runs.entries()) {
        const header = `run ${n}\r\n`;
        const trouble: string[] = [];
        for (const { after, notes } of owners) {
          const seats = new Seats({ root, clock: new SimulatedClock(1), onTrouble: (text) => trouble.push(text), open: dying(after, opened) });
          await tell(await seats.begin(request(n)), header, output, notes);
          for (const each of opened.splice(0)) await each.kill();
        }
        const seats = new Seats({ root, clock: new SimulatedClock(1), onTrouble: (text) => trouble.push(text) });
        const run = await seats.begin(request(n));
        await tell(run, header, output, []);
        expect(await run.settle("over")).toBe(true);
        expect(trouble).toEqual([]);
        const { notes } = readSeat(directory)?.run ?? { notes: [] };
        expect(new Set(notes.map(({ text }) => text)).size).toBe(notes.length);
        expected += textOf(header, output, notes);
        expect(logOf(directory).toString("utf8")).toBe(expected);
      }
      rmSync(root, { recursive: true });
    }), { numRuns: 60 });
  });

  test("I1 kill -9 of the process that writes", async () => {
    const root = room(), directory = directoryOf(root, request(0)), kills = 8;
    const once = (killMs: number | undefined): Promise<number | null> => new Promise((ended) => {
      const child = spawn(process.execPath, [join(import.meta.dirname, "seats-child.ts"), root], { stdio: ["ignore", "pipe", "inherit"] });
      // From its first byte on: before that there is nothing to lose.
      child.stdout.once("data", () => { if (killMs !== undefined) setTimeout(() => child.kill("SIGKILL"), killMs); });
      child.once("exit", (code) => ended(code));
    });
    let killed = 0;
    for (let n = 0; n < kills; n++) if ((await once(n * 4)) === null) killed++;
    expect(await once(undefined)).toBe(0);
    // A machine so slow that no kill came in time would prove nothing.
    expect(killed).toBeGreaterThan(kills / 2);
    const lines = Array.from({ length: 3_000 }, (_, n) => `line ${n} ${"é漢".repeat(n % 40)}\r\n`);
    expect(logOf(directory).toString("utf8")).toBe(textOf("header\r\n", lines, []));
  });

  test("I3, I4 a full disk ends nothing: memory stays bounded, it is said once, and a second pass completes the log", async () => {
    const root = room(), directory = directoryOf(root, request(0)), trouble: string[] = [], clock = new SimulatedClock(1);
    let full = true;
    const open = async (where: string): Promise<SeatLog> => {
      const log = await openSeatLog(where);
      return { ...log, append: async (data) => (full ? { written: 0, to: log.size(), error: Object.assign(new Error("no space left on device"), { code: "ENOSPC" }) } : log.append(data)) };
    };
    const seats = new Seats({ root, clock, onTrouble: (text) => trouble.push(text), open });
    const lines = Array.from({ length: 400 }, (_, n) => `${n} ${"x".repeat(10_000)}\r\n`);
    const first = await seats.begin(request(0));
    first.write("header\r\n");
    for (const line of lines) {
      first.write(line);
      await first.room();
      clock.advance(1_000);
    }
    expect(await first.settle("over")).toBe(false);
    expect(trouble.length).toBe(1);
    expect(trouble[0]).toContain("no space left on device");
    full = false;
    const second = await seats.begin(request(0));
    await tell(second, "header\r\n", lines, []);
    expect(await second.settle("over")).toBe(true);
    expect(logOf(directory).toString("utf8")).toBe(textOf("header\r\n", lines, []));
  });

  test("I3 a disk that is full for a moment costs nothing", async () => {
    const root = room(), directory = directoryOf(root, request(0)), clock = new SimulatedClock(1);
    let failures = 3;
    const open = async (where: string): Promise<SeatLog> => {
      const log = await openSeatLog(where);
      return { ...log, append: async (data) => (failures-- > 0 ? { written: 0, to: log.size(), error: Object.assign(new Error("full"), { code: "ENOSPC" }) } : log.append(data)) };
    };
    const run = await new Seats({ root, clock, onTrouble: () => undefined, open }).begin(request(0));
    run.write("one\r\n");
    for (let n = 0; n < 6; n++) {
      await new Promise<void>((next) => { setImmediate(next); });
      clock.advance(1_000);
    }
    run.write("two\r\n");
    expect(await run.settle("over")).toBe(true);
    expect(logOf(directory).toString("utf8")).toBe("one\r\ntwo\r\n");
  });

  test("I3 a seat that cannot be made ends no turn", async () => {
    const root = room(), trouble: string[] = [];
    writeFileSync(join(root, "loc-3.coder"), "in the way");
    const run = await new Seats({ root, clock: new SimulatedClock(1), onTrouble: (text) => trouble.push(text) }).begin(request(0));
    run.write("text");
    run.note("a remark");
    run.advance(1);
    expect(run.room()).toBeUndefined();
    expect(await run.settle("over")).toBe(false);
    expect(trouble.length).toBe(1);
  });

  test("a second run of a seat waits for the first, and is appended after it", async () => {
    const root = room(), directory = directoryOf(root, request(0));
    const seats = new Seats({ root, clock: new SimulatedClock(1), onTrouble: () => undefined });
    (await seats.begin(request(1))).write("one\r\n");
    expect(readSeat(directory)?.state).toBe("running");
    const second = await seats.begin(request(2));
    second.write("two\r\n");
    expect(await second.settle("over")).toBe(true);
    expect(logOf(directory).toString("utf8")).toBe("one\r\ntwo\r\n");
    expect(readSeat(directory)).toMatchObject({ address: "LOC-3/coder", state: "idle", run: { id: "run-2", begin: 5 } });
  });

  test("names of sessions and directories are letters, digits and dashes, and a team that is called as an item is told apart", () => {
    expect(sessionOf({ item, team: null })).toBe("loc-3");
    expect(sessionOf({ item, team: "alpha" })).toBe("alpha");
    expect(sessionOf({ item, team: "loc-3" })).toBe("team-loc-3");
    expect(directoryOf("/t", { item, team: null, seat: "stage-documenter" })).toBe("/t/loc-3.stage-documenter");
    expect(directoryOf("/t", { item, team: "alpha", seat: "../../x" })).toBe("/t/alpha.x");
    const root = room();
    mkdirSync(join(root, "junk"));
    writeFileSync(join(root, "junk", "seat.json"), "{");
    expect(readSeats(root)).toEqual([]);
    expect(readSeats(join(root, "missing"))).toEqual([]);
  });
});
