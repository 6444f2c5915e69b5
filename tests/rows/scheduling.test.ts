import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { poller } from "../../actors/poller.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { SimulatedClock, settled } from "../support/clock.ts";
import { type Factory, guardMs, makeFactory, makePlace, quick, turn } from "./fixture.ts";

const id = (n: number): WorkItemId => WorkItemId.parse(`LOC-${n}`);
const coderOnly = `${quick}[autonomous.defaultStages.critic]\nenabled = false\n[sources.local]\ndirectory = "items"\npollMs = 50\n`;
const project = (name: string): string => `[[projects]]\nname = "${name}"\nprojectPath = "${name}"\n`;
const write = (name: string): string => turn("coder", `{ write = "${name}.txt", text = "${name}" }, { result = "Wrote ${name}." }`);
/** A work item file: front matter and the title. */
const item = (title: string, keys: Readonly<Record<string, string | number>>): string => `+++\n${Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join("\n")}\n+++\n# ${title}\n`;
const statuses = async (factory: Factory): Promise<Readonly<Record<string, string>>> => Object.fromEntries((await factory.client.items()).map(({ item: found }) => [found.title, found.status]));
const claims = async (factory: Factory): Promise<readonly string[]> => {
  const titles = new Map((await factory.client.items()).map(({ item: found }) => [`item/${found.id}/1`, found.title]));
  return (await factory.journal()).filter(({ actor, type }) => type === "claim" && titles.has(actor)).map(({ actor }) => titles.get(actor) ?? "");
};

