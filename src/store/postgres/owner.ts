import { Effect, type Scope } from "effect";
import { type OpenError, type StoreShape, StoreUnavailable } from "../../ports/store.ts";
import type { OpenOptions } from "../location.ts";

export const openPostgresOwner = (_url: string, _options: OpenOptions): Effect.Effect<StoreShape, OpenError, Scope.Scope> =>
  Effect.fail(new StoreUnavailable({ message: "PostgreSQL is not served by this build yet" }));
