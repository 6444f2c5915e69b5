// Owns: the owner's lock and its one writing connection, both for the life of this thread.
// Talks to: `owner.ts` on the main thread, by the messages of `protocol.ts`.
// I1 Requests are done in the order they came, one at a time; only a backup's copying goes on between them.
// I2 The lock dies with the writer: when this thread is gone, nobody here can write, and another process may take over.
import type { MessagePort } from "node:worker_threads";
import type Database from "better-sqlite3";
import { backup } from "./backup.ts";
import { prepareWrites, type Writes } from "./commit.ts";
import { databasePath, openForOwner, prepareDirectory } from "./connect.ts";
import { commitFailure, openFailure } from "./errors.ts";
import { acquireLock, announceOwner, type Lock } from "./lock.ts";
import type { WriterData, WriterMessage, WriterRequest } from "./protocol.ts";

/** Pages copied between two commits while a backup runs: 4 MiB, a few milliseconds. */
const backupStepPages = 1_000;

const open = async ({ directory, takeOver }: WriterData): Promise<{ readonly lock: Lock; readonly db: Database.Database; readonly generation: number }> => {
  prepareDirectory(directory);
  const lock = acquireLock(directory, takeOver);
  try {
    const { db, generation } = await openForOwner(directory);
    announceOwner(directory, generation);
    return { lock, db, generation };
  } catch (error) {
    lock.release();
    throw error;
  }
};

/** The writer thread's whole life. */
export const runWriter = async (port: MessagePort, data: WriterData): Promise<void> => {
  const send = (message: WriterMessage): void => port.postMessage(message, []);
  let opened: Awaited<ReturnType<typeof open>>;
  let writes: Writes;
  try {
    opened = await open(data);
    writes = prepareWrites(opened.db, opened.generation);
  } catch (error) {
    send({ type: "refused", failure: openFailure(error, databasePath(data.directory)) });
    port.close();
    return;
  }
  const { lock, db, generation } = opened;
  const backups = new Set<Promise<void>>();

  const perform = ({ operation }: WriterRequest): Promise<void> | void => {
    switch (operation.op) {
      case "commit": return writes.commit(operation.commits);
      case "enqueue": return writes.enqueue(operation.to, operation.event, operation.at);
      case "attempt": return writes.attempt(operation.key);
      case "deadLetter": return writes.deadLetter(operation.letter, operation.cause);
      case "stillOwner": return writes.stillOwner();
      case "backup": {
        const copying = backup(db, operation.file, backupStepPages);
        backups.add(copying);
        return copying.finally(() => backups.delete(copying));
      }
      case "close": return Promise.allSettled(backups).then(() => {
        db.close();
        lock.release();
      });
    }
  };
  const answer = async (request: WriterRequest): Promise<void> => {
    try {
      // Waits only when there is something to wait for: a commit is answered before the next message is looked at (I1).
      const pending = perform(request);
      if (pending !== undefined) await pending;
      send({ type: "done", id: request.id });
      if (request.operation.op === "close") port.close();
    } catch (error) {
      send({ type: "done", id: request.id, failure: commitFailure(error) });
    }
  };
  port.on("message", (request: WriterRequest) => void answer(request));
  send({ type: "opened", generation });
};
