import type { AdapterName, AgentFailure, Effort } from "../src/domain/agent.ts";
import type { RunId } from "../src/domain/ids.ts";
import type { AdapterLoad } from "../src/domain/routing.ts";
import type { Stage } from "../src/domain/stage.ts";
import type { ClockShape } from "../src/ports/clock.ts";

/**
 * Asked by each turn before its agent is started: which adapter runs it, and may it begin now?
 *
 * Owns: what this owner knows of each adapter (refusals that last, turns under way and waiting, when turns began). Talks to: the turn
 * (actors/agent-turn.ts), the durable choice of the provider (`choose`, after each of its commits).
 *
 * I1 A turn runs with the adapter that was asked for, or the chosen one in place of the usual one; with another one of the chain only while that one is
 * refused. I2 A model goes with its adapter: with another one it is that one's own; an effort is told to who knows it, and the one that was asked for is refused where it does not. I3 At most `concurrency` turns of an adapter run, and `turnsPerHour`
 * begin within any hour; the others wait in order. What an earlier owner began counts, and is not asked. I4 Nothing here survives the owner: the
 * next one finds out anew.
 */
export interface AdapterGateOptions {
  /** The configured one, in whose place another may be chosen. */
  readonly usual: AdapterName;
  readonly known: (name: AdapterName) => boolean;
  readonly settings: (name: AdapterName) => { readonly model?: string | undefined; readonly concurrency?: number | undefined; readonly turnsPerHour?: number | undefined };
  /** Tried in this order while the one of a stage is refused. */
  readonly fallback: (stage: Stage) => readonly AdapterName[];
  /** How much its model is to think; undefined: as it does by itself. */
  readonly effort: (stage: Stage) => Effort | undefined;
  /** What its CLI can be told of that. */
  readonly efforts: (name: AdapterName) => readonly Effort[];
  readonly clock: ClockShape;
}

export interface Route { readonly adapter: AdapterName; readonly model: string | null; readonly effort?: Effort }
export interface Routed { readonly stage: Stage; readonly adapter: AdapterName; readonly model: string | null; /** That goes on with its session: with this one, if it can. */ readonly keep?: AdapterName | undefined }

/** Of a provider that named no time, or one that has passed, and of a login that somebody may mend meanwhile; milliseconds. */
const unnamedMs = 60_000, loginMs = 600_000, hourMs = 3_600_000;

interface Refusal { readonly until: number; readonly why: string; /** The provider said when. */ readonly named: boolean }
interface Waiting { readonly run: RunId; readonly go: () => void }
interface Load { refusal: Refusal | undefined; readonly running: Set<RunId>; queue: readonly Waiting[]; begun: readonly { readonly run: RunId; readonly at: number }[]; wake: (() => void) | undefined }

export class AdapterGate {
  readonly #options: AdapterGateOptions;
  readonly #loads = new Map<AdapterName, Load>();
  readonly #places = new Map<RunId, AdapterName>();
  #chosen: AdapterName | null = null;

  constructor(options: AdapterGateOptions) {
    this.#options = options;
  }

  /** In place of the usual one, from the next turn on; null: the usual one. */
  choose(adapter: AdapterName | null): void {
    this.#chosen = adapter;
  }

