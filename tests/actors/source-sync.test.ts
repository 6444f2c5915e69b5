import { Effect } from "effect";
import { expect, test } from "vitest";
import { SourceSync, type SourceWord } from "../../actors/source-sync.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { WorkItemView } from "../../src/domain/view.ts";
import type { Remembered } from "../../src/domain/work-item.ts";
import { type Absent, type Found, type Malformed, SourceLimited, SourceMisread, type SourceShape, type SourceTrouble, SourceUnavailable } from "../../src/ports/source.ts";
import { SimulatedClock } from "../support/clock.ts";

const found = (sourceId: string, more: Partial<Found> & { readonly lane?: WorkItemView["operatorLane"] } = {}): Found => ({
  standing: "open", says: "To Do", laneNamed: more.lane !== undefined, spoken: false,
  item: { source: "azdo", sourceId, title: sourceId, body: "", kind: "bug", priority: 3, createdAt: 1, project: "app", repository: "/app", operatorLane: more.lane ?? "none" }, ...more,
});
const view = (sourceId: string, more: Partial<WorkItemView> = {}): WorkItemView => WorkItemView.parse({
  id: `AZ-${sourceId}`, source: "azdo", sourceId, title: sourceId, kind: "bug", priority: 3, createdAt: 1, project: "app", repository: "/app", operatorLane: "none", status: "ready", lineage: 1, attempt: 0, iterations: 0,
  failures: 0, itemFailures: 0, infraFailures: 0, infraRetries: 0, retryAt: null, blocked: null, question: null, reason: "", branch: null, worktree: null, base: null, head: null, checks: null, summary: "", warnings: [], costUsd: 0, published: "", ...more,
});

/** A source that gives what the test says, and everything that came of it. */
const room = (known: readonly string[] = []) => {
  const clock = new SimulatedClock(1_000_000);
  const state: { open: readonly Found[]; malformed: readonly Malformed[]; byId: Record<string, Found | Absent>; trouble: SourceTrouble | undefined; misread: ReadonlySet<string>; memory: Record<string, Remembered | SourceTrouble>; living: readonly WorkItemView[] } = { open: [], malformed: [], byId: {}, trouble: undefined, misread: new Set(), memory: {}, living: [] };
  const asked: string[] = [], offered: string[] = [], told: string[] = [], notices: string[] = [];
  const source: SourceShape = {
    name: "tracker", kind: "azdo", followed: true, watch: () => () => {}, push: () => Effect.void,
    byStates: () => Effect.suspend(() => { asked.push("list"); return state.trouble === undefined ? Effect.succeed({ found: state.open, malformed: state.malformed }) : Effect.fail(state.trouble); }),
    byIds: (ids) => Effect.suspend(() => {
      asked.push(ids.join());
      const bad = ids.find((id) => state.misread.has(id));
      return bad === undefined ? Effect.succeed(new Map(ids.map((id): [string, Found | Absent] => [id, state.byId[id] ?? { absent: "no such item" }]))) : Effect.fail(new SourceMisread({ source: "tracker", message: `${bad} lost a field` }));
    }),
    recall: (id) => { const memory = state.memory[id]; return memory === undefined || !("_tag" in memory) ? Effect.succeed(memory) : Effect.fail(memory); },
  };
  const sync = new SourceSync({
    source, clock, everyMs: 1_000, known: async () => new Set(known), living: () => state.living, notice: (level, text) => { notices.push(`${level} ${text}`); },
    offer: async ({ sourceId }, remembered) => { offered.push(remembered === undefined ? sourceId : `${sourceId} was ${remembered.id}`); },
    tell: async ({ id }, event: SourceWord) => { told.push(event.type === "source.lane" ? `${id} lane ${event.lane}` : `${id} ${event.standing} ${event.says}`); },
  });
  return { clock, state, asked, offered, told, notices, sync };
};

test("what is new is offered once, what was known before never; a page that came twice brings nothing twice", async () => {
  const { state, offered, sync } = room(["1"]);
  state.open = [found("1"), found("2"), found("2"), found("3")];
  expect(await sync.once()).toMatchObject({ taken: 2, changed: 0, trouble: null });
  expect(await sync.once()).toMatchObject({ taken: 0 });
  expect(offered).toEqual(["2", "3"]);
});

test("what the source remembers is offered first and with its memory; one whose memory cannot be had waits, the others do not", async () => {
  const { state, offered, sync } = room();
  state.open = [found("1"), found("2", { spoken: true }), found("3", { spoken: true }), found("4", { spoken: true })];
  state.memory = { 3: { id: WorkItemId.parse("AZ-9"), status: "done", gates: [] }, 4: new SourceUnavailable({ source: "tracker", message: "it is down" }) };
  expect(await sync.once()).toMatchObject({ taken: 3, trouble: "it is down" });
  expect(offered).toEqual(["3 was AZ-9", "1", "2"]);
  state.memory = {};
  expect(await sync.once()).toMatchObject({ taken: 1, trouble: null });
  expect(offered.at(-1)).toBe("4");
});

