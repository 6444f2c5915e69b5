/** Lanes within lanes, along the links that there are: autopilot begins a team, the team a run of ralph. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { explain } from "../../src/client/explain.ts";
import { addresseeOf } from "../../src/client/address.ts";
import { waitingFor } from "../../src/client/waiting.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { type Factory, guardMs, makeFactory, makePlace, type Place, quick, turn } from "./fixture.ts";

const id = WorkItemId.parse("LOC-1");
const config = `${quick}[sources.local]\ndirectory = "items"\nproject = "repo"\npollMs = 50\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n[team]\nworkers = 2\nmending = "ralph"\n[lanes.autopilot]\nexecution = "team"\n`;
const criteria = turn("planner", '{ criteria = [{ task = 1, acceptance = ["it prints what it parses"] }] }, { result = "Expanded." }', 'duty = "criteria"');
const plan = turn("planner", '{ plan = [{ title = "the printer", dependsOn = [2], acceptance = ["it prints"] }, { title = "the parser", acceptance = ["it parses"] }] }, { result = "Planned." }', 'duty = "plan"');
const waits = (mark: string, file: string, text: string): string => `{ touch = "${mark}-begun" }, { wait-for-file = "${mark}" }, { write = "${file}", text = "${text}" }, { result = "Wrote ${file}." }`;
/** The leader sends the work back once. */
const leader = [turn("critic", '{ verdict = "revise", feedback = "The printer is too long." }, { result = "No." }', 'duty = "verdict"\ntry = 1'), turn("critic", '{ verdict = "approve" }, { result = "Yes." }', 'duty = "verdict"\ntry = 2')];
const workers = [turn("coder", waits("parse", "parser.txt", "p"), "task = 1"), turn("coder", '{ write = "printer.txt", text = "long" }, { result = "Wrote it." }', "task = 2")];

const begun = (place: Place, mark: string): Promise<void> => expect.poll(() => existsSync(join(place.directory, "items/playbooks", `${mark}-begun`)), { timeout: guardMs }).toBe(true);
const comesTo = (factory: Factory, status: string): Promise<void> => expect.poll(async () => (await factory.client.item(id))?.item.status, { timeout: guardMs }).toBe(status);
const state = async (factory: Factory) => { const found = await factory.client.item(id); if (!found) throw new Error("there is no item"); return found; };
const team = async (factory: Factory) => (await factory.client.teams())[0]?.team;
const make = (lane: string, turns: readonly string[]): Place => {
  const place = makePlace(config);
  place.repository("repo");
  place.put("items/playbooks/nested.toml", turns.join(""));
  place.put("items/one.md", `+++\nplaybook = "playbooks/nested.toml"\nlane = "${lane}"\n+++\n# A compiler\n\nParse and print.\n`);
  return place;
};

