/** The WebSocket: numbers, resume, resync, terminals, bounds. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { livePath } from "../../src/client/api.ts";
import type { LiveChange } from "../../src/client/contract.ts";
import { closeCode, decodeFrames, encodeFrame, protocolName } from "../../src/client/live-protocol.ts";
import { EventRing } from "../../src/gateway/event-ring.ts";
import { dial, guard, open, token, type Wire, withToken } from "./open.ts";

const change = (n: number): LiveChange => ({ type: "journal", actor: "item/LOC-1/1", event: `e${n}`, at: n });
const numbers = (wire: Wire): readonly (readonly [number, string])[] => wire.of("events").flatMap(({ first, changes }) => changes.map((each, n) => [first + n, each.type === "journal" ? each.event : "?"] as const));

describe("events", () => {
  test("carry rising numbers; who comes back with a number gets what followed it, once and in order", async () => {
    await using opened = await open();
    const { client, gateway } = opened;
    const wire = await dial(gateway.port);
    const [hello] = wire.of("hello");
    wire.say({ type: "subscribe" });
    wire.say({ type: "watch", terminal: 1, address: "nowhere" });
    await expect.poll(() => wire.of("refused").length, guard).toBe(1);
    for (let n = 1; n <= 5; n++) client.emit(change(n));
    await expect.poll(() => numbers(wire).length, guard).toBe(5);
    expect(numbers(wire)).toEqual([1, 2, 3, 4, 5].map((n) => [n, `e${n}`]));
    wire.socket.terminate();
    for (let n = 6; n <= 9; n++) client.emit(change(n));
    using back = await dial(gateway.port);
    back.say({ type: "resume", epoch: hello?.epoch ?? "", seq: 5 });
    await expect.poll(() => numbers(back).length, guard).toBe(4);
    client.emit(change(10));
    await expect.poll(() => numbers(back).length, guard).toBe(5);
    expect(numbers(back)).toEqual([6, 7, 8, 9, 10].map((n) => [n, `e${n}`]));
    expect(back.of("resync")).toEqual([]);
  });

  test("a number of another life, one that is too old, and one that never was: resync, or everything as it is", async () => {
    await using opened = await open({ ring: { events: 4, bytes: 1_000_000 } });
    const { client, gateway } = opened;
    for (let n = 1; n <= 10; n++) client.emit(change(n));
    using wire = await dial(gateway.port);
    const epoch = wire.of("hello")[0]?.epoch ?? "";
    expect(wire.of("hello")[0]?.seq).toBe(10);
    for (const resume of [{ epoch: "another", seq: 10 }, { epoch, seq: 5 }, { epoch, seq: 11 }]) wire.say({ type: "resume", ...resume });
    await expect.poll(() => wire.of("resync").length, guard).toBe(3);
    expect(wire.of("resync")).toEqual(Array.from({ length: 3 }, () => ({ type: "resync", epoch, seq: 10 })));
    wire.say({ type: "resume", epoch, seq: 5, snapshot: true });
    await expect.poll(() => wire.of("snapshot").length, guard).toBe(1);
    expect(wire.of("snapshot")[0]).toMatchObject({ seq: 10, items: [{ item: { id: "LOC-1" } }, {}, {}] });
    wire.say({ type: "resume", epoch, seq: 6 });
    await expect.poll(() => numbers(wire), guard).toEqual([7, 8, 9, 10].map((n) => [n, `e${n}`]));
    wire.say({ type: "unsubscribe" });
    wire.say({ type: "watch", terminal: 1, address: "nowhere" });
    await expect.poll(() => wire.of("refused").length, guard).toBe(1);
    client.emit(change(11));
    wire.say({ type: "watch", terminal: 1, address: "nowhere" });
    await expect.poll(() => wire.of("refused").length, guard).toBe(2);
    expect(numbers(wire)).toHaveLength(4);
  });

  test("a lost state is this process's own affair, and is not passed on", async () => {
    await using opened = await open();
    using wire = await dial(opened.gateway.port);
    wire.say({ type: "subscribe", snapshot: true });
    await expect.poll(() => wire.of("snapshot").length, guard).toBe(1);
    opened.client.emit({ type: "lost", reason: "x" });
    opened.client.emit(change(1));
    await expect.poll(() => numbers(wire), guard).toEqual([[1, "e1"]]);
  });

  test("the ring is bounded in count and bytes, and gives no number twice", () => {
    const ring = new EventRing({ events: 3, bytes: 1_000 });
    for (let n = 1; n <= 100; n++) {
      ring.push(change(n));
      expect(ring.after(n - 1, 10_000)).toEqual({ first: n, json: [JSON.stringify(change(n))] });
    }
    expect(ring.after(96, 10_000)).toBeUndefined();
    expect(ring.after(97, 10_000)?.json).toHaveLength(3);
    expect(ring.after(97, 1)?.json).toHaveLength(1);
    expect(ring.after(100, 1)).toEqual({ first: 101, json: [] });
    expect(ring.after(101, 1)).toBeUndefined();
    ring.push({ type: "notice", level: "info", text: "x".repeat(5_000) });
    expect(ring.after(100, 10_000)?.json).toHaveLength(1);
    expect(ring.after(99, 10_000)).toBeUndefined();
  });
});

describe("terminals", () => {
  test("records survive their own encoding; a message that is cut off ends with its last whole record; unknown kinds are skipped", () => {
    const frames = [
      { type: "keyframe", offset: 5_000_000_000, columns: 80, rows: 24, data: new Uint8Array([27, 91]) }, { type: "bytes", offset: 5_000_000_000, data: new Uint8Array([1, 2, 3]) },
      { type: "gap", from: 1, to: 2 ** 40 }, { type: "resize", columns: 100, rows: 30 }, { type: "ended" },
    ] as const;
    const records = frames.map((frame) => encodeFrame(7, frame));
    const whole = Buffer.concat(records);
    expect(decodeFrames(whole)).toEqual(frames.map((frame) => ({ terminal: 7, frame: "data" in frame ? { ...frame, data: expect.anything() } : frame })));
    expect(decodeFrames(whole).flatMap(({ frame }) => ("data" in frame ? [[...frame.data]] : []))).toEqual([[27, 91], [1, 2, 3]]);
    for (let cut = 0; cut < whole.length; cut++) expect(decodeFrames(whole.subarray(0, cut)).length).toBeLessThan(frames.length);
    const unknown = Buffer.from(records[0] ?? []);
    unknown[0] = 99;
    expect(decodeFrames(Buffer.concat([unknown, records[4] ?? new Uint8Array(0)]))).toEqual([{ terminal: 7, frame: { type: "ended" } }]);
  });

  test("CARD-15 bytes arrive exactly, from any offset, coalesced; a gap shows what is gone; the screen comes first without an offset", async () => {
    await using opened = await open();
    const { client, gateway } = opened;
    const log = client.terminal("LOC-1/coder");
    const sent = randomBytes(400_000);
    log.append(sent.subarray(0, 100));
    using wire = await dial(gateway.port);
    wire.say({ type: "watch", terminal: 1, address: "LOC-1/coder", from: 40 });
    wire.say({ type: "watch", terminal: 2, address: "LOC-1/coder" });
    await expect.poll(() => wire.frames.some(({ terminal }) => terminal === 2), guard).toBe(true);
    let messages = 0;
    wire.socket.on("message", (_, isBinary) => { if (isBinary) messages++; });
    for (let at = 100; at < sent.length; at += 1_000) log.append(sent.subarray(at, Math.min(sent.length, at + 1_000)));
    const bytesOf = (terminal: number): Buffer => Buffer.concat(wire.frames.flatMap((each) => (each.terminal === terminal && each.frame.type === "bytes" ? [each.frame.data] : [])));
    await expect.poll(() => bytesOf(1).length, guard).toBe(sent.length - 40);
    const hash = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
    expect(hash(bytesOf(1))).toBe(hash(sent.subarray(40)));
    expect(wire.frames.find(({ terminal }) => terminal === 2)?.frame).toMatchObject({ type: "keyframe", offset: 100, columns: 80 });
    expect(hash(bytesOf(2))).toBe(hash(sent.subarray(100)));
    // 400 appends in one go are a handful of frames.
    expect(messages).toBeLessThan(10);
    for (const terminal of [1, 2]) wire.say({ type: "unwatch", terminal });
    await expect.poll(() => client.open().terminals, guard).toBe(0);
    log.append(randomBytes(1_048_576));
    wire.say({ type: "watch", terminal: 3, address: "LOC-1/coder", from: 0 });
    await expect.poll(() => wire.frames.find(({ terminal }) => terminal === 3)?.frame, guard).toEqual({ type: "gap", from: 0, to: sent.length });
    wire.say({ type: "unwatch", terminal: 3 });
    await expect.poll(() => client.open().terminals, guard).toBe(0);
  });

  test("a client that goes away stops what it asked for", async () => {
    await using opened = await open();
    const { client, gateway } = opened;
    const before = client.open();
    const wire = await dial(gateway.port);
    for (let n = 0; n < 20; n++) wire.say({ type: "watch", terminal: n, address: `LOC-${n}/coder` });
    wire.say({ type: "inspect", inspection: 1 });
    await expect.poll(() => client.open(), guard).toEqual({ ...before, terminals: 20, inspections: 1 });
    client.emitInspection(7);
    await expect.poll(() => wire.of("inspection")[0], guard).toMatchObject({ inspection: 1, dropped: 0, events: [{ sessionId: "s7" }] });
    wire.socket.terminate();
    await expect.poll(() => client.open(), guard).toEqual(before);
  });

  test("an inspector is asked to wait while much is on its way; one that does not is cut short, and the count is told", async () => {
    await using opened = await open();
    const { client, gateway } = opened;
    using wire = await dial(gateway.port);
    wire.say({ type: "inspect", inspection: 1 });
    await expect.poll(() => client.open().inspections, guard).toBe(1);
    const text = "x".repeat(100_000);
    const answers = [1, 2, 3, 4, 5, 6, 7].map((n) => client.emitInspection(n, text)[0]);
    expect(answers.map((answer) => answer !== undefined)).toEqual([false, false, true, true, true, true, true]);
    await Promise.all(answers);
    const heard = (): readonly string[] => wire.of("inspection").flatMap(({ events }) => events.map(({ sessionId }) => sessionId));
    await expect.poll(heard, guard).toEqual(["s1", "s2", "s3", "s4", "s5"]);
    expect(wire.of("inspection").map(({ dropped }) => dropped)).toEqual([2]);
    expect(client.emitInspection(8)).toEqual([undefined]);
  });
});

describe("bounds", () => {
  test("messages that are none, too big, too many, and subscriptions without end", async () => {
    await using opened = await open({ limits: { terminals: 3, inspections: 1, burst: 50, perSecond: 1 } });
    const { gateway, client } = opened;
    for (const bad of ["{", "[]", '{"type":"explode"}', '{"type":"watch","terminal":-1,"address":"x"}', '{"type":"subscribe","more":1}']) {
      using wire = await dial(gateway.port);
      wire.socket.send(bad);
      expect(await wire.closed).toBe(closeCode.refused);
    }
    using binary = await dial(gateway.port);
    binary.socket.send(Buffer.alloc(10));
    expect(await binary.closed).toBe(closeCode.refused);
    using huge = await dial(gateway.port);
    huge.socket.send("x".repeat(200_000));
    expect(await huge.closed).toBe(1009);
    using many = await dial(gateway.port);
    for (let n = 1; n <= 5; n++) many.say({ type: "watch", terminal: n, address: "LOC-1/coder" });
    for (let n = 1; n <= 2; n++) many.say({ type: "inspect", inspection: n });
    await expect.poll(() => many.of("refused").map(({ request, terminal, inspection }) => [request, terminal ?? inspection]), guard).toEqual([["watch", 4], ["watch", 5], ["inspect", 2]]);
    expect(client.open()).toMatchObject({ terminals: 3, inspections: 1 });
    for (let n = 0; n < 100; n++) many.say({ type: "unsubscribe" });
    expect(await many.closed).toBe(closeCode.refused);
    await expect.poll(() => client.open().terminals, guard).toBe(0);
    using pings = await dial(gateway.port);
    for (let n = 0; n < 100; n++) pings.socket.ping();
    expect(await pings.closed).toBe(closeCode.refused);
  });

  test("frames that are not masked end the connection", async () => {
    await using opened = await open();
    const { port } = opened.gateway;
    const socket = connect(port, "127.0.0.1");
    let got = Buffer.alloc(0);
    const closed = new Promise<void>((resolve) => { socket.on("close", () => resolve()); });
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => { got = Buffer.concat([got, chunk]); });
    socket.write(`GET ${livePath} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: ${protocolName}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await expect.poll(() => got.toString("latin1"), guard).toContain("hello");
    const flood = setInterval(() => { if (!socket.destroyed) socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d])); }, 5);
    await closed;
    clearInterval(flood);
    expect((await fetch(`http://127.0.0.1:${port}/api/health`)).status).toBe(200);
  });

  test("more clients than it serves are turned away, and the others stay", async () => {
    await using opened = await open();
    const wires = await Promise.all(Array.from({ length: 64 }, () => dial(opened.gateway.port)));
    await expect(dial(opened.gateway.port)).rejects.toThrow("503");
    wires[0]?.socket.terminate();
    await expect.poll(() => dial(opened.gateway.port).then((wire) => wire.socket.terminate()).then(() => true, () => false), guard).toBe(true);
    for (const wire of wires) wire.socket.terminate();
  });
});

describe("clients that do not read", () => {
  const Told = z.object({ rss: z.number(), external: z.number(), watches: z.number(), terminals: z.number(), inspections: z.number(), sent: z.number() });

  /** Floods five clients that never read and one that does, and looks at the gateway's memory meanwhile. */
  test("cost what they subscribed to and no more, while a reader beside them gets everything it can; after a while they are cut off", { timeout: 120_000 }, async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "child.ts"), "4000"], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
      const told = async (): Promise<z.infer<typeof Told>> => {
        child.stdin.write("rss\n");
        return Told.parse(await next());
      };
      const { port } = z.object({ port: z.number() }).parse(await next());
      const deaf = await Promise.all(Array.from({ length: 5 }, () => dial(port)));
      for (const wire of deaf) {
        wire.say({ type: "subscribe" });
        wire.say({ type: "watch", terminal: 1, address: "fair", from: 0 });
        wire.say({ type: "watch", terminal: 2, address: "deaf", from: 0 });
        wire.socket.pause();
      }
      using reader = await dial(port);
      reader.say({ type: "subscribe" });
      await expect.poll(async () => (await told()).terminals, guard).toBe(10);
      const first = await told();
      let most = 0;
      // Until the slow ones are cut off; every look is a round trip to the flooded process.
      await expect.poll(async () => {
        const { rss, terminals } = await told();
        most = Math.max(most, rss);
        return terminals;
      }, { timeout: 60_000, interval: 100 }).toBe(0);
      const last = await told();
      // Each holds at most a megabyte or two in its socket, whatever was written: hundreds of megabytes by then.
      expect((most - first.rss) / 2 ** 20).toBeLessThan(96);
      expect(last.sent).toBeGreaterThan(first.sent);
      await expect.poll(() => numbers(reader).length, guard).toBeGreaterThan(1_000);
      const got = numbers(reader);
      const resynced = reader.of("resync").length > 0;
      if (!resynced) expect(got.every(([seq], n) => n === 0 || seq === (got[n - 1]?.[0] ?? 0) + 1)).toBe(true);
      for (const wire of deaf) wire.socket.terminate();
    } finally {
      child.stdin.end("end\n");
      child.kill("SIGKILL");
    }
  });

  test("a terminal whose source minds nothing comes back with a keyframe once the client reads again", async () => {
    await using opened = await open({ limits: { highBytes: 262_144, lowBytes: 32_768 } });
    const { client, gateway } = opened;
    const log = client.terminal("deaf");
    log.deaf = true;
    using wire = await dial(gateway.port, withToken);
    wire.say({ type: "watch", terminal: 1, address: "deaf", from: 0 });
    await expect.poll(() => client.open().terminals, guard).toBe(1);
    wire.socket.pause();
    // More than the kernel's own buffers of a loopback socket.
    for (let n = 0; n < 400; n++) {
      log.append(randomBytes(65_536));
      if (n % 10 === 0) await new Promise((resolve) => { setImmediate(resolve); });
    }
    wire.socket.resume();
    await expect.poll(() => wire.frames.some(({ frame }) => frame.type === "keyframe" && frame.offset === log.size), guard).toBe(true);
    log.append(Buffer.from("after"));
    await expect.poll(() => wire.frames.at(-1)?.frame, guard).toMatchObject({ type: "bytes", offset: log.size - 5 });
  });
});
