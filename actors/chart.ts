import { createActor, type AnyMachineSnapshot, type AnyStateMachine, type AnyTransitionDefinition, type EventObject, type Snapshot } from "xstate";
import type { StepAction } from "../machines/catalog.ts";

/**
 * Runs one chart as a pure function: state and event in, state and unexecuted actions out.
 *
 * Owns: the only use of XState's `machine.transition` with a scope of our own. One inert actor serves every call for its machine;
 * it is never started, so it has no timers, no children and no mailbox.
 *
 * I1 Nothing is executed here. I2 A throw leaves no trace: the caller's state is still the truth.
 * I3 Only JSON leaves: `save` and `load` round-trip through text. I4 A finished chart absorbs everything: XState itself lets handlers
 * of the root move it on.
 */
export interface Chart {
  readonly machine: AnyStateMachine;
  readonly start: (input: unknown) => Step;
  readonly step: (state: AnyMachineSnapshot, event: EventObject) => Step;
  readonly save: (state: AnyMachineSnapshot) => string;
  readonly load: (saved: unknown) => AnyMachineSnapshot;
  /** What XState does inside the steps that `run` makes, in order. For inspectors: nothing is observed outside of this call. */
  readonly within: (run: () => void) => readonly Microstep[];
}

/** One microstep: an event, raised or eventless ones included (`event` is then what started the step), and where it led. */
export interface Microstep { readonly event: EventObject; readonly state: AnyMachineSnapshot; readonly transitions: readonly AnyTransitionDefinition[] }

/** An event as the host journals it: JSON with a type. */
export type HostEvent = { readonly type: string } & Readonly<Record<string, unknown>>;

export interface Step { readonly state: AnyMachineSnapshot; readonly actions: readonly StepAction[] }

const none: readonly StepAction[] = [];

const isMachineSnapshot = (snapshot: Snapshot<unknown>): snapshot is AnyMachineSnapshot => "value" in snapshot && "machine" in snapshot;

export const createChart = (machine: AnyStateMachine): Chart => {
  // XState types the scope by the machine; ours is inert, so the actor it names is only ever looked at.
  const inert = createActor(machine);
  let taken: StepAction[] | undefined;
  const scope: Parameters<AnyStateMachine["transition"]>[2] = {
    self: inert,
    id: "",
    sessionId: "",
    system: inert.system,
    logger: () => {},
    defer: () => {},
    emit: () => {},
    stopChild: () => {},
    actionExecutor: (action) => {
      // `raise` is settled inside the step; it only shows up here as well (runtime facts, §8).
      if (action.type === "xstate.raise") return;
      (taken ??= []).push({ type: action.type, params: action.params });
    },
  };
  const drain = (state: AnyMachineSnapshot): Step => {
    const actions = taken ?? none;
    taken = undefined;
    return { state, actions };
  };
  return {
    machine,
    start: (input) => {
      taken = undefined;
      return drain(machine.getInitialSnapshot(scope, input));
    },
    step: (state, event) => {
      if (state.status !== "active") return { state, actions: none };
      taken = undefined;
      return drain(machine.transition(state, event, scope));
    },
    save: (state) => JSON.stringify(machine.getPersistedSnapshot(state)),
    within: (run) => {
      const steps: Microstep[] = [];
      const watching = inert.system.inspect((told) => {
        if (told.type === "@xstate.microstep" && isMachineSnapshot(told.snapshot)) steps.push({ event: told.event, state: told.snapshot, transitions: told._transitions });
      });
      try {
        run();
      } finally {
        watching.unsubscribe();
      }
      return steps;
    },
    load: (saved) => machine.restoreSnapshot(saved as Parameters<AnyStateMachine["restoreSnapshot"]>[0], scope),
  };
};
