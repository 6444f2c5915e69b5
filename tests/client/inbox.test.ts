import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ItemState, TeamState } from "../../src/client/contract.ts";
import { inbox, type InboxEntry, inboxKinds, recentMs, requestOf } from "../../src/client/inbox.ts";
import { waitingFor } from "../../src/client/waiting.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { noCost } from "../../src/domain/spend.ts";
import { memberStates, taskStates, teamPhases } from "../../src/domain/team.ts";
import { BlockedReason, isTerminal, WorkItemStatus } from "../../src/domain/work-item.ts";
import { doubleOf, recorded, recordedNow, team } from "../hud/double.ts";

const [first] = recorded.items;
if (first === undefined) throw new Error("nothing is recorded");
const hour = 3_600_000;
const now = recordedNow;

const anItem = fc.record({
  status: fc.constantFrom(...WorkItemStatus.options), blocked: fc.constantFrom(...BlockedReason.options), lane: fc.constantFrom("manual" as const, "none" as const), deferred: fc.boolean(),
  cost: fc.integer({ min: 0, max: 400 }).map((cents) => cents / 100), age: fc.integer({ min: 0, max: 40 * hour }), question: fc.option(fc.string({ unit: "binary" }), { nil: null }),
});
const stateOf = (n: number, { status, blocked, lane, deferred, cost, age, question }: typeof anItem extends fc.Arbitrary<infer T> ? T : never): ItemState => ({
  ...first, updatedAt: now - age, stage: null, pipeline: null,
  cost: { ...noCost, usd: cost },
  item: { ...first.item, id: WorkItemId.parse(`LOC-${n + 1}`), status, blocked: status === "blocked" ? blocked : null, operatorLane: lane, needs: deferred ? ["closureEvidence"] : [], gates: {}, question: status === "blocked" && blocked === "needsHuman" ? question : null },
});
const items = fc.array(anItem, { maxLength: 12 }).map((all) => all.map((each, n) => stateOf(n, each)));

const aTeam = fc.record({
  phase: fc.constantFrom(...teamPhases), members: fc.array(fc.record({ state: fc.constantFrom(...memberStates), age: fc.integer({ min: 0, max: 9 * hour }), cost: fc.integer({ min: 0, max: 300 }) }), { maxLength: 4 }),
  tasks: fc.array(fc.record({ kind: fc.constantFrom("work" as const, "conflict" as const), state: fc.constantFrom(...taskStates), owner: fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }) }), { maxLength: 4 }),
  messages: fc.array(fc.constantFrom("queued" as const, "delivered" as const, "undelivered" as const), { maxLength: 3 }),
});
const teamOf = (n: number, given: typeof aTeam extends fc.Arbitrary<infer T> ? T : never): TeamState => ({
  item: null, cost: team.cost, updatedAt: now - hour,
  team: {
    ...team.team, name: `team-${n}`, item: WorkItemId.parse(`TM-${n + 1}`), phase: given.phase,
    members: given.members.flatMap(({ state, age, cost }, m) => team.team.members.slice(1, 2).map((base) => ({ ...base, name: `worker-${m}`, state, since: now - age, costUsd: cost / 100, question: state === "asking" ? `q${m}` : null }))),
    tasks: given.tasks.flatMap(({ kind, state, owner }, t) => team.team.tasks.slice(0, 1).map((base) => ({ ...base, id: t + 1, kind, state, owner: owner === null ? null : `worker-${owner}` }))),
    messages: given.messages.flatMap((state, m) => team.team.messages.slice(0, 1).map((base) => ({ ...base, id: `m${m}`, state }))),
  },
});
const teams = fc.array(aTeam, { maxLength: 3 }).map((all) => all.map((each, n) => teamOf(n, each)));
const facts = fc.record({ items, teams, terminals: fc.constant([]) });
const refs = (entries: readonly InboxEntry[]): readonly string[] => entries.map(({ ref }) => ref);

