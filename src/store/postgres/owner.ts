// Owns: the one session that holds the owner's lock and makes its commits, and a small pool for reads and mail.
// I1 Lock and commits share a session, so the loss of the lock is the loss of the power to write.
// I2 A write whose outcome the server did not tell ends the session: nothing goes on from an unknown state.
// I3 When that session ends for whatever reason, every write fails with `StoreFenced` from then on; the write under way with `StoreUnavailable`.
import { Effect, type Scope } from "effect";
import { Client, DatabaseError } from "pg";
import type { CommitError, OpenError, StoreShape } from "../../ports/store.ts";
import { commitError, openError } from "../error.ts";
import { messageOf, Refusal } from "../failure.ts";
import { makeHeads } from "../heads.ts";
import type { OpenOptions } from "../location.ts";
import { type Answer, attemptStatement, checkAnswer, commitStatement, deadLetterStatement, type Statement, stillOwnerStatement } from "./commit.ts";
import { type Place, placeOf, prepare } from "./connect.ts";
import { commitFailure, openFailure } from "./errors.ts";
import { acquireLock, mailChannel } from "./lock.ts";
import { poolOf, readsOf } from "./reader.ts";

interface Session { readonly client: Client; readonly lost: () => string | undefined; readonly abandon: () => void }

const end = (client: Client): Promise<void> => client.end().catch(() => {
  // The session is gone already, and the lock with it.
});

const openSession = async (place: Place, takeOver: boolean): Promise<Session> => {
  const client = new Client({ ...place.config, application_name: "enact-factory owner" });
  let why: string | undefined;
  client.on("error", (error) => {
    why ??= messageOf(error);
  });
  client.on("end", () => {
    why ??= "the session ended";
  });
  await client.connect();
  try {
    // Whatever the server's default: a commit is on its disk when it returns. A vanished machine loses the lock within half a minute.
    await client.query("SET synchronous_commit = on");
    await client.query("SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4");
    await acquireLock(client, place.name, takeOver);
    // On the session that is ownership itself: there is nothing to connect anew.
    await client.query(`LISTEN ${mailChannel}`);
    const abandon = (): void => {
      why ??= "a write had no answer";
      void end(client);
    };
    return { client, lost: () => why, abandon };
  } catch (error) {
    await end(client);
    throw error;
  }
};

/** Did the server itself refuse? Then the statement is known to have changed nothing. */
const isAnswered = (error: unknown): boolean => error instanceof DatabaseError;

/** Owns the store in a PostgreSQL database until the Scope ends. */
export const openPostgresOwner = (url: string, options: OpenOptions): Effect.Effect<StoreShape, OpenError, Scope.Scope> => Effect.gen(function* () {
  const place = yield* Effect.try({ try: () => placeOf(url), catch: (error) => openError(openFailure(error, "store.url")) });
  const opening = <A>(open: () => Promise<A>): Effect.Effect<A, OpenError> => Effect.tryPromise({ try: open, catch: (error) => openError(openFailure(error, place.name)) });
  const session = yield* Effect.acquireRelease(opening(() => openSession(place, options.takeOver === true)), ({ client }) => Effect.promise(() => end(client)));
  const reading = yield* poolOf(place);
  const generation = yield* opening(() => prepare(reading.db, place));

  const heads = makeHeads();
  // One at a time: a commit is made out of what the one before it reached.
  let last: Promise<unknown> = Promise.resolve();
  const send = async (make: () => Statement): Promise<void> => {
    const lost = session.lost();
    if (lost !== undefined) throw new Refusal({ _tag: "StoreFenced", generation, message: `the owner's session with PostgreSQL is gone (${lost}); this process must stop` });
    const { name, text, values, reached } = make();
    const { rows } = await session.client.query<Answer>({ ...(name === undefined ? {} : { name }), text, values: [...values] }).catch((error: unknown) => {
      if (!isAnswered(error)) session.abandon();
      throw error;
    });
    checkAnswer(rows[0], generation);
    heads.confirm(reached ?? []);
  };
  const write = (make: () => Statement): Effect.Effect<void, CommitError> => Effect.tryPromise({
    try: () => {
      const mine = last.then(() => send(make));
      last = mine.catch(() => {
        // Its own caller hears of it.
      });
      return mine;
    },
    catch: (error) => commitError(commitFailure(error, place.name)),
  });
  return {
    ...readsOf(reading, place),
    generation,
    onMail: (hint) => {
      session.client.on("notification", hint);
      return () => { session.client.off("notification", hint); };
    },
    commit: (commits) => write(() => (commits.length === 0 ? stillOwnerStatement : commitStatement(commits, generation, heads))),
    attempt: (key) => write(() => attemptStatement(key, generation)),
    deadLetter: (letter, cause) => write(() => deadLetterStatement(letter, cause, generation)),
    stillOwner: write(() => stillOwnerStatement),
  };
});
