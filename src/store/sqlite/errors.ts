import { type CommitFailure, codeOf, messageOf, type OpenFailure, Refusal } from "../failure.ts";

const isDamage = (code: string): boolean => code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT");
const isNoRoom = (code: string): boolean => code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
const isIo = (code: string): boolean => code === "EIO" || code.startsWith("SQLITE_IOERR");
const isNoWrite = (code: string): boolean => ["EACCES", "EPERM", "EROFS", "SQLITE_PERM"].includes(code) || code.startsWith("SQLITE_READONLY") || code.startsWith("SQLITE_CANTOPEN");

const full = (error: unknown): CommitFailure & OpenFailure => ({
  _tag: "StoreFull",
  message: isNoRoom(codeOf(error))
    ? `no room on the disk (${codeOf(error)}): nothing was written. Free some space; the factory goes on by itself`
    : `the disk answered with an I/O error (${codeOf(error)}): nothing was written. Check the disk; the factory tries again`,
});

/** What a failed write means. Nothing of the batch is in the database. */
export const commitFailure = (error: unknown): CommitFailure => {
  if (error instanceof Refusal) {
    const { failure } = error;
    if (failure._tag === "StoreFenced" || failure._tag === "StoreFull" || failure._tag === "StoreUnavailable") return failure;
  }
  const code = codeOf(error);
  if (isNoRoom(code) || isIo(code)) return full(error);
  if (code.startsWith("SQLITE_BUSY")) return { _tag: "StoreUnavailable", message: "another process holds the database's write lock for too long (is a process stopped in the middle of a write?)" };
  return { _tag: "StoreUnavailable", message: `the database refused the write: ${messageOf(error)}${code === "" ? "" : ` (${code})`}` };
};

/** What a failed open means. Nothing was overwritten. */
export const openFailure = (error: unknown, path: string): OpenFailure => {
  if (error instanceof Refusal) {
    const { failure } = error;
    if (failure._tag !== "StoreFenced") return failure;
  }
  const code = codeOf(error);
  if (isDamage(code)) return { _tag: "StoreCorrupt", path, message: `${path} is no database of the factory, or is damaged (${messageOf(error)}). It was left as it is. Put a backup in its place: enact-factory store restore FILE --force keeps the damaged file aside` };
  if (isNoWrite(code)) return { _tag: "StoreReadOnly", path, message: `${path} cannot be written (${code}). Give this user write access to the directory and the files in it` };
  if (isNoRoom(code) || isIo(code)) return full(error);
  return { _tag: "StoreUnavailable", message: `${path} cannot be opened: ${messageOf(error)}${code === "" ? "" : ` (${code})`}` };
};
