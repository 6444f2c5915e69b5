// The same commits give the same reads on every kind of store.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Effect } from "effect";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Address } from "../../src/domain/ids.ts";
import type { Cause, Commit, StoreShape } from "../../src/ports/store.ts";
import { memoryState, type StoreLocation } from "../../src/store/open.ts";
import { type PostgresServer, postgresOrSkip, startPostgres } from "../support/postgres.ts";
import { outcome, owner, run } from "./opened.ts";

const bin = postgresOrSkip();
const root = mkdtempSync(join(tmpdir(), "enact-store-"));
let server: PostgresServer | undefined;
beforeAll(async () => {
  if (bin !== undefined) server = await startPostgres(bin);
});
afterAll(async () => {
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const actors: readonly Address[] = ["item/LOC-1/1", "item/LOC-2/1", "pipeline/LOC-1/1"];
const names = ["x", "y"];
const actor = fc.constantFrom(...actors);
const text = fc.json();

/** One commit, apart from its sequence; causes name rows by their place, as ids may differ between stores. */
const change = fc.record({
  actor,
  /** Mostly the next; else a gap or a repeat. */
  seqError: fc.oneof({ weight: 40, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-1, 1) }),
  at: fc.integer({ min: 0, max: 5 }),
  event: text,
  cause: fc.option(fc.oneof(
    fc.record({ row: fc.constant("mail" as const), place: fc.nat(4) }),
    fc.record({ row: fc.constant("outbox" as const), actor, seq: fc.integer({ min: 1, max: 6 }), n: fc.nat(1) }),
    fc.record({ row: fc.constant("alarm" as const), name: fc.constantFrom(...names) }),
  ), { nil: undefined }),
  mail: fc.array(fc.record({ to: actor, event: text }), { maxLength: 2 }),
  effects: fc.array(fc.record({ kind: fc.constantFrom("run", "notify"), payload: text }), { maxLength: 2 }),
  alarms: fc.array(fc.record({ name: fc.constantFrom(...names), at: fc.option(fc.integer({ min: 0, max: 9 })) }), { maxLength: 3 }),
  snapshot: fc.option(fc.record({ machine: fc.constant("m"), version: fc.integer({ min: 1, max: 2 }), state: text }), { nil: undefined }),
  view: fc.option(text, { nil: undefined }),
  final: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("commit" as const), changes: fc.array(change, { maxLength: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("attempt" as const), actor, seq: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("enqueue" as const), to: actor, event: text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deadLetter" as const), actor, error: fc.string({ unit: "binary" }), place: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const perform = async (store: StoreShape, steps: readonly Step[]): Promise<unknown> => {
  const seqs = new Map<Address, number>();
  const outcomes: string[] = [];
  for (const s of steps) {
    const mail = await run(store.mail(0));
    switch (s.do) {
      case "commit": {
        const next = new Map(seqs);
        const commits = s.changes.map(({ seqError, cause, snapshot, view, ...rest }: Change): Commit => {
          const seq = (next.get(rest.actor) ?? 0) + 1;
          next.set(rest.actor, seq);
          const named: Cause | undefined = cause === undefined ? undefined
            : cause.row === "mail" ? { row: "mail", id: mail[cause.place]?.id ?? 0 }
            : cause.row === "outbox" ? { row: "outbox", key: `${cause.actor}:${cause.seq}:effect:${cause.n}` }
            : cause;
          return { ...rest, seq: seq + seqError, ...(named === undefined ? {} : { cause: named }), ...(snapshot === undefined ? {} : { snapshot }), ...(view === undefined ? {} : { view }) };
        });
        const result = await outcome(store.commit(commits));
        outcomes.push(result);
        if (result === "ok") for (const [address, seq] of next) seqs.set(address, seq);
        break;
      }
      case "attempt": outcomes.push(await outcome(store.attempt(`${s.actor}:${s.seq}:effect:0`))); break;
      case "enqueue": outcomes.push(await outcome(store.enqueue(s.to, s.event, 1))); break;
      case "deadLetter": outcomes.push(await outcome(store.deadLetter({ actor: s.actor, event: "{}", error: s.error, stack: s.error, at: 1 }, s.place === 3 ? { row: "alarm", name: "x" } : { row: "mail", id: mail[s.place]?.id ?? 0 }))); break;
    }
  }
  const reads = await run(Effect.all([store.views(), store.views("item"), store.outbox, store.alarms, Effect.all(actors.map((address) => store.load(address)))]));
  // Numbers may skip after a refused batch; their order may not.
  const journal = (await run(store.journal({}))).map((row) => ({ ...row, position: 0 }));
  const unnumbered = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === "position" ? 0 : each)));
  return { outcomes, journal, reads: unnumbered(reads), mail: (await run(store.mail(0))).map((row) => ({ ...row, id: 0 })), dead: (await run(store.deadLetters)).map((row) => ({ ...row, id: 0 })) };
};

test("random sequences of commits read the same on memory, SQLite and PostgreSQL", async () => {
  let n = 0;
  let refused = 0;
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
    const places: StoreLocation[] = [{ kind: "memory", state: memoryState() }, { kind: "sqlite", directory: join(root, `${++n}`) }];
    if (server !== undefined) places.push({ kind: "postgres", url: await server.createDatabase() });
    const results: unknown[] = [];
    for (const place of places) {
      const { store, close } = await owner(place);
      try {
        results.push(await perform(store, steps));
      } finally {
        await close();
      }
    }
    if (JSON.stringify(results[0]).includes("StoreFenced")) refused++;
    for (const result of results.slice(1)) expect(result).toEqual(results[0]);
  }), { numRuns: Number(process.env["ENACT_SWEEP"] ?? "25") });
  // The generator must reach refusals, or it shows nothing about atomicity.
  expect(refused).toBeGreaterThan(0);
}, 400_000);
