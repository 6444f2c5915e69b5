import { type CommitFailure, codeOf, messageOf, type OpenFailure, Refusal } from "../failure.ts";

// Codes: the PostgreSQL manual, appendix A. Messages of the driver and the server never carry the password.
const isNoRoom = (code: string): boolean => code === "53100" || code === "ENOSPC";
const isIo = (code: string): boolean => code === "58030" || code === "EIO";
const isDamage = (code: string): boolean => code === "XX001" || code === "XX002";
const isNoWrite = (code: string): boolean => code === "42501" || code === "25006";

const full = (error: unknown): CommitFailure & OpenFailure => ({
  _tag: "StoreFull",
  message: isNoRoom(codeOf(error))
    ? "no room on the PostgreSQL server's disk: nothing was written. Free some space there; the factory goes on by itself"
    : "the PostgreSQL server's disk answered with an I/O error: nothing was written. Check it; the factory tries again",
});

const reach = (error: unknown, place: string): string => {
  const code = codeOf(error);
  switch (code) {
    case "ECONNREFUSED": return `no PostgreSQL server answers at ${place}: start it, or mend store.url`;
    case "ENOTFOUND": case "EAI_AGAIN": return `the host of ${place} is not known: mend store.url`;
    case "28P01": case "28000": return `PostgreSQL at ${place} refuses this user or password: mend store.url`;
    case "3D000": return `PostgreSQL has no database at ${place}: create it (createdb), or mend store.url`;
    case "53300": return `PostgreSQL at ${place} has no connection free`;
    default: return `PostgreSQL at ${place} failed: ${messageOf(error)}${code === "" ? "" : ` (${code})`}`;
  }
};

/** What a failed write means. Nothing of the batch is known to be in the database. */
export const commitFailure = (error: unknown, place: string): CommitFailure => {
  if (error instanceof Refusal) {
    const { failure } = error;
    if (failure._tag === "StoreFenced" || failure._tag === "StoreFull" || failure._tag === "StoreUnavailable") return failure;
  }
  const code = codeOf(error);
  if (isNoRoom(code) || isIo(code)) return full(error);
  return { _tag: "StoreUnavailable", message: reach(error, place) };
};

/** What a failed open means. Nothing was overwritten. */
export const openFailure = (error: unknown, place: string): OpenFailure => {
  if (error instanceof Refusal) {
    const { failure } = error;
    if (failure._tag !== "StoreFenced") return failure;
  }
  const code = codeOf(error);
  if (isDamage(code)) return { _tag: "StoreCorrupt", path: place, message: `the database at ${place} is damaged (${messageOf(error)}). It was left as it is` };
  if (isNoWrite(code)) return { _tag: "StoreReadOnly", path: place, message: `this user may not write to ${place} (${messageOf(error)}). Grant it CREATE on the database, or use the primary server` };
  if (isNoRoom(code) || isIo(code)) return full(error);
  return { _tag: "StoreUnavailable", message: reach(error, place) };
};
