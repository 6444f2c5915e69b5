import { Cause, Data, Effect, Exit, Fiber, type ManagedRuntime, Schedule } from "effect";
import { type EffectFailureClass, EffectRequest } from "../src/domain/effects.ts";
import type { Address } from "../src/domain/ids.ts";
import type { OutboxRow, StoreShape } from "../src/ports/store.ts";
import type { HostEvent } from "./chart.ts";

/**
 * Carries out the outbox.
 *
 * Owns: one fiber per row under way. Talks to: the handlers (one a kind), the store (fence), the host (results).
 *
 * I1 A row is attempted only after the generation was checked. I2 A row stays until the event with its result is journaled, so a
 * crash repeats the effect: handlers are idempotent by key. I3 After `drain` no new effect starts; rows wait for the next owner.
 * I4 Every row is answered: a failure or a defect becomes `effect.failed`, never silence. I5 `turn.cancel` is answered when no turn of its
 * actor (of the try it names) runs any more and what ended is journaled: a crash in between cancels again, so a cancel is never lost to a restart.
 * I6 `turn.cancel` and `turn.message` reach the turn of the try they name and no later one, also when they are carried out again.
 */
export class EffectTrouble extends Data.TaggedError("EffectTrouble")<{ readonly class: EffectFailureClass; readonly message: string; readonly mend?: string }> {}

/** Told to a long effect (a turn) that its actor wants it ended, or that the factory stops. */
export type EndReason = "cancelled" | "suspended";

export interface EffectContext {
  readonly key: string;
  readonly actor: Address;
  readonly attempts: number;
  /** Registers how to end this effect early; the last one counts. */
  readonly onEnd: (end: (reason: EndReason) => void) => void;
  /** Sends an event that is no result (observations of a running turn). */
  readonly tell: (to: Address, event: HostEvent) => void;
}

export type EffectHandler<K extends EffectRequest["kind"], R> = (request: Extract<EffectRequest, { kind: K }>, context: EffectContext) => Effect.Effect<HostEvent, EffectTrouble, R>;
export type EffectHandlers<R> = { readonly [K in EffectRequest["kind"] as K extends "turn.cancel" ? never : K]: EffectHandler<K, R> };

interface Running { readonly actor: Address; readonly kind: string; /** Of a turn. */ readonly tryNumber: number | undefined; readonly fiber: Fiber.Fiber<void>; end: ((reason: EndReason) => void) | undefined; ended: EndReason | undefined }

export interface EffectRunnerOptions<R> {
  readonly store: StoreShape;
  readonly runtime: ManagedRuntime.ManagedRuntime<R, never>;
  readonly handlers: EffectHandlers<R>;
  readonly send: (to: Address, event: HostEvent, cause?: { readonly row: "outbox"; readonly key: string }) => Promise<void>;
  /** A bug in a handler, for the journal of crashes. */
  readonly onDefect?: (row: OutboxRow, defect: unknown) => void;
  /** First wait between tries of an effect that failed for I/O; doubles. Milliseconds. */
  readonly retryMs?: number;
}

/** Tries of one effect within one life of the owner. */
const ioTries = 4;

export class EffectRunner<R> {
  readonly #options: EffectRunnerOptions<R>;
  readonly #running = new Map<string, Running>();
  #draining = false;

  constructor(options: EffectRunnerOptions<R>) {
    this.#options = options;
  }

