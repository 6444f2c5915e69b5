/** The board under arbitrary sequences of operations by arbitrary, also confused, workers: the header's promises as properties. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addFix, type Board, boardOf, cancel, cancelAll, claim, complete, conflicted, emptyBoard, expire, fail, givenUp, hold, isMergeable, isOver, merged, mostTasks, nextFor, nextLapse, type Outcome, reclaim, refusalText, release, renew, type Task, taskOf, unfinished,
} from "../../src/domain/board.ts";
import { PlannedTask } from "../../src/domain/team-answers.ts";

const workers = ["worker-1", "worker-2", "worker-3"] as const;
const leaseMs = 100, cap = 2, depth = 2;
const task = (title: string, ...dependsOn: number[]): PlannedTask => PlannedTask.parse({ title, dependsOn });
const good = { commit: "c", checks: "1/1", summary: "done" };

/** Plans whose dependencies point backwards; cycles are refused before there is a board. */
const plans = fc.integer({ min: 1, max: 6 }).chain((size) => fc.tuple(...Array.from({ length: size }, (_, n) => fc.uniqueArray(fc.integer({ min: 1, max: Math.max(1, n) }), { maxLength: n })))).map((all) => all.map((on, n) => task(`task ${n + 1}`, ...on)));

const who = fc.constantFrom(...workers), id = fc.integer({ min: 1, max: 9 }), token = fc.integer({ min: 0, max: 4 });
const operations = fc.oneof(
  fc.record({ op: fc.constant("claim" as const), who, id }), fc.record({ op: fc.constant("next" as const), who }),
  fc.record({ op: fc.constantFrom("renew" as const, "release" as const, "complete" as const, "fail" as const), who, id, token, /** Mostly people know what they have. */ true: fc.nat(3).map((n) => n > 0) }),
  fc.record({ op: fc.constantFrom("merged" as const, "conflicted" as const, "cancel" as const), id }), fc.record({ op: fc.constantFrom("die" as const, "leave" as const), who }),
  fc.record({ op: fc.constant("tick" as const), by: fc.constantFrom(1, leaseMs / 2, leaseMs) }), fc.record({ op: fc.constant("fix" as const), on: fc.option(id) }),
);
type Operation = typeof operations extends fc.Arbitrary<infer T> ? T : never;

interface World { readonly board: Board; readonly at: number }
const apply = ({ board, at }: World, operation: Operation): { readonly world: World; readonly outcome: Outcome | undefined } => {
  const of = (outcome: Outcome): { readonly world: World; readonly outcome: Outcome } => ({ world: { board: outcome.ok ? outcome.board : board, at }, outcome });
  const tokenOf = (o: { readonly id: number; readonly token: number; readonly true: boolean }): number => (o.true ? (taskOf(board, o.id)?.fence ?? 0) : o.token);
  const ownerOf = (o: { readonly id: number; readonly who: string; readonly true: boolean }): string => (o.true ? (taskOf(board, o.id)?.owner ?? o.who) : o.who);
  switch (operation.op) {
    case "claim": return of(claim(board, operation.who, operation.id, at, leaseMs));
    case "next": { const next = nextFor(board, operation.who, new Set(workers)); return next ? of(claim(board, operation.who, next.id, at, leaseMs)) : { world: { board, at }, outcome: undefined }; }
    case "renew": return of(renew(board, ownerOf(operation), operation.id, tokenOf(operation), at, leaseMs));
    case "release": return of(release(board, ownerOf(operation), operation.id, tokenOf(operation)));
    case "complete": return of(complete(board, ownerOf(operation), operation.id, tokenOf(operation), good));
    case "fail": return of(fail(board, ownerOf(operation), operation.id, tokenOf(operation), "it did not work", cap));
    case "merged": return of(merged(board, operation.id));
    case "conflicted": return of(conflicted(board, operation.id, ["a.ts"], "both changed it", depth));
    case "cancel": return of(cancel(board, operation.id, "not wanted"));
    case "die": return { world: { board: reclaim(board, operation.who, { counts: true, reason: "it died", attempts: cap }).board, at }, outcome: undefined };
    case "leave": return { world: { board: reclaim(board, operation.who, { counts: false, reason: "it left", attempts: cap }).board, at }, outcome: undefined };
    case "tick": { const now = at + operation.by; return { world: { board: expire(board, now, leaseMs / 4, cap).board, at: now }, outcome: undefined }; }
    case "fix": return of(addFix(board, task("fix"), operation.on));
  }
};

