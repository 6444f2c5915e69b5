import { Context } from "effect";

/** The only reader of time. Milliseconds since the epoch; tests move it by hand. */
export interface ClockShape {
  now(): number;
  /** Runs `fn` once at or after `at`. Returns a cancel. */
  at(at: number, fn: () => void): () => void;
}

export class Clock extends Context.Service<Clock, ClockShape>()("enact-factory/ports/Clock") {}
