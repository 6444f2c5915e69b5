// Owns: the calling thread's side of the writer thread, and a read-only connection for reads.
// Talks to: `writer.ts` in its thread; all writes go there, so that no fsync stalls this thread.
// I1 Every request is answered: by the writer, or with `StoreUnavailable` when the writer dies first.
// I2 After the writer is gone every write fails with `StoreFenced`. (While it lives, the generation in the database refuses us.)
// I3 Mail is not looked for again in a database that nobody has changed since there was none.
import { watch } from "node:fs";
import { basename } from "node:path";
import { Worker } from "node:worker_threads";
import Database from "better-sqlite3";
import { Effect, type Scope } from "effect";
import { type CommitError, type OpenError, type StoreShape, StoreUnavailable } from "../../ports/store.ts";
import { commitError, openError } from "../error.ts";
import { type CommitFailure, messageOf, Refusal } from "../failure.ts";
import type { OpenOptions } from "../location.ts";
import { makeReads } from "../reads.ts";
import { busyTimeoutMs, databasePath, kyselyOver } from "./connect.ts";
import { openFailure } from "./errors.ts";
import type { WriterData, WriterMessage, WriterOperation, WriterRequest } from "./protocol.ts";

type Answer = (failure: CommitFailure | undefined) => void;
interface Writer {
  readonly generation: number;
  readonly send: (operation: WriterOperation, answer: Answer) => void;
  readonly close: () => Promise<void>;
}

// From the sources the thread is a .ts file two folders up; in the bundle all files lie side by side.
const entry = import.meta.url.endsWith(".ts") ? new URL("../sqlite-writer.ts", import.meta.url) : new URL("./sqlite-writer.js", import.meta.url);

const startWriter = (data: WriterData): Promise<Writer> => new Promise((resolve, reject) => {
  const worker = new Worker(entry, { workerData: data, env: {}, execArgv: [] });
  const waiting = new Map<number, Answer>();
  let next = 1;
  let generation = 0;
  let fenced: CommitFailure | undefined;
  let why = "it ended";

  worker.on("message", (message: WriterMessage) => {
    switch (message.type) {
      case "opened":
        generation = message.generation;
        return resolve({ generation, send, close });
      case "refused":
        return reject(new Refusal(message.failure));
      case "done": {
        const answer = waiting.get(message.id);
        waiting.delete(message.id);
        return answer?.(message.failure);
      }
    }
  });
  worker.on("error", (error) => {
    why = messageOf(error);
  });
  const exited = new Promise<void>((resolveExit) => worker.once("exit", () => {
    const message = `the writer thread is gone (${why})`;
    fenced ??= { _tag: "StoreFenced", generation, message: `${message}; this process must stop` };
    const left = [...waiting.values()];
    waiting.clear();
    for (const answer of left) answer({ _tag: "StoreUnavailable", message });
    reject(new Refusal({ _tag: "StoreUnavailable", message }));
    resolveExit();
  }));

  const send = (operation: WriterOperation, answer: Answer): void => {
    if (fenced !== undefined) return answer(fenced);
    const request: WriterRequest = { id: next++, operation };
    waiting.set(request.id, answer);
    worker.postMessage(request, []);
  };
  const close = (): Promise<void> => {
    why = "the store was closed";
    const request: WriterRequest = { id: next++, operation: { op: "close" } };
    fenced ??= { _tag: "StoreFenced", generation, message: "the store is closed" };
    worker.postMessage(request, []);
    return exited;
  };
});

/** I3. The version is SQLite's own: it changes for this connection whenever any other one, of any process, has committed. */
const mailUnlessQuiet = (reading: Database.Database, mail: StoreShape["mail"], unavailable: (error: unknown) => StoreUnavailable): StoreShape["mail"] => {
  const version = reading.prepare<[], number>("PRAGMA data_version").pluck();
  /** The version at which there was no mail at all. */
  let quiet: number | undefined;
  return (after) => Effect.gen(function* () {
    // Before the read: a commit in between shows next time.
    const now = yield* Effect.try({ try: () => version.get(), catch: unavailable });
    if (now !== undefined && now === quiet) return [];
    const rows = yield* mail(after);
    if (after === 0 && rows.length === 0) quiet = now;
    return rows;
  });
};

/** Milliseconds between two hints where the system cannot watch files (out of inotify watches, some mounts); DESIGN §4 allows 250. */
const blindHintMs = 200;

/** Every write of any process goes through the log file first. */
const onLogChange = (directory: string, path: string, hint: () => void): (() => void) => {
  const log = `${basename(path)}-wal`;
  let blind: NodeJS.Timeout | undefined;
  const goBlind = (): void => { blind ??= setInterval(hint, blindHintMs).unref(); };
  const stopBlind = (): void => clearInterval(blind);
  try {
    const watcher = watch(directory, { persistent: false }, (_, name) => { if (name === null || name === log) hint(); });
    watcher.on("error", goBlind);
    return () => {
      watcher.close();
      stopBlind();
    };
  } catch {
    goBlind();
    return stopBlind;
  }
};

/** Owns the state directory until the Scope ends. */
export const openSqliteOwner = (directory: string, options: OpenOptions): Effect.Effect<StoreShape, OpenError, Scope.Scope> => Effect.gen(function* () {
  const path = databasePath(directory);
  const failed = (error: unknown): OpenError => openError(openFailure(error, path));
  const writer = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => startWriter({ directory, takeOver: options.takeOver === true }), catch: failed }),
    (started) => Effect.promise(started.close),
  );
  const reading = yield* Effect.acquireRelease(
    Effect.try({ try: () => new Database(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs }), catch: failed }),
    (db) => Effect.sync(() => db.close()),
  );
  const unavailable = (error: unknown): StoreUnavailable => new StoreUnavailable({ message: `cannot read ${path}: ${messageOf(error)}` });
  const reads = makeReads(kyselyOver(reading), unavailable);
  const mail = mailUnlessQuiet(reading, reads.mail, unavailable);
  const ask = (operation: WriterOperation): Effect.Effect<void, CommitError> =>
    Effect.callback((resume) => writer.send(operation, (failure) => resume(failure === undefined ? Effect.void : Effect.fail(commitError(failure)))));
  return {
    ...reads,
    mail,
    onMail: (hint) => onLogChange(directory, path, hint),
    description: `sqlite ${path}`,
    generation: writer.generation,
    commit: (commits) => ask({ op: "commit", commits }),
    enqueue: (to, event, at) => ask({ op: "enqueue", to, event, at }),
    attempt: (key) => ask({ op: "attempt", key }),
    deadLetter: (letter, cause) => ask({ op: "deadLetter", letter, cause }),
    stillOwner: ask({ op: "stillOwner" }),
    backup: (file) => ask({ op: "backup", file }).pipe(Effect.catchTag("StoreFenced", (error) => Effect.fail(new StoreUnavailable({ message: error.message })))),
  };
});
