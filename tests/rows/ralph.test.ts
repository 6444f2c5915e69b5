import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { storiesOf } from "../../src/domain/story.ts";
import { type Factory, guardMs, makeFactory, makePlace, quick, turn } from "./fixture.ts";

const id = (n: number): WorkItemId => WorkItemId.parse(`LOC-${n}`);
const local = `${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n`;
const write = (text: string, more = ""): string => turn("coder", `{ write = "a.txt", text = ${JSON.stringify(text)} }, { result = "Wrote ${text}." }`, more);
const comesTo = (factory: Factory, item: WorkItemId, status: string): Promise<void> => expect.poll(async () => (await factory.client.item(item))?.item.status, { timeout: guardMs }).toBe(status);
/** States that a run went through, in order, each once in a row. */
const phases = async (factory: Factory, item: WorkItemId): Promise<readonly string[]> => {
  const lines = await factory.journal(item);
  return lines.filter(({ actor, type }) => actor.startsWith("pipeline/") && type === "actor.start").map(({ event }) => JSON.stringify(event).includes('"begin":"review"') ? "judge" : "work");
};

describe("lane ralph", { timeout: guardMs }, () => {
  test("VOC-07 CARD-19 ralph works, claims, is judged and mends until the approval, and each claim is told to the source once", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/loop.toml", [
      write("one", "iteration = 1"), write("two", "iteration = 2"), write("three", "iteration = 3"),
      turn("critic", '{ verdict = "revise", feedback = "Say two instead of that." }', "iteration = 1"), turn("critic", '{ verdict = "revise", feedback = "Now three, which is more." }', "iteration = 2"), turn("critic", '{ verdict = "approve" }', "iteration = 3"),
    ].join(""));
    place.put("items/one.md", '+++\nplaybook = "playbooks/loop.toml"\nlane = "ralph"\n+++\n# Count\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "done");
    expect(await phases(factory, id(1))).toEqual(["work", "judge", "work", "judge", "work", "judge"]);
    const state = await factory.client.item(id(1));
    expect(state?.lane).toMatchObject({ lane: "ralph", state: "done", iteration: 3, maxIterations: 10, stories: [{ id: 1, passes: true, evidence: expect.stringMatching(/^request 6, commit [0-9a-f]{12}$/) }] });
    expect(state?.item).toMatchObject({ operatorLane: "ralph", iterations: 3, gates: { implementationComplete: { state: "met" }, reviewPassed: { state: "met" }, testsPassed: { state: "met" } } });
    expect(place.git(state?.item.repository ?? "", "show", "enact/LOC-1:a.txt")).toBe("three");
    // The coder of a later round reads what the judge said, in its own session.
    const coders = factory.runs("LOC-1").filter(({ stage }) => stage === "coder");
    expect(coders.map(({ stdin }) => /Say two|Now three/.exec(stdin)?.[0] ?? "")).toEqual(["", "Say two", "Now three"]);
    // Three claims, two of them taken back; then tests and review, and the end.
    await expect.poll(() => parse(readFileSync(join(factory.stateDirectory, "reports", "LOC-1.status.toml"), "utf8")), { timeout: guardMs }).toMatchObject({ status: "done", gates: { implementationComplete: true, testsPassed: true, reviewPassed: true, closureEvidence: true } });
  });

  test("ralph takes one open box after the other, each with a judgement of its own, and the last one of the whole", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/boxes.toml", [
      turn("coder", '{ write = "parser.txt", text = "p" }, { result = "The parser." }', "iteration = 1"), turn("coder", '{ write = "printer.txt", text = "p" }, { result = "The printer." }', "iteration = 2"), turn("critic", '{ verdict = "approve" }'),
    ].join(""));
    place.put("items/one.md", '+++\nplaybook = "playbooks/boxes.toml"\nlane = "ralph"\n+++\n# A compiler\n\n- [ ] the parser\n- [x] the lexer\n- [ ] the printer\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "done");
    expect((await factory.client.item(id(1)))?.lane?.stories).toMatchObject([{ title: "the parser", passes: true }, { title: "the printer", passes: true }]);
    const told = factory.runs("LOC-1").map(({ stage, stdin }) => `${stage}: ${/part 1 of 2 alone: the parser|part 2 of 2 alone: the printer|All 2 parts/.exec(stdin)?.[0] ?? "?"}`);
    expect(told.toSorted()).toEqual(["coder: part 1 of 2 alone: the parser", "coder: part 2 of 2 alone: the printer", "critic: All 2 parts", "critic: part 1 of 2 alone: the parser"]);
  });

  test("a ralph run is paused in its phase, gives its slot back, and goes on from there; its cap ends it as exhausted", async () => {
    const place = makePlace(`${local}[lanes.ralph]\nmaxIterations = 2\n`);
    place.repository("repo");
    place.put("items/playbooks/slow.toml", [
      turn("coder", '{ touch = "at-work" }, { wait-for-file = "go" }, { write = "a.txt", text = "a" }, { result = "a" }', "iteration = 1"), write("b", "iteration = 2"),
      turn("critic", '{ verdict = "revise", feedback = "Make it better somehow." }', "iteration = 1"), turn("critic", '{ verdict = "revise", feedback = "Entirely different words this time." }', "iteration = 2"),
    ].join(""));
    place.put("items/one.md", '+++\nplaybook = "playbooks/slow.toml"\nlane = "ralph"\n+++\n# Slowly\n');
    await using factory = await makeFactory(place, { automation: true });
    await expect.poll(() => { try { return readFileSync(join(place.directory, "items/playbooks/at-work"), "utf8"); } catch { return undefined; } }, { timeout: guardMs }).toBeDefined();
    await factory.client.command(id(1), { type: "pause" });
    await comesTo(factory, id(1), "paused");
    expect((await factory.client.item(id(1)))?.lane).toMatchObject({ state: "paused", phase: "executing", running: false, iteration: 1, generation: 2 });
    expect((await factory.client.status()).slots.used).toBe(0);
    place.put("items/playbooks/go", "");
    await factory.client.command(id(1), { type: "resume" });
    await comesTo(factory, id(1), "exhausted");
    expect((await factory.client.item(id(1)))?.item.reason).toMatch(/^2 of 2 rounds used; last feedback: Entirely different/);
    expect((await factory.client.item(id(1)))?.lane).toMatchObject({ state: "exhausted", iteration: 2, generation: 3 });
  });

  test("E2E-07 entering verifying puts implementationComplete on the push queue once, whoever owns the factory afterwards", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/held.toml", write("one") + turn("critic", '{ wait-for-file = "judge" }, { verdict = "approve" }'));
    place.put("items/one.md", '+++\nplaybook = "playbooks/held.toml"\nlane = "ralph"\n+++\n# Count\n');
    // Nothing can be told as long as this is in the way, so what is queued stays to be counted.
    const obstacle = place.put(".enact/factory/reports/LOC-1.status.toml.new/x", "");
    const waiting = async (factory: Factory): Promise<number> => (await factory.client.evidence(id(1))).effects.filter(({ kind }) => kind === "source.push").length;
    // The critic is at work, and what the leg told the item before has come there.
    const judged = (factory: Factory): Promise<void> => expect.poll(async () => { const state = await factory.client.item(id(1)); return [state?.stage?.stage, state?.lane?.state, Object.keys(state?.item.gates ?? {})]; }, { timeout: guardMs }).toEqual(["critic", "verifying", ["implementationComplete", "testsPassed"]]);
    {
      await using first = await makeFactory({ ...place, remove: () => {} }, { automation: true });
      await judged(first);
      // The claim, and the checks of the leg that judges.
      expect(await waiting(first)).toBe(2);
    }
    await using second = await makeFactory(place, { automation: true });
    await judged(second);
    expect(await waiting(second)).toBe(2);
    rmSync(dirname(obstacle), { recursive: true });
    expect((await second.client.drain()).errors).toEqual([]);
    await expect.poll(() => waiting(second), { timeout: guardMs }).toBe(0);
    expect((await second.journal(id(1))).filter(({ type }) => type === "source.pushed")).toHaveLength(2);
    expect(parse(readFileSync(join(place.stateDirectory, "reports", "LOC-1.status.toml"), "utf8"))).toEqual({ id: "LOC-1", sourceId: "one.md", gates: { implementationComplete: true, testsPassed: true } });
    place.put("items/playbooks/judge", "");
    await comesTo(second, id(1), "done");
  });

  test("VOC-07 E2E-05 E2E-13 a session does the rounds itself: its word changes nothing, its worktree does, and it may not stop before the run has ended", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/judge.toml", turn("critic", '{ verdict = "revise", feedback = "Say it louder, please." }', "iteration = 2") + turn("critic", '{ wait-for-file = "judge" }, { verdict = "approve" }', "iteration = 3"));
    place.put("items/one.md", '+++\nplaybook = "playbooks/judge.toml"\nlane = "manual"\n+++\n# Greet\n');
    await using factory = await makeFactory(place, { automation: true });
    const { client } = factory, session = "0f8fad5b-d9cb-469f-a165-70867728950e", lane = "ralph/LOC-1/1" as const;
    await comesTo(factory, id(1), "ready");
    await client.command(id(1), { type: "claim", lane: "ralph", session });
    await client.session({ type: "start", sessionId: session, cli: "claude", cwd: place.directory, item: id(1), lane });
    const run = async () => (await client.item(id(1)))?.lane;
    const stop = (who = session) => client.stopCheck({ sessionId: who, cli: "claude", cwd: place.directory, cause: "normal", asksHuman: false, run: null });
    await expect.poll(async () => (await run())?.state, { timeout: guardMs }).toBe("executing");
    expect(await run()).toMatchObject({ session, running: false, iteration: 1 });
    expect(await stop()).toMatchObject({ decision: "deny", ruleId: "laneActive", reason: expect.stringContaining("factory_ralph_advance") });
    expect(await stop("another")).toMatchObject({ decision: "allow" });
    await expect(client.command(id(1), { type: "advance", session: "another" })).rejects.toThrow("another session");
    // Nothing was done: the round is over, and says so.
    await client.command(id(1), { type: "advance", session });
    await expect.poll(async () => (await run())?.state, { timeout: guardMs }).toBe("fixing");
    expect(await run()).toMatchObject({ iteration: 2, feedback: expect.stringContaining("nothing in the repository changed") });
    const worktree = (await run())?.worktree ?? "";
    writeFileSync(join(worktree, "greeting.txt"), "hello");
    await client.command(id(1), { type: "advance", session });
    await expect.poll(async () => (await run())?.iteration, { timeout: guardMs }).toBe(3);
    await expect.poll(async () => (await run())?.state, { timeout: guardMs }).toBe("fixing");
    expect(await stop()).toMatchObject({ decision: "deny", reason: expect.stringContaining("Say it louder") });
    writeFileSync(join(worktree, "greeting.txt"), "HELLO");
    await client.command(id(1), { type: "advance", session });
    await expect.poll(async () => (await run())?.state, { timeout: guardMs }).toBe("verifying");
    expect(await stop()).toMatchObject({ decision: "deny", ruleId: "laneActive", reason: expect.stringContaining("checked and judged") });
    place.put("items/playbooks/judge", "");
    await comesTo(factory, id(1), "done");
    expect(await stop()).toMatchObject({ decision: "allow" });
    expect(place.git(join(place.directory, "repo"), "show", "enact/LOC-1:greeting.txt")).toBe("HELLO");
    expect(factory.runs("LOC-1").map(({ stage }) => stage)).toEqual(["critic", "critic"]);
  });

  test("a full context goes on in a session of its own, which is told; again and again it costs a round, and so does an answer without an end", async () => {
    const place = makePlace(`${local}[lanes.ralph]\nmaxIterations = 4\n`.replace("[limits]", "[limits]\ncrashRetries = 1"));
    place.repository("repo");
    const fails = (kind: string, when: string): string => turn("coder", `{ write = "half.txt", text = "half" }, { fail = "${kind}", message = "12345 tokens" }`, when);
    place.put("items/playbooks/full.toml", fails("contextFull", "iteration = 1") + fails("overlong", "iteration = 2") + fails("contextFull", "iteration = 3\ntry = 1") + write("whole", "iteration = 3\ntry = 2") + turn("critic", '{ verdict = "approve" }'));
    place.put("items/one.md", '+++\nplaybook = "playbooks/full.toml"\nlane = "ralph"\n+++\n# Write\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "done");
    expect((await factory.client.item(id(1)))?.item).toMatchObject({ iterations: 3, failures: 0, infraFailures: 0 });
    const told = factory.runs("LOC-1").filter(({ stage }) => stage === "coder").map(({ stdin }) => /its context was full[.,]|its answer was longer/.exec(stdin)?.[0] ?? "");
    expect(told).toEqual(["", "its context was full.", "its context was full,", "its answer was longer", "its answer was longer"]);
  });

  test("what a provider refuses is waited for without a count of the item's, far beyond the retries of other trouble, and lost to no round", async () => {
    const place = makePlace(local.replace("[limits]", "[limits]\ninfraRetries = 0\nretryMaxMs = 60"));
    place.repository("repo");
    const refused = Array.from({ length: 8 }, (_, n) => turn("coder", `{ fail = "${n % 2 === 0 ? "rateLimited" : "overloaded"}", message = "not now" }`, `try = ${n + 1}`)).join("");
    place.put("items/playbooks/limit.toml", `${refused}${write("one", "try = 9")}${turn("critic", '{ verdict = "approve" }')}`);
    place.put("items/one.md", '+++\nplaybook = "playbooks/limit.toml"\nlane = "ralph"\n+++\n# Write\n');
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, id(1), "done");
    const state = await factory.client.item(id(1));
    expect(state?.item).toMatchObject({ attempt: 1, iterations: 1, failures: 0, infraFailures: 0 });
    expect(state?.lane).toMatchObject({ iteration: 1 });
  });

  test("the stories of an item are its open boxes outside of code, or the whole", () => {
    expect(storiesOf({ title: "T", body: "- [ ] a\n```\n- [ ] code\n```\n* [ ]  b \n- [x] done\n- [] none\n" }).map(({ id: n, title }) => `${n} ${title}`)).toEqual(["1 a", "2 b"]);
    expect(storiesOf({ title: "T", body: "No boxes." })).toEqual([{ id: 1, title: "T", passes: false, evidence: "" }]);
    expect(storiesOf({ title: "T", body: Array.from({ length: 21 }, (_, n) => `- [ ] ${n}`).join("\n") }).map(({ title }) => title)).toEqual(["T"]);
  });
});

