import { Data, Effect } from "effect";
import { type OpenError, StoreUnavailable } from "../ports/store.ts";
import { openError } from "./error.ts";
import type { OpenFailure } from "./failure.ts";
import type { StoreLocation } from "./location.ts";
import type { Restored, RestoreOutcome } from "./restored.ts";

export type { Restored } from "./restored.ts";

/** The target holds data and `force` was not given. Nothing was changed. */
export class RestoreRefused extends Data.TaggedError("RestoreRefused")<{ readonly message: string }> {}

/**
 * Puts a backup (of either dialect: it is an SQLite file) in the place of a store. Refuses while an owner lives, and when the
 * target holds a store unless `force`; then the old one is kept aside under a new name, never deleted.
 * The restored store's generation is not below that of the one it replaces.
 */
export const restore = (file: string, location: StoreLocation, options: { readonly force?: boolean } = {}): Effect.Effect<Restored, OpenError | RestoreRefused> => Effect.gen(function* () {
  const force = options.force === true;
  const outcome = yield* Effect.tryPromise({
    try: async (): Promise<{ readonly done: RestoreOutcome } | { readonly failure: OpenFailure }> => {
      switch (location.kind) {
        case "sqlite": return (await import("./sqlite/restore.ts")).restoreSqlite(file, location.directory, force);
        case "postgres": return (await import("./postgres/restore.ts")).restorePostgres(file, location.url, force);
        case "memory": return { done: { refused: "a store in memory cannot be restored into" } };
      }
    },
    catch: (error) => new StoreUnavailable({ message: `the restore failed: ${String(error)}` }),
  });
  if ("failure" in outcome) return yield* Effect.fail(openError(outcome.failure));
  if ("refused" in outcome.done) return yield* Effect.fail(new RestoreRefused({ message: outcome.done.refused }));
  return outcome.done;
});