  /** Takes one durable outbox row. */
  readonly accept = (row: OutboxRow): void => {
    if (this.#draining || this.#running.has(row.key)) return;
    const running: Running = { actor: row.actor, kind: row.kind, tryNumber: row.kind === "turn" ? tryOf(row) : undefined, fiber: this.#options.runtime.runFork(Effect.yieldNow.pipe(Effect.andThen(Effect.suspend(() => this.#carryOut(row, running))))), end: undefined, ended: undefined };
    this.#running.set(row.key, running);
    running.fiber.addObserver(() => this.#running.delete(row.key));
  };

  /** Kinds and actors under way, for `tree`. */
  get underWay(): readonly { readonly key: string; readonly actor: Address; readonly kind: string }[] {
    return [...this.#running].map(([key, { actor, kind }]) => ({ key, actor, kind }));
  }

  /** I3. With `suspend`, running turns are ended politely and their results journaled; otherwise agents are left to the next owner. */
  async drain(how: "suspend" | "abandon"): Promise<void> {
    this.#draining = true;
    const all = [...this.#running.values()];
    const polite = how === "suspend" ? all.filter((r) => r.kind === "turn") : [];
    for (const running of polite) this.#end(running, "suspended");
    const rest = all.filter((r) => !polite.includes(r));
    await Promise.all([
      ...polite.map((r) => Effect.runPromise(Fiber.await(r.fiber))),
      ...rest.map((r) => Effect.runPromise(Fiber.interrupt(r.fiber))),
    ]);
  }

  #turnsOf(actor: Address): readonly Running[] {
    return [...this.#running.values()].filter((running) => running.actor === actor && running.kind === "turn");
  }

  #end(running: Running, reason: EndReason): void {
    running.ended ??= reason;
    running.end?.(running.ended);
  }

  #carryOut(row: OutboxRow, running: Running): Effect.Effect<void, never, R> {
    const { store, send } = this.#options;
    const context: EffectContext = {
      key: row.key, actor: row.actor, attempts: row.attempts,
      onEnd: (end) => {
        running.end = end;
        if (running.ended) end(running.ended);
      },
      // A host that has stopped takes nothing more; what an observation would have said, the next owner sees for itself.
      tell: (to, event) => { send(to, event).catch(() => undefined); },
    };
    const attempt = Effect.suspend(() => this.#dispatch(row, context));
    const result = store.attempt(row.key).pipe(
      // A full disk or a lost server passes; another owner does not.
      Effect.retry({ while: (error) => error._tag !== "StoreFenced", schedule: Schedule.min([Schedule.exponential(100), Schedule.spaced(10_000)]) }),
      Effect.andThen(attempt.pipe(
        Effect.retry({ while: (trouble: EffectTrouble) => trouble.class === "io", schedule: Schedule.exponential(this.#options.retryMs ?? 250), times: ioTries - 1 }),
        Effect.exit,
      )),
      Effect.map((exit) => this.#answer(row, exit)),
    );
    return result.pipe(
      Effect.flatMap((event) => (event === undefined ? Effect.void : Effect.promise(() => send(row.actor, event, { row: "outbox", key: row.key })))),
      // Fenced or the store is gone: the row stays for whoever owns it next.
      Effect.catchCause(() => Effect.void),
    );
  }

  #dispatch(row: OutboxRow, context: EffectContext): Effect.Effect<HostEvent, EffectTrouble, R> {
    const parsed = EffectRequest.safeParse(JSON.parse(row.payload));
    if (!parsed.success) return Effect.fail(new EffectTrouble({ class: "defect", message: `an outbox row of kind ${row.kind} cannot be read: ${parsed.error.message}` }));
    const request = parsed.data;
    const { handlers } = this.#options;
    switch (request.kind) {
      case "turn.cancel": {
        const { tryNumber } = request;
        const turns = this.#turnsOf(row.actor).filter((running) => tryNumber === undefined || running.tryNumber === tryNumber);
        for (const running of turns) this.#end(running, "cancelled");
        return Effect.as(Effect.forEach(turns, (running) => Fiber.await(running.fiber)), { type: "turn.cancel.sent", ...(tryNumber === undefined ? {} : { tryNumber }) });
      }
      case "turn.message": {
        const { id, tryNumber } = request;
        const unheard: HostEvent = { type: "turn.message.sent", id, delivered: false };
        const turn = this.#turnsOf(row.actor).find((running) => running.tryNumber === tryNumber);
        // A turn that is over tells by its outcome what it has heard.
        return turn ? Effect.raceFirst(handlers[request.kind](request, context), Effect.as(Fiber.await(turn.fiber), unheard)) : Effect.succeed(unheard);
      }
      case "workspace.prepare": return handlers[request.kind](request, context);
      case "workspace.commit": return handlers[request.kind](request, context);
      case "workspace.checkpoint": return handlers[request.kind](request, context);
      case "workspace.remove": return handlers[request.kind](request, context);
      case "workspace.sync": return handlers[request.kind](request, context);
      case "workspace.merge": return handlers[request.kind](request, context);
      case "workspace.enforce": return handlers[request.kind](request, context);
      case "verify": return handlers[request.kind](request, context);
      case "turn": return handlers[request.kind](request, context);
      case "source.push": return handlers[request.kind](request, context);
      case "notify": return handlers[request.kind](request, context);
      case "publish": return handlers[request.kind](request, context);
    }
  }

  /** I4. An interrupt (the factory stops) is the one outcome without an answer. */
  #answer(row: OutboxRow, exit: Exit.Exit<HostEvent, EffectTrouble>): HostEvent | undefined {
    if (Exit.isSuccess(exit)) return exit.value;
    if (Cause.hasInterruptsOnly(exit.cause)) return undefined;
    const found = Exit.findErrorOption(exit);
    if (found._tag === "Some") {
      const { class: kind, message, mend } = found.value;
      return failed(row.kind, kind, message, mend);
    }
    const defect = Cause.squash(exit.cause);
    this.#options.onDefect?.(row, defect);
    return failed(row.kind, "defect", defect instanceof Error ? defect.message : String(defect));
  }
}

const tryOf = (row: OutboxRow): number | undefined => {
  const payload: unknown = JSON.parse(row.payload);
  return typeof payload === "object" && payload !== null && "tryNumber" in payload && typeof payload.tryNumber === "number" ? payload.tryNumber : undefined;
};

const failed = (kind: string, klass: EffectFailureClass, message: string, mend?: string): HostEvent => ({ type: "effect.failed", kind, class: klass, message, ...(mend === undefined ? {} : { mend }) });
