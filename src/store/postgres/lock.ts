// Owns: the advisory lock that says who owns the store in this database.
// I1 The lock belongs to the session that also commits: a session that lost it cannot write, for it is gone.
// I2 What the server knows of the holder is for messages; nothing but the lock decides.
import type { Client } from "pg";
import { Refusal } from "../failure.ts";

/** "enact" and "owner", "mail" as numbers: arbitrary, but never to be changed. */
const ours = 0x656e_6163;
const ownerLock = 1;
/** Held for the length of one statement by whoever inserts mail, so that ids become visible in their order. */
const mailLock = 2;
/** Whoever inserts mail says so here; the owner's session listens. */
export const mailChannel = "enact_mail";
export const mailLockCall = `pg_advisory_xact_lock(${ours}, ${mailLock})`;

/** How long a take-over waits for the server to end the old session, milliseconds. */
const takeOverMs = 10_000;

const holders = `SELECT l.pid, a.client_addr::text AS address, a.backend_start::text AS since
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2 AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid()`;

/** Takes the lock for this session or throws `StoreOwned`. `takeOver` ends the session of the holder first. */
export const acquireLock = async (client: Client, place: string, takeOver: boolean): Promise<void> => {
  const attempt = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS taken", [ours, ownerLock]);
  if (attempt.rows[0]?.taken === true) return;
  const { rows } = await client.query<{ pid: number; address: string | null; since: string | null }>(holders, [ours, ownerLock]);
  if (takeOver) {
    for (const { pid } of rows) await client.query("SELECT pg_terminate_backend($1)", [pid]);
    await client.query(`SET lock_timeout = ${takeOverMs}`);
    await client.query("SELECT pg_advisory_lock($1, $2)", [ours, ownerLock]);
    await client.query("RESET lock_timeout");
    return;
  }
  const [holder] = rows;
  const who = holder === undefined ? "" : ` (PostgreSQL session ${holder.pid}${holder.address === null ? "" : ` from ${holder.address}`}${holder.since === null ? "" : `, since ${holder.since}`})`;
  throw new Refusal({ _tag: "StoreOwned", message: `a factory already runs on ${place}${who}. Use it as a client, or stop it first${holder === undefined ? "" : `; if it does not answer, end its session: SELECT pg_terminate_backend(${holder.pid}). Nothing is lost`}` });
};