const sound = (board: Board): void => {
  board.tasks.forEach((each, n) => {
    expect(each.id).toBe(n + 1);
    // I1, and a lease exactly while somebody works.
    expect(each.owner !== null).toBe(each.state === "claimed" || each.state === "merging");
    if (each.leaseUntil !== null) expect(each.state).toBe("claimed");
    if (each.state === "claimed" || each.state === "merging" || each.state === "done") for (const on of each.dependsOn) expect(taskOf(board, on)?.state).toBe("done");
    if (each.state === "merging" || each.state === "done") expect(each.evidence).toEqual(good);
    if (each.state === "failed" || each.state === "cancelled") expect(each.reason).not.toBe("");
    expect(each.attempts).toBeGreaterThanOrEqual(0);
    expect(each.attempts).toBeLessThanOrEqual(Math.min(each.fence, cap));
    // What waits for the impossible is not left waiting.
    if (!isOver(each)) for (const on of each.dependsOn) expect(["failed", "cancelled"]).not.toContain(taskOf(board, on)?.state);
  });
};

test("one owner at a time, dependencies respected, nothing lost, the end absorbs, and a refusal changes nothing", () => {
  let refused = 0, claimed = 0;
  fc.assert(fc.property(plans, fc.array(operations, { maxLength: 60 }), (plan, list) => {
    const made = boardOf(plan);
    if (!made.ok) throw new Error(refusalText(made.refusal));
    let world: World = { board: made.board, at: 0 };
    sound(world.board);
    for (const operation of list) {
      const before = world.board, { world: next, outcome } = apply(world, operation);
      if (outcome && !outcome.ok) {
        refused++;
        expect(next.board).toBe(before);
        expect(refusalText(outcome.refusal)).not.toBe("");
      }
      sound(next.board);
      // I5, I4, and the fence only rises, by one, with a claim.
      expect(next.board.tasks.length).toBeGreaterThanOrEqual(before.tasks.length);
      for (const old of before.tasks) {
        const now = next.board.tasks[old.id - 1];
        if (isOver(old)) expect({ ...now, replacedBy: null }).toEqual({ ...old, replacedBy: null });
        const claims = old.state === "open" && now?.state === "claimed";
        expect(now?.fence).toBe(old.fence + (claims ? 1 : 0));
        if (claims) claimed++;
        // I2: from hand to hand only over an open task.
        if (old.owner !== null && now?.owner !== null) expect(now?.owner).toBe(old.owner);
      }
      world = next;
    }
    // Whatever happened, willing workers bring it to an end.
    for (let n = 0; n < 2_000 && unfinished(world.board).length > 0; n++) {
      let { board } = world;
      const late = world.at + 10 * leaseMs;
      board = expire(expire(board, late, 1, cap).board, late + 1, 1, cap).board;
      for (const worker of workers) {
        const next = nextFor(board, worker, new Set(workers));
        if (!next) continue;
        const taken = claim(board, worker, next.id, late, leaseMs);
        if (taken.ok) { const over = complete(taken.board, worker, next.id, taken.token, good); board = over.ok ? over.board : board; }
      }
      for (const each of board.tasks) if (isMergeable(board, each.id)) { const over = merged(board, each.id); board = over.ok ? over.board : board; }
      world = { board, at: late + 1 };
    }
    expect(unfinished(world.board)).toEqual([]);
  }), { numRuns: 400 });
  expect(refused).toBeGreaterThan(100);
  expect(claimed).toBeGreaterThan(100);
});