describe("what needs a human", () => {
  test("the order is the documented score, waits before what has ended, and I1 time alone never changes it", () => {
    fc.assert(fc.property(facts, fc.integer({ min: 0, max: 20 * hour }), (known, later) => {
      const entries = inbox(known, now);
      for (const [one, two] of entries.flatMap((entry, index) => entries.slice(index + 1, index + 2).map((next) => [entry, next] as const))) {
        expect(Number(one.waits)).toBeGreaterThanOrEqual(Number(two.waits));
        if (one.waits === two.waits) expect(one.score).toBeGreaterThanOrEqual(two.score - 1e-9);
      }
      for (const { since, cost, score } of entries) expect(score).toBeCloseTo((now - since) / hour + cost.usd, 6);
      // Caps fall out when they are no news any more; what stays keeps its place.
      const left = refs(inbox(known, now + later));
      expect(left).toEqual(refs(entries).filter((ref) => left.includes(ref)));
    }));
  });

  test("older and more expensive of the same sort comes first, and the order of what was read does not matter", () => {
    fc.assert(fc.property(facts, (known) => {
      const entries = inbox(known, now);
      expect(refs(inbox({ ...known, items: known.items.toReversed(), teams: known.teams.toReversed() }, now))).toEqual(refs(entries));
      for (const [index, entry] of entries.entries()) for (const other of entries.slice(index + 1)) {
        if (other.waits === entry.waits) expect(other.since < entry.since && other.cost.usd > entry.cost.usd).toBe(false);
      }
    }));
  });

  test("I2 every entry has a key that settles it, a request behind each, and a command; I4 references are unique", () => {
    fc.assert(fc.property(facts, (known) => {
      const entries = inbox(known, now);
      expect(new Set(refs(entries)).size).toBe(entries.length);
      for (const entry of entries) {
        expect(entry.keys.length).toBeGreaterThan(1);
        expect(entry.commands.length).toBeGreaterThan(0);
        for (const { key } of entry.keys) expect(requestOf(entry, key, { text: "x", messageId: "m" }, known.teams) === undefined, `${entry.kind} ${key}`).toBe(key === "o");
        for (const key of ["a", "r", "e", "t", "c"] as const) if (!entry.keys.some((each) => each.key === key)) expect(requestOf(entry, key, { text: "x", messageId: "m" }, known.teams)).toBeUndefined();
      }
    }));
  });

  test("I3 an item that waits for a person is in it once, unless it was paused or left to manual start; nothing else is, but caps of the last day", () => {
    fc.assert(fc.property(items, (all) => {
      const entries = inbox({ items: all, teams: [], terminals: [] }, now);
      for (const state of all) {
        const { item } = state;
        const found = entries.filter((entry) => entry.item === item.id).length;
        const asks = waitingFor(state).on === "person" && item.status !== "paused" && item.status !== "ready";
        const cap = (item.status === "failed" || item.status === "exhausted") && now - state.updatedAt <= recentMs;
        expect(found, item.status).toBe(asks || cap ? 1 : 0);
      }
    }));
  });

  test("of a team: who asks, who is down, a conflict that nobody can mend, a message nobody got; nothing of one that has ended", () => {
    const entries = inbox({ items: [], teams: [team], terminals: doubleOf().terminals }, now);
    expect(entries.map(({ kind, ref, terminal }) => [kind, ref, terminal]).toSorted()).toEqual([
      ["conflict", "alpha/task-3", "alpha/worker-1"], ["down", "alpha/worker-3", null], ["question", "alpha/worker-2", "alpha/worker-2"], ["undelivered", "alpha/message-m1", null],
    ]);
    expect(inbox({ items: [], teams: [{ ...team, team: { ...team.team, phase: "failed" } }], terminals: [] }, now)).toEqual([]);
    const conflict = team.team.tasks.filter(({ kind }) => kind === "conflict");
    const claimed: TeamState = { ...team, team: { ...team.team, tasks: conflict.map((task) => ({ ...task, state: "claimed" })) } };
    expect(inbox({ items: [], teams: [claimed], terminals: [] }, now).some(({ kind }) => kind === "conflict")).toBe(false);
  });

  test("of an ultrawork run that goes on without some of its workers: one entry, which names them, as long as it is at work", () => {
    const down = [{ name: "worker-1", adapter: "scripted", restarts: 3, reason: "it ended with code 3", since: now - hour }, { name: "worker-3", adapter: "scripted", restarts: 0, reason: "", since: now - 2 * hour }];
    const run: NonNullable<ItemState["lane"]> = { lane: "ultrawork", address: `ultrawork/${first.item.id}/1`, state: "executing", phase: "executing", generation: 1, iteration: 1, maxIterations: 4, stories: [], request: null, leg: "", running: true, session: null, worktree: null, feedback: "", failing: [], question: null, rule: "", reason: "", costUsd: 0, workers: [], down };
    const of = (status: WorkItemStatus, lane = run) => inbox({ items: [{ ...first, pipeline: null, stage: null, item: { ...first.item, status, blocked: null }, lane }], teams: [], terminals: [] }, now);
    const entries = of("operating");
    expect(entries).toMatchObject([{ ref: first.item.id, kind: "down", waits: true, since: now - 2 * hour, text: "worker-1 is down after 3 restart(s): it ended with code 3; worker-3 is down after 0 restart(s)", keys: [{ key: "c" }, { key: "o" }], commands: [["task", "pause", first.item.id], ["task", "resume", first.item.id]] }]);
    expect(entries.map((entry) => requestOf(entry, "c", { text: "", messageId: "m" }, []))).toEqual([{ to: "item", id: first.item.id, command: { type: "cancel" } }]);
    expect([of("paused"), of("verifying"), of("done"), of("operating", { ...run, state: "pausing" }), of("operating", { ...run, down: [] })].flat()).toEqual([]);
  });

  test("the keys of a team's entries go to the member, the leader, or the team itself", () => {
    const known = { items: [], teams: [team], terminals: [] };
    const request = (ref: string, key: "e" | "t" | "c") => inbox(known, now).filter((entry) => entry.ref === ref).map((entry) => requestOf(entry, key, { text: "둘 다", messageId: "id" }, known.teams))[0];
    expect(request("alpha/worker-2", "e")).toEqual({ to: "team", name: "alpha", command: { type: "message", to: "worker-2", text: "둘 다", id: "id" } });
    expect(request("alpha/task-3", "e")).toMatchObject({ command: { to: "leader" } });
    expect(request("alpha/message-m1", "t")).toMatchObject({ command: { type: "message", to: "worker-3", text: "Take the printer.", id: "id" } });
    expect(request("alpha/worker-3", "t")).toMatchObject({ command: { type: "add" } });
    expect(request("alpha/worker-3", "c")).toMatchObject({ command: { type: "remove", member: "worker-3" } });
  });

  test("a member's question that its item asks too is there once, where the item is answered", () => {
    const asking = recorded.items.filter(({ item }) => item.status === "blocked");
    const [item] = asking;
    const same: TeamState = { ...team, team: { ...team.team, item: item?.item.id ?? team.team.item, tasks: [], messages: [], members: team.team.members.filter(({ state }) => state === "asking").map((member) => ({ ...member, question: item?.item.question ?? "" })) } };
    expect(inbox({ items: asking, teams: [same], terminals: [] }, now).map(({ ref }) => ref)).toEqual([item?.item.id]);
  });

  test("of real items: review, question and cap, each with its evidence and what it cost so far", () => {
    const entries = inbox({ items: recorded.items, teams: [], terminals: [] }, now);
    expect(entries.map(({ kind }) => kind)).toEqual(["question", "review", "cap"]);
    const [question, review, cap] = entries;
    expect(question).toMatchObject({ cost: { usd: 0.4 }, commands: [["task", "answer", question?.item, "…"]], keys: [{ key: "e" }, { key: "c" }, { key: "o" }] });
    expect(question?.text).toContain("반올림을 어떻게 할까요");
    expect(review?.evidence).toMatchObject({ checks: expect.stringContaining("→"), branch: `enact/${review?.item}` });
    expect(review?.evidence.head).toMatch(/^[0-9a-f]{40}$/);
    expect(cap).toMatchObject({ waits: false, evidence: { rule: "", reason: expect.stringContaining("5 of 5 iterations") }, keys: [{ key: "t" }, { key: "o" }] });
    expect(inboxKinds).toContain(cap?.kind);
    expect(recorded.items.filter(({ item }) => isTerminal(item.status)).map((state) => state.cost.usd === state.item.costUsd)).not.toContain(false);
  });
});
