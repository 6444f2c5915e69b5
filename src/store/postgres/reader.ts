// Owns: a pool of connections for reads and for mail, which any process may leave.
import { Effect, type Scope } from "effect";
import { type OpenError, StoreFull, type StoreReaderShape, StoreUnavailable } from "../../ports/store.ts";
import { commitError, openError } from "../error.ts";
import { Refusal } from "../failure.ts";
import { schemaVersion } from "../migrations.ts";
import { makeReads, type Reads } from "../reads.ts";
import { backup } from "./backup.ts";
import { enqueueStatement } from "./commit.ts";
import { inspect, openPool, type Place, placeOf, type Reading } from "./connect.ts";
import { commitFailure, openFailure } from "./errors.ts";

/** A pool that ends with the Scope. It connects when it is first asked. */
export const poolOf = (place: Place): Effect.Effect<Reading, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(() => openPool(place)), ({ pool }) => Effect.promise(() => pool.end()));

/** Everything that needs no owner. */
export const readsOf = ({ db, pool }: Reading, place: Place): Reads & Pick<StoreReaderShape, "description" | "enqueue" | "backup"> => ({
  ...makeReads(db, (error) => new StoreUnavailable({ message: commitFailure(error, place.name).message })),
  description: `postgresql ${place.name}`,
  enqueue: (to, event, at) => Effect.tryPromise({
    try: async () => {
      const { text, values } = enqueueStatement(to, event, at);
      await pool.query(text, [...values]);
    },
    catch: (error) => commitError(commitFailure(error, place.name)),
  }),
  backup: (file) => Effect.tryPromise({
    try: () => backup(db, file),
    catch: (error) => {
      const failure = commitFailure(error, place.name);
      return failure._tag === "StoreFull" ? new StoreFull(failure) : new StoreUnavailable({ message: failure.message });
    },
  }),
});

/** Reads the store of another process, or of none that runs, and leaves mail for it. */
export const openPostgresReader = (url: string): Effect.Effect<StoreReaderShape, OpenError, Scope.Scope> => Effect.gen(function* () {
  const place = yield* Effect.try({ try: () => placeOf(url), catch: (error) => openError(openFailure(error, "store.url")) });
  const reading = yield* poolOf(place);
  yield* Effect.tryPromise({
    try: async () => {
      const version = await inspect(reading.db, place);
      if (version === undefined) throw new Refusal({ _tag: "StoreUnavailable", message: `there is no store at ${place.name} yet: start the factory once` });
      if (version < schemaVersion) throw new Refusal({ _tag: "StoreUnavailable", message: `the store at ${place.name} is of an older version (schema ${version}; this one reads ${schemaVersion}): start the factory once, which brings it up to date` });
    },
    catch: (error) => openError(openFailure(error, place.name)),
  });
  const { description, enqueue, mailTo, views, journal, outbox, alarms, deadLetters, lastGeneration, load, backup: copy } = readsOf(reading, place);
  return { description, enqueue, mailTo, views, journal, outbox, alarms, deadLetters, lastGeneration, load, backup: copy };
});
