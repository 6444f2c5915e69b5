/**
 * What every source of work items owes to its factory, whatever it is made of. Each source brings a room of its own: the real source over a directory, or over
 * a strict stand-in of its protocol.
 */
import { Effect, Result } from "effect";
import { describe, expect, test } from "vitest";
import { WorkItemId } from "../../src/domain/ids.ts";
import { WorkItem } from "../../src/domain/work-item.ts";
import type { Found, SourceShape, SourceTrouble } from "../../src/ports/source.ts";

/** Faults that a source over a wire has, each until it is taken back. */
export type WireFault = "down" | "refuses" | "slow" | "expired" | "limited" | "server error" | "later pages fail" | "expires midway" | "repeats a page" | "no JSON";

export interface Room {
  readonly source: SourceShape;
  /** An open item; answers with the source's own id of it. `created` as the source writes times. */
  readonly add: (title: string, more?: { readonly created?: string }) => Promise<string>;
  /** Many at once. */
  readonly addMany: (count: number) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  /** A field that it must have is lost. */
  readonly spoil: (id: string) => Promise<void>;
  /** It is not there, and nothing is where it was. */
  readonly vanish: () => Promise<() => Promise<void>>;
  readonly close: () => Promise<void>;
  /** Of sources over a wire only. */
  readonly wire?: {
    readonly fault: (fault: WireFault | undefined) => void;
    /** Requests so far. */
    readonly requests: () => number;
    readonly move: (id: string, to: "open" | "held" | "closed") => void;
    /** A list and the records behind it disagree: it answers without this item. */
    readonly omit: (id: string | undefined) => void;
    readonly status: (id: string) => { readonly state: string; readonly marks: readonly string[]; readonly gates: readonly string[] };
    /** Somebody else writes there what looks like ours. */
    readonly forge: (id: string) => void;
    /** The next push is carried out, and its answer to this step is lost. */
    readonly loseAnswer: (step: number) => void;
    readonly open: string;
    readonly done: string;
  };
}

const item = WorkItemId.parse("AZ-7");
const open = (source: SourceShape) => Effect.runPromise(source.byStates(["open"]));
const failure = async <A>(effect: Effect.Effect<A, SourceTrouble>): Promise<SourceTrouble["_tag"] | "it went well"> => {
  const result = await Effect.runPromise(Effect.result(effect));
  return Result.isFailure(result) ? result.failure._tag : "it went well";
};
const titles = (found: readonly Found[]): readonly string[] => found.map(({ item: { title } }) => title).toSorted();

