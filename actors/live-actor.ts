import { createActor, type AnyActor, type AnyActorRef, type AnyActorScope, type AnyStateMachine } from "xstate";
import type { ClockShape } from "../src/ports/clock.ts";
import type { ChildSpec } from "./child.ts";
import { settled } from "./effect-logic.ts";

/**
 * A live XState machine as a supervised child.
 *
 * Owns: the root actor of the child, which has its own actor system. Talks to: XState, the supervisor (exits).
 *
 * I1 Every incarnation is a root of its own system: stopping it costs nothing to others, and timers are scanned among its own only.
 * I2 A root always has an error observer: XState would otherwise rethrow globally.
 * I3 A machine that throws takes its children with it. XState leaves them running and even `stop` does not reach them afterwards; so every
 *    machine below, by `reaping`, watches itself.
 * I4 Only named actors: inline logic cannot be made to reap.
 * I5 `stop` resolves when the effects of the whole system have run their finalizers, after a crash as well.
 */
export interface LiveActor {
  readonly id: string;
  readonly machine: AnyStateMachine;
  /** Made anew for every incarnation. */
  readonly input?: () => unknown;
  readonly clock: ClockShape;
  readonly restart?: ChildSpec["restart"];
  readonly shutdownMs?: number;
  /** Called with every incarnation before it starts: the place to subscribe. */
  readonly onStart?: (actor: AnyActor) => void;
}

const isMachine = (logic: unknown): logic is AnyStateMachine => typeof logic === "object" && logic !== null && "provide" in logic && "root" in logic;

/** Stops the children of an actor whose machine threw, last one first. */
const reap = (self: AnyActorRef, stopChild: AnyActorScope["stopChild"]): void => {
  const { children }: { children?: Record<string, AnyActorRef> } = self.getSnapshot();
  for (const child of Object.values(children ?? {}).reverse()) stopChild(child);
};

const refuseInline = (node: AnyStateMachine["root"]): void => {
  for (const invoked of [node.config.invoke ?? []].flat())
    if (typeof invoked.src !== "string") throw new Error(`${node.id} invokes unnamed logic: name it in setup({ actors })`);
  for (const child of Object.values<AnyStateMachine["root"]>(node.states)) refuseInline(child);
};

const reaped = new WeakMap<AnyStateMachine, AnyStateMachine>();

/** The same machine, but its children stop when it throws; likewise every machine that it names as an actor. Made once a machine. */
export const reaping = (machine: AnyStateMachine): AnyStateMachine => {
  const known = reaped.get(machine);
  if (known) return known;
  refuseInline(machine.root);
  const named: Readonly<Record<string, unknown>> = machine.implementations.actors;
  const machines = Object.entries(named).flatMap(([name, logic]) => (isMachine(logic) ? [[name, reaping(logic)] as const] : []));
  const wrapped = machine.provide({ actors: Object.fromEntries(machines) });
  const { getInitialSnapshot } = wrapped;
  wrapped.getInitialSnapshot = (scope, input) => {
    scope.self.subscribe({ error: () => reap(scope.self, scope.stopChild) });
    return getInitialSnapshot(scope, input);
  };
  reaped.set(machine, wrapped);
  return wrapped;
};

const clocks = new WeakMap<ClockShape, { setTimeout: (fn: () => void, ms: number) => () => void; clearTimeout: (cancel: () => void) => void }>();

/** The Clock port as XState wants it. */
const xstateClock = (clock: ClockShape) => {
  const known = clocks.get(clock);
  if (known) return known;
  const made = { setTimeout: (fn: () => void, ms: number) => clock.at(clock.now() + ms, fn), clearTimeout: (cancel: () => void) => cancel() };
  clocks.set(clock, made);
  return made;
};

/** A child for a supervisor. `current` is the living actor, to send to; undefined while there is none. */
export const liveActor = (spec: LiveActor): ChildSpec & { readonly current: () => AnyActor | undefined } => {
  const logic = reaping(spec.machine), clock = xstateClock(spec.clock);
  let current: AnyActor | undefined;
  return {
    id: spec.id,
    ...(spec.restart ? { restart: spec.restart } : {}),
    ...(spec.shutdownMs === undefined ? {} : { shutdownMs: spec.shutdownMs }),
    current: () => current,
    start: (onExit) => {
      const actor: AnyActor = createActor(logic, { id: spec.id, input: spec.input?.(), clock });
      const gone = (): void => { if (current === actor) current = undefined; };
      current = actor;
      actor.subscribe({
        error: (error: unknown) => { gone(); onExit({ kind: "crashed", error }); },
        complete: () => { gone(); onExit({ kind: "done" }); },
      });
      spec.onStart?.(actor);
      actor.start();
      return {
        stop: () => { gone(); actor.stop(); return settled(actor.system); },
        describe: () => { const { value }: { value?: unknown } = actor.getSnapshot(); return typeof value === "string" ? value : JSON.stringify(value); },
      };
    },
  };
};