test("a stale token changes nothing, whoever brings it", () => {
  fc.assert(fc.property(fc.constantFrom("renew", "release", "complete", "fail"), who, (op, confused) => {
    const first = claim(must(boardOf([task("a")])), "worker-1", 1, 0, leaseMs);
    if (!first.ok) throw new Error();
    const again = claim(must(release(first.board, "worker-1", 1, first.token)), "worker-2", 1, 0, leaseMs);
    if (!again.ok) throw new Error();
    const late = op === "renew" ? renew(again.board, confused, 1, first.token, 9, leaseMs) : op === "release" ? release(again.board, confused, 1, first.token) : op === "complete" ? complete(again.board, confused, 1, first.token, good) : fail(again.board, confused, 1, first.token, "late", cap);
    expect(late).toEqual({ ok: false, refusal: { kind: "staleToken", token: first.token, fence: again.token } });
  }));
});

const must = (outcome: Outcome): Board => { if (!outcome.ok) throw new Error(refusalText(outcome.refusal)); return outcome.board; };

test("plans that cannot be followed are refused: nothing, too much, unknown numbers, cycles", () => {
  expect(boardOf([])).toEqual({ ok: false, refusal: { kind: "empty" } });
  expect(boardOf(Array.from({ length: mostTasks + 1 }, () => task("x")))).toMatchObject({ ok: false, refusal: { kind: "tooMany" } });
  expect(boardOf([task("a"), task("b", 3)])).toEqual({ ok: false, refusal: { kind: "unknownDependency", task: 2, on: 3 } });
  expect(boardOf([task("a", 1)])).toMatchObject({ ok: false, refusal: { kind: "cycle", tasks: [1] } });
  expect(boardOf([task("a", 3), task("b"), task("c", 2, 1)])).toMatchObject({ ok: false, refusal: { kind: "cycle", tasks: [1, 3] } });
  // A later task may be named as long as nothing goes round.
  expect(boardOf([task("a", 2), task("b")]).ok).toBe(true);
});

test("evidence is commit, checks and summary; without one of them nothing is complete", () => {
  const taken = claim(must(boardOf([task("a")])), "worker-1", 1, 0, leaseMs);
  if (!taken.ok) throw new Error();
  for (const what of ["commit", "checks", "summary"] as const) expect(complete(taken.board, "worker-1", 1, taken.token, { ...good, [what]: " " })).toEqual({ ok: false, refusal: { kind: "missingEvidence", what } });
  expect(taskOf(must(complete(taken.board, "worker-1", 1, taken.token, good)), 1)).toMatchObject({ state: "merging", owner: "worker-1", leaseUntil: null });
});

test("a lease that ran out is doubted once; a sign of life saves it, silence gives the task to another", () => {
  const taken = claim(must(boardOf([task("a")])), "worker-1", 1, 0, leaseMs);
  if (!taken.ok) throw new Error();
  expect(nextLapse(taken.board)).toBe(leaseMs);
  const early = expire(taken.board, leaseMs - 1, 25, cap);
  expect([early.doubted, early.reclaimed]).toEqual([[], []]);
  const doubted = expire(taken.board, leaseMs, 25, cap);
  expect(doubted.doubted.map(({ id }) => id)).toEqual([1]);
  expect(nextLapse(doubted.board)).toBe(leaseMs + 25);
  expect(taskOf(must(renew(doubted.board, "worker-1", 1, taken.token, leaseMs + 1, leaseMs)), 1)).toMatchObject({ state: "claimed", doubted: false, leaseUntil: 2 * leaseMs + 1 });
  const lost = expire(doubted.board, leaseMs + 25, 25, cap);
  expect(lost.reclaimed.map(({ owner }) => owner)).toEqual(["worker-1"]);
  expect(nextFor(lost.board, "worker-2", new Set(workers))?.id).toBe(1);
  expect(nextLapse(lost.board)).toBeNull();
});