  /** I1, I2. `refused`: nobody of the chain can, and its provider has said until when. */
  route(routed: Routed): Route & { readonly refused?: AgentFailure } {
    const route = this.#route(routed), effort = this.#options.effort(routed.stage);
    if (effort === undefined || route.refused !== undefined) return route;
    if (this.#options.efforts(route.adapter).includes(effort)) return { ...route, effort };
    // Who takes over has a measure of its own.
    return route.adapter === routed.adapter ? { ...route, refused: { kind: "model", message: `${route.adapter} cannot be told to think with effort ${effort}: ${this.#options.efforts(route.adapter).join(", ") || "it takes no word of it"}; change effort of stage ${routed.stage}` } } : route;
  }

  #route({ stage, adapter, model, keep }: Routed): Route & { readonly refused?: AgentFailure } {
    const asked: Route = adapter === this.#options.usual && this.#chosen !== null && this.#chosen !== adapter ? this.#own(this.#chosen) : { adapter, model: model ?? this.#own(adapter).model };
    const kept = keep !== undefined && keep !== asked.adapter && this.#chain(stage, asked.adapter).includes(keep) ? [this.#own(keep)] : [];
    const chain = [...kept, asked, ...this.#chain(stage, asked.adapter).map((name) => this.#own(name))];
    const able = chain.find((route) => this.#refusal(route.adapter) === undefined);
    if (able) return able;
    const refusal = this.#refusal(asked.adapter);
    return refusal?.named === true ? { ...asked, refused: { kind: "rateLimited", until: refusal.until, message: `${asked.adapter} is refused for now, as another turn was told: ${refusal.why}` } } : asked;
  }

  /** What the end of a turn says of its adapter: a failure that another one of the chain takes over is told as that. */
  ended(stage: Stage, asked: AdapterName, ran: AdapterName, failure: AgentFailure | undefined): AgentFailure | undefined {
    const load = this.#load(ran), now = this.#options.clock.now();
    if (failure === undefined) load.refusal = undefined;
    if (failure?.kind === "rateLimited") load.refusal = failure.until !== null && failure.until > now ? { until: failure.until, why: failure.message, named: true } : { until: now + unnamedMs, why: failure.message, named: false };
    if (failure?.kind === "auth") load.refusal = { until: now + loginMs, why: failure.message, named: false };
    if (failure?.kind !== "rateLimited" && failure?.kind !== "auth") return failure;
    const wanted = asked === this.#options.usual ? (this.#chosen ?? asked) : asked;
    const next = [wanted, ...this.#chain(stage, wanted)].find((name) => name !== ran && this.#refusal(name) === undefined);
    return next === undefined ? failure : { kind: "movedOn", from: ran, to: next, message: `${failure.message}; ${next} takes over` };
  }

  /** Resolves when the turn may begin (I3). `leave` gives its place back, also before that. */
  enter(adapter: AdapterName, run: RunId): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.leave(run);
    this.#places.set(run, adapter);
    const load = this.#load(adapter);
    load.queue = [...load.queue, { run, go: resolve }];
    this.#pump(adapter);
    return promise;
  }

  /** It has no place yet. */
  waits(run: RunId): boolean {
    const adapter = this.#places.get(run);
    return adapter !== undefined && !this.#load(adapter).running.has(run);
  }

  /** It did not begin after all: it holds no place, and counts in no hour. */
  forgo(run: RunId): void {
    const adapter = this.#places.get(run);
    if (adapter === undefined) return;
    const load = this.#load(adapter);
    load.begun = load.begun.filter((begun) => begun.run !== run);
    this.leave(run);
  }

  /** A run of an earlier owner that goes on. */
  adopt(adapter: AdapterName, run: RunId): void {
    this.#places.set(run, adapter);
    this.#load(adapter).running.add(run);
  }

  leave(run: RunId): void {
    const adapter = this.#places.get(run);
    if (adapter === undefined) return;
    this.#places.delete(run);
    const load = this.#load(adapter);
    load.running.delete(run);
    load.queue = load.queue.filter((waiting) => waiting.run !== run);
    this.#pump(adapter);
  }

  /** What is known of each adapter that something is known of. */
  loads(): readonly AdapterLoad[] {
    return [...this.#loads].map(([name, { running, queue }]): AdapterLoad => {
      const refusal = this.#refusal(name);
      return { name, running: running.size, waiting: queue.length, refusedUntil: refusal?.until ?? null, why: refusal?.why ?? "" };
    });
  }

  #pump(adapter: AdapterName): void {
    const load = this.#load(adapter), { concurrency = Infinity, turnsPerHour = Infinity } = this.#options.settings(adapter), now = this.#options.clock.now();
    load.begun = load.begun.filter(({ at }) => at > now - hourMs);
    load.wake?.();
    load.wake = undefined;
    while (load.queue.length > 0 && load.running.size < concurrency && load.begun.length < turnsPerHour) {
      const [first, ...rest] = load.queue;
      if (!first) return;
      load.queue = rest;
      load.running.add(first.run);
      load.begun = [...load.begun, { run: first.run, at: now }];
      first.go();
    }
    const oldest = load.begun[0];
    if (load.queue.length > 0 && load.running.size < concurrency && oldest !== undefined) load.wake = this.#options.clock.at(oldest.at + hourMs, () => this.#pump(adapter));
  }

  #chain(stage: Stage, from: AdapterName): readonly AdapterName[] {
    return [...new Set(this.#options.fallback(stage))].filter((name) => name !== from && this.#options.known(name));
  }

  #own(name: AdapterName): Route {
    return { adapter: name, model: this.#options.settings(name).model ?? null };
  }

  #refusal(name: AdapterName): Refusal | undefined {
    const { refusal } = this.#load(name);
    return refusal !== undefined && refusal.until > this.#options.clock.now() ? refusal : undefined;
  }

  #load(name: AdapterName): Load {
    const known = this.#loads.get(name);
    if (known) return known;
    const made: Load = { refusal: undefined, running: new Set(), queue: [], begun: [], wake: undefined };
    this.#loads.set(name, made);
    return made;
  }
}
