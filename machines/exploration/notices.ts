import type { AnyMachineSnapshot } from "xstate";
import { messageOf, type Note } from "../../src/domain/notice.ts";
import type { Exploration } from "../catalog.ts";
import { keptTimes, type NoticesContext, type NoticesEvent } from "../notices.ts";
import { asked, asksNothing, at, ignored, implies, now, same, stamped } from "./reading.ts";

const contextOf = (snapshot: AnyMachineSnapshot): NoticesContext => snapshot.context;
const noteOf = (key: string): Note => ({ key, kind: "question", severity: "attention", ref: "LOC-1", item: null, title: "", text: "", commands: [], since: 1, ended: false });
const batchOf = (...keys: readonly string[]) => stamped({ type: "batch" as const, keys, message: messageOf(`m-${keys.join("-")}`, keys.map(noteOf), 1, false) });

const batches = [batchOf("LOC-1|a"), batchOf("LOC-2|b"), batchOf("LOC-1|a", "LOC-2|b"), batchOf()];
const forgets = [stamped({ type: "forgot" as const, keys: ["LOC-1|a"] }), stamped({ type: "forgot" as const, keys: ["LOC-2|b", "LOC-3|unknown"] })];
const told = stamped({ type: "notify.told" as const }), dropped = stamped({ type: "notify.dropped" as const }), gaveUp = stamped({ type: "notify.gaveUp" as const, why: "a day" });
const trouble = stamped({ type: "notify.trouble" as const, why: "x".repeat(400) });
const failed = stamped({ type: "effect.failed" as const, kind: "notify" as const, class: "defect" as const, message: "unreadable" });
const alphabet: readonly NoticesEvent[] = [...batches, ...forgets, told, dropped, gaveUp, trouble, failed];
const ends = new Set<unknown>([told, dropped, gaveUp, failed]);

export const exploration: Exploration = {
  inputs: [{ name: "a channel", input: { channel: "team", since: 1 } }],
  events: [...alphabet],
  unattended: [told, gaveUp, failed],
  // The count of messages only goes on.
  abstraction: (snapshot) => {
    const c = contextOf(snapshot);
    return [snapshot.value, c.told.toSorted(), c.open && [c.open.notes, c.open.trouble.length], c.lastAt === null, c.lost && [c.lost.notes, c.lost.why], Math.min(c.count, 3)];
  },
  restStates: ["quiet"],
  states: [
    { name: "I1 no key twice", holds: (s) => new Set(contextOf(s).told).size === contextOf(s).told.length },
    { name: "I2 a message is under way exactly while it tells", holds: (s) => (contextOf(s).open !== null) === at(s, "telling") },
    { name: "what is kept is bounded", holds: (s) => contextOf(s).times.length === Math.min(contextOf(s).count, keptTimes) && (contextOf(s).open?.trouble.length ?? 0) <= 300 },
  ],
  first: [asksNothing, { name: "nothing was told", holds: ({ to }) => same(contextOf(to), { channel: "team", since: 1, count: 0, told: [], open: null, times: [], lastAt: null, lost: null }) }],
  edges: [
    { name: "I1 a batch is sent when all of it is new and nothing is under way, and is ignored otherwise", holds: (e) => {
      const batch = batches.find((each) => each === e.event), from = contextOf(e.from);
      if (batch === undefined) return asked(e, "notify").length === 0;
      if (!at(e.from, "quiet") || batch.keys.length === 0 || batch.keys.some((key) => from.told.includes(key))) return ignored(e);
      const to = contextOf(e.to);
      return at(e.to, "telling") && same(asked(e, "notify"), [{ kind: "notify", channel: "team", message: batch.message }]) && batch.keys.every((key) => to.told.includes(key)) && same(to.open, { notes: batch.keys.length, since: now, trouble: "" }) && to.count === from.count + 1 && to.times.at(-1) === now;
    } },
    { name: "I2 an answer frees the channel, and means nothing without a message", holds: (e) => implies(ends.has(e.event), () => (at(e.from, "telling") ? at(e.to, "quiet") && same(contextOf(e.to).told, contextOf(e.from).told) : ignored(e))) },
    { name: "I3 what was given up is said, with how much it was; what was told or dropped leaves that as it was", holds: (e) => {
      const from = contextOf(e.from), to = contextOf(e.to);
      if (!at(e.from, "telling")) return same(from.lost, to.lost) && from.lastAt === to.lastAt;
      if (e.event === gaveUp || e.event === failed) return same(to.lost, { at: now, notes: from.open?.notes, why: e.event === gaveUp ? gaveUp.why : failed.message }) && to.lastAt === from.lastAt;
      return same(from.lost, to.lost) && to.lastAt === (e.event === told ? now : from.lastAt);
    } },
    { name: "what holds no more is forgotten, and nothing else is", holds: (e) => implies(forgets.some((each) => each === e.event), () => { const gone: readonly string[] = forgets.find((each) => each === e.event)?.keys ?? []; return same(contextOf(e.to).told, contextOf(e.from).told.filter((key) => !gone.includes(key))) && same(contextOf(e.to).open, contextOf(e.from).open) && same(e.from.value, e.to.value); }) },
    { name: "trouble is kept with the message under way", holds: (e) => implies(e.event === trouble, () => (at(e.from, "telling") ? contextOf(e.to).open?.trouble === trouble.why.slice(0, 300) && at(e.to, "telling") : ignored(e))) },
  ],
};
