// Opens stores inside tests and child processes, each with its own Scope.
import { Effect, Exit, Scope } from "effect";
import type { StoreReaderShape, StoreShape } from "../../src/ports/store.ts";
import { type OpenOptions, openOwner, openReader, type StoreLocation } from "../../src/store/open.ts";

export interface Opened<S> { readonly store: S; readonly close: () => Promise<void> }

const opened = async <S, E>(open: Effect.Effect<S, E, Scope.Scope>): Promise<Opened<S>> => {
  const scope = Scope.makeUnsafe();
  const close = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void));
  const exit = await Effect.runPromise(Effect.result(Scope.provide(open, scope)));
  if (exit._tag === "Failure") {
    await close();
    throw exit.failure;
  }
  return { store: exit.success, close };
};

export const owner = (location: StoreLocation, options?: OpenOptions): Promise<Opened<StoreShape>> => opened(openOwner(location, options));
export const reader = (location: StoreLocation): Promise<Opened<StoreReaderShape>> => opened(openReader(location));

export const run = Effect.runPromise;
/** The tag of the error this fails with; `ok` when it does not. */
export const outcome = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>): Promise<string> => Effect.runPromise(Effect.match(effect, { onSuccess: () => "ok", onFailure: (error) => error._tag }));
