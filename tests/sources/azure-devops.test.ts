import { Effect, Result } from "effect";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import type { SourceUpdate } from "../../src/domain/effects.ts";
import { lanes } from "../../src/domain/lane.ts";
import { readMark } from "../../src/sources/mark.ts";
import { other } from "../fakes/azure-devops/server.ts";
import { app, azureRoom, type AzureRoom, web } from "./azure-room.ts";
import { sourceContract } from "./contract.ts";

sourceContract("Azure DevOps", "wire", () => azureRoom());

const inRoom = async (more: Parameters<typeof azureRoom>[0], check: (room: AzureRoom) => Promise<void>): Promise<void> => {
  const room = await azureRoom(more);
  try {
    await check(room);
  } finally {
    await room.close();
  }
};
const id = WorkItemId.parse("AZ-1");
const open = ({ source }: AzureRoom) => Effect.runPromise(source.byStates(["open"]));
const push = ({ source }: AzureRoom, sourceId: number, set: SourceUpdate) => Effect.runPromise(Effect.result(source.push({ item: id, source: "azdo", sourceId: String(sourceId), set })));
const told = async (room: AzureRoom, sourceId: number, set: SourceUpdate): Promise<void> => {
  const result = await push(room, sourceId, set);
  if (Result.isFailure(result)) throw result.failure;
};
const fields = ({ fake }: AzureRoom, sourceId: number) => fake.items.get(sourceId)?.fields ?? {};
const markOf = ({ fake }: AzureRoom, sourceId: number) => fake.items.get(sourceId)?.comments.map(({ text }) => readMark(text)).at(-1);

