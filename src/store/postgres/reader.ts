import { Effect, type Scope } from "effect";
import { type OpenError, type StoreReaderShape, StoreUnavailable } from "../../ports/store.ts";

export const openPostgresReader = (_url: string): Effect.Effect<StoreReaderShape, OpenError, Scope.Scope> =>
  Effect.fail(new StoreUnavailable({ message: "PostgreSQL is not served by this build yet" }));
