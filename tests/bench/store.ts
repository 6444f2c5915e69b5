// Durable events per second through the Store port, against the barest thing that is as durable: the same rows in batched INSERTs
// on the same database, in the same run, on the calling thread. Rounds alternate, so that a slow moment of the disk meets both.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { Effect, Exit, Scope } from "effect";
import { Client } from "pg";
import type { Commit, StoreShape } from "../../src/ports/store.ts";
import { memoryState, openOwner, type StoreLocation } from "../../src/store/open.ts";
import { findPostgres, startPostgres } from "../support/postgres.ts";

const actors = 64;
const rounds = 9;

export interface StoreFigure {
  readonly store: string;
  /** Events per second, medians over the rounds. */
  readonly events: number;
  readonly bare: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const event = (n: number): string => JSON.stringify({ type: "turnEnded", at: 1_700_000_000_000 + n, runId: `run-${n}`, outcome: { how: "completed", text: "the tests pass now" }, usage: { inputTokens: n, outputTokens: 7 } });

/** Each of 64 actors has one event waiting; a batch is all of them. */
const throughStore = async (store: StoreShape, firstSeq: number, batches: number): Promise<void> => {
  const program = Effect.gen(function* () {
    for (let n = 0; n < batches; n++) {
      const seq = firstSeq + n;
      yield* store.commit(Array.from({ length: actors }, (_, i): Commit => ({ actor: `item/LOC-${i + 1}/1`, seq, at: seq, event: event(seq) })));
    }
  });
  await Effect.runPromise(program);
};

const rate = async (batches: number, work: () => Promise<void>): Promise<number> => {
  const from = performance.now();
  await work();
  return (actors * batches) / ((performance.now() - from) / 1_000);
};

const compare = async (name: string, location: StoreLocation, bare: (round: number, batches: number) => Promise<void>, batches: number): Promise<StoreFigure> => {
  const scope = Scope.makeUnsafe();
  const store = await Effect.runPromise(Scope.provide(openOwner(location), scope));
  try {
    await throughStore(store, 1, batches);
    await bare(0, batches);
    const pairs: { readonly events: number; readonly bare: number }[] = [];
    for (let round = 1; round <= rounds; round++) {
      const events = await rate(batches, () => throughStore(store, 1 + round * batches, batches));
      pairs.push({ events, bare: await rate(batches, () => bare(round, batches)) });
    }
    return { store: name, events: median(pairs.map((p) => p.events)), bare: median(pairs.map((p) => p.bare)), ratio: median(pairs.map((p) => p.events / p.bare)) };
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void));
  }
};

const columns = "actor TEXT, seq INTEGER, generation INTEGER, event TEXT, at BIGINT";

const sqlite = async (root: string): Promise<StoreFigure> => {
  const db = new Database(join(root, "bare.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(`CREATE TABLE journal (position INTEGER PRIMARY KEY, ${columns}, UNIQUE (actor, seq))`);
  const insert = db.prepare("INSERT INTO journal (actor, seq, generation, event, at) VALUES (?, ?, ?, ?, ?)");
  const batch = db.transaction((seq: number) => {
    for (let i = 0; i < actors; i++) insert.run(`item/LOC-${i + 1}/1`, seq, 1, event(seq), seq);
  });
  try {
    return await compare("SQLite", { kind: "sqlite", directory: join(root, "state") }, async (round, batches) => {
      for (let n = 0; n < batches; n++) batch(round * batches + n);
    }, 300);
  } finally {
    db.close();
  }
};

const postgres = async (bin: string, fsync: boolean): Promise<StoreFigure> => {
  const server = await startPostgres(bin, { fsync });
  try {
    const url = await server.createDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE TABLE bare (position BIGINT GENERATED ALWAYS AS IDENTITY, ${columns}, PRIMARY KEY (actor, seq), UNIQUE (position))`);
    const ids = Array.from({ length: actors }, (_, i) => `item/LOC-${i + 1}/1`);
    try {
      return await compare(`PostgreSQL, fsync ${fsync ? "on" : "off"}`, { kind: "postgres", url }, async (round, batches) => {
        for (let n = 0; n < batches; n++) {
          const seq = round * batches + n;
          await client.query({
            name: "bare", text: "INSERT INTO bare (actor, seq, generation, event, at) SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::text[], $5::bigint[])",
            values: [ids, ids.map(() => seq), ids.map(() => 1), ids.map(() => event(seq)), ids.map(() => seq)],
          });
        }
      }, 150);
    } finally {
      await client.end();
    }
  } finally {
    await server.stop();
  }
};

/** Prints and returns the figures; PostgreSQL only where its programs are. Budget: ratio ≥ 0.7. */
export const storeBench = async (): Promise<readonly StoreFigure[]> => {
  const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
  const figures: StoreFigure[] = [];
  try {
    figures.push(await sqlite(root));
    const bin = findPostgres();
    if (bin === undefined) console.log("store: PostgreSQL is missing, its figures are left out");
    else for (const fsync of [true, false]) figures.push(await postgres(bin, fsync));
    const memory = await compare("memory (no bare twin)", { kind: "memory", state: memoryState() }, async () => {}, 300);
    for (const f of figures) console.log(`store: ${f.store}: ${Math.round(f.events)} durable events/s with ${actors} actors waiting, bare batched INSERT ${Math.round(f.bare)}/s, ratio ${f.ratio.toFixed(2)} (budget 0.70)`);
    console.log(`store: memory: ${Math.round(memory.events)} events/s`);
    return figures;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await storeBench();