describe("lanes within lanes", { timeout: guardMs }, () => {
  test("CARD-19 autopilot begins a team with its plan, the team a run of ralph; both are paused and go on as the same, and each end goes up the chain", async () => {
    const place = make("autopilot", [criteria, plan, ...workers, ...leader, turn("coder", waits("mend", "printer.txt", "short")), turn("critic", '{ verdict = "approve" }')]);
    await using factory = await makeFactory(place, { automation: true });
    await begun(place, "parse");
    const working = await state(factory);
    expect([working.lane, working.team, working.nested]).toMatchObject([{ lane: "autopilot", state: "execution", leg: "team/LOC-1/1" }, { phase: "exec", done: 0, tasks: 2 }, null]);
    expect(waitingFor(working).text).toBe("its team: exec, 0 of 2 tasks done");
    expect((await team(factory))?.tasks).toMatchObject([{ title: "the parser", dependsOn: [], owner: expect.stringMatching(/^worker-[12]$/) }, { title: "the printer", dependsOn: [1] }]);
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect([(await state(factory)).lane, await team(factory)]).toMatchObject([{ state: "paused", phase: "execution" }, { phase: "paused", tasks: [{ state: "open", attempts: 0 }, { state: "open" }] }]);
    expect((await factory.client.status()).slots.used).toBe(0);
    place.put("items/playbooks/parse", "");
    await factory.client.command(id, { type: "resume" });
    // The same members go on; the leader's complaint is one agent's work then.
    await begun(place, "mend");
    const mending = await state(factory);
    expect([mending.lane?.state, mending.team?.phase, mending.nested, mending.pipeline?.stage]).toMatchObject(["execution", "mending", { lane: "ralph", address: "ralph/LOC-1/1/leg3.1", state: "executing", leg: "pipeline/LOC-1/1/leg3.1.1" }, "coder"]);
    expect(waitingFor(mending).text).toBe("the coder (scripted)");
    expect(addresseeOf("LOC-1/coder", { items: await factory.client.items(), teams: await factory.client.teams() })).toMatchObject({ kind: "agent", to: "coder" });
    expect(explain(mending, { effects: [], alarms: [], deadLetters: [], last: [] }).rules.filter(({ scope }) => scope === "lane").map((rule) => rule.id)).toEqual(["autopilot.plans", "autopilot.qaCycles", "autopilot.validationRounds", "ralph.maxIterations"]);
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect([(await state(factory)).nested?.state, (await team(factory))?.phase]).toEqual(["paused", "paused"]);
    place.put("items/playbooks/mend", "");
    await factory.client.command(id, { type: "resume" });
    await comesTo(factory, "done");
    const { item, lane } = await state(factory);
    expect([lane?.state, item.gates.reviewPassed?.state, (await team(factory))?.members.map(({ name, restarts }) => [name, restarts])]).toEqual(["done", "met", [["leader", 0], ["worker-1", 0], ["worker-2", 0]]]);
    expect(["parser.txt", "printer.txt"].map((file) => place.git(item.repository, "show", `enact/LOC-1:${file}`))).toEqual(["p", "short"]);
    expect(factory.runs("LOC-1").find(({ stage, stdin }) => stage === "coder" && stdin.includes("The printer is too long."))).toBeDefined();
    const begins = (await factory.journal(id)).filter(({ type, actor }) => type === "actor.start" && /^(team|ralph|autopilot)\//.test(actor)).map(({ actor }) => actor);
    expect(begins).toEqual(["autopilot/LOC-1/1", "team/LOC-1/1", "ralph/LOC-1/1/leg3.1"]);
  });

  test("a cancel goes down the whole chain, and nothing of it is left", async () => {
    const place = make("autopilot", [criteria, plan, turn("coder", '{ write = "parser.txt", text = "p" }, { result = "p" }', "task = 1"), ...workers.slice(1), ...leader, turn("coder", '{ touch = "mend-begun" }, { hang = true }')]);
    await using factory = await makeFactory(place, { automation: true });
    await begun(place, "mend");
    await factory.client.command(id, { type: "cancel" });
    await comesTo(factory, "cancelled");
    const { lane, item } = await state(factory), ends = (await factory.client.actors()).filter(({ address }) => /^(autopilot|team|ralph|pipeline|stage|member)\//.test(address));
    expect([lane?.state, (await team(factory))?.phase, item.reason]).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect(ends).toEqual([]);
    expect((await factory.client.status()).slots.used).toBe(0);
  });

  test("a team of its own lane is paused while it plans and while it works, and ends as its mending run ends", async () => {
    const plans = turn("critic", '{ touch = "plan-begun" }, { wait-for-file = "plan" }, { plan = [{ title = "the parser", acceptance = ["it parses"] }] }, { result = "Planned." }', 'duty = "plan"');
    const place = make("team", [plans, workers[0] ?? "", ...leader, turn("coder", '{ result = "I did it." }')]);
    await using factory = await makeFactory(place, { automation: true });
    await begun(place, "plan");
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect(await team(factory)).toMatchObject({ phase: "paused", tasks: [] });
    place.put("items/playbooks/plan", "");
    await factory.client.command(id, { type: "resume" });
    await begun(place, "parse");
    await factory.client.command(id, { type: "pause" });
    await comesTo(factory, "paused");
    expect(waitingFor(await state(factory)).text).toContain("it is paused");
    place.put("items/playbooks/parse", "");
    await factory.client.command(id, { type: "resume" });
    // Words are no change: the run that mends uses up its rounds, or a rule of progress stops it; the item says which.
    await expect.poll(async () => (await state(factory)).item.status, { timeout: guardMs }).toMatch(/blocked|exhausted/);
    const { item } = await state(factory);
    expect(item.reason).toMatch(/^what mended the whole ended: /);
    expect(await team(factory)).toMatchObject({ phase: "exhausted", fixes: 1 });
  });
});
