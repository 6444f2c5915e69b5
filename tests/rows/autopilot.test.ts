import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { stageText } from "../../src/client/text/item-text.ts";
import { waitingFor } from "../../src/client/waiting.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, quick, turn } from "./fixture.ts";

const id = WorkItemId.parse("LOC-1");
const local = `${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n`;
const item = (playbook: string): string => `+++\nplaybook = "playbooks/${playbook}"\nlane = "autopilot"\n+++\n# A compiler\n\nParse and print.\n`;
const write = (file: string, text: string, more: string): string => turn("coder", `{ write = "${file}", text = "${text}" }, { result = "Wrote ${file}." }`, more);
const criteria = turn("planner", '{ criteria = [{ task = 1, acceptance = ["it compiles itself"] }] }, { result = "Expanded." }', 'duty = "criteria"');
/** The first task needs the second. */
const plan = turn("planner", '{ plan = [{ title = "the printer", dependsOn = [2], acceptance = ["it prints"] }, { title = "the parser", description = "Recursive descent." }] }, { result = "Planned." }', 'duty = "plan"');
const comesTo = (factory: Factory, status: string): Promise<void> => expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe(status);
const atWork = (place: { readonly directory: string }, mark: string): Promise<void> => expect.poll(() => { try { return readFileSync(join(place.directory, "items/playbooks", mark), "utf8"); } catch { return undefined; } }, { timeout: guardMs }).toBeDefined();
/** The children of the run, in the order in which they began: `planner`, `ralph`, and each pipeline by what it begins with. */
const children = async (factory: Factory): Promise<readonly string[]> => (await factory.journal(id)).filter(({ type, actor }) => type === "actor.start" && /^(ralph|pipeline|stage)\//.test(actor)).flatMap(({ actor, event }) => {
  const [chart = "", , , part = ""] = actor.split("/");
  if (chart === "stage") return part.startsWith("planner") ? [part] : [];
  return [`${chart} ${part}${chart === "pipeline" ? (JSON.stringify(event).includes('"begin":"review"') ? " looks" : " works") : ""}`];
});

