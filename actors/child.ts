import type { AnyActor } from "xstate";

/** The words between a supervisor and its children. The supervisor knows nothing else of them. */
export type Exit = { readonly kind: "done" } | { readonly kind: "crashed"; readonly error: unknown };

export interface Running {
  /** Ends the child and resolves when all that it held is released. Called once for every start, also after an exit. */
  readonly stop: () => Promise<void>;
  /** One short line for `tree`: the state it is in. */
  readonly describe?: () => string;
  /** What it supervises, when it is a supervisor itself. */
  readonly tree?: () => readonly TreeNode[];
  /** The XState actors that live in it, for inspectors; the supervisor only passes them on. */
  readonly living?: () => readonly Living[];
}

/** `path` is the ids below whoever was asked, joined by "/"; empty for the child itself. */
export interface Living { readonly path: string; readonly actor: AnyActor }

/**
 * All that a supervisor needs to know of a child. A throw of `start` is a crash; `onExit` may be called during `start`.
 * `observe` is for children that are supervisors themselves: it hears what happens below, paths relative to the child.
 */
export interface Child { readonly id: string; readonly start: (onExit: (exit: Exit) => void, observe: (event: SupervisorEvent) => void) => Running }

/** permanent: started again after every exit. transient: after a crash. temporary: never. */
export type Restart = "permanent" | "transient" | "temporary";

/** How long a stop may take, milliseconds. As in OTP. */
export const defaultShutdownMs = 5_000;

export interface ChildSpec extends Child {
  /** Default permanent. */
  readonly restart?: Restart;
  /** How long `stop` may take, milliseconds, before the shutdown goes on without it. Default 5 000; Infinity waits for as long as it takes. */
  readonly shutdownMs?: number;
}

/** `path` is the ids from the root, joined by "/". Times are milliseconds since the epoch. */
export type SupervisorEvent = { readonly path: string; readonly at: number } & (
  | { readonly type: "started"; readonly restarts: number }
  | { readonly type: "crashed"; readonly reason: string; readonly stack: string }
  | { readonly type: "ended" }
  | { readonly type: "waiting"; readonly ms: number }
  | { readonly type: "stopped" }
  | { readonly type: "stopTimedOut"; readonly ms: number }
  | { readonly type: "stopFailed"; readonly reason: string }
  | { readonly type: "escalated"; readonly reason: string }
);

/** restarting: it exited and releases what it held. waiting: for its (first or next) start. ending: as restarting, but for good. */
export type ChildState = "up" | "restarting" | "waiting" | "ending" | "stopping" | "ended";

export interface TreeNode {
  readonly id: string;
  readonly kind: "worker" | "supervisor";
  readonly state: ChildState;
  readonly restarts: number;
  /** Since when it is in this state, milliseconds since the epoch. */
  readonly since: number;
  readonly lastCrash?: string;
  readonly detail?: string;
  readonly children?: readonly TreeNode[];
}
