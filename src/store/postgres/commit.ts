// Owns: the statements that write the store in PostgreSQL.
// I1 A write is one statement, hence one transaction that the server finishes or drops by itself: a stopped client never leaves one open.
// I2 Its first step locks the generation (FOR SHARE) and reads it as it then is; every other step depends on it (`go`).
//    An owner that waits there for its successor sees the successor's number and changes nothing.
// I3 Steps of one statement do not see each other; `fold` has made sure that they need not.
import type { Cause, Commit, DeadLetter, EventJson } from "../../ports/store.ts";
import { Refusal } from "../failure.ts";
import type { Heads } from "../heads.ts";
import { storable } from "../text.ts";
import { schemaName as s } from "./connect.ts";
import { type Changes, fold } from "./fold.ts";
import { mailChannel, mailLockCall } from "./lock.ts";

export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values: readonly unknown[];
  /** Where the journals of the actors it names end once this is durable. */
  readonly reached?: ReadonlyMap<string, number>;
}
/** What every fenced statement answers. */
export interface Answer { readonly generation: number | null; readonly wrong: string | null }

const column = (rows: readonly (readonly unknown[])[], i: number): readonly unknown[] => rows.map((row) => row[i]);

/** Collects parameters and the steps of a statement; equal steps in equal order give equal text, which the server plans once. */
class Script {
  readonly values: unknown[] = [];
  readonly steps: string[] = [];
  parameter(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }
  /** `unnest(…) WITH ORDINALITY AS r(columns…, n)` over rows whose columns have these names and types. */
  rows(rows: readonly (readonly unknown[])[], columns: Readonly<Record<string, "text" | "int" | "bigint">>): string {
    const arrays = Object.values(columns).map((type, i) => this.parameter(column(rows, i), `${type}[]`));
    return `unnest(${arrays.join(", ")}) WITH ORDINALITY AS r(${Object.keys(columns).map((name) => `"${name}"`).join(", ")}, n)`;
  }
  step(name: string, sql: string): void {
    this.steps.push(`${name} AS ${sql}`);
  }
}

const fence = (script: Script, generation: number, condition = ""): void => {
  script.step("fence", `MATERIALIZED (SELECT generation FROM ${s}.meta WHERE id = 1 FOR SHARE)`);
  script.step("go", `MATERIALIZED (SELECT FROM fence WHERE generation = ${script.parameter(generation, "int")}${condition})`);
};
const finish = (script: Script, wrong = "NULL"): Statement => ({
  text: `WITH ${script.steps.join(",\n")}\nSELECT (SELECT generation FROM fence) AS generation, ${wrong} AS wrong`,
  values: script.values,
});

const changeRows = (script: Script, c: Changes): void => {
  if (c.takenMail.length > 0) script.step("taken_mail", `(DELETE FROM ${s}.mail USING go WHERE id = ANY (${script.parameter(c.takenMail, "bigint[]")}))`);
  if (c.takenOutbox.length > 0) script.step("taken_outbox", `(DELETE FROM ${s}.outbox USING go WHERE key = ANY (${script.parameter(c.takenOutbox, "text[]")}))`);
  if (c.mail.length > 0) {
    script.step("mail_lock", `MATERIALIZED (SELECT ${mailLockCall} FROM go)`);
    script.step("new_mail", `(INSERT INTO ${s}.mail (recipient, event, at) SELECT r.recipient, r.event, r.at FROM mail_lock, ${script.rows(c.mail, { recipient: "text", event: "text", at: "bigint" })} ORDER BY r.n)`);
  }
  if (c.outbox.length > 0) {
    script.step("new_outbox", `(INSERT INTO ${s}.outbox (key, actor, kind, payload, at) SELECT r.key, r.actor, r.kind, r.payload, r.at FROM go, ${script.rows(c.outbox, { key: "text", actor: "text", kind: "text", payload: "text", at: "bigint" })} ORDER BY r.n)`);
  }
  if (c.finals.length + c.clearedAlarms.length > 0) {
    const set = `SELECT * FROM unnest(${script.parameter(column(c.alarms, 0), "text[]")}, ${script.parameter(column(c.alarms, 1), "text[]")})`;
    const cleared = `SELECT * FROM unnest(${script.parameter(column(c.clearedAlarms, 0), "text[]")}, ${script.parameter(column(c.clearedAlarms, 1), "text[]")})`;
    script.step("old_alarms", `(DELETE FROM ${s}.alarms USING go WHERE (actor = ANY (${script.parameter(c.finals, "text[]")}) AND (actor, name) NOT IN (${set})) OR (actor, name) IN (${cleared}))`);
  }
  if (c.alarms.length > 0) {
    script.step("new_alarms", `(INSERT INTO ${s}.alarms (actor, name, at) SELECT r.actor, r.name, r.at FROM go, ${script.rows(c.alarms, { actor: "text", name: "text", at: "bigint" })} ON CONFLICT (actor, name) DO UPDATE SET at = excluded.at)`);
  }
  if (c.snapshots.length > 0) {
    script.step("new_snapshots", `(INSERT INTO ${s}.snapshots (actor, machine, version, seq, state) SELECT r.actor, r.machine, r.version, r.seq, r.state FROM go, ${script.rows(c.snapshots, { actor: "text", machine: "text", version: "int", seq: "int", state: "text" })} ON CONFLICT (actor) DO UPDATE SET machine = excluded.machine, version = excluded.version, seq = excluded.seq, state = excluded.state)`);
  }
  if (c.views.length > 0) {
    script.step("new_views", `(INSERT INTO ${s}.views (actor, seq, view, updated_at) SELECT r.actor, r.seq, r.view, r.at FROM go, ${script.rows(c.views, { actor: "text", seq: "int", view: "text", at: "bigint" })} ON CONFLICT (actor) DO UPDATE SET seq = excluded.seq, view = excluded.view, updated_at = excluded.updated_at)`);
  }
};

