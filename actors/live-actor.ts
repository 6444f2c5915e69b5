import { createActor, type AnyActor, type AnyActorRef, type AnyStateMachine } from "xstate";
import type { ClockShape } from "../src/ports/clock.ts";
import { defaultShutdownMs, type ChildSpec, type Exit, type Living, type Restart, type Running } from "./child.ts";
import { settled } from "./effect-logic.ts";

/**
 * A live XState machine as a supervised child.
 *
 * Owns: the root actor of the child, which has its own actor system. Talks to: XState, the supervisor (exits).
 *
 * I1 Every incarnation is a root of its own system: stopping it costs nothing to others, and timers are scanned among its own only.
 * I2 A root always has an error observer: XState would otherwise rethrow globally.
 * I3 A machine that throws takes its children with it. XState leaves them running and even `stop` does not reach them afterwards; so every
 *    machine below, see `reaping`, watches itself.
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

export const isMachine = (logic: unknown): logic is AnyStateMachine => typeof logic === "object" && logic !== null && "provide" in logic && "root" in logic;

/**
 * Stops the children of an actor whose machine threw, last one first. XState's own stop of a child is this event; nobody but its parent
 * may call it, and a parent in error no longer can.
 */
const reap = (self: AnyActorRef): void => {
  const { children }: { children?: Record<string, AnyActorRef> } = self.getSnapshot();
  for (const child of Object.values(children ?? {}).reverse()) child.send({ type: "xstate.stop" });
};

const refuseInline = (node: AnyStateMachine["root"]): void => {
  for (const invoked of [node.config.invoke ?? []].flat())
    if (typeof invoked.src !== "string") throw new Error(`${node.id} invokes unnamed logic: name it in setup({ actors })`);
  for (const child of Object.values<AnyStateMachine["root"]>(node.states)) refuseInline(child);
};

const reaped = new WeakMap<AnyStateMachine, AnyStateMachine>();

/** The same machine, but every machine that it names as an actor, at any depth, stops its children when it throws. Made once a machine. */
const reaping = (machine: AnyStateMachine): AnyStateMachine => {
  const known = reaped.get(machine);
  if (known) return known;
  refuseInline(machine.root);
  const named: Readonly<Record<string, unknown>> = machine.implementations.actors;
  const inner = Object.entries(named).flatMap(([name, logic]) => (isMachine(logic) ? [[name, watched(logic)] as const] : []));
  const made = inner.length === 0 ? machine : machine.provide({ actors: Object.fromEntries(inner) });
  reaped.set(machine, made);
  return made;
};

/** An inner machine that watches itself. A root is watched by its life: one observer less in every supervised actor. */
const watched = (machine: AnyStateMachine): AnyStateMachine => {
  const own = reaping(machine).provide({}), { getInitialSnapshot } = own;
  own.getInitialSnapshot = (scope, input) => {
    scope.self.subscribe({ error: () => reap(scope.self) });
    return getInitialSnapshot(scope, input);
  };
  return own;
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

/** One life of a live actor, and its observer. */
class Life implements Running {
  readonly actor: AnyActor;
  readonly #onExit: (exit: Exit) => void;
  constructor(actor: AnyActor, onExit: (exit: Exit) => void) {
    this.actor = actor;
    this.#onExit = onExit;
  }
  error(error: unknown): void {
    reap(this.actor);
    this.#onExit({ kind: "crashed", error });
  }
  complete(): void { this.#onExit({ kind: "done" }); }
  stop(): Promise<void> {
    this.actor.stop();
    return settled(this.actor.system);
  }
  describe(): string {
    const { value }: { value?: unknown } = this.actor.getSnapshot();
    return typeof value === "string" ? value : JSON.stringify(value);
  }
  living(): readonly Living[] { return [{ path: "", actor: this.actor }]; }
}

class LiveChild implements ChildSpec {
  readonly id: string;
  readonly restart: Restart;
  readonly shutdownMs: number;
  readonly #spec: LiveActor;
  #life: Life | undefined;

  constructor(spec: LiveActor) {
    this.id = spec.id;
    this.restart = spec.restart ?? "permanent";
    this.shutdownMs = spec.shutdownMs ?? defaultShutdownMs;
    this.#spec = spec;
    reaping(spec.machine);
  }

  /** The living actor, to send to; undefined while there is none. */
  current(): AnyActor | undefined {
    const actor = this.#life?.actor;
    return actor?.getSnapshot().status === "active" ? actor : undefined;
  }

  start(onExit: (exit: Exit) => void): Running {
    const { id, machine, input, clock, onStart } = this.#spec;
    const actor: AnyActor = createActor(reaping(machine), { id, input: input?.(), clock: xstateClock(clock) });
    const life = new Life(actor, onExit);
    this.#life = life;
    actor.subscribe(life);
    onStart?.(actor);
    actor.start();
    return life;
  }
}

/** A child for a supervisor. */
export const liveActor = (spec: LiveActor): ChildSpec & { readonly current: () => AnyActor | undefined } => new LiveChild(spec);
