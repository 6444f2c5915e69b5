// What every store promises, whatever it is made of.
import { Effect } from "effect";
import { afterEach, describe, expect, test } from "vitest";
import type { Address } from "../../src/domain/ids.ts";
import type { Commit, StoreShape } from "../../src/ports/store.ts";
import type { StoreLocation } from "../../src/store/open.ts";
import { type Opened, outcome, owner, reader, run } from "./opened.ts";

const a: Address = "item/LOC-1/1";
const b: Address = "item/LOC-2/1";
const p: Address = "pipeline/LOC-1/1";
const event = (type: string): string => JSON.stringify({ type, at: 0 });
const commit = (actor: Address, seq: number, more: Partial<Commit> = {}): Commit => ({ actor, seq, at: 1_000 + seq, event: event(`e${seq}`), ...more });

/** `place` gives an empty store of its kind at each call. */
export const storeContract = (name: string, place: () => Promise<StoreLocation>): void => {
  const open: Opened<unknown>[] = [];
  const own = async (location: StoreLocation, takeOver = false): Promise<StoreShape> => {
    const it = await owner(location, { takeOver });
    open.push(it);
    return it.store;
  };
  const close = async (): Promise<void> => {
    for (const it of open.splice(0).reverse()) await it.close();
  };
  afterEach(close);

  describe(`the store contract on ${name}`, () => {
    test("a new store is empty and its first owner is number 1", async () => {
      const store = await own(await place());
      expect(store.generation).toBe(1);
      expect(await run(store.lastGeneration)).toBe(1);
      expect(await run(store.load(a))).toEqual({ events: [] });
      expect(await run(Effect.all([store.views(), store.journal({}), store.outbox, store.alarms, store.deadLetters, store.mail(0)]))).toEqual([[], [], [], [], [], []]);
    });

    test("a commit changes everything it names, and the next owner finds it", async () => {
      const location = await place();
      const first = await own(location);
      await run(first.commit([
        commit(a, 1, { mail: [{ to: p, event: event("m1") }, { to: b, event: event("m2") }], effects: [{ kind: "run", payload: "{}" }, { kind: "notify", payload: "[1]" }], alarms: [{ name: "retry", at: 5 }], view: '{"v":1}' }),
        commit(a, 2, { snapshot: { machine: "workItem", version: 1, state: '{"s":2}' } }),
        commit(a, 3, { view: '{"v":3}' }),
        commit(p, 1, { view: '{"p":1}' }),
      ]));
      await close();
      const store = await own(location);
      expect(store.generation).toBe(2);
      expect((await run(store.journal({}))).map((row) => [row.position, row.actor, row.seq, row.generation, row.event, row.at])).toEqual([
        [1, a, 1, 1, event("e1"), 1_001], [2, a, 2, 1, event("e2"), 1_002], [3, a, 3, 1, event("e3"), 1_003], [4, p, 1, 1, event("e1"), 1_001],
      ]);
      const loaded = await run(store.load(a));
      expect(loaded.snapshot).toEqual({ machine: "workItem", version: 1, seq: 2, state: '{"s":2}' });
      expect(loaded.events.map((row) => row.seq)).toEqual([3]);
      expect((await run(store.load(p))).snapshot).toBeUndefined();
      expect((await run(store.mail(0))).map((row) => [row.to, row.event, row.at])).toEqual([[p, event("m1"), 1_001], [b, event("m2"), 1_001]]);
      expect(await run(store.outbox)).toEqual([
        { key: `${a}:1:effect:0`, actor: a, kind: "run", payload: "{}", at: 1_001, attempts: 0 },
        { key: `${a}:1:effect:1`, actor: a, kind: "notify", payload: "[1]", at: 1_001, attempts: 0 },
      ]);
      expect(await run(store.views())).toEqual([{ actor: a, seq: 3, view: '{"v":3}', updatedAt: 1_003 }, { actor: p, seq: 1, view: '{"p":1}', updatedAt: 1_001 }]);
      expect((await run(store.views("pipeline"))).map((row) => row.actor)).toEqual([p]);
      expect(await run(store.views("pipe"))).toEqual([]);
    });

    test("a batch is all or nothing, and a gap or a repeat in an actor's sequence is refused", async () => {
      const store = await own(await place());
      await run(store.commit([commit(a, 1)]));
      for (const wrong of [1, 3]) {
        expect(await outcome(store.commit([
          commit(b, 1, { mail: [{ to: a, event: event("m") }], effects: [{ kind: "run", payload: "{}" }], alarms: [{ name: "x", at: 1 }], view: "{}", snapshot: { machine: "m", version: 1, state: "{}" } }),
          commit(b, 2),
          commit(a, wrong),
        ]))).toBe("StoreFenced");
      }
      expect(await run(store.load(b))).toEqual({ events: [] });
      expect(await run(Effect.all([store.mail(0), store.outbox, store.alarms, store.views()]))).toEqual([[], [], [], []]);
      // The refusal is of that batch alone.
      await run(store.commit([commit(b, 1), commit(a, 2), commit(b, 2)]));
      const rows = await run(store.journal({}));
      expect(rows.map((row) => `${row.actor} ${row.seq}`)).toEqual([`${a} 1`, `${b} 1`, `${a} 2`, `${b} 2`]);
      expect(rows.every((row, i) => i === 0 || row.position > (rows[i - 1]?.position ?? 0))).toBe(true);
    });

    test("an empty batch is a batch", async () => {
      const store = await own(await place());
      await run(store.commit([]));
      expect(await run(store.journal({}))).toEqual([]);
    });

    test("the row that caused an event goes with its commit, and only then", async () => {
      const store = await own(await place());
      await run(store.commit([commit(a, 1, { effects: [{ kind: "run", payload: "{}" }], alarms: [{ name: "retry", at: 5 }, { name: "other", at: 6 }], mail: [{ to: b, event: event("m") }] })]));
      const [letter] = await run(store.mail(0));
      const key = `${a}:1:effect:0`;
      expect(await outcome(store.commit([commit(b, 1, { cause: { row: "mail", id: letter?.id ?? 0 } }), commit(a, 9)]))).toBe("StoreFenced");
      expect(await run(store.mail(0))).toHaveLength(1);
      await run(store.commit([commit(b, 1, { cause: { row: "mail", id: letter?.id ?? 0 } }), commit(a, 2, { cause: { row: "outbox", key } }), commit(a, 3, { cause: { row: "alarm", name: "retry" } })]));
      expect(await run(Effect.all([store.mail(0), store.outbox]))).toEqual([[], []]);
      expect(await run(store.alarms)).toEqual([{ actor: a, name: "other", at: 6 }]);
      // An alarm that went off may set itself again in the same commit.
      await run(store.commit([commit(a, 4, { cause: { row: "alarm", name: "other" }, alarms: [{ name: "other", at: 60 }] })]));
      expect(await run(store.alarms)).toEqual([{ actor: a, name: "other", at: 60 }]);
    });

    test("alarms are set, replaced, cleared, and dropped at the end of their actor; earliest first", async () => {
      const store = await own(await place());
      await run(store.commit([commit(a, 1, { alarms: [{ name: "x", at: 50 }, { name: "y", at: 20 }] }), commit(b, 1, { alarms: [{ name: "x", at: 30 }] })]));
      expect((await run(store.alarms)).map((row) => [row.actor, row.name, row.at])).toEqual([[a, "y", 20], [b, "x", 30], [a, "x", 50]]);
      await run(store.commit([commit(a, 2, { alarms: [{ name: "x", at: 5 }, { name: "y", at: null }, { name: "z", at: 1 }, { name: "z", at: 2 }] })]));
      expect((await run(store.alarms)).map((row) => [row.actor, row.name, row.at])).toEqual([[a, "z", 2], [a, "x", 5], [b, "x", 30]]);
      await run(store.commit([commit(a, 3, { final: true, alarms: [{ name: "late", at: 9 }] })]));
      expect((await run(store.alarms)).map((row) => [row.actor, row.name, row.at])).toEqual([[b, "x", 30]]);
    });

    test("within one batch later commits act on what earlier ones did", async () => {
      const store = await own(await place());
      await run(store.commit([
        commit(a, 1, { effects: [{ kind: "run", payload: "{}" }, { kind: "keep", payload: "{}" }], alarms: [{ name: "x", at: 1 }, { name: "y", at: 1 }], view: "1", snapshot: { machine: "m", version: 1, state: "1" } }),
        commit(a, 2, { cause: { row: "outbox", key: `${a}:1:effect:0` }, alarms: [{ name: "x", at: null }], view: "2", snapshot: { machine: "m", version: 2, state: "2" } }),
        commit(a, 3, { final: true }),
        commit(a, 4, { alarms: [{ name: "y", at: 7 }] }),
      ]));
      expect((await run(store.outbox)).map((row) => row.kind)).toEqual(["keep"]);
      expect(await run(store.alarms)).toEqual([{ actor: a, name: "y", at: 7 }]);
      expect((await run(store.views())).map((row) => [row.seq, row.view])).toEqual([[2, "2"]]);
      const { snapshot, events } = await run(store.load(a));
      expect([snapshot?.seq, events.map((row) => row.seq)]).toEqual([2, [3, 4]]);
    });

    test("mail keeps its order, pages by id, and an id is never used again", async () => {
      const store = await own(await place());
      await run(store.enqueue(a, event("1"), 1));
      await run(store.commit([commit(b, 1, { mail: [{ to: a, event: event("2") }, { to: a, event: event("3") }] })]));
      await run(store.enqueue(a, event("4"), 4));
      const mail = await run(store.mail(0));
      expect(mail.map((row) => row.event)).toEqual(["1", "2", "3", "4"].map(event));
      expect((await run(store.mail(mail[1]?.id ?? 0))).map((row) => row.event)).toEqual([event("3"), event("4")]);
      await run(store.commit(mail.map((row, i) => commit(a, i + 1, { cause: { row: "mail", id: row.id } }))));
      await run(store.enqueue(a, event("5"), 5));
      const [next] = await run(store.mail(mail[3]?.id ?? 0));
      expect(next?.event).toBe(event("5"));
    });

    test("mail that waits is found by whom it is for, by the owner and by a reader, until it is taken", async () => {
      const location = await place();
      const store = await own(location);
      const it = await reader(location);
      open.push(it);
      for (const [to, n] of [[a, 1], [p, 2], [b, 3], [a, 4]] as const) await run(it.store.enqueue(to, event(`${n}`), n));
      for (const reads of [store, it.store]) {
        expect((await run(reads.mailTo(a))).map(({ to, event: text, at }) => [to, text, at])).toEqual([[a, event("1"), 1], [a, event("4"), 4]]);
        expect((await run(reads.mailTo("item/"))).map((row) => row.at)).toEqual([1, 3, 4]);
        expect(await run(reads.mailTo("items/"))).toEqual([]);
      }
      const [first] = await run(store.mailTo(a));
      await run(store.commit([commit(a, 1, { cause: { row: "mail", id: first?.id ?? 0 } })]));
      expect((await run(it.store.mailTo(a))).map((row) => row.at)).toEqual([4]);
    });

    test("a mailbox found empty again and again still shows what comes, from a commit or from a message", async () => {
      const store = await own(await place());
      for (let seq = 1; seq <= 3; seq++) {
        expect(await run(Effect.all([store.mail(0), store.mail(0)]))).toEqual([[], []]);
        await run(seq === 2 ? store.enqueue(a, event("m"), 2) : store.commit([commit(b, Math.ceil(seq / 2), { mail: [{ to: a, event: event("m") }] })]));
        const [letter] = await run(store.mail(0));
        expect(letter?.event).toBe(event("m"));
        await run(store.commit([commit(a, seq, { cause: { row: "mail", id: letter?.id ?? 0 } })]));
      }
    });

    test("the journal pages by position and by actor", async () => {
      const store = await own(await place());
      await run(store.commit(Array.from({ length: 10 }, (_, i) => commit(i % 2 === 0 ? a : b, Math.floor(i / 2) + 1))));
      await run(store.commit([commit("item/LOC-11/1", 1)]));
      const all = await run(store.journal({}));
      const paged: typeof all[number][] = [];
      for (let page = await run(store.journal({ limit: 4 })); page.length > 0; page = await run(store.journal({ limit: 4, after: page.at(-1)?.position ?? 0 }))) {
        expect(page.length).toBeLessThanOrEqual(4);
        paged.push(...page);
      }
      expect(paged).toEqual(all);
      expect((await run(store.journal({ actorPrefix: "item/LOC-1/" }))).map((row) => row.seq)).toEqual([1, 2, 3, 4, 5]);
      expect(await run(store.journal({ actorPrefix: "item/LOC-1" }))).toHaveLength(6);
      expect(await run(store.journal({ actorPrefix: "item/%" }))).toEqual([]);
      expect((await run(store.journal({ actorPrefix: b, after: all[5]?.position ?? 0, limit: 1 }))).map((row) => row.seq)).toEqual([4]);
    });

    test("attempts of an effect are counted", async () => {
      const store = await own(await place());
      await run(store.commit([commit(a, 1, { effects: [{ kind: "run", payload: "{}" }, { kind: "run", payload: "{}" }] })]));
      await run(store.attempt(`${a}:1:effect:1`));
      await run(store.attempt(`${a}:1:effect:1`));
      expect((await run(store.outbox)).map((row) => row.attempts)).toEqual([0, 2]);
    });

    test("a poisoned event goes to the dead letters, and its cause with it", async () => {
      const store = await own(await place());
      await run(store.enqueue(a, event("poison"), 1));
      const [letter] = await run(store.mail(0));
      await run(store.deadLetter({ actor: a, event: event("poison"), error: "it threw \0 \uD800", stack: "at x", at: 7 }, { row: "mail", id: letter?.id ?? 0 }));
      await run(store.deadLetter({ actor: b, event: event("other"), error: "e", stack: "s", at: 8 }, undefined));
      expect(await run(store.mail(0))).toEqual([]);
      expect((await run(store.deadLetters)).map((row) => ({ ...row, id: 0 }))).toEqual([
        { id: 0, actor: a, event: event("poison"), error: "it threw \u{FFFD} \u{FFFD}", stack: "at x", at: 7 },
        { id: 0, actor: b, event: event("other"), error: "e", stack: "s", at: 8 },
      ]);
    });

    test("text comes back as it went in, a megabyte of it too", async () => {
      const store = await own(await place());
      const hostile = JSON.stringify({ type: "x", title: `"; rm -rf / #{ ' \\ \n \0 한글 😀 {"a",null,NULL} ${"y".repeat(1_000_000)}` });
      await run(store.commit([commit(a, 1, { event: hostile, view: hostile, effects: [{ kind: "k", payload: hostile }], mail: [{ to: a, event: hostile }], snapshot: { machine: "m", version: 1, state: hostile } })]));
      const { snapshot } = await run(store.load(a));
      const found = [(await run(store.journal({})))[0]?.event, (await run(store.views()))[0]?.view, (await run(store.outbox))[0]?.payload, (await run(store.mail(0)))[0]?.event, snapshot?.state];
      for (const text of found) expect(text === hostile).toBe(true);
    });

    test("a second owner is refused while the first lives, and told what to do", async () => {
      const location = await place();
      const first = await own(location);
      const refused = await owner(location).catch((error: unknown) => error);
      expect(refused).toMatchObject({ _tag: "StoreOwned" });
      expect(String(refused)).toMatch(/stop it first|close it first/);
      await run(first.commit([commit(a, 1)]));
      expect(await run(first.lastGeneration)).toBe(1);
      await close();
      expect((await own(location)).generation).toBe(2);
    });

    test("an owner that was taken over can never write again", async () => {
      const location = await place();
      const old = await own(location);
      await run(old.commit([commit(a, 1, { effects: [{ kind: "run", payload: "{}" }] })]));
      const fresh = await own(location, true);
      expect(fresh.generation).toBe(2);
      expect(await outcome(old.commit([commit(a, 2)]))).toBe("StoreFenced");
      expect(await outcome(old.attempt(`${a}:1:effect:0`))).toBe("StoreFenced");
      expect(await outcome(old.deadLetter({ actor: a, event: "{}", error: "", stack: "", at: 0 }, undefined))).toBe("StoreFenced");
      expect(await outcome(old.stillOwner)).toBe("StoreFenced");
      expect(await outcome(fresh.stillOwner)).toBe("ok");
      await run(fresh.commit([commit(a, 2)]));
      expect((await run(fresh.journal({}))).map((row) => [row.seq, row.generation])).toEqual([[1, 1], [2, 2]]);
      expect((await run(fresh.outbox)).map((row) => row.attempts)).toEqual([0]);
    });

    test("mail from elsewhere is hinted at, every time, until nobody wants to know", async () => {
      const location = await place();
      const store = await own(location);
      const other = await reader(location);
      open.push(other);
      let hints = 0;
      const stop = store.onMail(() => { hints += 1; });
      for (let n = 1; n <= 3; n++) {
        // What still comes of the message before must not count for this one.
        await expect.poll(async () => { const before = hints; await run(store.stillOwner); return hints - before; }).toBe(0);
        const before = hints;
        await run(other.store.enqueue(a, event(`${n}`), n));
        await expect.poll(() => hints, { timeout: 10_000 }).toBeGreaterThan(before);
        expect(await run(store.mail(0))).toHaveLength(n);
      }
      stop();
      const before = hints;
      await run(other.store.enqueue(a, event("4"), 4));
      await run(store.stillOwner);
      expect(hints).toBe(before);
    });

    test("a reader sees what is committed and leaves mail for the owner, in order", async () => {
      const location = await place();
      const store = await own(location);
      const one = await reader(location);
      open.push(one);
      const two = await reader(location);
      open.push(two);
      await run(store.commit([commit(a, 1, { view: "{}" })]));
      expect(await run(one.store.views())).toEqual(await run(store.views()));
      expect(await run(one.store.load(a))).toEqual(await run(store.load(a)));
      expect(await run(one.store.lastGeneration)).toBe(1);
      for (let i = 0; i < 20; i++) await run((i % 2 === 0 ? one : two).store.enqueue(a, event(`${i}`), i));
      expect((await run(store.mail(0))).map((row) => row.event)).toEqual(Array.from({ length: 20 }, (_, i) => event(`${i}`)));
    });

    test("after the Scope ended the store refuses, and does not hang", async () => {
      const it = await owner(await place());
      await it.close();
      expect(await outcome(it.store.commit([commit(a, 1)]))).toBe("StoreFenced");
    });
  });
};
