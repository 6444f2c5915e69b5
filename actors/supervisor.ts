import type { ClockShape } from "../src/ports/clock.ts";
import { defaultShutdownMs, type ChildSpec, type ChildState, type Exit, type Living, type Running, type SupervisorEvent, type TreeNode } from "./child.ts";

/**
 * Supervisor: keeps children running as a policy says. It knows nothing of what they are.
 *
 * Owns: which children run, when they are started again, and in which order they stop.
 * Talks to: its children by `start`, `stop` and their exits; the Clock port; an observer, which journals.
 *
 * I1 Start order is the order of the specs, then of `add`; every stop of several children is in reverse, one after another.
 * I2 Every start that returned is matched by exactly one `stop`, also after an exit, awaited (at most `shutdownMs`) before anything takes the child's place.
 * I3 An exit counts once, and only from the present incarnation; what an old one says later changes nothing.
 * I4 More than `intensity.max` failures within `withinMs` escalate: all children stop, then the parent hears of it. No child restarts after that.
 * I5 A temporary child is never started a second time, not even as a sibling of a group restart.
 * I6 Group operations run one at a time; between siblings under one_for_one nothing waits for another's backoff or finalizers.
 * I7 Time comes from the Clock alone: on a simulated clock the same events give the same history.
 */
export interface Policy {
  readonly strategy: "one_for_one" | "one_for_all" | "rest_for_one";
  /** Failures that are still borne within a sliding window. */
  readonly intensity: { readonly max: number; readonly withinMs: number };
  /** Wait before the n-th start in a row: baseMs × 2^(n−1), at most maxMs. A child that was up for `intensity.withinMs` begins anew. Default: none. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
}

export interface SupervisorOptions extends Policy {
  readonly id: string;
  readonly clock: ClockShape;
  readonly children?: readonly ChildSpec[];
  /** Hears everything that happens, in order, nested supervisors included. It must not throw; if it does, nobody is harmed. */
  readonly observe?: (event: SupervisorEvent) => void;
  /** Called once, after every child has stopped, when the intensity was exceeded. */
  readonly onEscalate: (error: unknown) => void;
}

/** The id is taken by another child, or the supervisor no longer starts children. */
export class CannotAdd extends Error { override readonly name = "CannotAdd"; }

type What<E = SupervisorEvent> = E extends SupervisorEvent ? Omit<E, "path" | "at"> : never;

interface Slot {
  readonly spec: ChildSpec;
  readonly dynamic: boolean;
  state: ChildState;
  since: number;
  restarts: number;
  /** Failures in a row, for the backoff. */
  failures: number;
  incarnation: number;
  running: Running | undefined;
  /** The stop under way of the present incarnation. */
  release: Promise<void> | undefined;
  cancelTimer: (() => void) | undefined;
  lastCrash: string | undefined;
}

