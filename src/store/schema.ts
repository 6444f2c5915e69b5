import type { ColumnType, Generated } from "kysely";

/** A number the database hands out; never written, except by a restore. */
type Assigned = ColumnType<number, number | undefined, never>;

/** One row: which schema this is and who owned the store last. */
export interface MetaTable { readonly id: number; readonly schema_version: number; readonly generation: number }
/** Every event that ever changed a durable actor. Rows are never changed or deleted. */
export interface JournalTable { readonly position: Assigned; readonly actor: string; readonly seq: number; readonly generation: number; readonly event: string; readonly at: number }
/** Messages not yet processed. An id is never used twice. */
export interface MailTable { readonly id: Assigned; readonly recipient: string; readonly event: string; readonly at: number }
/** Effects whose result has not come back yet, in the order they were asked for (`id`). */
export interface OutboxTable { readonly id: Assigned; readonly key: string; readonly actor: string; readonly kind: string; readonly payload: string; readonly at: number; readonly attempts: Generated<number> }
export interface AlarmsTable { readonly actor: string; readonly name: string; readonly at: number }
/** The newest snapshot of each actor. */
export interface SnapshotsTable { readonly actor: string; readonly machine: string; readonly version: number; readonly seq: number; readonly state: string }
export interface ViewsTable { readonly actor: string; readonly seq: number; readonly view: string; readonly updated_at: number }
export interface DeadLettersTable { readonly id: Assigned; readonly actor: string; readonly event: string; readonly error: string; readonly stack: string; readonly at: number }

/** The one schema of both dialects. Times are milliseconds since the epoch, JSON is text. */
export interface Schema {
  readonly meta: MetaTable;
  readonly journal: JournalTable;
  readonly mail: MailTable;
  readonly outbox: OutboxTable;
  readonly alarms: AlarmsTable;
  readonly snapshots: SnapshotsTable;
  readonly views: ViewsTable;
  readonly dead_letters: DeadLettersTable;
}