/** One prepared statement per combination of steps; there are few in use and at most a few hundred. */
const named = (c: Changes, unknown: readonly unknown[]): string => `commit-${[unknown, c.takenMail, c.takenOutbox, c.mail, c.outbox, [...c.finals, ...c.clearedAlarms], c.alarms, c.snapshots, c.views].map((rows) => (rows.length > 0 ? "1" : "0")).join("")}`;

const sequenceRefused = (actor: string, generation: number): Refusal =>
  new Refusal({ _tag: "StoreFenced", generation, message: `the journal of ${actor} does not end just before this commit: another writer was here, or an event was committed twice` });

/** `heads`: where journals are known to end; only the others are looked up. */
export const commitStatement = (commits: readonly Commit[], generation: number, heads: Heads): Statement => {
  const changes = fold(commits);
  if ("wrong" in changes) throw sequenceRefused(changes.wrong.actor, generation);
  const unknown: (readonly [string, number])[] = [];
  for (const head of changes.heads) {
    const [actor, seq] = head;
    const before = heads.get(actor);
    if (before === undefined) unknown.push(head);
    else if (seq !== before + 1) throw sequenceRefused(actor, generation);
  }
  const script = new Script();
  if (unknown.length > 0) script.step("wrong", `MATERIALIZED (SELECT r.actor FROM ${script.rows(unknown, { actor: "text", seq: "int" })} WHERE r.seq <> 1 + coalesce((SELECT max(j.seq) FROM ${s}.journal j WHERE j.actor = r.actor), 0) LIMIT 1)`);
  fence(script, generation, unknown.length > 0 ? " AND NOT EXISTS (SELECT FROM wrong)" : "");
  const by = script.parameter(generation, "int");
  script.step("new_journal", `(INSERT INTO ${s}.journal (actor, seq, generation, event, at) SELECT r.actor, r.seq, ${by}, r.event, r.at FROM go, ${script.rows(changes.journal, { actor: "text", seq: "int", event: "text", at: "bigint" })} ORDER BY r.n)`);
  changeRows(script, changes);
  return { name: named(changes, unknown), ...finish(script, unknown.length > 0 ? "(SELECT actor FROM wrong)" : "NULL"), reached: changes.reached };
};

/** Throws what an answer says about the write. */
export const checkAnswer = (answer: Answer | undefined, generation: number): void => {
  if (answer?.generation !== generation) throw new Refusal({ _tag: "StoreFenced", generation, message: `owner ${String(answer?.generation)} has taken over from owner ${generation}; this process must stop` });
  if (answer.wrong !== null) throw sequenceRefused(answer.wrong, generation);
};

/** Inserts one message and tells the owner; safe from any process. The word goes out when the message is visible. Ids become visible in their order (see `mailLockCall`). */
export const enqueueStatement = (to: string, event: EventJson, at: number): Statement => ({
  text: `WITH mail_lock AS MATERIALIZED (SELECT ${mailLockCall}), told AS (INSERT INTO ${s}.mail (recipient, event, at) SELECT $1, $2, $3 FROM mail_lock RETURNING pg_notify('${mailChannel}', '')) SELECT FROM told`,
  values: [to, event, at],
});

export const attemptStatement = (key: string, generation: number): Statement => {
  const script = new Script();
  fence(script, generation);
  script.step("counted", `(UPDATE ${s}.outbox SET attempts = attempts + 1 FROM go WHERE key = ${script.parameter(key, "text")})`);
  return finish(script);
};

export const deadLetterStatement = (letter: Omit<DeadLetter, "id">, cause: Cause | undefined, generation: number): Statement => {
  const script = new Script();
  fence(script, generation);
  const values = [letter.actor, letter.event, storable(letter.error), storable(letter.stack)].map((text) => script.parameter(text, "text"));
  script.step("letter", `(INSERT INTO ${s}.dead_letters (actor, event, error, stack, at) SELECT ${values.join(", ")}, ${script.parameter(letter.at, "bigint")} FROM go)`);
  switch (cause?.row) {
    case "mail":
      script.step("taken", `(DELETE FROM ${s}.mail USING go WHERE id = ${script.parameter(cause.id, "bigint")})`);
      break;
    case "outbox":
      script.step("taken", `(DELETE FROM ${s}.outbox USING go WHERE key = ${script.parameter(cause.key, "text")})`);
      break;
    case "alarm":
      script.step("taken", `(DELETE FROM ${s}.alarms USING go WHERE actor = ${script.parameter(letter.actor, "text")} AND name = ${script.parameter(cause.name, "text")})`);
      break;
    case undefined:
  }
  return finish(script);
};

export const stillOwnerStatement: Statement = { text: `SELECT generation, NULL AS wrong FROM ${s}.meta WHERE id = 1`, values: [] };
