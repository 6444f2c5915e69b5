import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inbox } from "../../src/client/inbox.ts";
import { stageText, waitText } from "../../src/client/text/item-text.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, type Place, quick, turn } from "./fixture.ts";

const id = WorkItemId.parse("LOC-1");
const local = (caps: string, more = ""): string => `${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n[lanes.ultrawork]\n${caps}\n${more}`;
const item = (...parts: readonly string[]): string => `+++\nplaybook = "playbooks/work.toml"\nlane = "ultrawork"\n+++\n# A compiler\n\n${parts.map((part) => `- [ ] ${part}\n`).join("")}`;
const comesTo = (factory: Factory, status: string): Promise<void> => expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe(status);
const lane = async (factory: Factory) => { const state = await factory.client.item(id); if (!state?.lane) throw new Error("there is no run"); return { ...state, lane: state.lane }; };
/** One that says it has begun, and waits until it may go on. */
const waits = (task: number, file: string, text: string): string => turn("coder", `{ touch = "at-${task}" }, { wait-for-file = "go" }, { write = "${file}", text = "${text}" }, { result = "Wrote ${file}." }`, `task = ${task}`);
const writes = (task: number, file: string, text: string): string => turn("coder", `{ write = "${file}", text = "${text}" }, { result = "Wrote ${file}." }`, `task = ${task}`);
const begun = (place: Place, ...tasks: readonly number[]): Promise<void> => expect.poll(() => tasks.filter((task) => existsSync(join(place.directory, `items/playbooks/at-${task}`))), { timeout: guardMs }).toEqual(tasks);
/** The most turns of workers that were under way at once. */
const mostAtOnce = async (factory: Factory): Promise<number> => {
  let now = 0, most = 0;
  for (const { actor, type } of await factory.journal(id)) {
    if (!actor.startsWith("ultrawork/")) continue;
    if (type === "member.began") most = Math.max(most, ++now);
    if (type === "member.turn") now--;
  }
  return most;
};

