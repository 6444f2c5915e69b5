// Durable events per second through the Store port, against the barest thing that is as durable: the same rows in batched INSERTs
// on the same database, in the same run, on the calling thread; and the same number of events through the durable host, charts and all.
// Rounds alternate, so that a slow moment of the disk meets all. Events per second of wall time: a commit waits for the disk.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { Effect, Exit, Scope } from "effect";
import { Client } from "pg";
import type { Commit, StoreShape } from "../../src/ports/store.ts";
import { memoryState, openOwner, type StoreLocation } from "../../src/store/open.ts";
import { DurableHost } from "../../actors/durable-host.ts";
import { systemClock } from "../../src/daemon/system-clock.ts";
import { findPostgres, startPostgres } from "../support/postgres.ts";
import { atLeast, type Figure, median, report } from "./figure.ts";
import { ringAddresses, ringEntry, startRing } from "./ring.ts";

const actors = 64;
const rounds = 9;

interface StoreFigure {
  readonly store: string;
  /** Events per second, medians over the rounds. */
  readonly events: number;
  readonly bare: number;
  /** Through the durable host. */
  readonly host: number;
  /** Medians of the rounds' own ratios to the bare way. */
  readonly ratio: number;
  readonly hostRatio: number;
}

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

/** The actors of the host are others than those of the store alone. */
const startHost = async (store: StoreShape): Promise<{ readonly host: DurableHost; readonly run: (batches: number) => Promise<void> }> => {
  const host = new DurableHost({ store, clock: systemClock, catalog: [ringEntry], onEffect: () => {} });
  const addresses = ringAddresses(actors, 2);
  await Promise.all(addresses.map((address) => host.send(address, startRing)));
  return {
    host,
    run: async (batches) => {
      for (let n = 0; n < batches; n++) await Promise.all(addresses.map((address) => host.send(address, { type: "NEXT", runId: `run-${n}`, outcome: { how: "completed", text: "the tests pass now" }, usage: { inputTokens: n, outputTokens: 7 } })));
    },
  };
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
    const { host, run } = await startHost(store);
    await throughStore(store, 1, batches);
    await run(batches);
    await bare(0, batches);
    const pairs: { readonly events: number; readonly host: number; readonly bare: number }[] = [];
    for (let round = 1; round <= rounds; round++) {
      const events = await rate(batches, () => throughStore(store, 1 + round * batches, batches));
      pairs.push({ events, host: await rate(batches, () => run(batches)), bare: await rate(batches, () => bare(round, batches)) });
    }
    await host.stop();
    return {
      store: name, events: median(pairs.map((p) => p.events)), host: median(pairs.map((p) => p.host)), bare: median(pairs.map((p) => p.bare)),
      ratio: median(pairs.map((p) => p.events / p.bare)), hostRatio: median(pairs.map((p) => p.host / p.bare)),
    };
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

/** Budget of DESIGN §11: at least 0.7 of the bare way. PostgreSQL only where its programs are. */
const figures = async (): Promise<readonly Figure[]> => {
  const root = mkdtempSync(join(tmpdir(), "enact-bench-"));
  try {
    const found = [await sqlite(root)];
    const bin = findPostgres();
    if (bin === undefined) process.stderr.write("PostgreSQL is missing, its figures are left out\n");
    else for (const fsync of [true, false]) found.push(await postgres(bin, fsync));
    const memory = await compare("memory", { kind: "memory", state: memoryState() }, async () => {}, 300);
    return [
      ...found.flatMap((f): Figure[] => {
        const to = `bare batched INSERT, ${Math.round(f.bare).toLocaleString("en")}/s`;
        return [
          { what: `${f.store}: durable host, ${actors} actors waiting`, value: f.host, unit: "events/s", ratio: { of: f.hostRatio, to }, budget: atLeast(f.hostRatio, 0.7, "×") },
          { what: `${f.store}: the store's commit alone`, value: f.events, unit: "events/s", ratio: { of: f.ratio, to } },
        ];
      }),
      { what: "memory: durable host", value: memory.host, unit: "events/s", note: `the store alone ${Math.round(memory.events).toLocaleString("en")}/s` },
    ];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};

report(await figures());
