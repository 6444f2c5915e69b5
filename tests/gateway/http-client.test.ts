/** The HTTP transport against a real gateway: the whole contract, and what happens when the wire breaks, the gateway goes, another comes. */
import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { routes, subscriptions } from "../../src/client/api.ts";
import { ClientProblem, type LiveChange, type TerminalFrame } from "../../src/client/contract.ts";
import { GatewayGone, httpClient } from "../../src/client/http-client.ts";
import type { GatewayAddress } from "../../src/client/live-socket.ts";
import { cuttable, guard, open, token } from "./open.ts";
import { itemId, standIn } from "./stand-in.ts";

const at = (port: number): GatewayAddress => ({ host: "127.0.0.1", port, token });
const change = (n: number): LiveChange => ({ type: "journal", actor: "item/LOC-1/1", event: `e${n}`, at: n });
const events = (changes: readonly LiveChange[]): readonly string[] => changes.flatMap((each) => (each.type === "journal" ? [each.event] : []));
const bytesOf = (frames: readonly TerminalFrame[]): Buffer => Buffer.concat(frames.flatMap((frame) => (frame.type === "bytes" ? [frame.data] : [])));
const hash = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

describe("the contract", () => {
  test("every member is a route or a subscription, and comes through as it is", async () => {
    await using opened = await open();
    const direct = opened.client;
    const { client, close } = httpClient({ address: at(opened.gateway.port), locate: async () => undefined });
    expect(Object.keys(client).toSorted()).toEqual([...Object.keys(routes), ...Object.keys(subscriptions)].toSorted());
    expect(await client.describe()).toEqual({ ...await direct.describe(), role: "client" });
    expect(await client.items()).toEqual(await direct.items());
    expect(await client.item(itemId(2))).toEqual(await direct.item(itemId(2)));
    expect(await client.item(itemId(99))).toBeUndefined();
    const submission = { title: "\u0000 \"quoted\" 한국어 \u202e", body: "b".repeat(900_000), kind: "chore", priority: 1, repository: "/r", sourceId: "s", lane: "manual", claim: true, stages: "configured" } as const;
    expect(await client.submit(submission)).toBe("LOC-1");
    expect(direct.submitted).toEqual([submission]);
    expect(await client.command(itemId(1), { type: "answer", text: "yes" })).toEqual({ delivered: "now" });
    expect(await client.evidence(itemId(1))).toEqual(await direct.evidence(itemId(1)));
    expect(await client.tree()).toEqual(await direct.tree());
    expect(await client.checkpoints(itemId(1))).toEqual(await direct.checkpoints(itemId(1)));
    expect(await client.restore(itemId(1), "ref", "/to/there")).toBe("/to/there");
    for (const query of [{}, { by: "stage", since: "7d", item: itemId(1) }] as const) expect(await client.spend(query)).toEqual(await direct.spend(query));
    expect([await client.teams(), await client.terminals(), await client.actors(), await client.actor("x")]).toEqual([[], [], [], undefined]);
    expect(await client.status()).toEqual(await direct.status());
    await client.stop({ keepAgents: true });
    expect(direct.stops).toEqual([{ keepAgents: true }]);
    // A journal longer than a page comes whole.
    const lines = await client.journal({});
    expect([lines.length, lines[0]?.position, lines.at(-1)?.position]).toEqual([25_000, 1, 25_000]);
    expect((await client.journal({ after: 24_990, limit: 5 })).map(({ position }) => position)).toEqual([24_991, 24_992, 24_993, 24_994, 24_995]);
    await close("abandon");
  });

  test("what the factory refuses arrives in its own words, and what goes wrong inside without its inside", async () => {
    await using opened = await open();
    const { client, close } = httpClient({ address: at(opened.gateway.port), locate: async () => undefined });
    const refused = await client.command(itemId(99), { type: "cancel" }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ClientProblem);
    expect(refused).toMatchObject({ message: "there is no work item LOC-99", next: "list them with: enact-factory task list" });
    const broken = await client.command(itemId(1), { type: "pause" }).catch((error: unknown) => error);
    expect(broken).toBeInstanceOf(ClientProblem);
    expect(String(broken)).not.toContain("secret-inner");
    await expect(client.attachment("x", { write: false })).rejects.toBeInstanceOf(ClientProblem);
    await close("abandon");
  });
});