describe("what of Azure DevOps is work", () => {
  test("HOW-01 HOW-02 items in Todo and In Progress that are assigned to us, in the team's areas; others' and nobody's are not", () => inRoom({}, async (room) => {
    const { fake } = room;
    const wanted = ["Todo", "To Do", "In Progress"].map((state) => fake.add({ "System.Title": state, "System.State": state }).id);
    for (const state of ["New", "On Hold", "Resolved", "Done", "Removed"]) fake.add({ "System.Title": state, "System.State": state });
    fake.add({ "System.Title": "Mona's", "System.AssignedTo": other });
    fake.add({ "System.Title": "nobody's", "System.AssignedTo": undefined });
    fake.add({ "System.Title": "elsewhere", "System.AreaPath": "Another Project" });
    expect((await open(room)).found.map(({ item: { sourceId } }) => Number(sourceId))).toEqual(wanted);
  }));

  test("other filters: anybody's, types, areas and iterations with quotes in their names", () => inRoom({ assignedTo: "*", types: ["Bug", "It's a type"], areaPath: "Web Shop\\Mona's", iterationPath: "@CurrentIteration" }, async (room) => {
    const { fake } = room;
    const wanted = fake.add({ "System.Title": "a", "System.WorkItemType": "Bug", "System.AreaPath": "Web Shop\\Mona's\\Deep", "System.AssignedTo": undefined }).id;
    fake.add({ "System.Title": "b", "System.WorkItemType": "Task", "System.AreaPath": "Web Shop\\Mona's" });
    fake.add({ "System.Title": "c", "System.WorkItemType": "Bug", "System.AreaPath": "Web Shop" });
    fake.add({ "System.Title": "d", "System.WorkItemType": "Bug", "System.AreaPath": "Web Shop\\Mona's", "System.IterationPath": "Web Shop\\Sprint 2" });
    expect((await open(room)).found.map(({ item: { sourceId } }) => Number(sourceId))).toEqual([wanted]);
  }));

  test("the fields of a record: HTML becomes text, a lane by field or tag, kinds, priority, approval", () => inRoom({}, async (room) => {
    room.fake.add({ "System.Title": "Mend\u202e the sum", "System.WorkItemType": "Bug", "Microsoft.VSTS.Common.Priority": 1, "System.Tags": "ui; lane:ralph; Approval", "Microsoft.VSTS.TCM.ReproSteps": "<div>Open&nbsp;it.<br>See &lt;b&gt;.</div><script>x()</script>", "Microsoft.VSTS.Common.AcceptanceCriteria": "<ul><li>one</li><li>two</li></ul>" });
    room.fake.add({ "System.Title": "Plain", "Custom.OperatorLane": "team", "System.Description": "a < b\n\n- c" });
    const { found } = await open(room);
    expect(found.map(({ item, laneNamed }) => ({ ...item, laneNamed }))).toMatchObject([
      { title: "Mend  the sum", kind: "bug", priority: 1, operatorLane: "ralph", laneNamed: true, requireApproval: true, body: "Open\u00a0it.\nSee <b>.\n\n## Acceptance criteria\n\n- one\n- two".replace("\u00a0", " "), createdAt: Date.UTC(2026, 10, 30, 9, 0, 0, 123) },
      { title: "Plain", kind: "chore", priority: 3, operatorLane: "team", laneNamed: true, body: "a < b\n\n- c" },
    ]);
  }));

  test("VOC-11 pipeline, swarm, ultrapilot, executor and reviewer are no lanes in its field or tags either, and two at once are none", () => inRoom({}, async (room) => {
    for (const lane of ["pipeline", "swarm", "ultrapilot", "executor", "reviewer"]) {
      room.fake.add({ "System.Title": lane, "Custom.OperatorLane": lane });
      room.fake.add({ "System.Title": lane, "System.Tags": `lane:${lane}` });
    }
    room.fake.add({ "System.Title": "both", "Custom.OperatorLane": "team", "System.Tags": "lane:ralph" });
    const { found, malformed } = await open(room);
    expect(found).toEqual([]);
    expect(malformed).toHaveLength(11);
    for (const { problem } of malformed.slice(0, 10)) for (const lane of lanes) expect(problem).toContain(lane);
  }));

  test("HOW-04 the project comes of a tag, else of the longest area path, else of the settings; an unknown one is said, never guessed", () => inRoom({ projects: [app, web], areas: [{ path: "Web Shop", project: "app" }, { path: "Web Shop\\Front", project: "web" }] }, async (room) => {
    room.fake.add({ "System.Title": "a" });
    room.fake.add({ "System.Title": "b", "System.AreaPath": "Web Shop\\Front\\Cart" });
    room.fake.add({ "System.Title": "c", "System.AreaPath": "Web Shop\\Frontier" });
    room.fake.add({ "System.Title": "d", "System.AreaPath": "Web Shop\\Front", "System.Tags": "project:app" });
    room.fake.add({ "System.Title": "e", "System.Tags": "project:nowhere" });
    const { found, malformed } = await open(room);
    expect(found.map(({ item: { title, project, repository, operatorLane } }) => [title, project, repository, operatorLane])).toEqual([
      ["a", "app", "/repos/app", "none"], ["b", "web", "/repos/web", "manual"], ["c", "app", "/repos/app", "none"], ["d", "app", "/repos/app", "none"],
    ]);
    expect(malformed).toEqual([{ sourceId: expect.any(String), problem: 'no project is called "nowhere"; write one of app, web' }]);
  }));

  test("an epic spans the projects that its children are in", () => inRoom({ projects: [app, web], areas: [{ path: "Web Shop", project: "app" }, { path: "Web Shop\\Front", project: "web" }] }, async (room) => {
    const children = [room.fake.add({ "System.Title": "one", "System.State": "New" }).id, room.fake.add({ "System.Title": "two", "System.State": "New", "System.AreaPath": "Web Shop\\Front" }).id];
    room.fake.add({ "System.Title": "Epic", "System.WorkItemType": "Epic" }, { children });
    room.fake.add({ "System.Title": "Small", "System.WorkItemType": "Epic" }, { children: children.slice(0, 1) });
    expect((await open(room)).found.map(({ item: { title, spans } }) => [title, spans])).toEqual([["Epic", ["app", "web"]], ["Small", ["app"]]]);
  }));

  test("more open items than one query may give pass the limit of one query", () => inRoom({}, async (room) => {
    await room.addMany(20_100);
    expect((await open(room)).found).toHaveLength(20_100);
  }));
});

