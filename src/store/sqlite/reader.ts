// Owns: a non-owner's connections: one that can only read, and from the first `enqueue` on one that inserts mail.
import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { Effect, type Scope } from "effect";
import { type OpenError, StoreFull, type StoreReaderShape, StoreUnavailable } from "../../ports/store.ts";
import { commitError, openError } from "../error.ts";
import { messageOf, Refusal } from "../failure.ts";
import { schemaVersion } from "../migrations.ts";
import { makeReads } from "../reads.ts";
import { backup } from "./backup.ts";
import { prepareEnqueue, type Writes } from "./commit.ts";
import { busyTimeoutMs, connect, databasePath, inspect, kyselyOver } from "./connect.ts";
import { commitFailure, openFailure } from "./errors.ts";

/** The whole file in one step: a step begins anew whenever the owner writes in between. */
const allPages = 0x7fff_ffff;

const open = (path: string): Database.Database => {
  if (!existsSync(path)) throw new Refusal({ _tag: "StoreUnavailable", message: `there is no store at ${path} yet: start the factory once` });
  const { version } = inspect(path);
  if (version < schemaVersion) throw new Refusal({ _tag: "StoreUnavailable", message: `${path} is of an older version (schema ${version}; this one reads ${schemaVersion}): start the factory once, which brings it up to date` });
  return new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
};

/** Reads the store of another process, or of none that runs, and leaves mail for it. */
export const openSqliteReader = (directory: string): Effect.Effect<StoreReaderShape, OpenError, Scope.Scope> => Effect.gen(function* () {
  const path = databasePath(directory);
  const reading = yield* Effect.acquireRelease(
    Effect.try({ try: () => open(path), catch: (error) => openError(openFailure(error, path)) }),
    (db) => Effect.sync(() => db.close()),
  );
  let writing: { readonly db: Database.Database; readonly enqueue: Writes["enqueue"] } | undefined;
  yield* Effect.addFinalizer(() => Effect.sync(() => writing?.db.close()));
  const enqueue: Writes["enqueue"] = (to, event, at) => {
    if (writing === undefined) {
      const db = connect(path);
      writing = { db, enqueue: prepareEnqueue(db) };
    }
    writing.enqueue(to, event, at);
  };
  const { mailTo, views, journal, outbox, alarms, deadLetters, lastGeneration, load } = makeReads(kyselyOver(reading), (error) => new StoreUnavailable({ message: `cannot read ${path}: ${messageOf(error)}` }));
  return {
    description: `sqlite ${path}`,
    mailTo, views, journal, outbox, alarms, deadLetters, lastGeneration, load,
    enqueue: (to, event, at) => Effect.try({ try: () => enqueue(to, event, at), catch: (error) => commitError(commitFailure(error)) }),
    backup: (file) => Effect.tryPromise({
      try: () => backup(reading, file, allPages),
      catch: (error) => {
        const failure = commitFailure(error);
        return failure._tag === "StoreFull" ? new StoreFull(failure) : new StoreUnavailable({ message: failure.message });
      },
    }),
  };
});
