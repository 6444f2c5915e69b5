import { Cause, Effect, Exit, type Fiber, Option, Result } from "effect";
import type { ActorLogic, ActorRef, AnyActorRef, EventObject, NonReducibleUnknown, Snapshot } from "xstate";

/**
 * An Effect as the logic of a live XState actor.
 *
 * Owns: the fibers of such actors, by actor system. Talks to: XState (lifecycle), whoever runs fibers (`fork`).
 *
 * I1 A fiber is never in a snapshot. I2 Stopping the actor interrupts its fiber; what the fiber says afterwards changes nothing.
 * I3 XState's stop is synchronous, finalizers are not: `settled` is what a shutdown must await, and it is per system, so per supervised child.
 * I4 A declared failure, a defect and an interrupt never look alike to the chart.
 */
type System = AnyActorRef["system"];

export type FailureKind = "failure" | "defect" | "interrupt";

/** Why an effect did not succeed; `value` is the typed error or the defect. A cause that holds a defect is a defect, whatever else it holds. */
export class EffectFailure extends Error {
  override readonly name = "EffectFailure";
  readonly kind: FailureKind;
  readonly value: unknown;
  constructor(kind: FailureKind, value: unknown, message: string) {
    super(message);
    this.kind = kind;
    this.value = value;
  }
  /** An Error is `{}` in JSON; this is not. */
  toJSON(): { readonly name: string; readonly kind: FailureKind; readonly message: string } {
    return { name: this.name, kind: this.kind, message: this.message };
  }
}

export const failureOf = (cause: Cause.Cause<unknown>): EffectFailure => {
  const defect = Cause.findDefect(cause), failure = Cause.findErrorOption(cause), message = Cause.pretty(cause);
  if (Result.isSuccess(defect)) return new EffectFailure("defect", defect.success, message);
  if (Option.isSome(failure)) return new EffectFailure("failure", failure.value, message);
  return new EffectFailure("interrupt", undefined, "interrupted");
};

export type EffectSnapshot<A, I> = Snapshot<A> & { readonly input: I };
/** From the fiber to its own actor, or XState's stop. */
export type EffectEvent<A> = { readonly type: "effect.succeeded"; readonly output: A } | { readonly type: "effect.failed"; readonly failure: EffectFailure } | { readonly type: "xstate.stop" };

interface Lifetime<I> { readonly input: I; readonly self: { readonly id: string }; readonly system: System; readonly emit: (event: EventObject) => void }

type AnyFiber = Fiber.Fiber<unknown, unknown>;
const fibersOf = new WeakMap<System, Set<AnyFiber>>();

/** Resolves when every effect of this actor system has ended, finalizers included. At once when it has none. */
export const settled = async (system: System): Promise<void> => {
  const ended = (fiber: AnyFiber): Promise<void> => new Promise((resolve) => { fiber.addObserver(() => resolve()); });
  for (let fibers = fibersOf.get(system); fibers && fibers.size > 0; fibers = fibersOf.get(system)) await Promise.all([...fibers].map(ended));
};

/**
 * Logic that runs `make(…)` while the actor lives: done with its value, in error with an `EffectFailure`. `fork` gives it its services:
 * `Effect.runForkWith(services)` or a ManagedRuntime's `runFork`.
 */
export const fromEffect = <A, E, R, I extends NonReducibleUnknown = NonReducibleUnknown>(
  fork: (effect: Effect.Effect<A, E, R>) => Fiber.Fiber<A, unknown>,
  make: (lifetime: Lifetime<I>) => Effect.Effect<A, E, R>,
): ActorLogic<EffectSnapshot<A, I>, EffectEvent<A>, I> => {
  const running = new WeakMap<ActorRef<EffectSnapshot<A, I>, EffectEvent<A>>, Fiber.Fiber<A, unknown>>();
  return {
    getInitialSnapshot: (_, input) => ({ status: "active", output: undefined, error: undefined, input }),
    getPersistedSnapshot: (snapshot) => snapshot,
    start: ({ status, input }, { self, system, emit }) => {
      if (status !== "active") return;
      const fiber = fork(Effect.suspend(() => make({ input, self, system, emit })));
      const fibers = fibersOf.get(system) ?? new Set<AnyFiber>();
      fibersOf.set(system, fibers.add(fiber));
      running.set(self, fiber);
      fiber.addObserver((exit) => {
        fibers.delete(fiber);
        if (running.delete(self)) self.send(Exit.isSuccess(exit) ? { type: "effect.succeeded", output: exit.value } : { type: "effect.failed", failure: failureOf(exit.cause) });
      });
    },
    transition: (snapshot, event, { self }) => {
      if (snapshot.status !== "active") return snapshot;
      const { input } = snapshot;
      switch (event.type) {
        case "effect.succeeded": return { status: "done", output: event.output, error: undefined, input };
        case "effect.failed": return { status: "error", output: undefined, error: event.failure, input };
        case "xstate.stop": {
          const fiber = running.get(self);
          running.delete(self);
          fiber?.interruptUnsafe();
          return { status: "stopped", output: undefined, error: undefined, input };
        }
        default: return snapshot;
      }
    },
  };
};
