/** A whole factory over an Azure DevOps that runs on loopback: from a card to its branch and back, with people and faults in between. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ClientProblem } from "../../src/client/contract.ts";
import type { SkillShelf } from "../../src/client/skills.ts";
import { createLocalTools } from "../../src/daemon/tools.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { readMark } from "../../src/sources/mark.ts";
import { toolNamed } from "../../src/mcp/tools.ts";
import { azureDevOpsFake, type AzureDevOpsFake } from "../fakes/azure-devops/server.ts";
import { putClaude } from "./fake-claude.ts";
import { type Factory, guardMs, makeFactory, makePlace, type Place, quick } from "./fixture.ts";

const id = (n: number): WorkItemId => WorkItemId.parse(`AZ-${n}`);
const names = { AZDO_ORG: "fabrikam", AZDO_PROJECT: "Web Shop", AZDO_PAT: "good-token-0123456789", AZDO_TEAM_ID: "Team Blue" } as const;

interface Room { readonly fake: AzureDevOpsFake; readonly place: Place; readonly [Symbol.asyncDispose]: () => Promise<void> }
const path = process.env["PATH"] ?? "";
const makeRoom = async (more = "", env: Readonly<Record<string, string>> = names): Promise<Room> => {
  const fake = await azureDevOpsFake();
  const place = makePlace(`${quick.replace("scripted", "claude")}${more}[sources.azureDevOps]\nenabled = true\nurl = "${fake.url}"\npollMs = 100\nlaneField = "Custom.OperatorLane"\n[sources.azureDevOps.gateFields]\nimplementationComplete = "Custom.ImplementationComplete"\nreviewPassed = "Custom.ReviewPassed"\n[[projects]]\nname = "repo"\nprojectPath = "repo"\n`);
  place.repository("repo");
  process.env["PATH"] = `${putClaude(place.directory)}:${path}`;
  place.put(".env", `XDG_STATE_HOME=${join(place.directory, "xdg")}\n${Object.entries(env).map(([name, value]) => `${name}="${value}"`).join("\n")}\n`);
  return { fake, place, [Symbol.asyncDispose]: async () => { await fake.close(); place.remove(); } };
};
const noSkills: SkillShelf = { list: async () => [], read: async () => { throw new ClientProblem("there is none", "ask for none"); } };
const statusOf = async (factory: Factory, item: WorkItemId): Promise<string | undefined> => (await factory.client.item(item))?.item.status;
const comesTo = (factory: Factory, item: WorkItemId, status: string): Promise<void> => expect.poll(() => statusOf(factory, item), { timeout: guardMs }).toBe(status);
const card = ({ fake }: Room, n: number) => fake.items.get(n)?.fields ?? {};
const markOf = ({ fake }: Room, n: number) => fake.items.get(n)?.comments.map(({ text }) => readMark(text)).find((mark) => mark !== undefined);

describe("work items of Azure DevOps", { timeout: guardMs }, () => {
  test("INTRO-02 E2E-01 E2E-02 E2E-03 E2E-04 a card is an item after one look; a lane that is set there is proposed, and starts nothing by itself", async () => {
    await using room = await makeRoom();
    const { id: one } = room.fake.add({ "System.Title": "Write it" });
    await using factory = await makeFactory(room.place, { keep: true });
    const { client } = factory;
    expect(await client.items()).toEqual([]);
    expect(await client.sync()).toEqual([{ source: "Azure DevOps fabrikam/Web Shop", taken: 1, changed: 0, malformed: [], trouble: null }]);
    expect((await client.item(id(1)))?.item).toMatchObject({ source: "azdo", sourceId: String(one), title: "Write it", operatorLane: "none", status: "ready" });
    expect((await client.sync())[0]).toMatchObject({ taken: 0, changed: 0 });
    const call = async (name: string, input: unknown) => (await toolNamed(name)?.call(input, { client, skills: noSkills, scope: "all", repository: null, now: () => 0 }))?.structured;
    expect(await call("factory_workItem_get", { workItemId: "AZ-1" })).toMatchObject({ workItem: { id: "AZ-1", title: "Write it" } });
    expect(await call("factory_workitem_observe", {})).toMatchObject({ total: 0 });
    room.fake.edit(one, { "Custom.OperatorLane": "ralph" });
    expect((await client.sync())[0]).toMatchObject({ changed: 1 });
    expect((await client.sync())[0]).toMatchObject({ changed: 0 });
    expect(await call("factory_workitem_observe", {})).toMatchObject({ total: 1, proposals: [{ tool: "factory_skill_activate", arguments: { skill: "ralph", workItemId: "AZ-1" } }] });
    expect(await statusOf(factory, id(1))).toBe("ready");
    // A word that is no lane changes nothing, and is said.
    room.fake.edit(one, { "Custom.OperatorLane": "swarm" });
    expect((await client.sync())[0]).toMatchObject({ changed: 0, malformed: [expect.stringContaining("swarm")] });
    expect((await client.item(id(1)))?.item.operatorLane).toBe("ralph");
  });

  test("FEAT-16 E2E-08 E2E-10 HOW-10 ARCH-01 a card is worked on, and its checkboxes, state and comment say so without anybody's help", async () => {
    await using room = await makeRoom("", { ...names });
    const { id: one } = room.fake.add({ "System.Title": "Write it" });
    await using factory = await makeFactory(room.place, { keep: true, automation: true });
    await comesTo(factory, id(1), "done");
    await expect.poll(() => card(room, one)["System.State"], { timeout: guardMs }).toBe("Done");
    await expect.poll(() => markOf(room, one), { timeout: guardMs }).toMatchObject({ id: "AZ-1", status: "done", published: expect.stringContaining("enact/AZ-1") });
    expect(card(room, one)).toMatchObject({ "Custom.ImplementationComplete": true, "Custom.ReviewPassed": true, "System.Tags": "gate:testsPassed; gate:closureEvidence" });
    expect(room.fake.items.get(one)?.comments).toHaveLength(1);
  });

  test("ENV-03 ENV-04 ENV-05 ENV-06 FLIGHT-06 E2E-15 each variable that is missing is named by the look, by the drain and by doctor, and the rest of the factory works", async () => {
    for (const missing of Object.keys(names)) {
      await using room = await makeRoom("", Object.fromEntries(Object.entries(names).filter(([name]) => name !== missing)));
      await using factory = await makeFactory(room.place, { keep: true });
      expect((await factory.client.sync())[0]?.trouble).toBe(`Azure DevOps cannot be reached: ${missing} is not set`);
      expect(await factory.client.drain()).toEqual({ drained: 0, errors: [`Azure DevOps cannot be reached: ${missing} is not set`] });
      expect((await createLocalTools().doctor({ configFile: room.place.configFile, directory: room.place.directory })).find(({ name }) => name.startsWith("source"))).toMatchObject({ state: "failed", mend: `set ${missing} in .env` });
    }
  });

  test("ENV-07 AZDO_API_KEY does where AZDO_PAT is not set, with a word about it; where both are, AZDO_PAT wins", async () => {
    const { AZDO_PAT, ...others } = names;
    const doctor = async (room: Room) => (await createLocalTools().doctor({ configFile: room.place.configFile, directory: room.place.directory })).find(({ name }) => name.startsWith("source"));
    await using alias = await makeRoom("", { ...others, AZDO_API_KEY: AZDO_PAT });
    expect(await doctor(alias)).toMatchObject({ state: "warning", detail: expect.stringContaining("AZDO_API_KEY is the older name") });
    await using both = await makeRoom("", { ...names, AZDO_API_KEY: "an-older-token-000" });
    expect(await doctor(both)).toMatchObject({ state: "ok", detail: "0 open" });
    both.fake.tokens.clear();
    expect(await doctor(both)).toMatchObject({ state: "failed", mend: expect.stringContaining("personal access token") });
  });

  test("FAIL-02 what cannot be told while the tracker is away waits and says why; back again it is told once, by a drain", async () => {
    await using room = await makeRoom('[autonomous]\nclaimUnassigned = true\n');
    const { id: one } = room.fake.add({ "System.Title": "Write it" });
    await using factory = await makeFactory(room.place, { keep: true, automation: true });
    await expect.poll(async () => (await factory.client.items()).length, { timeout: guardMs }).toBe(1);
    room.fake.fault = () => "reset";
    await comesTo(factory, id(1), "done");
    const waiting = (await factory.client.evidence(id(1))).effects.filter(({ kind }) => kind === "source.push").length;
    await expect.poll(async () => (await factory.client.drain()).errors.length, { timeout: guardMs }).toBe(waiting);
    const report = await factory.client.drain();
    expect(report.drained).toBe(0);
    expect(report.errors.every((error) => error.startsWith(`AZ-1 (azdo ${one}): Azure DevOps does not answer`))).toBe(true);
    expect(report.errors.length).toBeGreaterThan(0);
    expect(card(room, one)["System.State"]).toBe("To Do");
    room.fake.fault = undefined;
    expect(await factory.client.drain()).toEqual({ drained: report.errors.length, errors: [] });
    expect(card(room, one)["System.State"]).toBe("Done");
    expect(room.fake.items.get(one)?.comments).toHaveLength(1);
    expect(await factory.client.drain()).toEqual({ drained: 0, errors: [] });
  });

  test("a card that somebody moves to Removed while its agent works is cancelled with its work kept; one that is put on hold waits, and goes on when it is taken off", async () => {
    await using room = await makeRoom();
    const { id: one } = room.fake.add({ "System.Title": "wait until you are stopped" }), { id: two } = room.fake.add({ "System.Title": "Wait", "Custom.OperatorLane": "manual" });
    await using factory = await makeFactory(room.place, { keep: true, automation: true });
    const working = async () => (await factory.client.item(id(1)))?.item;
    const written = (): boolean => readdirSync(join(room.place.directory, "xdg"), { recursive: true }).some((file) => String(file).endsWith("/work.txt"));
    await expect.poll(() => existsSync(join(room.place.directory, "xdg")) && written(), { timeout: guardMs }).toBe(true);
    room.fake.edit(one, { "System.State": "Removed" });
    await comesTo(factory, id(1), "cancelled");
    expect(await working()).toMatchObject({ reason: "azdo has closed it: Removed", worktree: expect.stringMatching(/./) });
    expect(existsSync(join((await working())?.worktree ?? "/nowhere", "work.txt"))).toBe(true);
    room.fake.edit(two, { "System.State": "On Hold" });
    await comesTo(factory, id(2), "paused");
    expect((await factory.client.item(id(2)))?.item.reason).toBe("azdo holds it: On Hold");
    room.fake.edit(two, { "System.State": "In Progress" });
    await comesTo(factory, id(2), "ready");
    room.fake.edit(two, { "System.State": "Removed" });
    await comesTo(factory, id(2), "cancelled");
    expect((await factory.client.item(id(2)))?.item.reason).toBe("azdo has closed it: Removed");
    // Nobody writes over what somebody has removed.
    await expect.poll(() => markOf(room, two)?.status, { timeout: guardMs }).toBe("cancelled");
    expect(card(room, two)["System.State"]).toBe("Removed");
  });

  test("CHG-14 after a lost database what was done is known from the comment, keeps its number and is not done again; what is new is", async () => {
    await using room = await makeRoom();
    const { id: one } = room.fake.add({ "System.Title": "Write it" });
    {
      await using factory = await makeFactory(room.place, { keep: true, automation: true });
      await comesTo(factory, id(1), "done");
      await expect.poll(() => markOf(room, one)?.status, { timeout: guardMs }).toBe("done");
    }
    rmSync(join(room.place.stateDirectory, "state"), { recursive: true });
    // It is open again, as if its last change had been lost; and another one came before it could be seen.
    room.fake.edit(one, { "System.State": "To Do" });
    room.fake.add({ "System.Title": "New" });
    const runs = room.place.runs("AZ-1").length;
    await using factory = await makeFactory(room.place, { keep: true });
    expect((await factory.client.sync())[0]).toMatchObject({ taken: 2, trouble: null });
    expect((await factory.client.item(id(1)))?.item).toMatchObject({ sourceId: String(one), status: "done", published: expect.stringContaining("enact/AZ-1"), gates: { implementationComplete: { state: "met" }, reviewPassed: { state: "met" } } });
    expect((await factory.client.item(id(2)))?.item).toMatchObject({ title: "New", status: "ready" });
    expect(room.place.runs("AZ-1")).toHaveLength(runs);
    expect(card(room, one)["System.State"]).toBe("To Do");
  });

  test("E2E-11 E2E-12 FAIL-05 an epic over two projects stays in review, also when its card is closed by force, until a person says why it may close", async () => {
    await using room = await makeRoom('[[sources.azureDevOps.areas]]\npath = "Web Shop"\nproject = "repo"\n[[sources.azureDevOps.areas]]\npath = "Web Shop\\\\Other"\nproject = "other"\n[[projects]]\nname = "other"\nprojectPath = "other"\n');
    room.place.repository("other");
    const child = room.fake.add({ "System.Title": "Child", "System.AreaPath": "Web Shop\\Other", "System.State": "New" }).id;
    const { id: epic } = room.fake.add({ "System.Title": "All of it", "System.WorkItemType": "Epic" }, { children: [child] });
    await using factory = await makeFactory(room.place, { keep: true, automation: true });
    await comesTo(factory, id(1), "review");
    expect((await factory.client.item(id(1)))?.item.ledger).toEqual([{ at: expect.any(Number), what: "deferred", reason: "it spans repo, other" }]);
    expect(card(room, epic)["System.State"]).toBe("To Do");
    room.fake.edit(epic, { "System.State": "Done" });
    await expect.poll(async () => (await factory.client.item(id(1)))?.item.warnings, { timeout: guardMs }).toContainEqual("azdo says: Done");
    expect((await factory.client.item(id(1)))?.item).toMatchObject({ status: "review", reason: expect.stringContaining("closure-evidence-missing") });
    await factory.client.command(id(1), { type: "acknowledgeClose", reason: "both are released" });
    await comesTo(factory, id(1), "done");
    await expect.poll(() => markOf(room, epic), { timeout: guardMs }).toMatchObject({ status: "done", gates: expect.arrayContaining(["closureEvidence"]) });
  });
});
