import { Effect } from "effect";
import { expect, test } from "vitest";
import { StoreFull } from "../../src/ports/store.ts";
import { memoryState, openMemoryOwner } from "../../src/store/open.ts";
import { storeContract } from "./contract.ts";
import { outcome } from "./opened.ts";

storeContract("memory", async () => ({ kind: "memory", state: memoryState() }));

test("a store in memory fails on demand, once, and changes nothing then", async () => {
  await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const store = yield* openMemoryOwner(memoryState());
    const write = store.commit([{ actor: "item/LOC-1/1", seq: 1, at: 1, event: "{}" }]);
    store.failNext(new StoreFull({ message: "no room" }));
    expect(yield* Effect.promise(() => outcome(write))).toBe("StoreFull");
    expect(yield* store.journal({})).toEqual([]);
    expect(yield* Effect.promise(() => outcome(write))).toBe("ok");
    expect(yield* store.journal({})).toHaveLength(1);
  })));
});
