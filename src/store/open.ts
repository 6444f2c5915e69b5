// The store room's public face. Drivers are loaded when a store of theirs is opened, not before.
import { Effect, type Scope } from "effect";
import type { OpenError, StoreReaderShape, StoreShape } from "../ports/store.ts";
import type { OpenOptions, StoreLocation } from "./location.ts";
import { memoryState, openMemoryOwner, openMemoryReader } from "./memory.ts";

export type { OpenOptions, StoreLocation } from "./location.ts";
export { memoryState, openMemoryOwner } from "./memory.ts";

/**
 * Becomes the one owner of a store until the Scope ends. A store that is not there is made; an older one is migrated.
 * Fails with `StoreOwned` while another process owns it. No failure changes what is there.
 */
export const openOwner = (location: StoreLocation, options: OpenOptions = {}): Effect.Effect<StoreShape, OpenError, Scope.Scope> => {
  switch (location.kind) {
    case "sqlite": return Effect.flatMap(Effect.promise(() => import("./sqlite/owner.ts")), ({ openSqliteOwner }) => openSqliteOwner(location.directory, options));
    case "postgres": return Effect.flatMap(Effect.promise(() => import("./postgres/owner.ts")), ({ openPostgresOwner }) => openPostgresOwner(location.url, options));
    case "memory": return openMemoryOwner(location.state ?? memoryState(), options.takeOver);
  }
};

/** Reads a store, whoever owns it, and may leave mail in it. The store must be there already. */
export const openReader = (location: StoreLocation): Effect.Effect<StoreReaderShape, OpenError, Scope.Scope> => {
  switch (location.kind) {
    case "sqlite": return Effect.flatMap(Effect.promise(() => import("./sqlite/reader.ts")), ({ openSqliteReader }) => openSqliteReader(location.directory));
    case "postgres": return Effect.flatMap(Effect.promise(() => import("./postgres/reader.ts")), ({ openPostgresReader }) => openPostgresReader(location.url));
    case "memory": return Effect.succeed(openMemoryReader(location.state ?? memoryState()));
  }
};
