/**
 * Lock files that a killed git left behind.
 *
 * I1 Only locks on what the factory alone writes are removed: the worktree's own git directory, `refs/heads/enact/`, `refs/enact/`.
 * I2 A lock is removed only after it stayed unchanged for {@link patienceMs}; a git that outlived its killed parent finishes in that time.
 */
import { Effect } from "effect";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import type { GitFailed } from "../git/git.ts";
import { present } from "./record.ts";

/** Milliseconds. Our commands that hold a lock write a reference or an index: thousandths of a second. */
const patienceMs = 2_000;
const stepMs = 50;

const ours = (lock: string, commonDir: string, admin: string | undefined): boolean =>
  (admin !== undefined && lock.startsWith(`${admin}/`)) || lock.startsWith(join(commonDir, "refs/heads/enact/")) || lock.startsWith(join(commonDir, "refs/enact/"));

const mark = (lock: string) => Effect.promise(async () => {
  const stat = await present(() => fs.lstat(lock)).catch(() => undefined);
  return stat === undefined ? undefined : `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
});

/** Waits until the lock goes away by itself, else removes it when it is ours. True when the way is free. */
export const clearLock = Effect.fnUntraced(function* (lock: string, commonDir: string, admin: string | undefined): Effect.fn.Return<boolean> {
  let seen = yield* mark(lock);
  for (let waited = 0; seen !== undefined && waited < patienceMs; waited += stepMs) {
    yield* Effect.sleep(stepMs);
    const now = yield* mark(lock);
    if (now !== seen && now !== undefined) waited = 0;
    seen = now;
  }
  if (seen === undefined) return true;
  if (!ours(lock, commonDir, admin)) return false;
  yield* Effect.promise(() => fs.rm(lock, { force: true }).catch(() => undefined));
  return true;
});

/** Runs `step` again, at most thrice, when a stale lock was in its way. */
export const pastLocks = <A, E>(step: Effect.Effect<A, GitFailed | E>, commonDir: string, admin: string | undefined, left = 3): Effect.Effect<A, GitFailed | E> =>
  step.pipe(Effect.catch((error: GitFailed | E): Effect.Effect<A, GitFailed | E> => {
    const fault = isLocked(error);
    if (fault === undefined || left === 0) return Effect.fail(error);
    return clearLock(fault, commonDir, admin).pipe(Effect.flatMap((free) => free ? pastLocks(step, commonDir, admin, left - 1) : Effect.fail(error)));
  }));

const isLocked = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "fault" in error && typeof error.fault === "object" && error.fault !== null && "lock" in error.fault && typeof error.fault.lock === "string" ? error.fault.lock : undefined;