describe("lane ultrawork", { timeout: guardMs }, () => {
  test("VOC-08 CARD-19 ultrawork: five parts two at a time, a conflict and a verdict that asks for more; each is merged, and the whole is judged", async () => {
    const place = makePlace(local("concurrency = 2"));
    place.repository("repo");
    place.put("items/playbooks/work.toml", [
      waits(1, "shared.txt", "parser"), waits(2, "shared.txt", "printer"), writes(3, "3.txt", "3"), writes(4, "4.txt", "4"), writes(5, "5.txt", "5"), writes(6, "shared.txt", "parser and printer"), writes(7, "7.txt", "7"),
      turn("critic", '{ verdict = "revise", feedback = "Say seven." }', "iteration = 1"), turn("critic", '{ verdict = "approve" }', "iteration = 2"),
    ].join(""));
    place.put("items/one.md", item("the parser", "the printer", "three", "four", "five"));
    await using factory = await makeFactory(place, { automation: true });
    await begun(place, 1, 2);
    const early = await lane(factory);
    expect(stageText(early)).toBe("ultrawork executing, 0 of 5 parts");
    expect(waitText(early, Date.now())).toMatch(/^waits for its workers: 0 of 5 parts done, worker-1 on [12], worker-2 on [12]$/);
    expect(early.lane).toMatchObject({ state: "executing", leg: "", running: true, iteration: 1, maxIterations: 4, workers: [{ name: "worker-1", state: "working" }, { name: "worker-2", state: "working" }] });
    // Who is ready first takes the first.
    expect(early.lane.workers?.map(({ task }) => task).toSorted()).toEqual([1, 2]);
    place.put("items/playbooks/go", "");
    await comesTo(factory, "done");
    expect(await mostAtOnce(factory)).toBe(2);
    const { item: ended, lane: run } = await lane(factory);
    expect(run).toMatchObject({ lane: "ultrawork", state: "done", phase: "verifying", iteration: 2, feedback: "Say seven.", workers: [] });
    expect(run.stories.map(({ id: n, title, passes }) => `${n} ${title} ${passes}`)).toEqual(["1 the parser true", "2 the printer true", "3 three true", "4 four true", "5 five true", "7 Do what the review asks true"]);
    expect(ended).toMatchObject({ operatorLane: "ultrawork", iterations: 2, gates: { implementationComplete: { state: "met" }, reviewPassed: { state: "met" }, testsPassed: { state: "met" } } });
    const read = (file: string): string => place.git(ended.repository, "show", `enact/LOC-1:${file}`);
    expect(["shared.txt", "3.txt", "4.txt", "5.txt", "7.txt"].map(read)).toEqual(["parser and printer", "3", "4", "5", "7"]);
    // One merge a part: the five, the conflict with the one it was about, and what the review asked for.
    expect(place.git(ended.repository, "log", "--first-parent", "--merges", "--format=%s", "main..enact/LOC-1").split("\n")).toHaveLength(6);
    const runs = factory.runs("LOC-1");
    expect(runs.find(({ stdin }) => stdin.includes("Task 6 (conflict)"))?.stdin).toMatch(/the parser[\s\S]*the printer|the printer[\s\S]*the parser/);
    expect(runs.find(({ stdin }) => stdin.includes("Task 7 (fix)"))?.stdin).toContain("Say seven.");
    expect(runs.filter(({ stage }) => stage === "critic").map(({ stdin }) => stdin.includes("All 5 parts of the work item are merged"))).toEqual([true, true]);
    // What everybody's worktree held is merged: it is gone.
    expect(place.git(ended.repository, "worktree", "list").split("\n")).toHaveLength(1);
    expect(await factory.client.teams()).toEqual([]);
  });

  test("a check that the parts break together is mended as one more part; the cap ends the run as exhausted and is named", async () => {
    const place = makePlace(local("maxFixes = 1", '[[verify.checks]]\nname = "both"\nargv = ["sh", "-c", "test ! -f a.txt || test ! -f b.txt || test -f c.txt"]\n'));
    place.repository("repo");
    place.put("items/playbooks/work.toml", [waits(1, "a.txt", "a"), waits(2, "b.txt", "b"), writes(3, "c.txt", "c"), turn("critic", '{ verdict = "revise", feedback = "Not like this." }', "iteration = 2")].join(""));
    place.put("items/one.md", item("a", "b"));
    await using factory = await makeFactory(place, { automation: true });
    await begun(place, 1, 2);
    place.put("items/playbooks/go", "");
    await comesTo(factory, "exhausted");
    const { item: ended, lane: run } = await lane(factory);
    expect(run.stories.map(({ title, passes }) => `${title} ${passes}`)).toEqual(["a true", "b true", "Mend the checks true"]);
    expect(factory.runs("LOC-1").find(({ stdin }) => stdin.includes("Task 3 (fix)"))?.stdin).toContain("- both");
    // The first judgement stopped at the checks; nobody was asked what broken work is worth.
    expect(factory.runs("LOC-1").filter(({ stage }) => stage === "critic")).toHaveLength(1);
    expect(ended.reason).toBe("1 of 1 fixes used; last feedback: Not like this.");
    expect(place.git(ended.repository, "show", "enact/LOC-1:c.txt")).toBe("c");
  });

  test("FAIL-03 three work, are seen, told something and paused; what they held is begun anew, and cancelled; a session is linked to one of it", async () => {
    const place = makePlace(local("concurrency = 3"));
    place.repository("repo");
    place.put("items/playbooks/work.toml", [1, 2, 3].map((n) => waits(n, `${n}.txt`, String(n))).join(""));
    place.put("items/one.md", item("a", "b", "c"));
    await using factory = await makeFactory(place, { automation: true });
    const { client } = factory;
    await begun(place, 1, 2, 3);
    await expect.poll(async () => (await client.terminals()).map(({ address, state, team }) => `${address} ${state} ${team}`), { timeout: guardMs }).toEqual(["LOC-1/worker-1 running null", "LOC-1/worker-2 running null", "LOC-1/worker-3 running null"]);
    expect(await client.message("LOC-1/worker-2", "Use tabs.", { interrupt: false })).toMatchObject({ state: "queued", detail: "LOC-1/worker-2 gets it with the next turn" });
    await expect(client.message("LOC-1", "Use tabs.", { interrupt: false })).rejects.toMatchObject({ message: "LOC-1 has several agents", next: expect.stringContaining("LOC-1/worker-3") });
    // A session of it: one item; the factory's own agents do the work, so it may go.
    await client.session({ type: "start", sessionId: "s-1", cli: "claude", cwd: place.directory, item: id, lane: "ultrawork/LOC-1/1" });
    expect(await client.stopCheck({ sessionId: "s-1", cli: "claude", cwd: place.directory, cause: "normal", asksHuman: false, run: null })).toMatchObject({ decision: "allow", ruleId: "factoryWorks", item: id });
    await expect(client.session({ type: "link", sessionId: "s-1", item: WorkItemId.parse("LOC-2") })).rejects.toMatchObject({ message: 'Ultrawork already linked to "LOC-1"' });
    await client.session({ type: "unlink", sessionId: "s-1", item: true });
    await expect(client.session({ type: "link", sessionId: "s-1", item: id })).resolves.toMatchObject({ session: { item: id } });

    await client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    const paused = await lane(factory);
    expect(paused.lane).toMatchObject({ state: "paused", phase: "executing", generation: 2, running: false, workers: [] });
    expect(waitText(paused, Date.now())).toBe("waits for you: it is paused in executing");
    expect((await client.status()).slots.used).toBe(0);
    await client.command(id, { type: "resume" });
    await expect.poll(async () => (await lane(factory)).lane.workers, { timeout: guardMs }).toMatchObject([4, 5, 6].map((n) => ({ name: `worker-${n}`, state: "working" })));
    expect((await lane(factory)).lane.workers?.map(({ task }) => task).toSorted()).toEqual([1, 2, 3]);
    await client.command(id, { type: "cancel" });
    await comesTo(factory, "cancelled");
    expect((await lane(factory)).lane).toMatchObject({ state: "cancelled", generation: 4, running: false, workers: [], stories: [{ passes: false }, { passes: false }, { passes: false }] });
    expect(await client.stopCheck({ sessionId: "s-1", cli: "claude", cwd: place.directory, cause: "normal", asksHuman: false, run: null })).toMatchObject({ decision: "allow" });
    await expect(client.message("LOC-1/worker-4", "Too late?", { interrupt: false })).rejects.toMatchObject({ message: "LOC-1 is cancelled: no agent works on it any more" });
    await expect.poll(async () => (await client.terminals()).filter(({ state }) => state === "running"), { timeout: guardMs }).toEqual([]);
  });

  test("a worker that is not started any more is in the inbox while the others go on, until a resume has brought new ones", async () => {
    const place = makePlace(local("concurrency = 2", "[team]\nmemberRestarts = { max = 0, withinMs = 600000 }\n"));
    place.repository("repo");
    place.put("items/playbooks/work.toml", waits(1, "1.txt", "1") + turn("coder", '{ touch = "at-2" }, { crash = 3 }', "task = 2"));
    place.put("items/one.md", item("a", "b"));
    await using factory = await makeFactory(place, { automation: true });
    const needed = async () => inbox({ items: await factory.client.items(), teams: await factory.client.teams(), terminals: [] }, Date.now());
    await expect.poll(async () => (await needed()).map(({ ref, kind }) => `${ref} ${kind}`), { timeout: guardMs }).toEqual(["LOC-1 down"]);
    const [entry] = await needed(), { lane: run } = await lane(factory);
    const down = run.down?.map(({ name }) => name) ?? [];
    expect(run).toMatchObject({ state: "executing", down: [{ restarts: expect.any(Number), reason: expect.stringContaining("3") }] });
    expect(run.workers?.map(({ name }) => name)).toEqual(["worker-1", "worker-2"].filter((name) => !down.includes(name)));
    expect(entry?.text).toMatch(new RegExp(`^${down[0]} is down after`));
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect(await needed()).toEqual([]);
    place.put("items/playbooks/work.toml", [1, 2].map((n) => waits(n, `${n}.txt`, String(n))).join(""));
    await factory.client.command(id, { type: "resume" });
    await expect.poll(async () => (await lane(factory)).lane.workers?.map(({ name, state }) => `${name} ${state}`), { timeout: guardMs }).toEqual(["worker-3 working", "worker-4 working"]);
    expect(await needed()).toEqual([]);
    await factory.client.command(id, { type: "cancel" });
    await comesTo(factory, "cancelled");
  });
});