test("E2E-03 a lane that is named there is told once; a tick without a change, or a lane that is lost, tells nothing", async () => {
  const { state, told, sync } = room(["1"]);
  state.living = [view("1")];
  state.open = [found("1")];
  await sync.once();
  state.open = [found("1", { lane: "ralph" })];
  expect(await sync.once()).toMatchObject({ changed: 1 });
  // Somebody chose another one here meanwhile: what is said again there is nothing new.
  state.living = [view("1", { operatorLane: "team" })];
  expect(await sync.once()).toMatchObject({ changed: 0 });
  state.open = [found("1")];
  await sync.once();
  state.open = [found("1", { lane: "ralph" })];
  await sync.once();
  expect(told).toEqual(["AZ-1 lane ralph"]);
  state.open = [found("1", { lane: "none" })];
  await sync.once();
  expect(told).toEqual(["AZ-1 lane ralph", "AZ-1 lane none"]);
});

test("an item that a list lacks is asked for by its id; only then it is held, closed, or as it was, and each is told once", async () => {
  const { state, asked, told, sync } = room(["1", "2", "3"]);
  state.living = [view("1", { status: "operating" }), view("2"), view("3", { status: "operating" }), WorkItemView.parse({ ...view("4"), source: "local" })];
  state.open = [found("1"), found("2"), found("3")];
  await sync.once();
  expect(asked).toEqual(["list"]);
  state.open = [];
  state.byId = { 1: found("1", { standing: "closed", says: "Done" }), 2: found("2") };
  await sync.once();
  await sync.once();
  expect(asked.slice(1)).toEqual(["list", "1,2,3", "list", "1,2,3"]);
  expect(told).toEqual(["AZ-1 closed Done", "AZ-3 held it is not there any more (no such item)"]);
  // What ran to its end meanwhile begins nothing more there.
  state.living = [view("3", { status: "retryAt" })];
  await sync.once();
  expect(told.slice(2)).toEqual(["AZ-3 held it is not there any more (no such item)"]);
  state.living = [view("3", { status: "paused" })];
  state.open = [found("3")];
  await sync.once();
  expect(told.at(-1)).toBe("AZ-3 open To Do");
  expect(told).toHaveLength(4);
});

test("after a restart what is paused hears that it is open there, and what is closed that it is", async () => {
  const { state, told, sync } = room(["1", "2", "3"]);
  state.living = [view("1", { status: "paused" }), view("2"), view("3")];
  state.open = [found("1"), found("2")];
  state.byId = { 3: found("3", { standing: "closed", says: "Removed" }) };
  await sync.once();
  expect(told).toEqual(["AZ-1 open To Do", "AZ-3 closed Removed"]);
});

test("a record that cannot be read concludes nothing, and keeps no other from being heard", async () => {
  const { state, told, notices, sync } = room(["1", "2", "3", "4"]);
  state.living = ["1", "2", "3", "4"].map((id) => view(id));
  state.misread = new Set(["2"]);
  state.byId = { 1: found("1", { standing: "closed", says: "Done" }), 3: found("3", { standing: "closed", says: "Done" }) };
  state.malformed = [{ sourceId: "4", problem: "it lost its title" }];
  expect(await sync.once()).toMatchObject({ trouble: "2 lost a field", malformed: [{ sourceId: "4" }] });
  await sync.once();
  expect(told).toEqual(["AZ-1 closed Done", "AZ-3 closed Done"]);
  expect(notices).toEqual(["warning tracker: 4 is no work item: it lost its title", "warning tracker: 2 lost a field"]);
});

test("down for an hour: said once, asked ever more rarely, nothing concluded; back again it is said, and all is taken", async () => {
  const { clock, state, asked, told, offered, notices, sync } = room(["1"]);
  state.living = [view("1", { status: "operating" })];
  state.trouble = new SourceUnavailable({ source: "tracker", message: "tracker does not answer" });
  for (let second = 0; second < 3_600; second++) {
    await sync.round();
    clock.advance(1_000);
  }
  expect(notices).toEqual(["warning tracker: tracker does not answer"]);
  expect(asked.length).toBeLessThan(25);
  expect(asked.length).toBeGreaterThan(10);
  expect(told).toEqual([]);
  state.trouble = undefined;
  state.open = [found("1"), found("2")];
  clock.advance(300_000);
  await sync.round();
  expect(offered).toEqual(["2"]);
  expect(notices).toEqual(["warning tracker: tracker does not answer", "info tracker answers again"]);
});

test("one that says when is left alone until then by the poller; a person may ask before", async () => {
  const { clock, state, asked, sync } = room();
  state.trouble = new SourceLimited({ source: "tracker", message: "too often", until: clock.now() + 600_000 });
  await sync.round();
  clock.advance(599_000);
  await sync.round();
  expect(asked).toHaveLength(1);
  expect((await sync.once()).trouble).toBe("too often");
  state.trouble = undefined;
  clock.advance(1_000);
  await sync.round();
  expect(asked).toHaveLength(3);
});

test("two looks at the same time are one after the other", async () => {
  const { state, offered, sync } = room();
  state.open = [found("1")];
  await Promise.all([sync.once(), sync.once(), sync.round()]);
  expect(offered).toEqual(["1"]);
});