describe("what is worked on, and when", { timeout: guardMs }, () => {
  test("INTRO-01 INTRO-04 VOC-03 HOW-05 FEAT-19 agents of three projects run at once, each in its own repository; a file is one item however often it is read, and one of no project is refused with the reason", async () => {
    const place = makePlace(`${coderOnly}[scheduler]\nslots = 3\n${["one", "two", "three"].map(project).join("")}`);
    const repositories = ["one", "two", "three"].map(place.repository);
    // A barrier: each says that it is there and goes on only when the next one is there too.
    for (const [name, next] of [["one", "two"], ["two", "three"], ["three", "one"]] as const) {
      place.put(`items/${name}.toml`, `title = "work of ${name}"\nproject = "${name}"\nplaybook = "playbooks/${name}.toml"\n`);
      place.put(`items/playbooks/${name}.toml`, turn("coder", `{ touch = "${name}.here" }, { wait-for-file = "${next}.here" }, { write = "${name}.txt", text = "${name}" }`));
    }
    place.put("items/stranger.toml", 'title = "elsewhere"\nproject = "elsewhere"\n');
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(() => statuses(factory), { timeout: guardMs }).toEqual({ "work of one": "done", "work of two": "done", "work of three": "done" });
    for (const { item: found } of await factory.client.items()) {
      const name = found.title.replace("work of ", "");
      expect(found.repository).toBe(join(place.directory, name));
      expect(place.git(found.repository, "show", `${found.branch}:${name}.txt`)).toBe(name);
      expect((await factory.journal(found.id)).filter(({ actor, type }) => type === "actor.start" && actor.startsWith("pipeline/"))).toHaveLength(1);
    }
    for (const repository of repositories) expect(place.git(repository, "branch", "--list", "enact/*").trim().split("\n")).toHaveLength(1);
    expect(factory.notices.filter((text) => text.includes("stranger.toml"))).toEqual([expect.stringContaining("elsewhere")]);
    // Dropped while it runs, then written again: one item still.
    place.put("items/playbooks/late.toml", write("late"));
    const late = place.put("items/late.md", item("late", { project: "two", playbook: "playbooks/late.toml" }));
    await expect.poll(async () => (await statuses(factory))["late"], { timeout: guardMs }).toBe("done");
    writeFileSync(late, item("late", { project: "two", playbook: "playbooks/late.toml", priority: 1 }));
    place.put("items/marker.md", item("marker", { project: "one", playbook: "playbooks/late.toml" }));
    await expect.poll(async () => (await statuses(factory))["marker"], { timeout: guardMs }).toBe("done");
    expect(Object.keys(await statuses(factory)).toSorted()).toEqual(["late", "marker", "work of one", "work of three", "work of two"]);
  });

  test("ARCH-04 ARCH-05 FEAT-21 HOW-03 two slots and seven items: never more than two live, and free slots go to the first priority, then to the oldest", async () => {
    const place = makePlace(`${coderOnly}[scheduler]\nslots = 2\n${project("repo")}`);
    place.repository("repo");
    place.put("items/playbooks/block.toml", turn("coder", '{ wait-for-file = "go" }, { write = "block.txt", text = "b" }'));
    place.put("items/playbooks/write.toml", write("work"));
    const put = (title: string, priority: number, day: number, playbook = "write"): string => place.put(`items/${title}.md`, item(title, { playbook: `playbooks/${playbook}.toml`, priority }).replace("+++\n#", `created = 2026-01-0${day}T00:00:00Z\n+++\n#`));
    put("blocker-a", 4, 1, "block");
    put("blocker-b", 4, 2, "block");
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(() => statuses(factory), { timeout: guardMs }).toEqual({ "blocker-a": "operating", "blocker-b": "operating" });
    put("third", 2, 6);
    put("last", 4, 3);
    put("first", 1, 5);
    put("second", 2, 4);
    put("fourth", 3, 1);
    await expect.poll(async () => Object.values(await statuses(factory)).filter((status) => status === "ready").length, { timeout: guardMs }).toBe(5);
    place.put("items/playbooks/go", "");
    await expect.poll(async () => Object.values(await statuses(factory)).filter((status) => status === "done").length, { timeout: guardMs }).toBe(7);
    expect((await claims(factory)).slice(2)).toEqual(["first", "second", "third", "fourth", "last"]);
    // From claim to the end, in the order in which the journal has it.
    let most = 0;
    const live = new Set<string>();
    for (const { actor, type } of await factory.journal()) {
      if (type === "claim") live.add(actor);
      if (type === "published") live.delete(actor);
      most = Math.max(most, live.size);
    }
    expect([most, live.size]).toEqual([2, 0]);
    for (const { item: found } of await factory.client.items()) expect((await factory.journal(found.id)).filter(({ actor, type }) => type === "actor.start" && actor.startsWith("pipeline/")), found.title).toHaveLength(1);
  });

  test("VOC-04 VOC-05 over ten rounds of claiming nothing starts an item of lane manual, nor one of lane none while claimUnassigned is off; given a lane, it starts", async () => {
    const place = makePlace(`${coderOnly.replace("[sources.local]", "[autonomous]\nclaimUnassigned = false\n[sources.local]")}${project("repo")}`);
    place.repository("repo");
    place.put("items/playbooks/write.toml", `${write("work")}${turn("critic", '{ verdict = "approve" }')}`);
    const put = (title: string, lane: string, priority: number): string => place.put(`items/${title}.md`, item(title, { lane, priority, playbook: "playbooks/write.toml" }));
    put("a-manual", "manual", 1);
    put("b-unassigned", "none", 1);
    for (let n = 0; n < 10; n++) put(`given-${n}`, "ralph", 4);
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(async () => Object.values(await statuses(factory)).filter((status) => status === "done").length, { timeout: guardMs }).toBe(10);
    expect(await statuses(factory)).toMatchObject({ "a-manual": "ready", "b-unassigned": "ready" });
    expect((await claims(factory)).filter((title) => !title.startsWith("given-"))).toEqual([]);
    for (const n of [1, 2]) expect(factory.runs(id(n))).toEqual([]);
    // The two are told apart, and seen.
    expect((await factory.client.items()).slice(0, 2).map(({ item: found }) => [found.title, found.operatorLane])).toEqual([["a-manual", "manual"], ["b-unassigned", "none"]]);
    await factory.client.command(id(2), { type: "lane", lane: "ralph" });
    await expect.poll(() => statuses(factory), { timeout: guardMs }).toMatchObject({ "a-manual": "ready", "b-unassigned": "done" });
    expect(factory.runs(id(1))).toEqual([]);
    // Only an explicit command runs what is manual.
    await factory.client.command(id(1), { type: "claim" });
    await expect.poll(() => statuses(factory), { timeout: guardMs }).toMatchObject({ "a-manual": "done" });
  });

  test("VOC-05 while claimUnassigned is on, the default, an item of lane none is claimed for the plain pipeline, keeps its lane, and the journal says that it was automation", async () => {
    const place = makePlace(`${coderOnly}${project("repo")}`);
    place.repository("repo");
    place.put("items/playbooks/write.toml", write("work"));
    place.put("items/a.md", item("unassigned", { lane: "none", playbook: "playbooks/write.toml" }));
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(() => statuses(factory), { timeout: guardMs }).toEqual({ unassigned: "done" });
    expect((await factory.client.item(id(1)))?.item.operatorLane).toBe("none");
    const claim = (await factory.journal(id(1))).filter(({ type }) => type === "claim");
    expect(claim.map(({ event }) => event["explicit"])).toEqual([false]);
    expect(existsSync(join(place.stateDirectory, "reports"))).toBe(true);
  });

  test("ARCH-02 the heartbeat beats once an interval, and a beat that takes longer is never overlapped by the next", async () => {
    const clock = new SimulatedClock(1_000);
    const beats: number[] = [];
    let release: (() => void) | undefined;
    let live = 0;
    let slow = false;
    const child = poller("heartbeat", 10_000, clock, async () => {
      beats.push(clock.now());
      expect(++live).toBe(1);
      if (slow) await new Promise<void>((resolve) => { release = resolve; });
      live--;
    });
    const running = child.start(() => { throw new Error("it crashed"); }, () => {});
    await clock.settleTo(41_000);
    expect(beats).toEqual([1_000, 11_000, 21_000, 31_000, 41_000]);
    slow = true;
    await clock.settleTo(51_000);
    await clock.settleTo(95_000);
    expect(beats.at(-1)).toBe(51_000);
    slow = false;
    release?.();
    await settled();
    await clock.settleTo(105_000);
    expect(beats.slice(5)).toEqual([51_000, 105_000]);
    await running.stop();
    await clock.settleTo(500_000);
    expect(beats).toHaveLength(7);
  });
});