export const sourceContract = (name: string, over: "files" | "wire", makeRoom: () => Promise<Room>): void => {
  const inRoom = (says: string, check: (room: Room) => Promise<void>): void => {
    test(says, async () => {
      const room = await makeRoom();
      try {
        await check(room);
      } finally {
        await room.close();
      }
    });
  };
  const overWire = (says: string, check: (room: Room, wire: NonNullable<Room["wire"]>) => Promise<void>): void => {
    if (over === "wire") inRoom(says, async (room) => {
      if (room.wire === undefined) throw new Error("a source over a wire has a room with one");
      await check(room, room.wire);
    });
  };

  describe(`${name}: the contract of a source`, () => {
    inRoom("what is there is found once, as the domain takes it, and again the same", async (room) => {
      const ids = [await room.add("One"), await room.add("Two")];
      const { found, malformed } = await open(room.source);
      expect(malformed).toEqual([]);
      expect(found.map(({ item: { sourceId } }) => sourceId).toSorted()).toEqual(ids.toSorted());
      for (const { item: each, standing } of found) {
        expect(standing).toBe("open");
        expect(each.source).toBe(room.source.kind);
        WorkItem.parse({ ...each, id: "LOC-1" });
      }
      expect(await open(room.source)).toEqual({ found, malformed });
      const byId = await Effect.runPromise(room.source.byIds(ids));
      for (const each of found) expect(byId.get(each.item.sourceId)).toEqual(each);
    });

    inRoom("nothing asked for is nothing answered, without a request", async (room) => {
      const before = room.wire?.requests();
      expect((await Effect.runPromise(room.source.byIds([]))).size).toBe(0);
      expect(await Effect.runPromise(room.source.byStates([]))).toEqual({ found: [], malformed: [] });
      expect(room.wire?.requests()).toBe(before);
    });

    inRoom("what is not there is absent by its id alone, with why; others are found beside it", async (room) => {
      const kept = await room.add("Kept"), gone = await room.add("Gone");
      await room.remove(gone);
      const answers = await Effect.runPromise(room.source.byIds([kept, gone]));
      expect([...answers.keys()].toSorted()).toEqual([kept, gone].toSorted());
      expect(answers.get(gone)).toEqual({ absent: expect.stringMatching(/./) });
      expect(answers.get(kept)).toMatchObject({ standing: "open" });
      expect(titles((await open(room.source)).found)).toEqual(["Kept"]);
    });

    inRoom("a record that lost a field hides no other in a list, and fails who asks for it", async (room) => {
      const good = await room.add("Good"), bad = await room.add("Bad");
      await room.spoil(bad);
      const { found, malformed } = await open(room.source);
      expect(titles(found)).toEqual(["Good"]);
      expect(malformed).toHaveLength(1);
      expect(malformed[0]?.problem).not.toBe("");
      expect(await failure(room.source.byIds([bad]))).toBe("SourceMisread");
      expect(await failure(room.source.byIds([good]))).toBe("it went well");
    });

    inRoom("a source that is not there fails the read, and is whole again when it is back", async (room) => {
      await room.add("One");
      const back = await room.vanish();
      expect(await failure(room.source.byStates(["open"]))).toBe("SourceUnavailable");
      expect(await failure(room.source.byIds(["1"]))).toBe("SourceUnavailable");
      await back();
      expect(titles((await open(room.source)).found)).toEqual(["One"]);
    });

    inRoom("an hour that the clocks gave twice keeps its order", async (room) => {
      await room.add("second", { created: "2026-10-25T02:10:00+01:00" });
      await room.add("first", { created: "2026-10-25T02:50:00+02:00" });
      const created = new Map((await open(room.source)).found.map(({ item: { title, createdAt } }) => [title, createdAt]));
      expect((created.get("second") ?? 0) - (created.get("first") ?? 0)).toBe(20 * 60_000);
    });

    inRoom("ten thousand open items are one read, each once", async (room) => {
      await room.addMany(10_000);
      const before = room.wire?.requests() ?? 0;
      const { found, malformed } = await open(room.source);
      expect(malformed).toEqual([]);
      expect(new Set(found.map(({ item: { sourceId } }) => sourceId)).size).toBe(10_000);
      expect(found).toHaveLength(10_000);
      // Pages, and no request for each item.
      expect((room.wire?.requests() ?? 0) - before).toBeLessThan(150);
    });

    overWire("each trouble has its own name, and passes with its cause", async (room, wire) => {
      await room.add("One");
      const names: Readonly<Partial<Record<WireFault, SourceTrouble["_tag"]>>> = { refuses: "SourceUnavailable", slow: "SourceUnavailable", "server error": "SourceUnavailable", expired: "SourceDenied", "no JSON": "SourceMisread" };
      for (const fault of ["refuses", "slow", "server error", "expired", "no JSON"] as const) {
        wire.fault(fault);
        expect([fault, await failure(room.source.byStates(["open"]))]).toEqual([fault, names[fault]]);
        wire.fault(undefined);
        expect(titles((await open(room.source)).found)).toEqual(["One"]);
      }
    });

    overWire("one that says to come later is not asked before", async (room, wire) => {
      await room.add("One");
      wire.fault("limited");
      const result = await Effect.runPromise(Effect.result(room.source.byStates(["open"])));
      expect(Result.isFailure(result) ? result.failure : undefined).toMatchObject({ _tag: "SourceLimited", until: expect.any(Number) });
      wire.fault(undefined);
      const before = wire.requests();
      expect(await failure(room.source.byStates(["open"]))).toBe("SourceLimited");
      expect(wire.requests()).toBe(before);
    });

    overWire("a page that fails, or a token that expires midway, fails the whole; a page that comes again brings nothing twice", async (room, wire) => {
      await room.addMany(450);
      for (const [fault, name_] of [["later pages fail", "SourceUnavailable"], ["expires midway", "SourceDenied"]] as const) {
        wire.fault(fault);
        expect(await failure(room.source.byStates(["open"]))).toBe(name_);
        wire.fault(undefined);
        expect((await open(room.source)).found).toHaveLength(450);
      }
      wire.fault("repeats a page");
      const repeated = await Effect.runPromise(Effect.result(room.source.byStates(["open"])));
      if (Result.isSuccess(repeated)) expect(new Set(repeated.success.found.map(({ item: { sourceId } }) => sourceId)).size).toBe(repeated.success.found.length);
      else expect(repeated.failure._tag).toBe("SourceMisread");
    });

    overWire("an item that is missing from an answer is asked for alone before it is anything", async (room, wire) => {
      const id = await room.add("Left out");
      wire.omit(id);
      expect((await open(room.source)).found).toEqual([]);
      expect((await Effect.runPromise(room.source.byIds([id]))).get(id)).toMatchObject({ standing: "open" });
    });

    overWire("how it stands there is how it stands here", async (room, wire) => {
      const id = await room.add("Moves");
      for (const to of ["held", "closed", "open"] as const) {
        wire.move(id, to);
        expect((await Effect.runPromise(room.source.byIds([id]))).get(id)).toMatchObject({ standing: to });
        expect((await open(room.source)).found.map(({ item: { sourceId } }) => sourceId)).toEqual(to === "open" ? [id] : []);
      }
    });

    overWire("gates and the end are told, in one comment; the same again changes nothing; and it is all recalled", async (room, wire) => {
      const id = await room.add("Told");
      const push = (set: Parameters<SourceShape["push"]>[0]["set"]) => Effect.runPromise(room.source.push({ item, source: room.source.kind, sourceId: id, set }));
      expect(await Effect.runPromise(room.source.recall(id))).toBeUndefined();
      await push({ gates: { implementationComplete: true, testsPassed: true } });
      expect(wire.status(id)).toMatchObject({ state: wire.open, gates: ["implementationComplete", "testsPassed"] });
      await push({ gates: { testsPassed: false, reviewPassed: true } });
      await push({ status: "done", published: "branch enact/AZ-7 <&> {x}" });
      const told = wire.status(id), before = JSON.stringify(told);
      expect(told.state).toBe(wire.done);
      expect(told.gates).toEqual(["implementationComplete", "reviewPassed"]);
      expect(told.marks).toHaveLength(1);
      await push({ status: "done", published: "branch enact/AZ-7 <&> {x}" });
      expect(JSON.stringify(wire.status(id))).toBe(before);
      expect(await Effect.runPromise(room.source.recall(id))).toMatchObject({ id: item, status: "done", gates: ["implementationComplete", "reviewPassed"], published: "branch enact/AZ-7 <&> {x}" });
    });

    overWire("what others write that looks like ours is not recalled", async (room, wire) => {
      const id = await room.add("Forged");
      wire.forge(id);
      expect(await Effect.runPromise(room.source.recall(id))).toBeUndefined();
    });

    overWire("whichever answer of a push is lost, the same push again leaves the same, once", async (room, wire) => {
      for (let step = 0; step < 6; step++) {
        const id = await room.add(`Step ${step}`);
        const push = (set: Parameters<SourceShape["push"]>[0]["set"]) => room.source.push({ item, source: room.source.kind, sourceId: id, set });
        await Effect.runPromise(push({ gates: { implementationComplete: true } }));
        wire.loseAnswer(step);
        const first = await Effect.runPromise(Effect.result(push({ status: "done" })));
        wire.loseAnswer(-1);
        if (Result.isFailure(first)) await Effect.runPromise(push({ status: "done" }));
        expect([step, wire.status(id)]).toMatchObject([step, { state: wire.done, gates: ["implementationComplete"] }]);
        expect(wire.status(id).marks).toHaveLength(1);
      }
    });

    overWire("a push to a source in trouble says which, and one to what is not there is refused for good", async (room, wire) => {
      const id = await room.add("Told later");
      const push = (sourceId: string) => Effect.runPromise(Effect.result(room.source.push({ item, source: room.source.kind, sourceId, set: { gates: { testsPassed: true } } })));
      const tag = (result: Awaited<ReturnType<typeof push>>): string => (Result.isFailure(result) ? result.failure._tag : "told");
      for (const [fault, name_] of [["refuses", "SourceUnavailable"], ["expired", "SourceDenied"]] as const) {
        wire.fault(fault);
        expect(tag(await push(id))).toBe(name_);
      }
      wire.fault(undefined);
      await room.remove(id);
      expect(tag(await push(id))).toBe("PushRefused");
    });
  });
};
