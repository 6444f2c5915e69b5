import type { Kysely, Selectable } from "kysely";
import type { AlarmsTable, DeadLettersTable, JournalTable, MailTable, OutboxTable, Schema, SnapshotsTable, ViewsTable } from "./schema.ts";

/** Rows read at a time; a row may hold a megabyte. */
const pageRows = 200;

const inPages = async <Row>(next: (last: Row | undefined) => Promise<Row[]>, put: (rows: Row[]) => Promise<unknown>): Promise<void> => {
  for (let page = await next(undefined); page.length > 0; page = await next(page.at(-1))) {
    await put(page);
    if (page.length < pageRows) return;
  }
};

/** Copies every row of ours from one store into another, empty one, of either dialect. The caller holds a snapshot of `from` and a transaction on `to`. */
export const copyTables = async (from: Kysely<Schema>, to: Kysely<Schema>): Promise<void> => {
  const { generation } = await from.selectFrom("meta").select("generation").where("id", "=", 1).executeTakeFirstOrThrow();
  await to.updateTable("meta").set({ generation }).where("id", "=", 1).execute();
  await inPages<Selectable<JournalTable>>((last) => from.selectFrom("journal").selectAll().where("position", ">", last?.position ?? 0).orderBy("position").limit(pageRows).execute(), (rows) => to.insertInto("journal").values(rows).execute());
  await inPages<Selectable<MailTable>>((last) => from.selectFrom("mail").selectAll().where("id", ">", last?.id ?? 0).orderBy("id").limit(pageRows).execute(), (rows) => to.insertInto("mail").values(rows).execute());
  await inPages<Selectable<OutboxTable>>((last) => from.selectFrom("outbox").selectAll().where("id", ">", last?.id ?? 0).orderBy("id").limit(pageRows).execute(), (rows) => to.insertInto("outbox").values(rows).execute());
  await inPages<Selectable<DeadLettersTable>>((last) => from.selectFrom("dead_letters").selectAll().where("id", ">", last?.id ?? 0).orderBy("id").limit(pageRows).execute(), (rows) => to.insertInto("dead_letters").values(rows).execute());
  await inPages<Selectable<SnapshotsTable>>((last) => from.selectFrom("snapshots").selectAll().where("actor", ">", last?.actor ?? "").orderBy("actor").limit(pageRows).execute(), (rows) => to.insertInto("snapshots").values(rows).execute());
  await inPages<Selectable<ViewsTable>>((last) => from.selectFrom("views").selectAll().where("actor", ">", last?.actor ?? "").orderBy("actor").limit(pageRows).execute(), (rows) => to.insertInto("views").values(rows).execute());
  await inPages<Selectable<AlarmsTable>>((last) => from.selectFrom("alarms").selectAll()
    .where((eb) => eb.or([eb("actor", ">", last?.actor ?? ""), eb.and([eb("actor", "=", last?.actor ?? ""), eb("name", ">", last?.name ?? "")])]))
    .orderBy("actor").orderBy("name").limit(pageRows).execute(), (rows) => to.insertInto("alarms").values(rows).execute());
};
