/** What there is to tell, from the views. */
import { Effect } from "effect";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ItemState } from "../../src/client/contract.ts";
import { inbox } from "../../src/client/inbox.ts";
import { heraldChannels, Telling } from "../../src/daemon/telling.ts";
import { notesOf } from "../../src/daemon/notes.ts";
import { Config } from "../../src/domain/config.ts";
import { WorkItemId } from "../../src/domain/ids.ts";
import { emptyLedger, type Ledger } from "../../src/domain/ledger.ts";
import { noAmount } from "../../src/domain/spend.ts";
import type { NoticeMessage } from "../../src/domain/notice.ts";
import { memoryState, openMemoryOwner } from "../../src/store/memory.ts";
import { SimulatedClock } from "../support/clock.ts";
import { BlockedReason, WorkItemStatus } from "../../src/domain/work-item.ts";
import { recorded, recordedNow as now, team } from "../hud/double.ts";

const [first] = recorded.items;
if (first === undefined) throw new Error("nothing is recorded");
const today = "2026-11-30", same = (text: string): string => text;
const facts = { teams: [], ledger: emptyLedger, today, deadLetters: [], redact: same } as const;

const anItem = fc.record({ status: fc.constantFrom(...WorkItemStatus.options), blocked: fc.constantFrom(...BlockedReason.options), title: fc.string({ unit: "binary", maxLength: 400 }), question: fc.string({ unit: "binary" }), priority: fc.integer({ min: 1, max: 4 }) });
const items = fc.array(anItem, { maxLength: 10 }).map((all) => all.map(({ status, blocked, title, question, priority }, n): ItemState => ({
  ...first, updatedAt: now - 1_000 * n, stage: null, pipeline: null, lane: null, nested: null,
  item: { ...first.item, id: WorkItemId.parse(`LOC-${n + 1}`), title, priority, status, blocked: status === "blocked" ? blocked : null, question: status === "blocked" && blocked === "needsHuman" ? question : null },
})));

test("nothing that needs a person is never told: every entry of the inbox has a note with a command, in plain words, and is taken by a channel as it comes", () => {
  const [channel] = heraldChannels(Config.parse({ notify: { channels: [{ kind: "desktop" }] } }));
  fc.assert(fc.property(items, fc.boolean(), (all, hasTeam) => {
    const known = { ...facts, items: all, teams: hasTeam ? [team] : [] };
    const notes = notesOf(known, now), entries = inbox({ items: all, teams: known.teams, terminals: [] }, now);
    expect(new Set(notes.map(({ key }) => key)).size).toBe(notes.length);
    for (const { ref } of entries) {
      const note = notes.find((each) => each.ref === ref);
      expect(note?.commands.length).toBeGreaterThan(0);
      expect(note && channel?.takes(note)).toBe(true);
      expect(`${note?.title}${note?.text}`).not.toMatch(/\p{Cc}/u);
      expect(note?.title.length).toBeLessThanOrEqual(160);
    }
    // The same facts are the same things, whenever they are looked at.
    expect(notesOf(known, now + 60_000).map(({ key }) => key).toSorted()).toEqual(notes.map(({ key }) => key).toSorted());
  }));
});

test("another question of the same item is another thing; its member's question is the item's own; priority 1 is urgent", () => {
  const asking = (question: string, priority = 2): ItemState => ({ ...first, item: { ...first.item, status: "blocked", blocked: "needsHuman", question, priority, running: true } });
  const of = (state: ItemState) => notesOf({ ...facts, items: [state] }, now);
  const [one] = of(asking("a?")), [two] = of(asking("b?")), [urgent] = of(asking("a?", 1));
  expect(one?.key).not.toBe(two?.key);
  expect([one?.severity, urgent?.severity, one?.commands]).toEqual(["attention", "urgent", [`enact-factory task answer ${first.item.id} "…"`]]);
  const member = { ...team, team: { ...team.team, item: first.item.id, tasks: [], messages: [], members: team.team.members.filter(({ state }) => state === "asking").map((each) => ({ ...each, question: "a?" })) } };
  const before = notesOf({ ...facts, items: [{ ...first, item: { ...first.item, status: "operating", blocked: null, question: null } }], teams: [member] }, now);
  expect(before.filter(({ kind }) => kind === "question").map(({ key }) => key)).toEqual([one?.key]);
});

