import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryOf } from "../../actors/seat-file.ts";
import { seatLister } from "../../actors/terminal-list.ts";
import { TerminalStreams } from "../../actors/terminal-streams.ts";
import { type SeatRun, Seats } from "../../actors/seats.ts";
import { terminalOf, addresseeOf } from "../../src/client/address.ts";
import type { TerminalState } from "../../src/client/contract.ts";
import { RunId, WorkItemId } from "../../src/domain/ids.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import type { TerminalFrame } from "../../src/domain/terminal-frame.ts";
import { openScreen, openSeatLog } from "../../tmux/index.ts";

const guard = { timeout: 60_000 };
const item = WorkItemId.parse("LOC-3"), place = { item, team: null, seat: "coder" };

describe("terminals as they are watched", { timeout: 120_000 }, () => {
  let root = "", seats: Seats, directory = "", streams: TerminalStreams, stops: (() => void)[] = [];
  const begin = (): Promise<SeatRun> => seats.begin({ ...place, address: "LOC-3/coder", adapter: "scripted", runId: RunId.parse("run-1") });
  const watch = (options: { readonly from?: number; readonly ready?: () => boolean } = {}): TerminalFrame[] => {
    const frames: TerminalFrame[] = [];
    stops.push(streams.watch(directory, options, (frame) => frames.push(frame)));
    return frames;
  };
  /** All bytes in order; throws where some are missing. */
  const bytesOf = (frames: readonly TerminalFrame[]): string => {
    let next: number | undefined;
    return Buffer.concat(frames.flatMap((frame) => {
      if (frame.type === "keyframe") next = frame.offset;
      if (frame.type !== "bytes") return [];
      if (next !== undefined && frame.offset !== next) throw new Error(`a frame begins at ${frame.offset}, not at ${next}`);
      next = frame.offset + frame.data.length;
      return [Buffer.from(frame.data)];
    })).toString("utf8");
  };
  const shown = async (frames: readonly TerminalFrame[]): Promise<readonly string[]> => {
    const screen = await openScreen({ columns: 120, rows: 40 });
    for (const frame of frames) if (frame.type === "keyframe" || frame.type === "bytes") await screen.write(frame.data);
    const text = screen.text(1_000);
    screen.dispose();
    return text;
  };

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "enact-streams-")));
    seats = new Seats({ root, clock: systemClock, onTrouble: (text) => { throw new Error(text); } });
    directory = directoryOf(root, place);
    streams = new TerminalStreams(systemClock);
  });
  afterEach(() => {
    for (const stop of stops.splice(0)) stop();
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  });

  test("bytes come in order and whole, to one who was there from the start and to one who came late, and the end is told", async () => {
    const run = await begin();
    const early = watch({ from: 0 });
    for (let n = 0; n < 50; n++) run.write(`\u001b[32mline ${n}\u001b[0m é漢\r\n`);
    await expect.poll(() => bytesOf(early), guard).toContain("line 49");
    const late = watch();
    await expect.poll(() => late[0]?.type, guard).toBe("keyframe");
    for (let n = 50; n < 60; n++) run.write(`line ${n}\r\n`);
    expect(await run.settle("over")).toBe(true);
    seats.end(directory);
    await expect.poll(() => [early.at(-1)?.type, late.at(-1)?.type], guard).toEqual(["ended", "ended"]);
    const all = [...Array.from({ length: 50 }, (_, n) => `line ${n} é漢`), ...Array.from({ length: 10 }, (_, n) => `line ${n + 50}`)];
    expect(await shown(early)).toEqual(all);
    expect(await shown(late)).toEqual(all);
    expect([streams.watched, streams.screens]).toEqual([0, 0]);
  });

  test("I1, I2 one who takes nothing costs nothing, and then gets the screen as it is; others go on meanwhile", async () => {
    const run = await begin();
    let ready = false;
    const slow = watch({ ready: () => ready }), quick = watch();
    await expect.poll(() => quick.length, guard).toBeGreaterThan(0);
    for (let n = 0; n < 20_000; n++) {
      run.write(`line ${n} ${"x".repeat(60)}\r\n`);
      await run.room();
    }
    await run.settle("over");
    await expect.poll(() => bytesOf(quick).length + (quick[0]?.type === "keyframe" ? quick[0].offset : 0), guard).toBeGreaterThan(1_400_000);
    expect(slow).toEqual([]);
    ready = true;
    await expect.poll(() => slow.length, guard).toBe(1);
    const [frame] = slow;
    expect(frame).toMatchObject({ type: "keyframe", columns: 120, rows: 40 });
    expect((await shown(slow)).at(-1)).toContain("line 19999");
    // Only what is on the screen and a little before it.
    expect(frame?.type === "keyframe" ? frame.data.length : 0).toBeLessThan(64 * 1024);
  });

  test("I1 one who follows from an old place is waited for, and loses nothing", async () => {
    const run = await begin();
    for (let n = 0; n < 10_000; n++) run.write(`line ${n} ${"y".repeat(60)}\r\n`);
    await run.settle("over");
    let ready = true, taken = 0;
    const frames: TerminalFrame[] = [];
    stops.push(streams.watch(directory, { from: 7, ready: () => ready }, (frame) => {
      frames.push(frame);
      ready = ++taken % 2 === 0;
      if (!ready) setTimeout(() => { ready = true; }, 20);
    }));
    await expect.poll(() => bytesOf(frames).endsWith(`line 9999 ${"y".repeat(60)}\r\n`), guard).toBe(true);
    expect(bytesOf(frames).length).toBe((await seatLister(root)())[0]?.size === undefined ? -1 : ((await seatLister(root)())[0]?.size ?? 0) - 7);
    expect(frames.every(({ type }) => type === "bytes")).toBe(true);
  });

  test("I1 bytes that were rotated away are a gap", async () => {
    mkdirSync(directory, { recursive: true });
    const log = await openSeatLog(directory, { keep: 2 });
    await log.append(Buffer.alloc(13 * 1024 * 1024, "z"));
    await log.append("the end\r\n");
    await log.close();
    const frames = watch({ from: 100 });
    await expect.poll(() => bytesOf(frames).endsWith("the end\r\n"), guard).toBe(true);
    expect(frames[0]).toEqual({ type: "gap", from: 100, to: 8 * 1024 * 1024 });
    expect(frames[1]).toMatchObject({ type: "bytes", offset: 8 * 1024 * 1024 });
  });

  test("I3 a screen is held only where a keyframe was asked for, and goes with its last viewer; what comes at once comes as one frame", async () => {
    const run = await begin();
    const bytes = watch({ from: 0 });
    for (let n = 0; n < 200; n++) run.write("a\r\n");
    await expect.poll(() => bytesOf(bytes).length, guard).toBe(600);
    expect(bytes.length).toBeLessThan(5);
    expect([streams.watched, streams.screens]).toEqual([1, 0]);
    const drawn = watch();
    await expect.poll(() => drawn.length, guard).toBe(1);
    expect(streams.screens).toBe(1);
    for (const stop of stops.splice(0)) stop();
    expect([streams.watched, streams.screens]).toEqual([0, 0]);
    await run.settle("over");
  });

  test("what is known of a terminal is read from its files", async () => {
    const run = await begin();
    run.write("\u001b[32mone\u001b[0m\r\n\u001b[2mlast words\u001b[0m\r\n\r\n");
    await run.settle("over");
    const list = seatLister(root);
    expect(await list()).toMatchObject([{ directory, session: "loc-3", pane: "coder", from: 0, lastLine: "last words", file: { address: "LOC-3/coder", state: "idle" } }]);
    rmSync(directory, { recursive: true });
    expect(await list()).toEqual([]);
  });
});

