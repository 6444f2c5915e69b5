import { Effect, Exit, Scope } from "effect";

/** Runs `use` in a scope that the caller closes. */
export const openScoped = async <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<{ readonly value: A; readonly close: () => Promise<void> }> => {
  const scope = await Effect.runPromise(Scope.make());
  const value = await Effect.runPromise(Scope.provide(effect, scope));
  return { value, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
};