test("caps of the day, dead letters of the factory itself, and secrets", () => {
  const ledger: Ledger = { ...emptyLedger, caps: { dayUsd: 1, projectDayUsd: 50 }, days: [{ day: today, amount: { ...noAmount, cost: { ...noAmount.cost, usd: 2 } }, projects: [{ name: "app", amount: noAmount }] }] };
  const letter = { id: 7, event: "{}", stack: "", at: now, error: "no such thing: hunter2-hunter2" };
  const notes = notesOf({ ...facts, items: [], ledger, deadLetters: [{ ...letter, actor: "spend/factory" }, { ...letter, id: 8, actor: "item/LOC-1/1" }], redact: (text) => text.replaceAll("hunter2-hunter2", "[secret]") }, now);
  expect(notes.map(({ kind, severity, text }) => [kind, severity, text])).toEqual([
    ["spend", "attention", expect.stringContaining("spend.dayUsd: $2.00 of $1.00 on 2026-11-30")], ["trouble", "urgent", "spend/factory: no such thing: [secret]; it is kept as a dead letter"],
  ]);
});

test("a channel takes what is at least its severity and, where it names events, only those", () => {
  const config = Config.parse({ notify: { channels: [{ kind: "desktop", min: "info", events: ["done"] }, { kind: "desktop", name: "night", min: "urgent" }] }, discord: { webhookUrl: "https://discord.com/api/webhooks/1/x" } });
  const done: ItemState = { ...first, updatedAt: now, item: { ...first.item, status: "done", blocked: null } }, review: ItemState = { ...first, item: { ...first.item, id: WorkItemId.parse("LOC-99"), status: "review", blocked: null } };
  const notes = notesOf({ ...facts, items: [done, review] }, now);
  expect(heraldChannels(config).map(({ name, takes }) => [name, notes.filter(takes).map(({ kind }) => kind)])).toEqual([["desktop", ["done"]], ["night", []], ["discord", ["review", "done"]]]);
});

test("a channel that lacks what its kind needs, a name twice and half of the quiet hours are errors", () => {
  const messages = (notify: object): readonly string[] => Config.safeParse({ notify }).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
  expect(messages({ channels: [{ kind: "webhook", url: "https://h" }] })).toEqual(["notify.channels.0.secret: a channel of kind webhook needs it"]);
  expect(messages({ channels: [{ kind: "smtp", host: "h", from: "f" }] })).toEqual(["notify.channels.0.to: a channel of kind smtp needs it"]);
  expect(messages({ channels: [{ kind: "desktop" }, { kind: "desktop" }] })).toEqual([expect.stringContaining("channel 1 has this name already")]);
  expect(messages({ quietFrom: "22:00" })).toEqual([expect.stringContaining("notify.quietFrom: quiet hours need both")]);
  expect(messages({ channels: [{ kind: "discord", url: "file:///etc/passwd" }], quietFrom: "25:00", quietTo: "07:00", timeZone: "Mars/One" })).toHaveLength(3);
});

test("an alarm needs no store: it goes at once to whoever takes what is urgent and one of a kind in ten minutes", async () => {
  const sent: { readonly channel: string; readonly message: NoticeMessage }[] = [], clock = new SimulatedClock(now), store = await Effect.runPromise(Effect.scoped(openMemoryOwner(memoryState())));
  const config = Config.parse({ notify: { channels: [{ kind: "desktop" }, { kind: "desktop", name: "work", events: ["question"] }] } });
  const telling = new Telling({
    config, factory: "f", store, clock, redact: (json) => json.replaceAll("hunter2-hunter2", "[secret]"), host: () => { throw new Error("no host is asked"); }, notice: () => {},
    notify: async (channel, message) => { sent.push({ channel, message }); },
  });
  telling.alarm("the store does not take writes", "disk full at hunter2-hunter2");
  telling.alarm("the store does not take writes", "disk full");
  telling.alarm("this process no longer owns the factory", "another took over");
  clock.advance(600_000);
  telling.alarm("the store does not take writes", "disk full");
  await telling.stop();
  expect(sent.map(({ channel, message }) => [channel, message.severity, message.notes[0]?.title])).toEqual([["desktop", "urgent", "the store does not take writes"], ["desktop", "urgent", "this process no longer owns the factory"], ["desktop", "urgent", "the store does not take writes"]]);
  expect(sent[0]?.message.notes[0]?.text).toBe("disk full at [secret]");
  expect(new Set(sent.map(({ message }) => message.id)).size).toBe(2 + 1);
});