describe("a wire that breaks", () => {
  test("events go on where they were, none lost, none twice; terminals at their last byte", async () => {
    await using opened = await open();
    await using wire = await cuttable(opened.gateway.port);
    const { client: direct } = opened;
    const states: string[] = [];
    const { client, close } = httpClient({ address: at(wire.port), locate: async () => at(wire.port), onState: (state) => states.push(state) });
    const changes: LiveChange[] = [];
    const frames: TerminalFrame[] = [];
    const log = direct.terminal("LOC-1/coder");
    const sent = randomBytes(300_000);
    client.watch((each) => changes.push(each));
    client.watchTerminal("LOC-1/coder", { from: 0 }, (frame) => frames.push(frame));
    // What came before the subscription is in place may have been missed, and that is said.
    await expect.poll(() => changes, guard).toEqual([{ type: "resync" }]);
    for (let n = 0; n < 30; n++) {
      log.append(sent.subarray(n * 10_000, (n + 1) * 10_000));
      direct.emit(change(n));
      if (n % 10 === 4) {
        await expect.poll(() => events(changes).length, guard).toBeGreaterThan(n - 4);
        wire.cut();
      }
    }
    await expect.poll(() => events(changes).length, guard).toBe(30);
    expect(events(changes)).toEqual(Array.from({ length: 30 }, (_, n) => `e${n}`));
    expect(changes.filter(({ type }) => type === "resync")).toHaveLength(1);
    await expect.poll(() => bytesOf(frames).length, guard).toBe(sent.length);
    expect(hash(bytesOf(frames))).toBe(hash(sent));
    expect(frames.every(({ type }) => type === "bytes")).toBe(true);
    expect(states.filter((state) => state === "up").length).toBeGreaterThan(1);
    await close("abandon");
    await expect.poll(() => direct.open(), guard).toEqual({ watches: 1, terminals: 0, inspections: 0 });
  });

  test("another gateway in its place, at another port with another life: resync, and on it goes", async () => {
    const client = standIn();
    const first = await open({ client });
    let port = first.gateway.port;
    const states: string[] = [];
    const http = httpClient({ address: at(port), locate: async () => at(port), onState: (state) => states.push(state) });
    const changes: LiveChange[] = [];
    const frames: TerminalFrame[] = [];
    client.terminal("LOC-1/coder").append(Buffer.from("before "));
    http.client.watch((each) => changes.push(each));
    http.client.watchTerminal("LOC-1/coder", { from: 0 }, (frame) => frames.push(frame));
    await expect.poll(() => bytesOf(frames).toString(), guard).toBe("before ");
    await first.gateway.close();
    await expect.poll(() => states, guard).toContain("stopping");
    client.terminal("LOC-1/coder").append(Buffer.from("between "));
    await using second = await open({ client });
    port = second.gateway.port;
    await expect.poll(() => changes.filter(({ type }) => type === "resync").length, guard).toBe(2);
    client.terminal("LOC-1/coder").append(Buffer.from("after"));
    client.emit(change(1));
    await expect.poll(() => events(changes), guard).toEqual(["e1"]);
    await expect.poll(() => bytesOf(frames).toString(), guard).toBe("before between after");
    expect(await http.client.items()).toHaveLength(3);
    await http.close("abandon");
  });

  test("a gateway that is gone: what was never sent says so, what may have been done says that nobody knows", async () => {
    const opened = await open();
    const { port } = opened.gateway;
    const { client, close } = httpClient({ address: at(port), locate: async () => undefined });
    await opened.gateway.close();
    const refused = await client.items().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(GatewayGone);
    expect(refused).toMatchObject({ done: "no" });
    const reached = Promise.withResolvers<void>();
    const half = await open({ client: { ...standIn(), command: () => {
      reached.resolve();
      return new Promise(() => {});
    } } });
    await using wire = await cuttable(half.gateway.port);
    const cut = httpClient({ address: at(wire.port), locate: async () => at(wire.port) });
    const pending = cut.client.command(itemId(1), { type: "approve" }).catch((error: unknown) => error);
    await reached.promise;
    wire.cut();
    expect(await pending).toMatchObject({ done: "unknown" });
    // A read is as good the second time.
    expect(await cut.client.items()).toHaveLength(3);
    await Promise.all([close("abandon"), cut.close("abandon")]);
    await half.gateway.close();
  });
});

test("a watcher that cannot take more gets nothing, then the screen as it is", async () => {
  await using opened = await open();
  const { client, close } = httpClient({ address: at(opened.gateway.port), locate: async () => at(opened.gateway.port) });
  const log = opened.client.terminal("LOC-1/coder");
  const frames: TerminalFrame[] = [];
  let ready = true;
  client.watchTerminal("LOC-1/coder", { from: 0, ready: () => ready }, (frame) => frames.push(frame));
  log.append(Buffer.from("one"));
  await expect.poll(() => bytesOf(frames).toString(), guard).toBe("one");
  ready = false;
  for (let n = 0; n < 20; n++) log.append(randomBytes(10_000));
  await expect.poll(() => opened.client.open().terminals, guard).toBe(0);
  expect(frames).toHaveLength(1);
  ready = true;
  await expect.poll(() => frames[1], guard).toMatchObject({ type: "keyframe", offset: log.size });
  log.append(Buffer.from("two"));
  await expect.poll(() => bytesOf(frames).toString(), guard).toBe("onetwo");
  client.watchTerminal("nowhere", {}, (frame) => frames.push(frame));
  await expect.poll(() => frames.at(-1), guard).toEqual({ type: "ended" });
  await close("abandon");
});

test("nobody who watches: no connection is made, and none is left when the last one stops", async () => {
  await using opened = await open();
  const states: string[] = [];
  const { client, close } = httpClient({ address: at(opened.gateway.port), locate: async () => at(opened.gateway.port), onState: (state) => states.push(state) });
  await client.items();
  expect(states).toEqual([]);
  const stops = [client.watch(() => {}), client.watch(() => {}), client.inspect({}, () => {})];
  await expect.poll(() => states, guard).toEqual(["up"]);
  await expect.poll(() => opened.client.open(), guard).toEqual({ watches: 1, terminals: 0, inspections: 1 });
  for (const stop of stops) stop();
  await expect.poll(() => opened.client.open(), guard).toEqual({ watches: 1, terminals: 0, inspections: 0 });
  expect(states).toEqual(["up"]);
  await close("abandon");
});