const reasonOf = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #work: (() => Promise<void> | undefined)[] = [];
  #working = false;
  #crashes: number[] = [];
  #phase: "up" | "stopping" | "failed" | "stopped" = "up";
  #stopped: Promise<void> | undefined;
  /** Passes on what nested supervisors tell. */
  readonly #below = (event: SupervisorEvent): void => this.#observed({ ...event, path: `${this.#options.id}/${event.path}` });

  constructor(options: SupervisorOptions) {
    this.#options = options;
    for (const spec of options.children ?? []) this.#place(spec, false);
    this.#enqueue(() => this.#startAll([...this.#slots.values()]));
  }

  /** Starts one more child. It is forgotten when it ends for good. */
  add(spec: ChildSpec): void {
    if (this.#phase !== "up") throw new CannotAdd(`${this.#options.id} is ${this.#phase}: ${spec.id} was not started`);
    const slot = this.#place(spec, true);
    this.#enqueue(() => this.#startAll([slot]));
  }

  /** Stops a child and forgets it. Resolves to false when there is none of that id. */
  remove(id: string): Promise<boolean> {
    return new Promise((resolve) => this.#enqueue(async () => {
      const slot = this.#slots.get(id);
      if (slot) {
        const held = slot.cancelTimer !== undefined;
        await this.#halt([slot]);
        this.#slots.delete(id);
        // Siblings whose restart waited for this one's backoff have nothing left to wait for.
        if (held) this.#startAll([...this.#slots.values()].filter(({ cancelTimer }) => !cancelTimer));
      }
      resolve(slot !== undefined);
    }));
  }

  /** Stops all children in reverse order and resolves when the last has released what it held. */
  stop(): Promise<void> {
    return (this.#stopped ??= new Promise((resolve) => {
      const failed = this.#phase === "failed";
      if (!failed) this.#phase = "stopping";
      this.#enqueue(async () => {
        await this.#halt([...this.#slots.values()]);
        if (!failed) this.#phase = "stopped";
        resolve();
      });
    }));
  }

  /** The children as data, in start order. */
  tree(): readonly TreeNode[] {
    return [...this.#slots.values()].map(({ spec, state, restarts, since, lastCrash, running }) => {
      const detail = state === "up" ? running?.describe?.() : undefined, children = running?.tree?.();
      return {
        id: spec.id, kind: running?.tree ? "supervisor" : "worker", state, restarts, since,
        ...(lastCrash === undefined ? {} : { lastCrash }), ...(detail === undefined ? {} : { detail }), ...(children ? { children } : {}),
      };
    });
  }

  /** The XState actors among the children and below, in start order. */
  living(): readonly Living[] {
    return [...this.#slots.values()].flatMap(({ spec, state, running }) =>
      (state === "up" ? (running?.living?.() ?? []) : []).map(({ path, actor }) => ({ path: path === "" ? spec.id : `${spec.id}/${path}`, actor })));
  }

  #place(spec: ChildSpec, dynamic: boolean): Slot {
    if (this.#slots.has(spec.id)) throw new CannotAdd(`${this.#options.id} already has a child ${spec.id}`);
    const slot: Slot = {
      spec, dynamic, state: "waiting", since: this.#options.clock.now(), restarts: 0, failures: 0, incarnation: 0,
      running: undefined, release: undefined, cancelTimer: undefined, lastCrash: undefined,
    };
    this.#slots.set(spec.id, slot);
    return slot;
  }

  /** One operation after another (I6); at once when none is under way. */
  #enqueue(operation: () => Promise<void> | undefined): void {
    this.#work.push(operation);
    if (!this.#working) this.#next();
  }

  #next(): void {
    this.#working = true;
    for (let operation = this.#work.shift(); operation; operation = this.#work.shift()) {
      const pending = operation();
      if (pending) {
        void pending.finally(() => this.#next());
        return;
      }
    }
    this.#working = false;
  }

  #tell(slot: Slot | undefined, what: What): void {
    const { observe, clock, id } = this.#options;
    if (observe) this.#observed({ ...what, path: slot ? `${id}/${slot.spec.id}` : id, at: clock.now() });
  }

  #observed(event: SupervisorEvent): void {
    try {
      this.#options.observe?.(event);
    } catch {
      // An observer's fault is not the children's: the kernel goes on.
    }
  }

  #enter(slot: Slot, state: ChildState): void {
    slot.state = state;
    slot.since = this.#options.clock.now();
  }

  /** Starts those that wait, in order. In a group, a start that fails leaves the later ones, which build on it, to the restart that follows. */
  #startAll(slots: readonly Slot[]): undefined {
    for (const slot of slots) {
      if (this.#phase !== "up") return;
      if (slot.state === "waiting" && this.#start(slot) === "restarting" && this.#options.strategy !== "one_for_one") return;
    }
  }

  #start(slot: Slot): ChildState {
    const incarnation = ++slot.incarnation;
    let early: Exit | undefined, returned = false;
    this.#enter(slot, "up");
    this.#tell(slot, { type: "started", restarts: slot.restarts });
    try {
      slot.running = slot.spec.start((exit) => {
        if (!returned) early ??= exit;
        else if (incarnation === slot.incarnation && slot.state === "up") this.#exited(slot, exit);
      }, this.#below);
      returned = true;
    } catch (error) {
      slot.running = undefined;
      early = { kind: "crashed", error };
    }
    if (early) this.#exited(slot, early);
    return slot.state;
  }

  #exited(slot: Slot, exit: Exit): void {
    const { clock, intensity } = this.#options, now = clock.now(), { restart = "permanent" } = slot.spec;
    const lived = now - slot.since;
    if (exit.kind === "crashed") {
      slot.lastCrash = reasonOf(exit.error);
      this.#tell(slot, { type: "crashed", reason: slot.lastCrash, stack: exit.error instanceof Error ? (exit.error.stack ?? "") : "" });
    } else this.#tell(slot, { type: "ended" });
    const forGood = restart === "temporary" || (restart === "transient" && exit.kind === "done");
    this.#enter(slot, forGood ? "ending" : "restarting");
    const released = this.#release(slot);
    if (this.#phase !== "up") return;
    if (forGood) {
      void released.then(() => { if (slot.state === "ending") this.#end(slot); });
      return;
    }
    slot.failures = lived >= intensity.withinMs ? 1 : slot.failures + 1;
    this.#crashes = this.#crashes.filter((at) => now - at < intensity.withinMs);
    this.#crashes.push(now);
    if (this.#crashes.length > intensity.max) return this.#escalate(exit.kind === "crashed" ? exit.error : new Error(`${slot.spec.id} ended too often`));
    const { incarnation } = slot;
    void released.then(() => this.#enqueue(() => (slot.state === "restarting" && slot.incarnation === incarnation ? this.#revive(slot) : undefined)));
  }

  #escalate(error: unknown): void {
    this.#phase = "failed";
    this.#tell(undefined, { type: "escalated", reason: reasonOf(error) });
    this.#enqueue(async () => {
      await this.#halt([...this.#slots.values()]);
      this.#options.onEscalate(error);
    });
  }

  /** Stops the group of an exited child, then starts it again after the backoff. */
  #revive(slot: Slot): Promise<void> | undefined {
    const { strategy, backoff } = this.#options;
    if (this.#phase !== "up") return undefined;
    const all = [...this.#slots.values()];
    const group = strategy === "one_for_one" ? [slot] : (strategy === "one_for_all" ? all : all.slice(all.indexOf(slot))).filter(({ state }) => state !== "ended" && state !== "ending");
    const again = (): undefined => {
      if (this.#phase !== "up") return;
      const ms = backoff ? Math.min(backoff.maxMs, backoff.baseMs * 2 ** (slot.failures - 1)) : 0;
      for (const each of group) {
        // I5: a temporary sibling went down with its group, for good.
        if (each !== slot && each.spec.restart === "temporary") { this.#end(each); continue; }
        each.restarts++;
        this.#enter(each, "waiting");
      }
      if (ms === 0) return this.#startAll(group);
      this.#tell(slot, { type: "waiting", ms });
      const cancel = this.#options.clock.at(this.#options.clock.now() + ms, () => {
        slot.cancelTimer = undefined;
        this.#enqueue(() => this.#startAll(group));
      });
      slot.cancelTimer = cancel;
    };
    const others = group.filter((each) => each !== slot);
    return others.length === 0 ? again() : this.#halt(others).then(again);
  }

  #end(slot: Slot): void {
    this.#enter(slot, "ended");
    slot.running = undefined;
    if (slot.dynamic && this.#slots.get(slot.spec.id) === slot) this.#slots.delete(slot.spec.id);
  }

  /** Stops these in reverse order, one after another (I1). Those already down are left as they are, their timers cancelled. */
  async #halt(slots: readonly Slot[]): Promise<void> {
    for (const slot of [...slots].reverse()) {
      slot.cancelTimer?.();
      slot.cancelTimer = undefined;
      if (slot.state === "ended") continue;
      const wasUp = slot.state === "up";
      slot.incarnation++;
      this.#enter(slot, "stopping");
      await this.#release(slot);
      if (wasUp) this.#tell(slot, { type: "stopped" });
      this.#enter(slot, "ended");
    }
  }

  /** Stops the present incarnation, once (I2), and waits for it as long as its spec allows. */
  #release(slot: Slot): Promise<void> {
    const { running, spec } = slot;
    if (slot.release || !running) return slot.release ?? Promise.resolve();
    const ms = spec.shutdownMs ?? defaultShutdownMs;
    return (slot.release = new Promise<void>((resolve) => {
      let over = false;
      const finish = (what?: What): void => {
        if (over) return;
        over = true;
        cancel();
        slot.running = undefined;
        slot.release = undefined;
        if (what) this.#tell(slot, what);
        resolve();
      };
      const { clock } = this.#options;
      const cancel = Number.isFinite(ms) ? clock.at(clock.now() + ms, () => finish({ type: "stopTimedOut", ms })) : () => {};
      const stopped = async (): Promise<void> => running.stop();
      stopped().then(() => finish(), (error: unknown) => finish({ type: "stopFailed", reason: reasonOf(error) }));
    }));
  }
}

/** A supervisor as a child of another. `current` is the living one, to add children at run time; those do not survive its restart. */
export const supervise = (options: Omit<SupervisorOptions, "onEscalate" | "observe"> & Pick<ChildSpec, "restart" | "shutdownMs">): ChildSpec & { readonly current: () => Supervisor | undefined } => {
  let current: Supervisor | undefined;
  const { restart = "permanent", shutdownMs = Infinity, ...rest } = options;
  return {
    id: options.id, restart, shutdownMs,
    current: () => current,
    start: (onExit, observe) => {
      const supervisor = new Supervisor({ ...rest, observe, onEscalate: (error) => onExit({ kind: "crashed", error }) });
      current = supervisor;
      return { stop: () => { if (current === supervisor) current = undefined; return supervisor.stop(); }, tree: () => supervisor.tree(), living: () => supervisor.living() };
    },
  };
};
