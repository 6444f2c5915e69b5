import { Context, Data, type Effect, type Scope, type Stream } from "effect";
import type { RunExit } from "../domain/agent.ts";
import type { RunId } from "../domain/ids.ts";

export type { RunExit } from "../domain/agent.ts";

/** What to launch. Written to `spec.json` (0600) of the run's directory. */
export interface RunSpec {
  readonly runId: RunId;
  /** Exact argv; argv[0] is a program path or a name looked up in `env.PATH`. */
  readonly argv: readonly [string, ...string[]];
  readonly cwd: string;
  /** The whole environment of the child; nothing else is inherited. The launcher adds ENACT_RUN_ID. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes written to the child's standard input at start. */
  readonly stdin?: string;
  /** After `stdin`: close it (the child sees EOF) or keep the FIFO open for later messages. */
  readonly stdinMode: "close" | "open";
  /** More files (0600) for the run's directory, there before the start. */
  readonly files?: Readonly<Record<string, string>>;
  /** Free-form facts kept beside the run for readers (item, stage, adapter…). */
  readonly labels: Readonly<Record<string, string>>;
}

/** A terminal in which a run may be started, so that a person can look into it and type. Its output there is the terminal's affair; `out` is written by hooks. */
export interface RunScreen {
  /** Starts the command as a program of the terminal. Resolves once it runs there. */
  readonly start: (command: { readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>>; readonly cwd: string; /** Value of ENACT_RUN_ID. */ readonly mark: string }) => Promise<void>;
  /** More files (0600) for the run's directory, there before the start. */
  readonly files: Readonly<Record<string, string>>;
}

export class SpawnFailed extends Data.TaggedError("SpawnFailed")<{ readonly runId: RunId; readonly message: string }> {}
export class RunMissing extends Data.TaggedError("RunMissing")<{ readonly runId: RunId }> {}
export class RunIo extends Data.TaggedError("RunIo")<{ readonly runId: RunId; readonly message: string }> {}

/** A complete line of the child's standard output; `end` is the byte offset after its newline. */
export interface OutputLine { readonly text: string; readonly end: number; /** true when cut at the line cap */ readonly truncated: boolean }

export interface RunHandle {
  readonly runId: RunId;
  readonly directory: string;
  readonly adopted: boolean;
  /** When the run was first asked for, milliseconds since the epoch: its wall clock goes on over restarts of the owner. */
  readonly startedAt: number;
  /** What its first owner noted beside it. */
  readonly labels: Effect.Effect<RunSpec["labels"]>;
  /** Lines of `out` from byte `from`, following it until the run has ended and every byte was read. A last line without newline is given too. */
  readonly lines: (from: number) => Stream.Stream<OutputLine, RunIo>;
  /** Bytes of `out` so far. */
  readonly size: Effect.Effect<number, RunIo>;
  /** Bytes of `err`'s tail, for error messages. */
  readonly errorTail: Effect.Effect<string, RunIo>;
  /** Completes when the run has ended. */
  readonly exit: Effect.Effect<RunExit, RunIo>;
  /** Signals the whole process group. No error when it is gone already. */
  readonly signal: (signal: "SIGINT" | "SIGTERM" | "SIGKILL") => Effect.Effect<void>;
  /** Writes to the child's standard input (stdinMode "open"). With `once`: nothing, when any owner began to write under that key before. */
  readonly write: (text: string, once?: string) => Effect.Effect<void, RunIo>;
  /** CPU milliseconds burnt so far by every living process of the run, and how many live. */
  readonly activity: Effect.Effect<{ readonly cpuMs: number; readonly processes: number }>;
  /** Kills whatever still carries the run's id, own sessions included. Returns how many outlived the run: what was dying already is not counted. */
  readonly sweep: Effect.Effect<number>;
}

export interface AgentProcessShape {
  /**
   * Starts the run detached, so that it outlives this process. Idempotent by run id: a run that was started before is adopted,
   * one that was prepared but never started is started, never twice. With a screen it lives in that terminal instead, as long as that lives.
   */
  readonly start: (spec: RunSpec, screen?: RunScreen) => Effect.Effect<RunHandle, SpawnFailed | RunIo, Scope.Scope>;
  /** A run of an earlier owner, alive or ended. */
  readonly adopt: (runId: RunId) => Effect.Effect<RunHandle, RunMissing | RunIo, Scope.Scope>;
  readonly list: Effect.Effect<readonly { readonly runId: RunId; readonly alive: boolean; readonly exit?: RunExit; readonly labels: Readonly<Record<string, string>> }[]>;
}

export class AgentProcess extends Context.Service<AgentProcess, AgentProcessShape>()("enact-factory/ports/AgentProcess") {}