describe("lane autopilot", { timeout: guardMs }, () => {
  test("VOC-06 CARD-19 autopilot sets criteria, plans, does the tasks, mends what the tester and the judge find, and is done on evidence alone", async () => {
    const place = makePlace(`${local}[autonomous.defaultStages.tester]\nenabled = true\n[[verify.checks]]\nname = "whole"\nargv = ["sh", "-c", "! test -f probe.test.txt || grep -q fixed printer.txt"]\n`);
    place.repository("repo");
    place.put("items/playbooks/whole.toml", [
      criteria, plan, write("parser.txt", "p", "iteration = 1"), write("printer.txt", "p", "iteration = 2"), write("printer.txt", "fixed", "iteration = 3"), write("parser.txt", "shorter", "iteration = 4"),
      // A test that fails until the printer is mended.
      turn("tester", '{ write = "probe.test.txt", text = "t" }, { result = "A test." }'),
      turn("critic", '{ verdict = "approve" }', "iteration = 1"), turn("critic", '{ verdict = "approve" }', "iteration = 2"), turn("critic", '{ verdict = "revise", feedback = "The parser is too long." }', "iteration = 3"), turn("critic", '{ verdict = "approve" }', "iteration = 4"),
    ].join(""));
    place.put("items/one.md", item("whole.toml"));
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, "done");
    expect(await children(factory)).toEqual([
      "planner.1", "planner.2", "ralph leg3", "pipeline leg3.1 works", "pipeline leg3.2 looks", "pipeline leg3.3 works", "pipeline leg3.4 looks",
      "pipeline leg4 looks", "pipeline leg5 works", "pipeline leg6 looks", "pipeline leg7 looks", "pipeline leg8 works", "pipeline leg9 looks", "pipeline leg10 looks",
    ]);
    const state = await factory.client.item(id);
    expect(state?.lane).toMatchObject({ lane: "autopilot", state: "done", phase: "validation", stories: [{ title: "the parser", passes: true }, { title: "the printer", passes: true }], counters: [{ now: 1, limit: 3 }, { now: 3, limit: 5 }, { now: 2, limit: 3 }] });
    expect(state?.item).toMatchObject({ operatorLane: "autopilot", iterations: 4, gates: { implementationComplete: { state: "met" }, reviewPassed: { state: "met" }, testsPassed: { state: "met" } } });
    expect(["parser.txt", "printer.txt"].map((file) => place.git(state?.item.repository ?? "", "show", `enact/LOC-1:${file}`))).toEqual(["shorter", "fixed"]);
    // Each agent was told what is its own.
    const told = (stage: string, what: RegExp): readonly string[] => factory.runs("LOC-1").filter((run) => run.stage === stage).map(({ stdin }) => what.exec(stdin)?.[0] ?? "");
    const parts = /alone: the parser.{1,3}Recursive|alone: the printer.{1,3}It is done when:.{1,3}- it prints|<failing-checks-|The parser is too long/;
    expect(told("coder", parts).map((text) => text.slice(0, 18))).toEqual(["alone: the parser\\", "alone: the printer", "<failing-checks-", "The parser is too "]);
    expect(told("planner", /it compiles itself/).toSorted()).toEqual(["", "it compiles itself"]);
    // Two claims, one of them taken back; then tests and review, and the end.
    await expect.poll(() => parse(readFileSync(join(factory.stateDirectory, "reports", "LOC-1.status.toml"), "utf8")), { timeout: guardMs }).toMatchObject({ status: "done", gates: { implementationComplete: true, testsPassed: true, reviewPassed: true, closureEvidence: true } });
  });

  test("an autopilot run is paused in execution with its ralph run, gives the slot back, and goes on with the same one; then in qa, and begins that anew", async () => {
    const place = makePlace(`${local}[autonomous.defaultStages.tester]\nenabled = true\n`);
    place.repository("repo");
    place.put("items/playbooks/slow.toml", [
      criteria, plan, turn("coder", '{ touch = "coding" }, { wait-for-file = "code" }, { write = "parser.txt", text = "p" }, { result = "p" }', "iteration = 1"), write("printer.txt", "p", "iteration = 2"),
      turn("tester", '{ touch = "testing" }, { wait-for-file = "test" }, { result = "None." }'), turn("critic", '{ verdict = "approve" }'),
    ].join(""));
    place.put("items/one.md", item("slow.toml"));
    await using factory = await makeFactory(place, { automation: true });
    await atWork(place, "coding");
    const working = await factory.client.item(id);
    expect(working && [stageText(working), waitingFor(working).text]).toEqual(["autopilot execution, ralph executing 1/10, part 1 of 2", "the coder (scripted)"]);
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    const state = await factory.client.item(id);
    expect([state?.lane, state?.nested]).toMatchObject([{ state: "paused", phase: "execution", running: true, generation: 2 }, { state: "paused", phase: "executing", running: false, iteration: 1 }]);
    expect((await factory.client.status()).slots.used).toBe(0);
    place.put("items/playbooks/code", "");
    await factory.client.command(id, { type: "resume" });
    await atWork(place, "testing");
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect((await factory.client.item(id))?.lane).toMatchObject({ state: "paused", phase: "qa", running: false, generation: 4 });
    place.put("items/playbooks/test", "");
    await factory.client.command(id, { type: "resume" });
    await comesTo(factory, "done");
    expect((await children(factory)).filter((child) => !child.includes("leg3."))).toEqual(["planner.1", "planner.2", "ralph leg3", "pipeline leg4 looks", "pipeline leg5 looks", "pipeline leg6 looks"]);
  });

  test("a cancel goes down the chain, and a plan that nobody can work on is asked for again, up to its cap", async () => {
    const place = makePlace(`${local}[lanes.autopilot]\nplans = 2\n`);
    place.repository("repo");
    const circle = '{ plan = [{ title = "a", dependsOn = [2] }, { title = "b", dependsOn = [1] }] }, { result = "Planned." }';
    place.put("items/playbooks/hang.toml", [criteria, turn("planner", circle, 'duty = "plan"\niteration = 2'), turn("planner", '{ plan = [{ title = "all of it" }] }, { result = "Planned." }', 'duty = "plan"\niteration = 3'), turn("coder", '{ touch = "coding" }, { hang = true }')].join(""));
    place.put("items/playbooks/circle.toml", [criteria, turn("planner", circle, 'duty = "plan"')].join(""));
    place.put("items/one.md", item("hang.toml"));
    await using factory = await makeFactory(place, { automation: true });
    await atWork(place, "coding");
    expect(factory.runs("LOC-1").filter(({ stage, stdin }) => stage === "planner" && stdin.includes("Your last plan cannot be used"))).toHaveLength(1);
    await factory.client.command(id, { type: "cancel" });
    await comesTo(factory, "cancelled");
    const state = await factory.client.item(id);
    expect([state?.lane?.state, state?.nested?.state, state?.pipeline?.state]).toEqual(["cancelled", "cancelled", "cancelled"]);
    place.put("items/two.md", item("circle.toml"));
    await expect.poll(async () => (await factory.client.item(WorkItemId.parse("LOC-2")))?.item, { timeout: guardMs }).toMatchObject({ status: "exhausted", reason: expect.stringMatching(/^2 of 2 plans used; the last one: /) });
  });

  test("a planner without an answer is asked once more, then the run fails; nothing else has begun", async () => {
    const place = makePlace(local);
    place.repository("repo");
    place.put("items/playbooks/mute.toml", turn("planner", '{ write = "plan.md", text = "words" }, { result = "EXPANSION_COMPLETE" }'));
    place.put("items/one.md", item("mute.toml"));
    await using factory = await makeFactory(place, { automation: true });
    await comesTo(factory, "failed");
    expect((await factory.client.item(id))?.item.reason).toBe("planner: the planner gave no valid criteria, twice");
    expect(await children(factory)).toEqual(["planner.1"]);
    expect(factory.runs("LOC-1").map(({ stage }) => stage)).toEqual(["planner", "planner"]);
  });
});
