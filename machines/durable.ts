import type { EffectFailureClass, EffectRequest } from "../src/domain/effects.ts";
import type { Address } from "../src/domain/ids.ts";

/**
 * The four things a durable chart may ask of its host, as named actions without an implementation: the host reads their
 * parameters off the step and writes them in the same transaction as the event. Use them as
 * `{ type: "effect", params: ({ context }) => ({ kind: "verify", … }) }`.
 */
export const hostActions = {
  /** An outward effect: a row of the outbox; its result is an event. */
  effect: (_: unknown, _params: EffectRequest) => {},
  /** A message to another durable actor. */
  tell: (_: unknown, _params: Tell) => {},
  /** A new durable actor, by catalog id. */
  spawn: (_: unknown, _params: Spawn) => {},
  /** Sets (or with `at: null` clears) this actor's alarm `name`; it comes back as the event `alarm.<name>`. */
  alarm: (_: unknown, _params: Alarm) => {},
};

export interface Tell { readonly to: Address; readonly event: { readonly type: string } & Readonly<Record<string, unknown>> }
/** A tell whose words depend on what the chart knows and has just heard. */
export const tellTo = <A>(to: (args: A) => Address) => (event: (args: A) => Tell["event"]) => ({ type: "tell" as const, params: (args: A) => ({ to: to(args), event: event(args) }) });

export interface Spawn { readonly address: Address; readonly chart: string; readonly input: Readonly<Record<string, unknown>> }
export interface Alarm { readonly name: string; readonly at: number | null }

/** What the host puts on every event: when it was journaled, milliseconds since the epoch. */
export interface Stamp { readonly at: number }

/** An effect that could not be done, after the host's own retries. */
export interface EffectFailed { readonly type: "effect.failed"; readonly kind: EffectRequest["kind"]; readonly class: EffectFailureClass; readonly message: string; readonly mend?: string }

/** No chart may spin: an `always` loop longer than this throws instead of hanging the process. */
export const chartOptions = { maxIterations: 100 };