describe("what Azure DevOps is told", () => {
  test("HOW-10 Done when it is done, Blocked when it failed; a process with other names gets its own completed state, or a tag", () => inRoom({ states: { open: ["To Do", "Active"], done: "Done", failed: "Blocked" } }, async (room) => {
    const [done, failed] = [room.fake.add({ "System.Title": "a" }).id, room.fake.add({ "System.Title": "b" }).id];
    const [story, bad] = ["c", "d"].map((title) => room.fake.add({ "System.Title": title, "System.WorkItemType": "User Story", "System.State": "Active", "System.Tags": "mine" }).id);
    if (story === undefined || bad === undefined) throw new Error("no story");
    await told(room, done, { status: "done" });
    await told(room, failed, { status: "exhausted" });
    await told(room, story, { status: "done" });
    await told(room, bad, { status: "failed" });
    expect([done, failed, story, bad].map((each) => fields(room, each)["System.State"])).toEqual(["Done", "Blocked", "Closed", "Active"]);
    expect(fields(room, bad)["System.Tags"]).toBe("mine; Blocked");
    await told(room, bad, { status: "done" });
    expect(fields(room, bad)).toMatchObject({ "System.State": "Closed", "System.Tags": "mine" });
  }));

  test("E2E-08 a gate with a field of its own sets that field in one change; a server in trouble gets it later, once", () => inRoom({ gateFields: { implementationComplete: "Custom.ImplementationComplete" } }, async (room) => {
    const { id: card } = room.fake.add({ "System.Title": "a" });
    const before = room.fake.fault;
    room.fake.fault = (asked) => (asked.method === "PATCH" ? { status: 500 } : before?.(asked));
    const result = await push(room, card, { gates: { implementationComplete: true } });
    expect(Result.isFailure(result) ? result.failure._tag : "").toBe("SourceUnavailable");
    room.fake.fault = before;
    const from = room.fake.asked.length;
    await told(room, card, { gates: { implementationComplete: true } });
    expect(fields(room, card)["Custom.ImplementationComplete"]).toBe(true);
    expect(room.fake.asked.slice(from).filter(({ method, path }) => method === "PATCH" && !path.includes("/comments/"))).toHaveLength(1);
    expect(markOf(room, card)).toMatchObject({ id, gates: ["implementationComplete"] });
  }));

  test("who edits it at the same moment is not written over: their fields stay, ours are added to what is there then", () => inRoom({}, async (room) => {
    const { id: card } = room.fake.add({ "System.Title": "a", "System.Tags": "old" });
    await told(room, card, { gates: {} });
    const before = room.fake.fault;
    let races = 2;
    room.fake.fault = (asked) => {
      if (asked.method === "PATCH" && asked.path.endsWith(`/${card}`) && races-- > 0) room.fake.edit(card, { "System.Tags": `old; theirs ${races}`, "System.Title": `theirs ${races}` });
      return before?.(asked);
    };
    await told(room, card, { gates: { testsPassed: true }, status: "done" });
    expect(fields(room, card)).toMatchObject({ "System.Title": "theirs 0", "System.State": "Done", "System.Tags": "old; theirs 0; gate:testsPassed" });
    // Whoever is always faster is given way to, and it is tried again later.
    races = 1_000;
    const result = await push(room, card, { gates: { reviewPassed: true } });
    expect(Result.isFailure(result) ? result.failure._tag : "").toBe("SourceConflict");
  }));

  test("a state that somebody chose is left, and the comment says so", () => inRoom({}, async (room) => {
    const { id: card } = room.fake.add({ "System.Title": "a" });
    await told(room, card, { gates: { testsPassed: true } });
    room.fake.edit(card, { "System.State": "Resolved" });
    await told(room, card, { status: "done" });
    expect(fields(room, card)["System.State"]).toBe("Resolved");
    expect(markOf(room, card)).toMatchObject({ status: "done", left: "Resolved" });
    expect(room.fake.items.get(card)?.comments[0]?.text).toContain("The state was left at Resolved");
  }));

  test("what was told, and taken back by somebody before its teller came to life again, stays taken back; the next word counts again", () => inRoom({ gateFields: { reviewPassed: "Custom.ReviewPassed" } }, async (room) => {
    const { id: card } = room.fake.add({ "System.Title": "a" });
    await told(room, card, { gates: {} });
    // Killed after the change was made and before the comment said so.
    const before = room.fake.fault;
    room.fake.fault = (asked) => (asked.path.includes("/comments/") ? "reset" : before?.(asked));
    await push(room, card, { gates: { reviewPassed: true }, status: "done" });
    expect(fields(room, card)).toMatchObject({ "System.State": "Done", "Custom.ReviewPassed": true });
    room.fake.edit(card, { "System.State": "To Do", "Custom.ReviewPassed": false });
    room.fake.fault = before;
    await told(room, card, { gates: { reviewPassed: true }, status: "done" });
    expect(fields(room, card)).toMatchObject({ "System.State": "To Do", "Custom.ReviewPassed": false });
    expect(markOf(room, card)).toMatchObject({ status: "done", gates: ["reviewPassed"], left: "To Do" });
    await told(room, card, { gates: { reviewPassed: false } });
    await told(room, card, { gates: { reviewPassed: true }, status: "done" });
    expect(fields(room, card)).toMatchObject({ "System.State": "Done", "Custom.ReviewPassed": true });
  }));

  test("CHG-14 an older server that keeps the comment as HTML is read again all the same", () => inRoom({}, async (room) => {
    room.fake.htmlComments = true;
    const { id: card } = room.fake.add({ "System.Title": "a" });
    await told(room, card, { gates: { testsPassed: true }, status: "done", published: 'branch "enact/AZ-1" <b>' });
    expect(room.fake.items.get(card)?.comments).toHaveLength(1);
    expect(await Effect.runPromise(room.source.recall(String(card)))).toMatchObject({ id, status: "done", gates: ["testsPassed"], published: 'branch "enact/AZ-1" <b>' });
  }));

  test("ENV-05 the token is sent as Basic, to that server alone, and stands in no message", () => inRoom({}, async (room) => {
    room.fake.add({ "System.Title": "a" });
    await open(room);
    const [token] = room.fake.tokens;
    expect(new Set(room.fake.asked.map(({ authorization }) => Buffer.from(authorization.replace("Basic ", ""), "base64").toString()))).toEqual(new Set([`:${token}`]));
    room.fake.tokens.clear();
    const result = await Effect.runPromise(Effect.result(room.source.byStates(["open"])));
    expect(Result.isFailure(result) ? result.failure : undefined).toMatchObject({ _tag: "SourceDenied", mend: expect.stringContaining("AZDO_PAT") });
    expect(JSON.stringify(result)).not.toContain(token);
  }));

  test("a short delay that it asks for is kept, a long one ends the operation", () => inRoom({}, async (room) => {
    room.fake.add({ "System.Title": "a" });
    await open(room);
    const before = room.fake.fault;
    let delays = 0;
    room.fake.fault = (asked) => (asked.path.endsWith("/wiql") && delays++ === 0 ? { status: 503, headers: { "retry-after": "2" } } : before?.(asked));
    const first = await Effect.runPromise(Effect.result(room.source.byStates(["open"])));
    expect(Result.isFailure(first) ? first.failure : undefined).toMatchObject({ _tag: "SourceUnavailable", retryAt: room.clock.now() + 2_000 });
    const from = room.fake.asked.length, second = open(room);
    await expect.poll(() => room.clock.pending).toBe(1);
    expect(room.fake.asked.length).toBe(from);
    room.clock.advance(2_000);
    expect((await second).found).toHaveLength(1);
  }));
});
