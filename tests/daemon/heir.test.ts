/** One client across gateways that come, go and freeze, the store between them, and an owner in the end. Real gateways over stand-ins. */
import { createServer } from "node:net";
import { expect, test } from "vitest";
import type { FactoryClient, LiveChange, TerminalFrame } from "../../src/client/contract.ts";
import type { Connection } from "../../src/client/local-tools.ts";
import { httpClient } from "../../src/client/http-client.ts";
import { offlineLive } from "../../src/client/offline-live.ts";
import { heir, type HeirOptions } from "../../src/daemon/heir.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { guard, open, type Open, token } from "../gateway/open.ts";
import { itemId, type StandIn, standIn } from "../gateway/stand-in.ts";

interface Scene { port: number | undefined; readonly store: StandIn; readonly closed: string[]; readonly options: HeirOptions }

const connection = (client: FactoryClient, name: string, closed: string[]): Connection => ({ client, close: async (how) => { closed.push(`${name} ${how}`); } });

/** `answers` as a gateway does that is there: by its health. */
const scene = (more: Partial<HeirOptions> = {}): Scene => {
  const closed: string[] = [];
  const made: Scene = { port: undefined, store: standIn(1), closed, options: {
    clock: systemClock,
    locate: async (onDoubt) => (made.port === undefined || !await answers(made.port) ? undefined : httpClient({
      address: { host: "127.0.0.1", port: made.port, token }, onState: (state) => { if (state !== "up") onDoubt(state); },
      locate: async () => (made.port === undefined || !await answers(made.port) ? undefined : { host: "127.0.0.1", port: made.port, token }),
    })),
    answers: async () => made.port !== undefined && await answers(made.port),
    // Without an owner nothing lives: the live half is the offline one.
    open: async () => connection({ ...made.store, ...offlineLive }, "store", closed),
    ...more,
  } };
  return made;
};
const answers = (port: number): Promise<boolean> => fetch(`http://127.0.0.1:${port}/api/health`, { signal: AbortSignal.timeout(500) }).then(({ ok }) => ok, () => false);

const change = (n: number): LiveChange => ({ type: "journal", actor: "item/LOC-1/1", event: `e${n}`, at: n });
const text = (frames: readonly TerminalFrame[]): string => Buffer.concat(frames.flatMap((frame) => (frame.type === "bytes" ? [frame.data] : []))).toString();
const resyncs = (changes: readonly LiveChange[]): number => changes.filter(({ type }) => type === "resync").length;

test("from gateway to store to the next gateway: requests go where somebody answers, watchers hear that they must read again, terminals lose no byte", async () => {
  const factory = standIn(3);
  const first: Open = await open({ client: factory });
  const made = scene();
  made.port = first.gateway.port;
  const { client, close } = await heir(made.options);
  const changes: LiveChange[] = [];
  const frames: TerminalFrame[] = [];
  client.watch((each) => changes.push(each));
  factory.terminal("LOC-1/coder").append(Buffer.from("one "));
  client.watchTerminal("LOC-1/coder", { from: 0 }, (frame) => frames.push(frame));
  await expect.poll(() => text(frames), guard).toBe("one ");
  expect(await client.items()).toHaveLength(3);
  expect((await client.describe()).role).toBe("client");

  made.port = undefined;
  await first.gateway.close();
  expect(await client.items()).toHaveLength(1);
  await expect.poll(() => resyncs(changes), guard).toBe(2);
  made.store.emit(change(1));
  expect(changes.at(-1)).toEqual(change(1));
  factory.terminal("LOC-1/coder").append(Buffer.from("two "));

  await using second = await open({ client: factory });
  made.port = second.gateway.port;
  await expect.poll(() => client.items().then(({ length }) => length), guard).toBe(3);
  await expect.poll(() => resyncs(changes), guard).toBeGreaterThan(2);
  factory.terminal("LOC-1/coder").append(Buffer.from("three"));
  await expect.poll(() => text(frames), guard).toBe("one two three");
  await expect.poll(() => {
    factory.emit(change(2));
    return changes.some((each) => each.type === "journal" && each.event === "e2");
  }, guard).toBe(true);
  await close("abandon");
  expect(made.closed).toEqual(["store abandon"]);
  await expect.poll(() => factory.open().terminals, guard).toBe(0);
});

