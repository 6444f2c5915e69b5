import { Effect } from "effect";
import type { Kysely } from "kysely";
import type { Address } from "../domain/ids.ts";
import type { AlarmRow, DeadLetter, JournalRow, MailRow, OutboxRow, SnapshotRow, StoreShape, StoreUnavailable, ViewRow } from "../ports/store.ts";
import type { Schema } from "./schema.ts";

/** The reads of a store, the same for both dialects. */
export type Reads = Pick<StoreShape, "views" | "journal" | "outbox" | "alarms" | "deadLetters" | "lastGeneration" | "load" | "mail" | "mailTo">;

/** Above every text that begins with the prefix, compared byte by byte. */
const above = (prefix: string): string => `${prefix}\u{10FFFF}`;
// Addresses were typed when they were written; the database gives back plain text.
const address = (text: string): Address => {
  const slash = text.indexOf("/");
  return `${text.slice(0, slash)}/${text.slice(slash + 1)}`;
};
const addressed = <Row extends { readonly actor: string }>(rows: readonly Row[]): (Row & { readonly actor: Address })[] => rows.map((row) => ({ ...row, actor: address(row.actor) }));

const letters = (rows: readonly { readonly id: number; readonly recipient: string; readonly event: string; readonly at: number }[]): readonly MailRow[] =>
  rows.map(({ id, recipient, event, at }) => ({ id, to: address(recipient), event, at }));

/** Reads through Kysely. `unavailable` names a failure of the database in words for people. */
export const makeReads = (db: Kysely<Schema>, unavailable: (error: unknown) => StoreUnavailable): Reads => {
  const read = <A>(query: () => Promise<A>): Effect.Effect<A, StoreUnavailable> => Effect.tryPromise({ try: query, catch: unavailable });
  const journalColumns = ["position", "actor", "seq", "generation", "event", "at"] as const;
  const mailColumns = ["id", "recipient", "event", "at"] as const;
  return {
    views: (chart) => read(async (): Promise<ViewRow[]> => {
      let query = db.selectFrom("views").select(["actor", "seq", "view", "updated_at as updatedAt"]).orderBy("actor");
      if (chart !== undefined) query = query.where("actor", ">=", `${chart}/`).where("actor", "<", above(`${chart}/`));
      return addressed(await query.execute());
    }),
    journal: ({ actorPrefix, after, limit }) => read(async (): Promise<JournalRow[]> => {
      let query = db.selectFrom("journal").select(journalColumns).orderBy("position");
      if (after !== undefined) query = query.where("position", ">", after);
      if (actorPrefix !== undefined) query = query.where("actor", ">=", actorPrefix).where("actor", "<", above(actorPrefix));
      if (limit !== undefined) query = query.limit(limit);
      return addressed(await query.execute());
    }),
    outbox: read(async (): Promise<OutboxRow[]> => addressed(await db.selectFrom("outbox").select(["key", "actor", "kind", "payload", "at", "attempts"]).orderBy("id").execute())),
    alarms: read(async (): Promise<AlarmRow[]> => addressed(await db.selectFrom("alarms").select(["actor", "name", "at"]).orderBy("at").orderBy("actor").orderBy("name").execute())),
    deadLetters: read(async (): Promise<DeadLetter[]> => addressed(await db.selectFrom("dead_letters").select(["id", "actor", "event", "error", "stack", "at"]).orderBy("id").execute())),
    lastGeneration: read(async () => (await db.selectFrom("meta").select("generation").executeTakeFirst())?.generation ?? 0),
    load: (actor) => read(async () => {
      const snapshot: SnapshotRow | undefined = await db.selectFrom("snapshots").select(["machine", "version", "seq", "state"]).where("actor", "=", actor).executeTakeFirst();
      // A commit between the two reads only adds events, so the pair stays a true history.
      const rows = await db.selectFrom("journal").select(journalColumns).where("actor", "=", actor).where("seq", ">", snapshot?.seq ?? 0).orderBy("seq").execute();
      const events: readonly JournalRow[] = addressed(rows);
      return snapshot === undefined ? { events } : { snapshot, events };
    }),
    mail: (after) => read(async () => letters(await db.selectFrom("mail").select(mailColumns).where("id", ">", after).orderBy("id").execute())),
    mailTo: (prefix) => read(async () => letters(await db.selectFrom("mail").select(mailColumns).where("recipient", ">=", prefix).where("recipient", "<", above(prefix)).orderBy("id").execute())),
  };
};
