import { Effect } from "effect";
import type { AnyActor, InspectionEvent as XStateEvent } from "xstate";
import { definitionOf } from "../machines/definition.ts";
import { valueText } from "../src/domain/chart.ts";
import type { Address } from "../src/domain/ids.ts";
import type { ActorDetail, ActorSummary } from "../src/domain/inspection.ts";
import type { ClockShape } from "../src/ports/clock.ts";
import type { StoreReaderShape } from "../src/ports/store.ts";
import type { Living } from "./child.ts";
import { type Change, type Charts, loadActor, type Resident } from "./durable-actor.ts";
import { Listener, type OnEvent, type Step } from "./inspection-listener.ts";
import { durableActor, durableSnapshot, durableStep, liveActorMessage, liveSnapshot, type LiveStep, liveStep, type Redact, shown } from "./inspection-message.ts";
import { isMachine } from "./live-actor.ts";
import { historyOf } from "./replay.ts";

/**
 * Shows charts that run: which actors there are, one of them in detail, and their steps as they happen.
 *
 * Owns: the listeners, and the observers it puts on live actors for them. Talks to: the store (reads), the supervisors (who lives),
 * whoever makes durable steps (the host's observer, or a journal that is followed).
 *
 * I1 With nobody listening a step costs one comparison. I2 Durable charts are shown as the journal has them: by replay, never by asking
 * the host. I3 Live actors are observed by XState's own inspection, and only while somebody listens.
 */
export interface InspectionParts {
  readonly store: Pick<StoreReaderShape, "load" | "journal" | "views">;
  readonly charts: Charts;
  readonly clock: ClockShape;
  readonly redact: Redact;
  /** Live actors of this process, with the path of each in the supervisor tree. */
  readonly living?: () => readonly Living[];
  /** Makes durable steps arrive while somebody listens, where no host tells of them. Resolves, when they do, to how that is ended. */
  readonly follow?: (onChange: (change: Change) => void) => Promise<() => void>;
}

interface Listening { readonly address: string | undefined; readonly listener: Listener }

/** Steps of an actor that are shown. */
const historyLength = 20;
/** Actors introduced at the start; further ones when they first move. */
const introductions = 200;

/** Charts whose addresses begin otherwise than with their own id. */
const chartIds: Readonly<Record<string, string>> = { item: "work-item" };
/** They show nothing, so no view names them. */
const unseen: readonly Address[] = ["intake/factory"];

export class Inspection {
  readonly #parts: InspectionParts;
  readonly #listeners = new Set<Listening>();
  readonly #observed = new Map<AnyActor, { readonly path: string; readonly unsubscribe: () => void }>();
  #following: Promise<() => void> | undefined;
  #liveSteps = 0;

