/** What an inspector is told of the charts that run (docs/inspector.md). */
export interface ActorSummary {
  readonly address: string;
  readonly chart: string;
  readonly kind: "durable" | "live";
  readonly state: string;
  /** Durable: the journal sequence of what it showed last. Live: 0, they are not journaled. */
  readonly seq: number;
}

export interface ActorDetail extends ActorSummary {
  /** A `ChartDefinition` (src/domain/chart.ts): what a chart viewer draws. */
  readonly definition: unknown;
  readonly value: unknown;
  /** Secrets replaced, long parts cut. */
  readonly context: unknown;
  /** The last ones, oldest first; `from` null: it began. Of live actors none are kept. */
  readonly transitions: readonly { readonly seq: number; readonly at: number; readonly event: string; readonly from: unknown; readonly to: unknown }[];
}

/** One message of the form of `@statelyai/inspect`. */
export interface InspectionEvent {
  readonly type: "@xstate.actor" | "@xstate.event" | "@xstate.snapshot" | "@xstate.microstep";
  /** A durable actor's address; of a live one the session id XState gave it. */
  readonly sessionId: string;
  readonly rootId: string;
  /** Milliseconds since the epoch, as text (the receivers' form). */
  readonly createdAt: string;
  readonly id: string;
  readonly _version: string;
  /** Steps that this listener was too slow for, since the message before. */
  readonly dropped?: number;
  readonly [field: string]: unknown;
}
