/**
 * What must hold between sessions, lanes and cancels after every event, judged on the journal alone: every actor is replayed as it is written, beside the
 * factory and without its views, so that what is shown of a run is never the witness of itself.
 */
import type { AnyMachineSnapshot, EventObject } from "xstate";
import type { AutopilotContext } from "../../machines/autopilot-context.ts";
import type { LaneRun } from "../../machines/lane-run.ts";
import { legName, type RalphContext } from "../../machines/ralph-context.ts";
import type { SessionContext } from "../../machines/session.ts";
import type { UltraworkContext } from "../../machines/ultrawork-context.ts";
import { neededGates, type WorkItemContext } from "../../machines/work-item-context.ts";
import { type Gate, pendingGates } from "../../src/domain/gate.ts";
import { type Address, parseAddress, type WorkItemId } from "../../src/domain/ids.ts";
import { mostDenials } from "../../src/domain/session.ts";
import { isTerminal, type WorkItemStatus } from "../../src/domain/work-item.ts";
import type { MemoryState } from "../../src/store/memory.ts";
import { charts, eventOf } from "./protocol-audit.ts";

/** The promises of this simulation, by the names that a broken one is told with. */
export const promises = {
  own: "a stop is never denied because of another session's run, or a record that is nobody's",
  excused: "a stop is never denied on a cancel, a refused login, a rate limit, a full context, a question, a pause or an acknowledgement",
  wayOut: "every denial has a way out: so many tries, an acknowledgement, a question, an unlink",
  gates: "a denial names the gates that are pending, and no other",
  held: "the session that drives a run is held back until the run has ended",
  driver: "only its own session advances a run",
  late: "what is told late, to an older generation or attempt, changes nothing",
  generation: "a pause, a resume and a cancel each begin a generation, and nothing else does",
  cancel: "a cancel reaches the chain of its item, and no other",
  exclusive: "one run at most is at work on an item",
  caps: "caps hold",
  over: "when everybody has ended nobody is held back, warned or at work",
} as const;
export type Promised = keyof typeof promises;

/** What is known of an item, from its journal. */
export interface Truth {
  readonly id: WorkItemId;
  readonly status: WorkItemStatus;
  readonly pending: readonly Gate[];
  /** Of the present attempt, while it has not ended. */
  readonly run: { readonly address: Address; readonly chart: string; readonly state: string; readonly driver: string | null; readonly generation: number; readonly round: number } | null;
}

const runCharts: ReadonlySet<string> = new Set(["ralph", "autopilot", "ultrawork", "team", "pipeline"]);
const isOf = (items: ReadonlySet<WorkItemId>, address: Address): boolean => {
  const item = parseAddress(address)?.item;
  return item !== undefined && items.has(item);
};
const stateOf = ({ value }: AnyMachineSnapshot): string => (typeof value === "string" ? value : JSON.stringify(value));
const placeOf = (generation: number, round: number): string => `generation ${generation}, round ${round}`;

export class Judge {
  readonly faults: string[] = [];
  readonly #state: MemoryState;
  readonly #cancelled: ReadonlySet<string>;
  readonly #actors = new Map<Address, { readonly chart: string; state: AnyMachineSnapshot }>();
  /** Runs that have not ended, by item. */
  readonly #living = new Map<WorkItemId, Set<Address>>();
  readonly #rejected = new Set<WorkItemId>();
  /** Where runs were when a session said that its round was done: `session run place`. */
  readonly #meant = new Set<string>();
  #read = 0;
  readonly seen = { advances: 0, cancels: 0, stale: 0 };

  constructor(state: MemoryState, cancelled: ReadonlySet<string>) {
    this.#state = state;
    this.#cancelled = cancelled;
  }

  fault(promised: Promised, what: string): void { this.faults.push(`[${promised}] ${promises[promised]}: ${what}`); }