test("a request that is lost half-way is made again where twice is as good as once; an answer is not, and the person is told", async () => {
  const made = scene();
  let underWay = (): void => {};
  const never = (): Promise<never> => {
    underWay();
    return new Promise(() => {});
  };
  const hangs: FactoryClient = { ...standIn(3), command: never, submit: never };
  const asked = async (ask: (client: FactoryClient) => Promise<unknown>): Promise<unknown> => {
    const opened = await open({ client: { ...standIn(3), ...hangs } });
    made.port = opened.gateway.port;
    const { client, close } = await heir(made.options);
    const reached = new Promise<void>((resolve) => { underWay = resolve; });
    const pending = ask(client).catch((error: unknown) => error);
    await reached;
    made.port = undefined;
    await opened.gateway.close();
    const result = await pending;
    await close("abandon");
    return result;
  };
  expect(await asked((client) => client.command(itemId(1), { type: "cancel" }))).toEqual({ delivered: "now" });
  expect(await asked((client) => client.submit({ title: "t", body: "", kind: "chore", priority: 1, repository: "/r", sourceId: "s", lane: "manual", claim: true, stages: "configured" }))).toBe("LOC-1");
  expect(await asked((client) => client.command(itemId(1), { type: "approve" }))).toMatchObject({ name: "ClientProblem", message: expect.stringContaining("it is not known whether") });
});

test("a gateway that freezes with a request under way: the store answers instead, and nobody waits for ever", async () => {
  const made = scene();
  let frozen = false;
  const factory = standIn(3);
  await using opened = await open({ client: { ...factory, items: () => (frozen ? new Promise(() => {}) : factory.items()) } });
  made.port = opened.gateway.port;
  const { client, close } = await heir(made.options);
  expect(await client.items()).toHaveLength(3);
  frozen = true;
  // Takes connections and says nothing, as a stopped process does.
  const mute = createServer(() => {});
  await new Promise<void>((resolve) => { mute.listen(0, "127.0.0.1", resolve); });
  const address = mute.address();
  made.port = typeof address === "object" && address !== null ? address.port : 0;
  expect(await client.items()).toHaveLength(1);
  await close("abandon");
  mute.close();
});

test("who may succeed does so when nobody answers; who gives up says it once and is left alone", async () => {
  const closed: string[] = [];
  const owner = standIn(2);
  const said: ("stopping" | "gone" | undefined)[] = [];
  const made = scene({ succeed: async (ended) => {
    said.push(ended);
    return said.length < 2 ? undefined : connection(owner, "owner", closed);
  } });
  const opened = await open({ client: standIn(3) });
  made.port = opened.gateway.port;
  const { client, close } = await heir(made.options);
  const changes: LiveChange[] = [];
  client.watch((each) => changes.push(each));
  await expect.poll(() => resyncs(changes), guard).toBe(1);
  made.port = undefined;
  await opened.gateway.close();
  await expect.poll(() => client.items().then(({ length }) => length), guard).toBe(2);
  expect(said).toEqual(["stopping", "stopping"]);
  expect(changes).toContainEqual({ type: "notice", level: "info", text: "the factory that did this work is gone; this process goes on with it" });
  await close("suspend");
  expect(closed).toEqual(["owner suspend"]);

  let asked = 0;
  const hopeless = scene({ succeed: async () => {
    asked++;
    return { lost: "nobody comes" };
  } });
  const alone = await heir(hopeless.options);
  const heard: LiveChange[] = [];
  alone.client.watch((each) => heard.push(each));
  await expect.poll(() => heard, guard).toContainEqual({ type: "lost", reason: "nobody comes" });
  expect(asked).toBe(1);
  await alone.close("abandon");
});