describe("addresses", () => {
  const terminal = (address: string, state: TerminalState["state"], updatedAt = 1): TerminalState => ({
    address, item: WorkItemId.parse(/^[A-Z]/.test(address) ? (address.split("/")[0] ?? "") : "LOC-9"), team: /^[A-Z]/.test(address) ? null : (address.split("/")[0] ?? ""), seat: address.split("/")[1] ?? "", adapter: "scripted", state, size: 1, from: 0, columns: 120, rows: 40, lastLine: "", updatedAt, pane: null, attached: 0,
  });

  test("a terminal by its whole address, or by its item where only one can be meant", () => {
    const all = [terminal("LOC-1/coder", "idle", 5), terminal("LOC-1/critic", "running", 2), terminal("alpha/worker-1", "running"), terminal("alpha/worker-2", "running"), terminal("LOC-2/coder", "ended", 1), terminal("LOC-2/critic", "ended", 9)];
    expect(terminalOf("loc-1/CODER", all).address).toBe("LOC-1/coder");
    expect(terminalOf("loc-1", all).address).toBe("LOC-1/critic");
    expect(terminalOf("LOC-2", all).address).toBe("LOC-2/critic");
    expect(() => terminalOf("alpha", all)).toThrow("alpha has several terminals: alpha/worker-1, alpha/worker-2");
    expect(() => terminalOf("LOC-7", all)).toThrow('there is no terminal "LOC-7"');
    expect(() => addresseeOf("LOC-7", { items: [], teams: [] })).toThrow("there is no work item LOC-7");
    expect(() => addresseeOf("", { items: [], teams: [] })).toThrow("is no address");
  });
});