test("a claim whose owner waits for a person runs no lease until it is renewed", () => {
  const taken = claim(must(boardOf([task("a")])), "worker-1", 1, 0, leaseMs);
  if (!taken.ok) throw new Error();
  const waits = hold(taken.board, "worker-1");
  expect([nextLapse(waits), taskOf(waits, 1)?.state, expire(waits, 100 * leaseMs, 25, cap).reclaimed]).toEqual([null, "claimed", []]);
  expect(hold(taken.board, "worker-2")).toEqual(taken.board);
  expect(nextLapse(must(renew(waits, "worker-1", 1, taken.token, 50, leaseMs)))).toBe(50 + leaseMs);
});

test("attempts are counted up to their cap; what was given back unharmed is not", () => {
  let board = must(boardOf([task("a"), task("b", 1)]));
  for (let n = 0; n < 5; n++) {
    const taken = claim(board, "worker-1", 1, 0, leaseMs);
    if (!taken.ok) throw new Error();
    board = must(release(taken.board, "worker-1", 1, taken.token));
  }
  expect(taskOf(board, 1)).toMatchObject({ attempts: 0, fence: 5 });
  for (let n = 0; n < cap; n++) {
    const taken = claim(board, "worker-1", 1, 0, leaseMs);
    if (!taken.ok) throw new Error();
    board = must(fail(taken.board, "worker-1", 1, taken.token, "too hard", cap));
  }
  expect(board.tasks.map(({ state, reason }) => [state, reason])).toEqual([["failed", "too hard"], ["cancelled", "task 1, which it depends on, was not done"]]);
  expect(givenUp(board).map((each) => each.id)).toEqual([1, 2]);
  const fixed = addFix(board, task("a, better"), 1);
  expect(fixed.ok && givenUp(fixed.board).map((each) => each.id)).toEqual([2]);
});

test("a conflict is for its worker first, then anybody; when it is merged so is the task it is about, and a conflict of a conflict has an end", () => {
  const merging = (board: Board, worker: string, of: number): Board => {
    const taken = claim(board, worker, of, 0, leaseMs);
    if (!taken.ok) throw new Error(refusalText(taken.refusal));
    return must(complete(taken.board, worker, of, taken.token, good));
  };
  const living = new Set<string>(workers);
  let board = merging(must(boardOf([task("a"), task("b", 1)])), "worker-2", 1);
  const first = conflicted(board, 1, ["x.ts"], "both changed x.ts", depth);
  if (!first.ok) throw new Error();
  ({ board } = first);
  expect(taskOf(board, 2)?.state).toBe("open");
  expect(isMergeable(board, 1)).toBe(false);
  expect(nextFor(board, "worker-1", living)).toBeUndefined();
  expect(nextFor(board, "worker-2", living)).toMatchObject({ id: 3, kind: "conflict", title: "Merge: a", conflict: { commit: "c", files: ["x.ts"], by: "worker-2" } });
  expect(nextFor(board, "worker-1", new Set(["worker-1"]))?.id).toBe(3);
  const over = merged(merging(board, "worker-2", 3), 3);
  expect(over.ok && [over.also, over.board.tasks.map(({ state }) => state)]).toEqual([[1], ["done", "open", "done"]]);
  // Again and again.
  let again = must(conflicted(merging(board, "worker-2", 3), 3, ["x.ts"], "again", depth));
  again = must(conflicted(merging(again, "worker-2", 4), 4, ["x.ts"], "and again", depth));
  expect(again.tasks.map(({ state }) => state)).toEqual(["failed", "cancelled", "failed", "failed"]);
});

test("cancelling all leaves nothing open", () => {
  const taken = claim(must(boardOf([task("a"), task("b")])), "worker-1", 1, 0, leaseMs);
  if (!taken.ok) throw new Error();
  const board = cancelAll(taken.board, "cancelled");
  expect(unfinished(board)).toEqual([]);
  expect(complete(board, "worker-1", 1, taken.token, good)).toEqual({ ok: false, refusal: { kind: "terminal", state: "cancelled" } });
  expect(unfinished(emptyBoard).length satisfies number).toBe(0);
  expect(taken.board.tasks.every((each: Task) => each.id > 0)).toBe(true);
});