  constructor(parts: InspectionParts) { this.#parts = parts; }

  async actors(): Promise<readonly ActorSummary[]> {
    const { store, charts } = this.#parts;
    const rows = await Effect.runPromise(store.views());
    const durable: ActorSummary[] = [];
    for (const { actor, seq, view } of [...unseen.map((address) => ({ actor: address, seq: 0, view: "null" })), ...rows]) {
      const prefix = actor.slice(0, actor.indexOf("/"));
      const chart = chartIds[prefix] ?? prefix;
      const state = stateIn(view);
      const node = state === undefined ? undefined : charts.get(chart)?.catalog.machine.states[state];
      if (state !== undefined && node) {
        if (node.type !== "final") durable.push({ address: actor, chart, kind: "durable", state, seq });
        continue;
      }
      // A view that does not tell.
      const found = await this.#load(actor);
      if (found?.state.status === "active") durable.push({ address: actor, chart: found.entry.catalog.id, kind: "durable", state: valueText(found.state.value), seq: found.seq });
    }
    return [...durable.toSorted((a, b) => a.address.localeCompare(b.address, "en", { numeric: true })), ...this.#living().map(liveSummary)];
  }

  async actor(address: string): Promise<ActorDetail | undefined> {
    const { store, charts, redact } = this.#parts;
    const live = this.#living().find(({ path }) => path === address);
    if (live) {
      const { value, context }: { value?: unknown; context?: unknown } = live.actor.getSnapshot() ?? {};
      return { ...liveSummary(live), definition: definition(live.actor), value, context: shown(context, redact), transitions: [] };
    }
    if (!isAddress(address)) return undefined;
    const history = await Effect.runPromise(historyOf(store, charts, address, historyLength));
    if (!history) return undefined;
    const { entry, state, seq } = history.actor;
    return {
      address, chart: entry.catalog.id, kind: "durable", state: valueText(state.value), seq,
      definition: definitionOf(entry.catalog.machine), value: state.value, context: shown(state.context, redact),
      transitions: history.changes.map((change) => ({ seq: change.seq, at: change.at, event: change.event.type, from: change.from ?? null, to: change.to })),
    };
  }

  /** Tells `onEvent` of every step from here on (of one actor, or of all), after an introduction of those that are there. Returns how to stop. */
  inspect(options: { readonly address?: string }, onEvent: OnEvent): () => void {
    const entry: Listening = { address: options.address, listener: new Listener(onEvent) };
    this.#listeners.add(entry);
    this.#observe();
    this.#following ??= this.#parts.follow?.((change) => this.committed(change));
    void entry.listener.begin(this.#introductions(options.address));
    return () => this.#end(entry);
  }

  /** Nobody listens any more. */
  stop(): void {
    for (const entry of this.#listeners) this.#end(entry);
  }

  #end(entry: Listening): void {
    entry.listener.stop();
    if (!this.#listeners.delete(entry) || this.#listeners.size > 0) return;
    for (const { unsubscribe } of this.#observed.values()) unsubscribe();
    this.#observed.clear();
    void this.#following?.then((stop) => stop());
    this.#following = undefined;
  }

  /** A durable actor made a step. Never throws. */
  committed(change: Change): void {
    if (this.#listeners.size === 0) return;
    this.#offer(change.actor, this.#durable(change));
  }

  /** A supervisor started something: it may be a live actor. Looked for when the start is over. */
  started(): void {
    if (this.#listeners.size > 0) queueMicrotask(() => this.#observe());
  }

  #offer(path: string, step: Step): void {
    for (const { address, listener } of this.#listeners) if (address === undefined || address === path) listener.offer(step);
  }

  #durable(change: Change): Step {
    const { charts, redact } = this.#parts;
    const { actor, chart, seq, at, before, state, final } = change;
    return {
      session: actor, seq, last: final,
      introduction: () => durableActor(charts, actor, chart, before ?? state, seq, at, redact),
      messages: once(() => durableStep(charts, change, redact)),
      outcome: () => durableSnapshot(change, redact),
    };
  }

  /** Observes live actors that are there now and were not before; forgets those that are gone. */
  #observe(): void {
    if (this.#listeners.size === 0) return;
    const living = new Map(this.#living().map(({ path, actor }) => [actor, path]));
    for (const [actor, { unsubscribe }] of this.#observed) {
      if (living.has(actor)) continue;
      unsubscribe();
      this.#observed.delete(actor);
    }
    for (const [actor, path] of living) {
      if (this.#observed.has(actor)) continue;
      const watching = actor.system.inspect((told) => {
        const { actorRef } = told;
        this.#offer(path, this.#live(path, { told, snapshot: "snapshot" in told ? told.snapshot : snapshotOf(actorRef), at: this.#parts.clock.now(), n: ++this.#liveSteps }));
      });
      this.#observed.set(actor, { path, unsubscribe: () => watching.unsubscribe() });
    }
  }

  #live(path: string, step: LiveStep): Step {
    const { redact } = this.#parts;
    const { actorRef, rootId } = step.told;
    const name = actorRef.sessionId === rootId || !("id" in actorRef) ? path : `${path}/${String(actorRef.id)}`;
    return {
      session: actorRef.sessionId, seq: null, last: false,
      introduction: () => liveActorMessage(name, step, redact),
      messages: once(() => liveStep(step, redact)),
      outcome: () => liveSnapshot("event" in step.told ? step.told.event : { type: "" }, step, redact),
    };
  }

  async *#introductions(address: string | undefined): AsyncGenerator<Step> {
    const { charts, redact, clock } = this.#parts;
    try {
      // Steps must be on their way before anybody is introduced: none may fall in between.
      await this.#following;
      const named = address === undefined ? (await this.actors()).filter(({ kind }) => kind === "durable").slice(0, introductions).map((actor) => actor.address) : [address];
      for (const each of named) {
        const found = isAddress(each) ? await this.#load(each) : undefined;
        if (!found) continue;
        const { entry, state, seq } = found;
        const introduction = () => durableActor(charts, each, entry.catalog.id, state, seq, clock.now(), redact);
        yield { session: each, seq, last: false, introduction, messages: () => [], outcome: introduction };
      }
    } catch {
      // A store that cannot be read says so elsewhere; actors are introduced when they move.
    }
    for (const { path, actor } of this.#living()) {
      if (address !== undefined && path !== address) continue;
      const told: XStateEvent = { type: "@xstate.actor", actorRef: actor, rootId: actor.sessionId };
      yield this.#live(path, { told, snapshot: snapshotOf(actor), at: clock.now(), n: ++this.#liveSteps });
    }
  }

  #load(address: Address): Promise<Resident | undefined> { return Effect.runPromise(loadActor(this.#parts.store, this.#parts.charts, address)); }

  #living(): readonly Living[] { return this.#parts.living?.() ?? []; }
}

/** Made when the first listener comes to it; the others get the same. */
const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

const isAddress = (text: string): text is Address => text.includes("/");

/** An actor that is being made has no snapshot yet. */
const snapshotOf = (actor: Pick<AnyActor, "getSnapshot">): LiveStep["snapshot"] => actor.getSnapshot();

/** Views name the state as `state`, those of items as `status`, those of teams as `phase`. */
const stateIn = (view: string): string | undefined => {
  const seen: unknown = JSON.parse(view);
  if (typeof seen !== "object" || seen === null) return undefined;
  const named: unknown = "state" in seen ? seen.state : "status" in seen ? seen.status : "phase" in seen ? seen.phase : undefined;
  return typeof named === "string" ? named : undefined;
};

const definition = (actor: AnyActor): unknown => (isMachine(actor.logic) ? definitionOf(actor.logic) : { id: actor.id });

const liveSummary = ({ path, actor }: Living): ActorSummary => {
  const { value }: { value?: unknown } = actor.getSnapshot() ?? {};
  return { address: path, chart: isMachine(actor.logic) ? actor.logic.id : actor.id, kind: "live", state: value === undefined ? "" : valueText(value), seq: 0 };
};
