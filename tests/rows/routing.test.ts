/** Which adapter runs a turn, in a real factory. A CLI whose provider refuses is a program that plays what the real one said then. */
import { chmodSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { waitingFor } from "../../src/client/waiting.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, type Place, quick, turn } from "./fixture.ts";

const streams = join(import.meta.dirname, "../../fixtures/claude");
/** `claude`, which does that and plays a stream of the real one. */
const standIn = (place: Place, stream: string, exit: number, first = ""): void => {
  chmodSync(place.put("bin/claude", `#!/bin/sh\ncat > /dev/null\n${first}\ncat '${join(streams, stream)}'\nexit ${exit}\n`), 0o755);
  vi.stubEnv("PATH", [join(place.directory, "bin"), process.env["PATH"]].join(delimiter));
};
const make = (more: string, adapter: "claude" | "scripted" = "claude"): { readonly place: Place; readonly repository: string; readonly playbook: string } => {
  const place = makePlace(`${quick.replace('adapter = "scripted"', `adapter = "${adapter}"`)}${more}`);
  return { place, repository: place.repository("repo"), playbook: place.put("playbooks/p.toml", `${turn("coder", '{ session = "mine" }, { write = "made.txt", text = "m" }, { result = "Made." }')}${turn("critic", '{ verdict = "approve" }')}`) };
};
const first = WorkItemId.parse("RUN-1"), second = WorkItemId.parse("RUN-2");
/** Those whose turn waits for a place, once there are so many. */
const waitingOnes = async ({ client }: Factory, count: number, ...ids: readonly WorkItemId[]): Promise<readonly WorkItemId[]> => {
  const found = async (): Promise<readonly WorkItemId[]> => (await Promise.all(ids.map((id) => client.item(id)))).flatMap((state) => (state?.stage?.waitsForPlace === true ? [state.item.id] : []));
  await expect.poll(found, { timeout: guardMs }).toHaveLength(count);
  return found();
};
/** In the order in which they began. */
const adaptersOf = (place: Place, id: WorkItemId): readonly string[] => place.runs(id).map(({ adapter, stage }) => `${stage} ${adapter}`);

describe("routing", { timeout: guardMs }, () => {
  for (const [name, stream, why] of [["a provider that refuses for an hour", "fault-429-retry-after.jsonl", "429"], ["a CLI that nobody is signed in to", "fault-not-signed-in.jsonl", "Not logged in"]] as const) {
    test(`${name}: the next adapter of the chain takes over, no budget is touched, and later turns do not ask again`, async () => {
      const { place, repository, playbook } = make('[routing]\nfallback = ["scripted"]\n');
      standIn(place, stream, 1);
      await using factory = await makeFactory(place);
      await factory.submit("One", { repository, playbook, stages: "full" });
      const [one] = await factory.ended(first);
      expect(one?.item).toMatchObject({ status: "done", failures: 0, infraFailures: 0, iterations: 1 });
      expect(adaptersOf(place, first).slice(0, 2)).toEqual(["coder claude", "coder scripted"]);
      expect((await factory.client.status()).adapters).toContainEqual(expect.objectContaining({ name: "claude", refusedUntil: expect.any(Number), why: expect.stringContaining(why) }));
      const moved = (await factory.journal(first)).filter(({ type, actor }) => type === "turn.ended" && actor.startsWith("stage/")).map(({ event }) => JSON.stringify(event));
      expect(moved[0]).toContain('"kind":"movedOn","from":"claude","to":"scripted"');
      // Who took over is seen.
      const placed = (await factory.journal(first)).filter(({ type, actor }) => type === "turn.placed" && actor.includes("coder")).map(({ event }) => event);
      expect(placed).toMatchObject([{ tryNumber: 2, place: { adapter: "scripted", model: null, waits: false } }]);
      // The model asked for is claude's: nobody else is told of it.
      expect(moved[1]).toMatch(/"adapter":"scripted"/);
      await factory.submit("Two", { repository, playbook, model: "sonnet" });
      await factory.ended(second);
      expect(adaptersOf(place, second).some((each) => each.endsWith("claude"))).toBe(false);
      expect(place.runs(second).some(({ argv, stdin }) => [...argv, stdin].join(" ").includes("sonnet"))).toBe(false);
    });
  }

  test("the provider is switched while a turn runs: that one finishes, new ones are the other's, also after a restart, until it is taken back", async () => {
    const { place, repository, playbook } = make("");
    standIn(place, "first-of-session.jsonl", 0, `while [ ! -f '${join(place.directory, "go")}' ]; do sleep 0.05; done; echo m > made.txt`);
    {
      await using factory = await makeFactory(place, { keep: true });
      const { client } = factory;
      await factory.submit("One", { repository, playbook, stages: "coder" });
      await expect.poll(() => adaptersOf(place, first), { timeout: guardMs }).toEqual(["coder claude"]);
      expect(await client.chooseProvider("scripted")).toEqual({ delivered: "now" });
      expect(await client.provider()).toMatchObject({ usual: "claude", chosen: "scripted" });
      await factory.submit("Two", { repository, playbook, stages: "coder" });
      await factory.ended(second);
      expect([adaptersOf(place, second), (await client.item(first))?.item.status]).toEqual([["coder scripted"], "operating"]);
      place.put("go", "");
      await factory.ended(first);
      expect(adaptersOf(place, first)).toEqual(["coder claude"]);
    }
    await using factory = await makeFactory(place);
    const { client } = factory, third = WorkItemId.parse("RUN-3"), fourth = WorkItemId.parse("RUN-4");
    await factory.submit("Three", { repository, playbook, stages: "coder", sourceId: "three" });
    await factory.ended(third);
    expect(await client.chooseProvider(null)).toEqual({ delivered: "now" });
    expect(await client.provider()).toMatchObject({ usual: "claude", chosen: null });
    await factory.submit("Four", { repository, playbook, stages: "coder", sourceId: "four" });
    await factory.ended(fourth);
    expect([adaptersOf(place, third), adaptersOf(place, fourth)]).toEqual([["coder scripted"], ["coder claude"]]);
  });

  test("what is refused while a turn waits for its place counts for it too: another adapter takes it", async () => {
    const { place, repository, playbook } = make('[routing]\nfallback = ["scripted"]\n[adapters.claude]\nconcurrency = 1\n');
    standIn(place, "fault-429-retry-after.jsonl", 1, `while [ ! -f '${join(place.directory, "go")}' ]; do sleep 0.05; done`);
    await using factory = await makeFactory(place);
    const { client } = factory;
    for (const id of [first, second]) {
      await factory.submit(`Of ${id}`, { repository, playbook, stages: "coder" });
      await expect.poll(async () => (await client.item(id))?.item.status, { timeout: guardMs }).toBe("operating");
    }
    await expect.poll(async () => (await client.status()).adapters, { timeout: guardMs }).toMatchObject([{ name: "claude", running: 1, waiting: 1 }]);
    const [waiting = first] = await waitingOnes(factory, 1, first, second);
    place.put("go", "");
    const ends = await factory.ended(first, second);
    // The one that waited was never given to the CLI that had just been refused.
    expect(adaptersOf(place, waiting).filter((each) => each.endsWith("claude"))).toEqual([]);
    expect(ends.map(({ item, stage }) => [item.status, stage?.adapter, stage?.waitsForPlace])).toEqual([["done", "scripted", false], ["done", "scripted", false]]);
  });

  test("a cap that is reached while a turn waits for its place keeps it from beginning", async () => {
    const { place, repository } = make("[adapters.scripted]\nconcurrency = 1\n[spend]\ndayUsd = 1\n", "scripted");
    const dear = place.put("playbooks/dear.toml", turn("coder", '{ wait-for-file = "go" }, { cost = 5 }, { write = "made.txt", text = "m" }, { result = "Made." }'));
    await using factory = await makeFactory(place);
    for (const title of ["One", "Two"]) await factory.submit(title, { repository, playbook: dear, stages: "coder" });
    await expect.poll(async () => (await factory.client.status()).adapters, { timeout: guardMs }).toMatchObject([{ name: "scripted", running: 1, waiting: 1 }]);
    const [waiting = first] = await waitingOnes(factory, 1, first, second);
    place.put("playbooks/go", "");
    const ends = await factory.ended(first, second);
    expect([ends.map(({ item }) => item.status).toSorted(), place.runs(waiting)]).toEqual([["done", "exhausted"], []]);
  });

  test("an adapter runs so many turns at once as it may: others wait for a place, and a cancel ends the wait", async () => {
    const { place, repository } = make("[adapters.scripted]\nconcurrency = 1\n[scheduler]\nslots = 3\nslotsPerProject = 3\n", "scripted");
    const waits = place.put("playbooks/w.toml", turn("coder", '{ touch = "begun" }, { wait-for-file = "go" }, { write = "made.txt", text = "m" }, { result = "Made." }'));
    await using factory = await makeFactory(place);
    const { client } = factory, third = WorkItemId.parse("RUN-3");
    for (const title of ["One", "Two", "Three"]) await factory.submit(title, { repository, playbook: waits, stages: "coder" });
    await expect.poll(async () => (await client.status()).adapters, { timeout: guardMs }).toMatchObject([{ name: "scripted", running: 1, waiting: 2 }]);
    const [waiting = third] = await waitingOnes(factory, 2, first, second, third);
    const seen = await client.item(waiting);
    expect(seen && waitingFor(seen)).toMatchObject({ on: "slot", text: expect.stringContaining("a place at scripted for the coder") });
    await client.command(waiting, { type: "cancel" });
    await expect.poll(async () => (await client.item(waiting))?.item.status, { timeout: guardMs }).toBe("cancelled");
    expect(place.runs(waiting)).toEqual([]);
    place.put("playbooks/go", "");
    const others = [first, second, third].filter((id) => id !== waiting);
    expect((await factory.ended(...others)).map(({ item }) => item.status)).toEqual(["done", "done"]);
    expect((await client.status()).adapters).toMatchObject([{ running: 0, waiting: 0 }]);
  });
});
