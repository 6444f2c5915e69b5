// Owns: the prepared statements that write `factory.db`.
// I1 A batch is one transaction: BEGIN IMMEDIATE, the fence, every change in order, COMMIT. Any error rolls all of it back.
// I2 The fence is read inside the transaction: the generation in the database is ours and the file is still the one we opened.
// I3 A cause is deleted before its commit's own changes, so that an alarm may set itself again.
import { statSync } from "node:fs";
import type Database from "better-sqlite3";
import type { Cause, Commit, DeadLetter, EventJson } from "../../ports/store.ts";
import { Refusal } from "../failure.ts";
import { makeHeads } from "../heads.ts";
import { storable } from "../text.ts";

export interface Writes {
  readonly commit: (commits: readonly Commit[]) => void;
  readonly enqueue: (to: string, event: EventJson, at: number) => void;
  readonly attempt: (key: string) => void;
  readonly deadLetter: (letter: Omit<DeadLetter, "id">, cause: Cause | undefined) => void;
  readonly stillOwner: () => void;
}

/** Inserts one message; safe from any process. */
export const prepareEnqueue = (db: Database.Database): Writes["enqueue"] => {
  const insert = db.prepare<[string, string, number]>("INSERT INTO mail (recipient, event, at) VALUES (?, ?, ?)");
  return (to, event, at) => void insert.run(to, event, at);
};

export const prepareWrites = (db: Database.Database, generation: number): Writes => {
  const inode = statSync(db.name).ino;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const owner = db.prepare<[], number>("SELECT generation FROM meta WHERE id = 1").pluck();
  const journal = db.prepare<[string, number, number, string, number]>("INSERT INTO journal (actor, seq, generation, event, at) VALUES (?, ?, ?, ?, ?)");
  const lastSeq = db.prepare<[string], number | null>("SELECT max(seq) FROM journal WHERE actor = ?").pluck();
  const heads = makeHeads();
  const takeMail = db.prepare<[number]>("DELETE FROM mail WHERE id = ?");
  const takeOutbox = db.prepare<[string]>("DELETE FROM outbox WHERE key = ?");
  const clearAlarm = db.prepare<[string, string]>("DELETE FROM alarms WHERE actor = ? AND name = ?");
  const clearAlarms = db.prepare<[string]>("DELETE FROM alarms WHERE actor = ?");
  const setAlarm = db.prepare<[string, string, number]>("INSERT INTO alarms (actor, name, at) VALUES (?, ?, ?) ON CONFLICT (actor, name) DO UPDATE SET at = excluded.at");
  const effect = db.prepare<[string, string, string, string, number]>("INSERT INTO outbox (key, actor, kind, payload, at) VALUES (?, ?, ?, ?, ?)");
  const snapshot = db.prepare<[string, string, number, number, string]>("INSERT OR REPLACE INTO snapshots (actor, machine, version, seq, state) VALUES (?, ?, ?, ?, ?)");
  const view = db.prepare<[string, number, string, number]>("INSERT OR REPLACE INTO views (actor, seq, view, updated_at) VALUES (?, ?, ?, ?)");
  const attempt = db.prepare<[string]>("UPDATE outbox SET attempts = attempts + 1 WHERE key = ?");
  const letter = db.prepare<[string, string, string, string, number]>("INSERT INTO dead_letters (actor, event, error, stack, at) VALUES (?, ?, ?, ?, ?)");
  const enqueue = prepareEnqueue(db);

  const fence = (): void => {
    const now = owner.get();
    if (now !== generation) throw new Refusal({ _tag: "StoreFenced", generation, message: `owner ${String(now)} has taken over from owner ${generation}; this process must stop` });
    if (statSync(db.name, { throwIfNoEntry: false })?.ino !== inode) throw new Refusal({ _tag: "StoreFenced", generation, message: `${db.name} was removed or replaced while the factory ran; this process must stop` });
  };
  const transaction = (change: () => void): void => {
    begin.run();
    try {
      fence();
      change();
      commit.run();
    } catch (error) {
      // After some failures (a full disk) SQLite has rolled back already.
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  };
  const take = (actor: string, cause: Cause): void => {
    switch (cause.row) {
      case "mail": return void takeMail.run(cause.id);
      case "outbox": return void takeOutbox.run(cause.key);
      case "alarm": return void clearAlarm.run(actor, cause.name);
    }
  };
  /** `reached`: the sequences within this batch. */
  const apply = (c: Commit, reached: Map<string, number>): void => {
    const before = reached.get(c.actor) ?? heads.get(c.actor) ?? lastSeq.get(c.actor) ?? 0;
    if (c.seq !== before + 1) {
      throw new Refusal({ _tag: "StoreFenced", generation, message: `the journal of ${c.actor} does not end just before ${c.seq}: another writer was here, or an event was committed twice` });
    }
    reached.set(c.actor, c.seq);
    journal.run(c.actor, c.seq, generation, c.event, c.at);
    if (c.cause !== undefined) take(c.actor, c.cause);
    for (const m of c.mail ?? []) enqueue(m.to, m.event, c.at);
    c.effects?.forEach((e, n) => effect.run(`${c.actor}:${c.seq}:effect:${n}`, c.actor, e.kind, e.payload, c.at));
    for (const { name, at } of c.alarms ?? []) {
      if (at === null) clearAlarm.run(c.actor, name);
      else setAlarm.run(c.actor, name, at);
    }
    if (c.snapshot !== undefined) snapshot.run(c.actor, c.snapshot.machine, c.snapshot.version, c.seq, c.snapshot.state);
    if (c.view !== undefined) view.run(c.actor, c.seq, c.view, c.at);
    if (c.final === true) clearAlarms.run(c.actor);
  };
  return {
    commit: (commits) => {
      const reached = new Map<string, number>();
      transaction(() => {
        for (const c of commits) apply(c, reached);
      });
      heads.confirm(reached);
    },
    enqueue,
    attempt: (key) => transaction(() => void attempt.run(key)),
    deadLetter: (l, cause) => transaction(() => {
      letter.run(l.actor, l.event, storable(l.error), storable(l.stack), l.at);
      if (cause !== undefined) take(l.actor, cause);
    }),
    stillOwner: fence,
  };
};