  /** Every item's newest lineage. */
  items(): readonly Truth[] {
    this.#catchUp();
    const newest = new Map<WorkItemId, Truth>();
    for (const [address, { chart, state }] of this.#actors) {
      const id = parseAddress(address)?.item;
      if (chart !== "work-item" || id === undefined) continue;
      // A later lineage begins later.
      const context: WorkItemContext = state.context;
      newest.set(id, { id, status: state.value, pending: pendingGates(neededGates(context), context.gates), run: this.#runOf(id, context.attempt) });
    }
    return [...newest.values()];
  }

  item(id: WorkItemId): Truth | undefined { return this.items().find((item) => item.id === id); }

  /** At an address, or of an item, all that live. */
  runs(name: string): readonly NonNullable<Truth["run"]>[] {
    return [...this.#living.values()].flatMap((living) => [...living]).filter((address) => address === name || parseAddress(address)?.item === name).flatMap((address) => this.run(address) ?? []);
  }

  run(address: Address): Truth["run"] {
    this.#catchUp();
    const found = this.#actors.get(address);
    if (found?.state.status !== "active") return null;
    const context: Pick<RalphContext, "driver" | "generation" | "iteration"> = found.state.context;
    return { address, chart: found.chart, state: stateOf(found.state), driver: found.chart === "ralph" ? (context.driver ?? null) : null, generation: context.generation, round: context.iteration };
  }

  /** A session is about to say that its round is done. */
  means(session: string, address: Address): void {
    const run = this.run(address);
    if (run) this.#meant.add(`${session} ${address} ${placeOf(run.generation, run.round)}`);
  }

  /** What still lives of items that are over. */
  leftovers(): readonly string[] {
    const over = new Set(this.items().filter(({ status }) => isTerminal(status)).map(({ id }) => id));
    return [...this.#actors].filter(([address, { state }]) => state.status === "active" && isOf(over, address)).map(([address, { state }]) => `${address} is ${stateOf(state)}`);
  }

  #runOf(id: WorkItemId, attempt: number): Truth["run"] {
    const address = [...this.#living.get(id) ?? []].find((each) => parseAddress(each)?.attempt === attempt);
    return address === undefined ? null : this.run(address);
  }

  #catchUp(): void {
    for (let row = this.#state.journal[this.#read]; row; row = this.#state.journal[++this.#read]) {
      const event = eventOf(row.event), known = this.#actors.get(row.actor);
      if (!known) {
        const id = String(event.chart), chart = charts.get(id);
        if (!chart) continue;
        const { state } = chart.start(event.input);
        this.#actors.set(row.actor, { chart: id, state });
        this.#begun(row.actor, id, state);
        continue;
      }
      const before = known.state;
      if (event.type === "actor.start") continue;
      known.state = charts.get(known.chart)?.step(before, event).state ?? before;
      this.#stepped(row.actor, known.chart, { ...event }, before, known.state);
    }
  }

  #begun(address: Address, chart: string, state: AnyMachineSnapshot): void {
    const at = parseAddress(address);
    if (!at || at.part !== undefined || !runCharts.has(chart) || state.status !== "active") return;
    const living = this.#living.get(at.item) ?? new Set();
    this.#living.set(at.item, living.add(address));
    if (living.size > 1) this.fault("exclusive", [...living].join(" and "));
  }

  #stepped(address: Address, chart: string, event: EventObject & Readonly<Record<string, unknown>>, before: AnyMachineSnapshot, after: AnyMachineSnapshot): void {
    const at = parseAddress(address), changed = JSON.stringify([before.value, before.context]) !== JSON.stringify([after.value, after.context]);
    const says = `${address} took ${JSON.stringify(event).slice(0, 200)} in ${stateOf(before)}`;
    if (chart === "session") {
      const { denials }: SessionContext = after.context;
      if (denials.length > mostDenials) this.fault("caps", `${address} keeps ${denials.length} denials`);
      return;
    }
    if (!at) return;
    if (after.status !== "active") this.#living.get(at.item)?.delete(address);
    if (before.status !== "active" && changed) this.fault("late", says);
    if (chart === "work-item") this.#itemStepped(at.item, event, before, after, changed, says);
    if (chart === "ralph" || chart === "autopilot" || chart === "ultrawork") this.#runStepped(address, chart, event, before, after, changed, says);
    if (at.part === undefined && runCharts.has(chart) && event.type === "cancel" && !this.#cancelled.has(at.item) && this.#item(at.item)?.context.blocked !== "needsReconcile") this.fault("cancel", says);
  }

  #item(id: WorkItemId): { readonly context: WorkItemContext } | undefined { return [...this.#actors].findLast(([address, { chart }]) => chart === "work-item" && parseAddress(address)?.item === id)?.[1].state; }

  #itemStepped(id: WorkItemId, event: EventObject & Readonly<Record<string, unknown>>, before: AnyMachineSnapshot, after: AnyMachineSnapshot, changed: boolean, says: string): void {
    const context: WorkItemContext = before.context;
    if (event.type === "reject") this.#rejected.add(id);
    if (event.type === "cancel") this.seen.cancels++;
    if ((event.type === "cancel" || after.value === "cancelling" || after.value === "cancelled") && !this.#cancelled.has(id) && !this.#rejected.has(id)) this.fault("cancel", says);
    if ((event.type === "pipeline.ended" || event.type === "pipeline.gates" || event.type === "pipeline.paused") && event["attempt"] !== context.attempt) {
      this.seen.stale++;
      if (changed) this.fault("late", says);
    }
  }

  #runStepped(address: Address, chart: string, event: EventObject & Readonly<Record<string, unknown>>, before: AnyMachineSnapshot, after: AnyMachineSnapshot, changed: boolean, says: string): void {
    const was: LaneRun = before.context, is: LaneRun = after.context, turns = event.type === "pause" || event.type === "resume" || event.type === "cancel";
    if (is.generation !== was.generation + (turns && changed ? 1 : 0)) this.fault("generation", `${says}: from ${was.generation} to ${is.generation}`);
    if (chart === "ralph") {
      const run: RalphContext = before.context, now: RalphContext = after.context;
      if (event.type === "advance" && changed) {
        this.seen.advances++;
        if (run.driver === undefined || run.driver !== event["session"]) this.fault("driver", `${says}, which ${run.driver ?? "the factory"} drives`);
        else if (!this.#meant.has(`${run.driver} ${address} ${placeOf(run.generation, run.iteration)}`)) this.fault("late", `${says}, ${placeOf(run.generation, run.iteration)}, which nobody meant`);
      }
      if (event.type === "pipeline.ended" && (!run.running || (typeof event["leg"] === "object" && event["leg"] !== null && Reflect.get(event["leg"], "n") !== legName(run))) && changed) this.fault("late", says);
      if (now.iteration > now.maxIterations) this.fault("caps", `${address} is in round ${now.iteration} of ${now.maxIterations}`);
    }
    if (chart === "autopilot") {
      const { plans, cycles, rounds, caps }: AutopilotContext = after.context;
      if (plans > caps.plans || cycles > caps.qaCycles || rounds > caps.validationRounds) this.fault("caps", `${address}: ${plans} plans, ${cycles} checks, ${rounds} judgements`);
    }
    if (chart === "ultrawork") {
      const { fixes, limits, board }: UltraworkContext = after.context;
      if (fixes > limits.maxFixes || board.tasks.some(({ attempts }) => attempts > limits.taskAttempts)) this.fault("caps", `${address}: ${fixes} fixes`);
    }
  }
}
